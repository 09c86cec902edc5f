// SPDX-License-Identifier: Apache-2.0
//! Pages of `views` over the wire: who looks, the forms that change something, and the static files.

use crate::error::{Error, Kind, Result};
use crate::http::access::{self, require_own_form};
use crate::http::call::Call;
use crate::http::proxies;
use crate::http::respond;
use crate::http::web::Web;
use crate::http::wire::Head;
use crate::model::account::{Rights, Who};
use crate::model::filter::ParameterError;
use crate::ops::quarantine;
use crate::store::secret_digest;
use crate::views::{self, Asked, Page, View, Viewer, assets};
use rouille::Response;

/// Shows a view.
pub fn show(web: &Web, call: &Call, view: &View, parameters: &[String]) -> Result<Response> {
    let viewer = viewer(web, call)?;
    let page = (view.get)(web.app(), &Asked { query: &call.query, parameters, viewer: &viewer })?;
    Ok(respond::html(page.status, views::document(web.app(), call.head.path(), &viewer, &page)))
}

/// The answer that holds a page.
pub(crate) fn send(web: &Web, call: &Call, page: &Page) -> Result<Response> {
    let viewer = viewer(web, call)?;
    Ok(respond::html(page.status, views::document(web.app(), call.head.path(), &viewer, page)))
}

/// The same for a route that finds out by itself who asks.
pub(crate) fn send_as(web: &Web, call: &Call, rights: Rights, page: &Page) -> Result<Response> {
    let viewer = viewer_as(web, &call.head, rights)?;
    Ok(respond::html(page.status, views::document(web.app(), call.head.path(), &viewer, page)))
}

/// Who asks.
pub(crate) fn viewer(web: &Web, call: &Call) -> Result<Viewer> {
    viewer_as(web, &call.head, call.rights.clone())
}

fn viewer_as(web: &Web, head: &Head, rights: Rights) -> Result<Viewer> {
    let host = head.field("host").unwrap_or("localhost");
    let scheme = if proxies::is_secure(head) { "https" } else { "http" };
    let has_accounts = match &rights.who {
        Who::Account(_) => true,
        Who::Local => false,
        Who::Nobody => web.app().store.has_accounts()?,
    };
    Ok(Viewer {
        has_accounts,
        csrf_token: access::csrf_token(web, head, &rights),
        session_digest: access::session_cookie(head).map(secret_digest),
        origin: format!("{scheme}://{host}{}", web.app().config.base_path),
        rights,
    })
}

/// `GET /records/quarantine/ID`.
pub fn quarantined(web: &Web, call: &Call) -> Result<Response> {
    let id = call.id()?;
    let correction = start_of_correction(web, id)?;
    let page = views::quarantine::entry(web.app(), &viewer(web, call)?, id, &correction)?;
    send(web, call, &page)
}

fn start_of_correction(web: &Web, id: i64) -> Result<views::quarantine::Correction> {
    let post = quarantine::require(web.app(), id)?;
    let sent = quarantine::correction_of(&post);
    Ok(views::quarantine::Correction {
        fields: sent.values,
        payload: sent.payload,
        // Of a payload that was cut there is nothing to take as it came.
        is_payload_as_sent: !post.content.is_body_cut,
        error: None,
    })
}

/// `POST /records/quarantine/ID/admit`.
pub fn admit(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (id, form) = (call.id()?, call.form());
    match quarantine::admit(web.app(), id, &form, &access::actor(call)) {
        Ok(record) => Ok(respond::redirect(303, &format!("/records/{}", record.id))),
        Err(error) if matches!(error.kind(), Kind::Invalid | Kind::TooLarge) => {
            let mut correction = start_of_correction(web, id)?;
            for (name, value) in &mut correction.fields {
                *value = form.first(name).unwrap_or("").to_owned();
            }
            correction.is_payload_as_sent = form.first("payload_as_sent") == Some("true");
            if !correction.is_payload_as_sent {
                correction.payload = form.first("payload").unwrap_or("").to_owned();
            }
            // A rule's message begins with the name of its field.
            let parameter = error.message().split(' ').next().unwrap_or("").to_owned();
            correction.error = Some(ParameterError { parameter, message: error.message().to_owned() });
            let page = views::quarantine::entry(web.app(), &viewer(web, call)?, id, &correction)?;
            send(web, call, &page)
        }
        Err(error) => Err(error),
    }
}

/// `POST /records/quarantine/ID/drop`.
pub fn drop_post(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    quarantine::drop_post(web.app(), call.id()?, &access::actor(call))?;
    Ok(respond::redirect(303, views::quarantine::VIEW.path))
}

/// `GET /`.
pub fn home(_: &Web, _: &Call) -> Result<Response> {
    Ok(respond::redirect(302, "/records"))
}

/// `GET /assets/NAME`: a file of ours, for ever where its address carries its hash.
pub fn asset(_: &Web, call: &Call) -> Result<Response> {
    let name = call.parameters.first().map_or("", String::as_str);
    let asset = assets::asset(name).ok_or_else(|| Error::not_found("There is no such file"))?;
    let etag = format!("\"{}\"", asset.hash);
    let cache = match call.query.first("v") {
        Some(hash) if hash == asset.hash => "public, max-age=31536000, immutable",
        _ => "no-cache",
    };
    let response = match call.head.field("if-none-match") {
        Some(tags) if tags.contains(&etag) => respond::data(304, asset.content_type, ""),
        _ => respond::data(200, asset.content_type, asset.bytes.into_owned()),
    };
    Ok(response.with_unique_header("ETag", etag).with_unique_header("Cache-Control", cache))
}
