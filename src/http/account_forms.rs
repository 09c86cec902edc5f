// SPDX-License-Identifier: Apache-2.0
//! The forms of the pages about accounts: one's own (`/account`), and everybody's (`/accounts`), which are for admins.

use crate::error::{Error, Kind, Result};
use crate::http::access::{actor, require_own_form, require_person};
use crate::http::call::Call;
use crate::http::login::{begin_anew, send_unkept, without_session};
use crate::http::pages::viewer;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::account::{LoggedIn, Role, Scope};
use crate::ops::{accounts, api_tokens, passwords, sessions};
use crate::store::AccountChange;
use crate::views::accounts::one::{self, Said};
use crate::views::accounts::{Draft, VIEW, account_url, load, render};
use crate::views::{Asked, account};
use rouille::Response;

/// `POST /account/password`: changes one's own password; all other sessions end.
pub fn own_password(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (who, app, form) = (require_person(call)?, web.app(), call.form());
    let (present, new) = (form.first("present").unwrap_or(""), form.first("password").unwrap_or(""));
    let outcome = if form.first("again") != Some(new) {
        Err(Error::invalid("The two new passwords are not the same"))
    } else {
        // Who found a browser open may guess no more than who knows the name.
        let trial = app.attempts.begin(call.head.peer.ip(), Some(&who.name))?;
        accounts::check_present_password(app, &who.name, present).inspect_err(|error| {
            if error.kind() == Kind::Forbidden {
                trial.fail();
            }
        })
    };
    let changed = outcome
        .and_then(|()| accounts::set_password(app, &who.name, Some(new), true, &actor(call)).map(|_| ()));
    match changed {
        Ok(()) => begin_anew(web, call, &who.name, new, "/account?done=password"),
        Err(error) => refused(web, call, who, error),
    }
}

/// `POST /account/logout`: ends all of one's own sessions.
pub fn own_logout(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let who = require_person(call)?;
    accounts::change(web.app(), &who.name, AccountChange::EndSessions, false, &actor(call))?;
    Ok(without_session(web, &call.head, "/login"))
}

/// `POST /account/sessions`: ends the one that `session` names.
pub fn own_session(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let who = require_person(call)?;
    let digest = digest_of(call.form().first("session").unwrap_or(""))
        .ok_or_else(|| Error::invalid("session must name a session"))?;
    sessions::end(web.app(), who.account_id, digest, &actor(call))?;
    Ok(respond::redirect(303, "/account?done=ended"))
}

/// `POST /account/tokens`: makes an API token, shown once.
pub fn own_token(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (who, app, form) = (require_person(call)?, web.app(), call.form());
    let scope = form.first("scope").and_then(Scope::from_word);
    let scope = scope.ok_or_else(|| Error::invalid("The scope is records, read, write or admin"))?;
    let days = match form.filled("days") {
        Some(days) => Some(days.parse().map_err(|_| Error::invalid("The days must be a number"))?),
        None => None,
    };
    let adding =
        api_tokens::Adding { account: &who.name, name: form.first("for").unwrap_or(""), scope, days };
    match api_tokens::add(app, adding, &actor(call)) {
        Ok(added) => {
            let said = account::Said::Token(added.token);
            let page = account::render(&account::load(app, who)?, &viewer(web, call)?, &said);
            send_unkept(web, call, &page)
        }
        Err(error) => refused(web, call, who, error),
    }
}

/// `POST /account/revoke`: ends the own API token that `token_id` names.
pub fn own_revoke(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let who = require_person(call)?;
    api_tokens::revoke(web.app(), token_id(call)?, Some(who.account_id), &actor(call))?;
    Ok(respond::redirect(303, "/account?done=revoked"))
}

