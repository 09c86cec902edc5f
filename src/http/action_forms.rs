// SPDX-License-Identifier: Apache-2.0
//! The forms of the pages of actions: composing and launching one, cancelling one.

use crate::error::{Error, Result};
use crate::http::access::{actor, require_own_form};
use crate::http::call::Call;
use crate::http::pages::{send, viewer};
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::fleet::cancel;
use crate::ops::fleet::compose::{self, Draft, Launch};
use crate::views::actions::{action_url, compose as page};
use rouille::Response;

/// Bytes of the form of an action; longer operations are launched from a file.
pub const FORM_BYTES_MAX: usize = 2 << 20;

/// `POST /actions/new`: `do` is `check`, `text` (the text to sign as a file) or `launch`.
pub fn compose(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (app, form) = (web.app(), call.form());
    let draft = Draft::new(app.clock.now()).with(&form);
    let checked = match form.first("do") {
        Some("check") => compose::check(app, draft)?,
        Some("text") => {
            let checked = compose::check(app, draft)?;
            if let Some(ready) = &checked.ready {
                return Ok(text_file(&ready.text));
            }
            checked
        }
        Some("launch") => match compose::launch(app, draft, &actor(call))? {
            Launch::Done(row) => return Ok(respond::redirect(303, &action_url(row.id))),
            Launch::Refused(checked) => *checked,
        },
        _ => return Err(Error::invalid("do must be check, text or launch")),
    };
    send(web, call, &page::render(&checked, &viewer(web, call)?))
}

fn text_file(text: &str) -> Response {
    respond::data(200, "text/plain; charset=utf-8", text)
        .with_unique_header("Content-Disposition", "attachment; filename=\"action.txt\"")
        .with_unique_header("Cache-Control", "no-store")
}

/// `POST /actions/ID/cancel`: `reason` says why.
pub fn cancel(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let id = call.id()?;
    let form = call.form();
    cancel::cancel(web.app(), id, form.first("reason").unwrap_or(""), &actor(call))?;
    Ok(respond::redirect(303, &action_url(id)))
}
