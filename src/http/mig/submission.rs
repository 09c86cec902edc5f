// SPDX-License-Identifier: Apache-2.0
//! `POST /api/v1/action/create`.

use super::entities::action_item;
use super::{actor, admit, answer};
use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::web::Web;
use crate::model::action::Action;
use crate::model::investigator::Permission;
use crate::ops::fleet::submit::{Origin, Submitter, submit};
use rouille::Response;

/// `POST /api/v1/action/create`: the form field `action` holds a signed action; 202 with the action as stored.
pub fn create_action(web: &Web, call: &Call) -> Result<Response> {
    let investigator = admit(web, call, Permission::ActionCreate)?;
    let form = call.form();
    let text = form.first("action").or_else(|| call.query.first("action"));
    let text = text.ok_or_else(|| Error::invalid("Missing parameter 'action'"))?;
    let action = Action::from_json(text.as_bytes())?;
    let actor = actor(call, &investigator);
    let submitter = Submitter { investigator_id: Some(investigator.id), origin: Origin::Api, actor };
    let row = submit(web.app(), &action, &submitter)?;
    let name = format!("action ID {}", row.id);
    Ok(answer(call, 202, &[action_item(&call.head, &name, row.id, &row.to_action()?)?]))
}
