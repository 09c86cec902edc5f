// SPDX-License-Identifier: Apache-2.0
//! The forms of the crash pages: comment, hide, change of the blacklist, choice of a build.

use crate::error::{Error, Kind, Result};
use crate::http::access::{actor, require_own_form};
use crate::http::call::{Call, PAIRS_MAX};
use crate::http::pages::{send, viewer};
use crate::http::respond;
use crate::http::web::Web;
use crate::model::crash::CrashKind;
use crate::model::pairs::Pairs;
use crate::ops::{blacklist, crashes};
use crate::views::crashes::{BLACKLIST, build_of, build_url, details, guilty_url, overall_url, preview};
use crate::views::links;
use rouille::Response;

/// `GET /crashes/build?of=SYSTEM/BUILD`: leads to the page of the build that the form chose.
pub fn choose_build(_: &Web, call: &Call) -> Result<Response> {
    let kind = call.query.filled("kind").and_then(CrashKind::from_word).unwrap_or(CrashKind::Program);
    let Some(of) = call.query.filled("of") else {
        return Ok(respond::redirect(302, &overall_url(kind)));
    };
    let segments = links::parameters("{system}/{build}", of);
    let segments = segments.ok_or_else(|| Error::invalid("of must be SYSTEM/BUILD, each percent-encoded"))?;
    // Written anew from what was understood, it cannot lead away from here.
    Ok(respond::redirect(302, &build_url(&build_of(&segments), kind)))
}

/// `POST /crashes/guilty_details/ID/comment`.
pub fn comment(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (id, form) = (call.id()?, call.form());
    let text = form.first("comment").unwrap_or("");
    match crashes::details::comment(web.app(), id, text, &actor(call)) {
        Ok(()) => Ok(respond::redirect(303, &format!("{}?done=comment", guilty_url(id)))),
        Err(error) if error.kind() == Kind::Invalid => {
            let guilty = crashes::details::load(web.app(), id, &Pairs::default())?;
            let refused = details::BadComment { text, message: error.message() };
            let page = details::render(&guilty, &viewer(web, call)?, None, Some(&refused));
            send(web, call, &page)
        }
        Err(error) => Err(error),
    }
}

/// `POST /crashes/guilty_details/ID/hide`: `hidden` is 1 or 0; `from=blacklist` leads back there.
pub fn hide(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (id, form) = (call.id()?, call.form());
    let (is_hidden, code) = match form.first("hidden") {
        Some("1") => (true, "hidden"),
        Some("0") => (false, "shown"),
        _ => return Err(Error::invalid("hidden must be 1 or 0")),
    };
    crashes::details::hide(web.app(), id, is_hidden, &actor(call))?;
    let path = match form.first("from") {
        Some("blacklist") => BLACKLIST.path.to_owned(),
        _ => guilty_url(id),
    };
    Ok(respond::redirect(303, &format!("{path}?done={code}")))
}

/// `POST /crashes/blacklist`: applies the change that a preview showed.
pub fn change_blacklist(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let form = call.form();
    if form.0.len() > PAIRS_MAX {
        return Err(Error::invalid(format!("A form has at most {PAIRS_MAX} fields; change less at once")));
    }
    match blacklist::read_change(&form)? {
        Ok(change) => {
            let is_changed = blacklist::apply(web.app(), &change, &actor(call))?;
            let code = blacklist::outcome_word(&change, is_changed);
            Ok(respond::redirect(303, &format!("{}?done={code}", BLACKLIST.path)))
        }
        Err(bad) => send(web, call, &preview::refused(&form, &bad)),
    }
}