/// `POST /accounts`: adds one.
pub fn add(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (app, form) = (web.app(), call.form());
    let name = form.first("name").unwrap_or("");
    let role = form.filled("role").map(role_of).transpose()?;
    let made_up = match (form.filled("no_password"), form.first("password").unwrap_or("")) {
        (None, "") => Some(passwords::made_up()?),
        _ => None,
    };
    let password = match form.filled("no_password") {
        Some(_) => None,
        None => made_up.as_deref().or(form.first("password")),
    };
    let adding = accounts::Adding { name, password, role, keeps_admin: true };
    match (accounts::add(app, adding, &actor(call)), &made_up) {
        (Ok(row), Some(password)) => {
            let said = Said::Password(password.clone());
            send_unkept(web, call, &one::render(&one::load(app, row.id)?, &viewer(web, call)?, &said))
        }
        (Ok(row), None) => Ok(respond::redirect(303, &format!("{}?done=added", account_url(row.id)))),
        (Err(error), _) if is_told_on_page(&error) => {
            let draft = Draft { name: name.to_owned(), role, error: Some(error.message().to_owned()) };
            let viewer = viewer(web, call)?;
            let asked = Asked { query: &call.query, parameters: &[], viewer: &viewer };
            send_unkept(web, call, &render(&load(app)?, &asked, &draft))
        }
        (Err(error), _) => Err(error),
    }
}

/// `POST /accounts/ID/role`.
pub fn role(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let role = role_of(call.form().first("role").unwrap_or(""))?;
    change(web, call, AccountChange::Role(role), "role")
}

/// `POST /accounts/ID/status`: `status` is active or disabled.
pub fn status(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    match call.form().first("status") {
        Some("active") => change(web, call, AccountChange::Enable, "enabled"),
        Some("disabled") => change(web, call, AccountChange::Disable, "disabled"),
        _ => Err(Error::invalid("status must be active or disabled")),
    }
}

/// `POST /accounts/ID/password`: makes up a new password, shown once.
pub fn password(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let (app, id) = (web.app(), call.id()?);
    let name = one::load(app, id)?.row.name;
    let password = passwords::made_up()?;
    accounts::set_password(app, &name, Some(&password), true, &actor(call))?;
    let said = Said::Password(password);
    send_unkept(web, call, &one::render(&one::load(app, id)?, &viewer(web, call)?, &said))
}

/// `POST /accounts/ID/logout`: ends all its sessions.
pub fn logout(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    change(web, call, AccountChange::EndSessions, "logout")
}

/// `POST /accounts/ID/revoke`: ends the API token that `token_id` names.
pub fn revoke(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let id = call.id()?;
    api_tokens::revoke(web.app(), token_id(call)?, Some(id), &actor(call))?;
    Ok(respond::redirect(303, &format!("{}?done=revoked", account_url(id))))
}

/// `POST /accounts/ID/remove`.
pub fn remove(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    change(web, call, AccountChange::Remove, "removed")
}

fn change(web: &Web, call: &Call, change: AccountChange, code: &str) -> Result<Response> {
    let (app, id) = (web.app(), call.id()?);
    let name = one::load(app, id)?.row.name;
    let is_gone = matches!(change, AccountChange::Remove);
    match accounts::change(app, &name, change, true, &actor(call)) {
        Ok(_) if is_gone => Ok(respond::redirect(303, &format!("{}?done={code}", VIEW.path))),
        Ok(_) => Ok(respond::redirect(303, &format!("{}?done={code}", account_url(id)))),
        Err(error) if is_told_on_page(&error) => {
            let said = Said::Refused(error.message().to_owned());
            send_unkept(web, call, &one::render(&one::load(app, id)?, &viewer(web, call)?, &said))
        }
        Err(error) => Err(error),
    }
}

/// One's own page with what is wrong.
fn refused(web: &Web, call: &Call, who: &LoggedIn, error: Error) -> Result<Response> {
    if !is_told_on_page(&error) && error.kind() != Kind::Forbidden {
        return Err(error);
    }
    let said = account::Said::Refused(error.message().to_owned());
    send_unkept(web, call, &account::render(&account::load(web.app(), who)?, &viewer(web, call)?, &said))
}

fn role_of(word: &str) -> Result<Role> {
    Role::from_word(word).ok_or_else(|| Error::invalid("The role is viewer, operator or admin"))
}

fn token_id(call: &Call) -> Result<i64> {
    let id = call.form().first("token_id").and_then(|id| id.parse().ok());
    id.ok_or_else(|| Error::invalid("token_id must be a number"))
}

/// The digest that 64 hexadecimal digits write.
fn digest_of(text: &str) -> Option<[u8; 32]> {
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut digest = [0; 32];
    for (index, byte) in digest.iter_mut().enumerate().filter(|_| is_hex) {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    is_hex.then_some(digest)
}

/// True for what the person can mend in the form.
fn is_told_on_page(error: &Error) -> bool {
    matches!(error.kind(), Kind::Invalid | Kind::Conflict)
}
