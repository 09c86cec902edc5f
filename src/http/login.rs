// SPDX-License-Identifier: Apache-2.0
//! Logging in and out: the form, the session's cookie, and the way back.
//!
//! The cookie is `SameSite=Strict`, so a browser that follows a link from another site comes without it and is led to
//! the form although it is logged in. The form therefore asks for itself once more, which is a request of our own page
//! and brings the cookie; if one comes, the form leads on.
//!
//! Who logs in has no session yet that a token could be bound to. That the form is ours is known by the `Origin`.

use crate::error::{Error, Kind, Result};
use crate::http::access::{self, require_own_form, require_own_origin};
use crate::http::base_path::cookie_path;
use crate::http::call::Call;
use crate::http::pages::{send, send_as};
use crate::http::proxies;
use crate::http::respond;
use crate::http::web::Web;
use crate::http::wire::Head;
use crate::model::account::Who;
use crate::model::time::DAY_SECS;
use crate::ops::sessions::{self, Login};
use crate::store::secret_digest;
use crate::views::links::link;
use crate::views::login::{self, Guest};
use rouille::Response;

/// Most bytes of the form.
pub const FORM_BYTES_MAX: usize = 16 << 10;
/// The browser keeps the cookie as long as browsers keep any, 400 days. When the session ends only the server decides: it
/// moves the end on with each use, of which the cookie knows nothing.
const COOKIE_SECS: i64 = 400 * DAY_SECS;
/// Longest address to which one is led back.
const NEXT_BYTES_MAX: usize = 2_000;
/// Where one is led without another wish.
const HOME: &str = "/";

/// `GET /login`: the form, or the way on for who is logged in.
pub fn show(web: &Web, call: &Call) -> Result<Response> {
    let rights = access::rights(web, &call.head)?;
    let next = next_of(call.query.first("next"));
    let has_looked = call.query.filled("looked").is_some();
    let page = match &rights.who {
        Who::Account(_) if call.query.filled("next").is_some() => {
            return Ok(kept_by_nobody(respond::redirect(303, &next)));
        }
        Who::Account(account) => login::render(&Guest::Known(account), &next, 200),
        _ if !web.app().store.has_accounts()? => {
            login::render(&Guest::BeforeAccounts { is_local: rights.who == Who::Local }, &next, 200)
        }
        _ => {
            let comes_bare = access::session_cookie(&call.head).is_none() && !has_looked;
            let look_again = comes_bare.then(|| link("", [("next", next.as_str()), ("looked", "1")]));
            login::render(&Guest::Unknown { name: "", refused: None, look_again }, &next, 200)
        }
    };
    Ok(kept_by_nobody(send_as(web, call, rights, &page)?))
}

/// `POST /login`: begins a session, always a new one.
pub fn log_in(web: &Web, call: &Call) -> Result<Response> {
    require_own_origin(&call.head)?;
    let app = web.app();
    if !app.store.has_accounts()? {
        return Err(Error::new(
            Kind::Conflict,
            "There is no account yet; make one with `muster account add NAME`",
        ));
    }
    let form = call.form();
    let (name, password) = (form.first("name").unwrap_or(""), form.first("password").unwrap_or(""));
    let next = next_of(form.first("next"));
    let peer = call.head.peer.ip();
    let outcome = app.attempts.begin(peer, Some(name)).and_then(|trial| {
        let user_agent = call.head.field("user-agent").unwrap_or("");
        let secret = sessions::begin(app, Login { name, password, peer, user_agent })?;
        secret.ok_or_else(|| {
            trial.fail();
            Error::new(Kind::Forbidden, "The name or the password is wrong, or the account is disabled")
        })
    });
    let error = match outcome {
        Ok(secret) => {
            // One that the browser had before is not left behind for who finds it.
            end_session_of(web, &call.head)?;
            let cookie = session_cookie(web, &call.head, &secret, COOKIE_SECS);
            let response = respond::redirect(303, &next).with_additional_header("Set-Cookie", cookie);
            return Ok(kept_by_nobody(response));
        }
        Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::TooOften) => error,
        Err(error) => return Err(error),
    };
    let guest = Guest::Unknown { name, refused: Some(error.message()), look_again: None };
    let page = login::render(&guest, &next, error.kind().http_status());
    let response = kept_by_nobody(send_as(web, call, access::rights_of_nobody(app), &page)?);
    Ok(match error.retry_after_secs() {
        Some(secs) => response.with_unique_header("Retry-After", secs.to_string()),
        None => response,
    })
}

