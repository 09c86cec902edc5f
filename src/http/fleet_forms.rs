// SPDX-License-Identifier: Apache-2.0
//! The forms of the fleet's pages: unbinding an endpoint.

use crate::error::{Error, Result};
use crate::http::access::{actor, require_own_form};
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::fleet::enrolment;
use crate::views::fleet::agent_url;
use rouille::Response;

/// `POST /fleet/agents/ID/unbind`: forgets the key of the agent's endpoint, so that its next one binds.
pub fn unbind(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (id, app) = (call.id()?, web.app());
    let thresholds = app.config.fleet.liveness().at(app.clock.now());
    let agent = app.store.agent(id, thresholds)?;
    let agent = agent.ok_or_else(|| Error::not_found(format!("There is no agent {id}")))?;
    enrolment::unbind(app, &agent.queueloc, &actor(call))?;
    Ok(respond::redirect(303, &format!("{}?done=unbound", agent_url(id))))
}
