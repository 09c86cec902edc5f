// SPDX-License-Identifier: Apache-2.0
//! The forms of the pages about investigators: adding, status, permissions, API key, removing.

use crate::error::{Error, Kind, Result};
use crate::http::access::{actor, require_own_form};
use crate::http::call::Call;
use crate::http::pages::{send, viewer};
use crate::http::respond;
use crate::http::web::Web;
use crate::model::investigator::Permissions;
use crate::model::pairs::Pairs;
use crate::ops::fleet::investigators::{self, Adding, Changing};
use crate::views::Asked;
use crate::views::investigators::one::{self, Said};
use crate::views::investigators::{Draft, VIEW, investigator_url, load, render};
use rouille::Response;

/// `POST /investigators`: adds one.
pub fn add(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let form = call.form();
    let name = form.first("name").unwrap_or("");
    let key = form.filled("key");
    let permissions = permissions_of(&form)?;
    let adding = Adding { name, key: key.map(str::as_bytes), permissions };
    match investigators::add(web.app(), &adding, &actor(call)) {
        Ok(row) => Ok(respond::redirect(303, &format!("{}?done=added", investigator_url(row.id)))),
        Err(error) if is_told_on_page(&error) => {
            let draft = Draft {
                name: name.to_owned(),
                key: key.unwrap_or("").to_owned(),
                permissions,
                error: Some(error.message().to_owned()),
            };
            let viewer = viewer(web, call)?;
            let asked = Asked { query: &call.query, parameters: &[], viewer: &viewer };
            send(web, call, &render(&load(web.app())?, &asked, &draft))
        }
        Err(error) => Err(error),
    }
}

/// `POST /investigators/ID/status`: `status` is active or disabled.
pub fn status(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let is_active = match call.form().first("status") {
        Some("active") => true,
        Some("disabled") => false,
        _ => return Err(Error::invalid("status must be active or disabled")),
    };
    change(web, call, Changing { is_active: Some(is_active), ..Changing::default() }, "status")
}

/// `POST /investigators/ID/permissions`: those whose `permission` is given, and no other.
pub fn permissions(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let permissions = permissions_of(&call.form())?;
    change(web, call, Changing { permissions: Some(permissions), ..Changing::default() }, "permissions")
}

/// `POST /investigators/ID/apikey`: `apikey` is active, which shows a new one, or disabled.
pub fn api_key(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let has_api_key = match call.form().first("apikey") {
        Some("active") => true,
        Some("disabled") => false,
        _ => return Err(Error::invalid("apikey must be active or disabled")),
    };
    let changing = Changing { has_api_key: Some(has_api_key), ..Changing::default() };
    if !has_api_key {
        return change(web, call, changing, "cleared");
    }
    let changed = investigators::change(web.app(), call.id()?, changing, &actor(call))?;
    let data = one::load(web.app(), changed.investigator.id)?;
    let said = changed.api_key.map_or(Said::Nothing, Said::ApiKey);
    let page = one::render(&data, &viewer(web, call)?, &said);
    // Neither the browser nor anything between may keep it.
    Ok(send(web, call, &page)?.with_unique_header("Cache-Control", "no-store"))
}

/// `POST /investigators/ID/remove`.
pub fn remove(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let id = call.id()?;
    match investigators::remove(web.app(), id, &actor(call)) {
        Ok(()) => Ok(respond::redirect(303, &format!("{}?done=removed", VIEW.path))),
        Err(error) if is_told_on_page(&error) => {
            let said = Said::Refused(error.message().to_owned());
            send(web, call, &one::render(&one::load(web.app(), id)?, &viewer(web, call)?, &said))
        }
        Err(error) => Err(error),
    }
}

fn change(web: &Web, call: &Call, changing: Changing, code: &str) -> Result<Response> {
    let id = call.id()?;
    investigators::change(web.app(), id, changing, &actor(call))?;
    Ok(respond::redirect(303, &format!("{}?done={code}", investigator_url(id))))
}

fn permissions_of(form: &Pairs) -> Result<Permissions> {
    form.all("permission").try_fold(Permissions::NONE, |all, word| Ok(all.and(Permissions::parse(word)?)))
}

/// True for what the person can mend in the form.
fn is_told_on_page(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::Conflict | Kind::TooLarge)
}
