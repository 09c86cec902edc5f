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
use crate::ops::{App, api_tokens, sessions};
use rouille::{Response, url::form_urlencoded};
use sha2::{Digest, Sha256};

/// The cookie that holds a session.
pub const SESSION_COOKIE: &str = "muster_session";
/// The same over TLS. A name of its own, because a browser does not let plain HTTP replace a cookie of TLS: who had
/// logged in there could not log in here. Browsers take `__Secure-` from nobody who could be listened to.
pub const SECURE_SESSION_COOKIE: &str = "__Secure-muster_session";

/// What who asks may do. Unauthorized for a token that is none of ours or has ended, Forbidden for an account that a
/// proxy names and that is not there.
pub fn rights(web: &Web, head: &Head) -> Result<Rights> {
    rights_of(web.app(), head, sessions::account)
}

/// The same for an answer that goes on for long: it keeps no session from ending.
pub fn rights_still(app: &App, head: &Head) -> Result<Rights> {
    rights_of(app, head, sessions::account_unmoved)
}

/// What anybody may do.
pub fn rights_of_nobody(app: &App) -> Rights {
    rights_as(app, Who::Nobody)
}

type OfSession = fn(&App, &str) -> Result<Option<LoggedIn>>;

fn rights_of(app: &App, head: &Head, of_session: OfSession) -> Result<Rights> {
    who(app, head, of_session).map(|who| rights_as(app, who))
}

fn rights_as(app: &App, who: Who) -> Rights {
    let access = &app.config.access;
    Rights {
        who,
        is_reading_open: access.read == ReadAccess::Open,
        is_changing_open: access.write == WriteAccess::Open,
    }
}

fn who(app: &App, head: &Head, of_session: OfSession) -> Result<Who> {
    if let Some(token) = bearer(head) {
        return of_token(app, head, token).map(Who::Account);
    }
    if let Some(account) = of_proxy(app, head)? {
        return Ok(Who::Account(account));
    }
    if let Some(cookie) = session_cookie(head)
        && let Some(account) = of_session(app, cookie)?
    {
        return Ok(Who::Account(account));
    }
    if is_local(&app.config, head) && !app.store.has_accounts()? {
        return Ok(Who::Local);
    }
    Ok(Who::Nobody)
}

fn bearer(head: &Head) -> Option<&str> {
    let (scheme, token) = head.field("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn of_token(app: &App, head: &Head, token: &str) -> Result<LoggedIn> {
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
fn of_proxy(app: &App, head: &Head) -> Result<Option<LoggedIn>> {
    let access = &app.config.access;
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
    let account = app.store.account_by_name(name)?;
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
    let expected = session_cookie_name(head);
    pairs.find(|(name, _)| *name == expected).map(|(_, value)| value)
}

/// The name of the session cookie for who asks.
pub fn session_cookie_name(head: &Head) -> &'static str {
    if proxies::is_secure(head) { SECURE_SESSION_COOKIE } else { SESSION_COOKIE }
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

/// What a form on a page for this caller sends back: bound to the session and to the account, so that nobody else's page
/// can know it.
pub fn csrf_token(web: &Web, head: &Head, rights: &Rights) -> String {
    let (kind, account_id) = match &rights.who {
        Who::Nobody => (0, 0),
        Who::Local => (1, 0),
        Who::Account(account) => (2, account.account_id),
    };
    let mut hash = Sha256::new();
    hash.update(web.csrf_secret());
    hash.update([kind]);
    hash.update(i64::to_be_bytes(account_id));
    hash.update(session_cookie(head).unwrap_or("").as_bytes());
    hex(&hash.finalize()[..16])
}

/// Refuses a form that a page of another site sent. A program with a token of its own needs no form.
pub fn require_own_form(web: &Web, call: &Call) -> Result<()> {
    if let Who::Account(LoggedIn { scope: Some(_), .. }) = call.rights.who {
        return Ok(());
    }
    require_own_origin(&call.head)?;
    if call.form().first("csrf_token") != Some(csrf_token(web, &call.head, &call.rights).as_str()) {
        return Err(foreign_form());
    }
    Ok(())
}

/// Refuses what a browser says that another site's page sent. Enough by itself only where there is no session yet that
/// could be misused: to log in.
pub fn require_own_origin(head: &Head) -> Result<()> {
    let host = head.field("host").unwrap_or("");
    let is_other = |origin: &str| {
        origin.split_once("://").is_none_or(|(_, origin_host)| !origin_host.eq_ignore_ascii_case(host))
    };
    let is_foreign = head.field("origin").is_some_and(is_other)
        || head.field("sec-fetch-site").is_some_and(|site| matches!(site, "cross-site" | "same-site"));
    if is_foreign { Err(foreign_form()) } else { Ok(()) }
}

fn foreign_form() -> Error {
    Error::new(
        Kind::Forbidden,
        "This form is not from a page of this server, or the server was restarted since; reload the page",
    )
}

/// The account of a person, for what no API token may do: a token must not make itself another. Unauthorized where it is
/// nobody, Forbidden where it is a program.
pub fn require_person(call: &Call) -> Result<&LoggedIn> {
    match &call.rights.who {
        Who::Account(account) if account.scope.is_none() => Ok(account),
        Who::Account(_) => {
            Err(Error::new(Kind::Forbidden, "An API token cannot do this; log in with a password"))
        }
        Who::Local | Who::Nobody => Err(Error::new(Kind::Unauthorized, "Log in at /login")),
    }
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