/// `POST /logout`: ends the session.
pub fn log_out(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    end_session_of(web, &call.head)?;
    Ok(without_session(web, &call.head, login::PATH))
}

/// Leads away and takes the cookie back.
pub(super) fn without_session(web: &Web, head: &Head, to: &str) -> Response {
    let cookie = session_cookie(web, head, "", 0);
    kept_by_nobody(respond::redirect(303, to).with_additional_header("Set-Cookie", cookie))
}

/// A page about accounts as the answer; neither the browser nor anything between may keep it.
pub(super) fn send_unkept(web: &Web, call: &Call, page: &crate::views::Page) -> Result<Response> {
    Ok(kept_by_nobody(send(web, call, page)?))
}

/// Begins a session for who has just shown a new password, in place of those that ended.
pub(super) fn begin_anew(web: &Web, call: &Call, name: &str, password: &str, to: &str) -> Result<Response> {
    let app = web.app();
    let user_agent = call.head.field("user-agent").unwrap_or("");
    let secret = sessions::begin(app, Login { name, password, peer: call.head.peer.ip(), user_agent })?;
    let secret = secret.ok_or_else(|| Error::new(Kind::Unauthorized, "Log in with the new password"))?;
    let cookie = session_cookie(web, &call.head, &secret, COOKIE_SECS);
    Ok(kept_by_nobody(respond::redirect(303, to).with_additional_header("Set-Cookie", cookie)))
}

fn end_session_of(web: &Web, head: &Head) -> Result<()> {
    let Some(secret) = access::session_cookie(head) else { return Ok(()) };
    let Some(account) = sessions::account_unmoved(web.app(), secret)? else { return Ok(()) };
    let actor = crate::model::audit::Actor { name: account.name, origin: head.peer.ip().to_string() };
    match sessions::end(web.app(), account.account_id, secret_digest(secret), &actor) {
        Err(error) if error.kind() != Kind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A cookie that no script reads, no other site sends, and that plain HTTP does not see where it came over TLS.
fn session_cookie(web: &Web, head: &Head, secret: &str, secs: i64) -> String {
    let path = cookie_path(&web.app().config);
    let name = access::session_cookie_name(head);
    let secure = if proxies::is_secure(head) { "; Secure" } else { "" };
    format!("{name}={secret}; Path={path}; Max-Age={secs}; HttpOnly; SameSite=Strict{secure}")
}

fn kept_by_nobody(response: Response) -> Response {
    response.with_unique_header("Cache-Control", "no-store")
}

/// The address to which one is led back: one of ours, else home.
fn next_of(wish: Option<&str>) -> String {
    wish.filter(|next| is_ours(next)).unwrap_or(HOME).to_owned()
}

/// True for a path on this server that a browser cannot take for anything else, and that does not lead here again.
fn is_ours(next: &str) -> bool {
    let is_plain = next.len() <= NEXT_BYTES_MAX && next.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let path = next.split(['?', '#']).next().unwrap_or_default();
    is_plain
        && next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !matches!(path, "/login" | "/logout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_back_only_to_paths_of_ours() {
        let ours = [
            "/",
            "/records",
            "/records?payload=a%5Cb&x=//y",
            "/crashes/build/a%2Fb/1",
            "/actions/1#log",
            "/loginx",
        ];
        for next in ours {
            assert_eq!(next_of(Some(next)), next);
        }
        let long = format!("/{}", "x".repeat(NEXT_BYTES_MAX));
        let others = [
            "",
            "records",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "http://evil.example/",
            "https:evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\r\nSet-Cookie: x=y",
            "/a b",
            "/ä",
            "/\0",
            " /records",
            "/a\\b",
            "/login",
            "/login?next=/login",
            "/logout",
            &long,
        ];
        for next in others {
            assert_eq!(next_of(Some(next)), "/", "{next:?}");
        }
        assert_eq!(next_of(None), "/");
    }
}
