// SPDX-License-Identifier: Apache-2.0
//! `GET /api/v1/dashboard`.

use super::entities::action_item;
use super::{admit, answer};
use crate::error::Result;
use crate::http::call::Call;
use crate::http::web::Web;
use crate::model::investigator::Permission;
use rouille::Response;

/// Actions that a dashboard shows.
const ACTIONS_MAX: usize = 10;

/// `GET /api/v1/dashboard`: numbers of the fleet, then its latest actions, those that wait for their start first.
pub fn dashboard(web: &Web, call: &Call) -> Result<Response> {
    admit(web, call, Permission::Dashboard)?;
    let app = web.app();
    let mut items = Vec::new();
    for row in app.store.actions(&app.store.latest_actions(ACTIONS_MAX)?)? {
        items.push(action_item(&call.head, "action", row.id, &row.to_action()?)?);
    }
    Ok(answer(call, 200, &items))
}
