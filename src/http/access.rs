// SPDX-License-Identifier: Apache-2.0
//! Who asks, and whether they may. Each row of the table of routes and each view names what it needs; this module finds
//! out who asks and says no in one place. Forms also have to come from a page of ours.
//!
//! | who | is known by |
//! |---|---|
//! | a person | the session cookie, or the header field of a proxy that is named in the configuration |
//! | a program | `Authorization: Bearer TOKEN` |
//! | somebody on this host | the loopback address, while there is no account |

use crate::config::{ReadAccess, WriteAccess};
use crate::error::{Error, Kind, Result};
use crate::http::call::{Call, is_local};
use crate::http::proxies;
use crate::http::respond;
use crate::http::web::Web;
use crate::http::wire::Head;
use crate::model::account::{LoggedIn, Need, Rights, Who};
use crate::model::audit::Actor;
use crate::model::record::hex;
use crate::ops::{api_tokens, sessions};
use rouille::{Response, url::form_urlencoded};
use sha2::{Digest, Sha256};

/// The cookie that holds a session.
pub const SESSION_COOKIE: &str = "muster_session";

/// What who asks may do. Unauthorized for a token that is none of ours or has ended, Forbidden for an account that a
/// proxy names and that is not there.
pub fn rights(web: &Web, head: &Head) -> Result<Rights> {
    let access = &web.app().config.access;
    Ok(Rights {
        who: who(web, head)?,
        is_reading_open: access.read == ReadAccess::Open,
        is_changing_open: access.write == WriteAccess::Open,
    })
}

fn who(web: &Web, head: &Head) -> Result<Who> {
    if let Some(token) = bearer(head) {
        return of_token(web, head, token).map(Who::Account);
    }
    if let Some(account) = of_proxy(web, head)? {
        return Ok(Who::Account(account));
    }
    if let Some(cookie) = session_cookie(head)
        && let Some(account) = sessions::account(web.app(), cookie)?
    {
        return Ok(Who::Account(account));
    }
    if is_local(head) && !web.app().store.has_accounts()? {
        return Ok(Who::Local);
    }
    Ok(Who::Nobody)
}

fn bearer(head: &Head) -> Option<&str> {
    let (scheme, token) = head.field("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn of_token(web: &Web, head: &Head, token: &str) -> Result<LoggedIn> {
    let app = web.app();
    let trial = app.attempts.begin(head.peer.ip(), None)?;
    let account = api_tokens::account(app, token)?;
    account.ok_or_else(|| {
        trial.fail();
        Error::new(
            Kind::Unauthorized,
            "This API token is not known, or it has ended; `muster account token` makes one",
        )
    })
}

/// The account that a named proxy says is logged in there.
fn of_proxy(web: &Web, head: &Head) -> Result<Option<LoggedIn>> {
    let access = &web.app().config.access;
    let direct = head.proxy.unwrap_or(head.peer.ip());
    if access.proxy_header.is_empty() || !proxies::is_within(&access.proxy_login_from, direct) {
        return Ok(None);
    }
    let mut names = head.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&access.proxy_header));
    let name = match (names.next(), names.next()) {
        (None, _) => return Ok(None),
        (Some((_, name)), None) if !name.is_empty() => name,
        _ => return Err(Error::invalid(format!("{} must name one account", access.proxy_header))),
    };
    let account = web.app().store.account_by_name(name)?;
    account.map(Some).ok_or_else(|| {
        let name = crate::model::filter::shortened(name);
        Error::new(Kind::Forbidden, format!("There is no active account {name}; an admin can add it"))
    })
}

/// The value of the session cookie.
pub fn session_cookie(head: &Head) -> Option<&str> {
    let fields = head.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let mut pairs =
        fields.flat_map(|(_, value)| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
}

/// Refuses what the rights do not cover: who is not known is led to log in, or told how.
pub fn require(web: &Web, call: &Call, need: Need) -> Result<()> {
    if call.rights.may(need) {
        return Ok(());
    }
    Err(match &call.rights.who {
        Who::Account(account) => {
            let role = need.role().map_or("", |role| role.word());
            let name = &account.name;
            Error::new(Kind::Forbidden, format!("{name} may not do this; it takes the role {role} or more"))
        }
        _ if web.app().store.has_accounts()? => Error::new(
            Kind::Unauthorized,
            "Log in at /login, or send Authorization: Bearer with an API token",
        ),
        _ => Error::new(
            Kind::Forbidden,
            "This is open only to a browser on the server itself, without a proxy between, as long as there are no \
             accounts; make one there with `muster account add NAME`, or use ssh -L 8080:localhost:8080 SERVER",
        ),
    })
}

/// Where a browser that is not logged in is led: to the form, and then back.
pub fn to_login(head: &Head) -> Response {
    let next: String = form_urlencoded::byte_serialize(head.target.as_bytes()).collect();
    respond::redirect(303, &format!("/login?next={next}"))
}

/// What a form on a page for this caller sends back: bound to the session, so that nobody else's page can know it.
pub fn csrf_token(web: &Web, head: &Head) -> String {
    let mut hash = Sha256::new();
    hash.update(web.csrf_secret());
    hash.update(session_cookie(head).unwrap_or("").as_bytes());
    hex(&hash.finalize()[..16])
}

/// Refuses a form that a page of another site sent. A program with a token of its own needs no form.
pub fn require_own_form(web: &Web, call: &Call) -> Result<()> {
    if let Who::Account(LoggedIn { scope: Some(_), .. }) = call.rights.who {
        return Ok(());
    }
    let host = call.head.field("host").unwrap_or("");
    let is_foreign = call.head.field("origin").is_some_and(|origin| {
        origin.split_once("://").is_none_or(|(_, origin_host)| !origin_host.eq_ignore_ascii_case(host))
    });
    if is_foreign || call.form().first("csrf_token") != Some(csrf_token(web, &call.head).as_str()) {
        return Err(Error::new(
            Kind::Forbidden,
            "This form is not from a page of this server, or the server was restarted since; reload the page",
        ));
    }
    Ok(())
}

/// Who acts, for the audit log.
pub fn actor(call: &Call) -> Actor {
    let name = match &call.rights.who {
        Who::Account(account) => account.name.clone(),
        Who::Local => "local".to_owned(),
        Who::Nobody => "anybody".to_owned(),
    };
    Actor { name, origin: call.head.peer.ip().to_string() }
}
