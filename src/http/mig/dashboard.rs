// SPDX-License-Identifier: Apache-2.0
//! `GET /api/v1/dashboard`.

use super::collection::{Item, json_text};
use super::entities::action_item;
use super::{admit, answer};
use crate::error::Result;
use crate::http::call::Call;
use crate::http::web::Web;
use crate::model::investigator::Permission;
use crate::store::fleet::FleetNumbers;
use rouille::Response;

/// Actions that a dashboard shows.
const ACTIONS_MAX: usize = 10;

/// `GET /api/v1/dashboard`: numbers of the fleet now, then its latest actions, those that wait for their start first.
pub fn dashboard(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Dashboard)?;
    let app = web.app();
    let now = app.clock.now();
    let numbers = app.store.fleet_numbers(now, app.config.fleet.liveness().at(now))?;
    let mut items = vec![summary(&numbers)];
    for row in app.store.actions(&app.store.latest_actions(ACTIONS_MAX)?)? {
        items.push(action_item(&call.head, "action", row.id, &row.to_action()?)?);
    }
    Ok(answer(call, 200, &items))
}

/// The numbers in MIG's order; a client that misses one, or finds it null, ends.
fn summary(numbers: &FleetNumbers) -> Item {
    let data = [
        ("online agents", numbers.online_agents.to_string()),
        ("online agents by version", by_version(&numbers.online_by_version)),
        ("online endpoints", numbers.online_endpoints.to_string()),
        ("idle agents", numbers.idle_agents.to_string()),
        ("idle agents by version", by_version(&numbers.idle_by_version)),
        ("idle endpoints", numbers.idle_endpoints.to_string()),
        ("new endpoints", numbers.new_endpoints.to_string()),
        ("endpoints running 2 or more agents", numbers.double_endpoints.to_string()),
        ("disappeared endpoints", numbers.disappeared_endpoints.to_string()),
        ("flapping endpoints", numbers.flapping_endpoints.to_string()),
    ];
    let data = data.into_iter().map(|(name, json)| (name.to_owned(), json)).collect();
    Item { href: "/dashboard".to_owned(), data, links: Vec::new() }
}

/// `[{"version":…,"count":…}]`, null where there is none, as in MIG.
fn by_version(counts: &[(String, i64)]) -> String {
    if counts.is_empty() {
        return "null".to_owned();
    }
    let counts = counts
        .iter()
        .map(|(version, count)| format!("{{\"version\":{},\"count\":{count}}}", json_text(version)));
    format!("[{}]", counts.collect::<Vec<_>>().join(","))
}
