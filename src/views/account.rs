// SPDX-License-Identifier: Apache-2.0
//! One's own account: sessions, password, API tokens: `/account`.

use crate::error::{Error, Kind, Result};
use crate::model::account::{LoggedIn, Need, Scope, Who};
use crate::model::credentials::{PASSWORD_BYTES_MIN, TOKEN_NAME_CHARS_MAX};
use crate::model::record::hex;
use crate::model::time::utc_text;
use crate::ops::App;
use crate::store::{AccountRow, SessionRow, TokenRow};
use crate::views::parts::{Tone, definition, heading, notice, time_ago};
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/account",
    title: "Your account",
    help: "Who you are logged in as: sessions, password, API tokens",
    in_navigation: false,
    need: Need::ReadFleet,
    get: |app, asked| match person(asked.viewer)? {
        Some(account) => Ok(render(&load(app, account)?, asked.viewer, &done(asked))),
        None => Ok(nobody()),
    },
};

/// Characters of what a browser said of itself that are shown.
const USER_AGENT_CHARS_MAX: usize = 80;

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The account.
    pub row: AccountRow,
    /// Its sessions, newest first.
    pub sessions: Vec<SessionRow>,
    /// Its API tokens.
    pub tokens: Vec<TokenRow>,
}

/// What is said above it.
pub enum Said {
    /// Nothing.
    Nothing,
    /// What was done.
    Done(&'static str),
    /// Why something was not done.
    Refused(String),
    /// A new API token, this once.
    Token(String),
}

/// The account of a person; none where there are no accounts yet. Forbidden for a program.
fn person(viewer: &Viewer) -> Result<Option<&LoggedIn>> {
    match &viewer.rights.who {
        Who::Account(account) if account.scope.is_none() => Ok(Some(account)),
        Who::Account(_) => {
            Err(Error::new(Kind::Forbidden, "This page is for people who log in, not for API tokens"))
        }
        Who::Local | Who::Nobody => Ok(None),
    }
}

/// Asks the store; Unauthorized where the account is gone.
pub fn load(app: &App, account: &LoggedIn) -> Result<Data> {
    let now = app.clock.now();
    let row = app.store.account(account.account_id)?;
    Ok(Data {
        now,
        row: row.ok_or_else(|| Error::new(Kind::Unauthorized, "This account was removed"))?,
        sessions: app.store.list_sessions(account.account_id, now)?,
        tokens: app.store.list_tokens(Some(account.account_id))?,
    })
}

fn done(asked: &Asked<'_>) -> Said {
    match asked.query.filled("done") {
        Some("password") => Said::Done("The password was changed. All other sessions have ended."),
        Some("ended") => Said::Done("The session has ended."),
        Some("revoked") => Said::Done("The API token does not count any more."),
        _ => Said::Nothing,
    }
}

fn nobody() -> Page {
    let markup = html! {
        (heading("Your account", "", ""))
        section.panel {
            p { "There is no account yet: whoever is on this host may do everything." }
            p { a.button href="/accounts" { "Make the first one" } " or " code { "muster account add NAME" } }
        }
    };
    Page::ok("Your account", markup)
}

/// The page.
pub fn render(data: &Data, viewer: &Viewer, said: &Said) -> Page {
    let has_session = data.sessions.iter().any(|session| is_this(session, viewer));
    let markup = html! {
        (heading("Your account", "", html! {
            @if has_session {
                form method="post" action="/logout" { (token(viewer)) button type="submit" { "Log out" } }
            }
        }))
        @match said {
            Said::Nothing => {},
            Said::Done(text) => (notice(Tone::Info, text)),
            Said::Refused(text) => (notice(Tone::Error, text)),
            Said::Token(token) => (new_token(token)),
        }
        div.facts {
            section.panel { (facts(data, has_session)) }
            (password_form(data, viewer))
        }
        (sessions(data, viewer))
        section.panel {
            h2 { "API tokens" }
            (tokens(data, "/account/revoke", viewer))
            (token_form(viewer))
        }
    };
    let status = if matches!(said, Said::Refused(_)) { 400 } else { 200 };
    Page { status, ..Page::ok("Your account", markup) }
}

fn is_this(session: &SessionRow, viewer: &Viewer) -> bool {
    viewer.session_digest == Some(session.digest)
}

/// What every form sends back.
pub(super) fn token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="csrf_token" value=(viewer.csrf_token); }
}

fn facts(data: &Data, has_session: bool) -> Markup {
    html! {
        dl {
            (definition("Name", bdi(&data.row.name)))
            (definition("Role", data.row.role.word()))
            (definition("Logged in", if has_session { "by password" } else { "by a proxy" }))
            @if let Some(at) = data.row.logged_in_at { (definition("Last login", time_ago(at, data.now))) }
        }
    }
}

fn bdi(name: &str) -> Markup {
    html! { bdi { (name) } }
}

fn password_form(data: &Data, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            h2 { "Password" }
            @if data.row.has_password {
                form method="post" action="/account/password" {
                    (token(viewer))
                    input type="text" name="username" value=(data.row.name) autocomplete="username" hidden;
                    (password("present", "Present password", "current-password"))
                    (password("password", "New password", "new-password"))
                    (password("again", "The new one again", "new-password"))
                    div.row { button type="submit" { "Change password" } }
                }
                p.muted { "All your other sessions end then." }
            } @else {
                p.muted { "This account has none; a proxy logs it in." }
            }
        }
    }
}

fn password(name: &str, label: &str, autocomplete: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="password" required autocomplete=(autocomplete)
                minlength=[(name != "present").then_some(PASSWORD_BYTES_MIN)];
        }
    }
}

fn sessions(data: &Data, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            h2 { "Sessions" }
            @if data.sessions.is_empty() {
                p.muted { "There are none." }
            } @else {
                div.sheet {
                    table.entries {
                        caption.unseen { "Where you are logged in, newest first" }
                        thead {
                            tr {
                                th scope="col" { "From" }
                                th scope="col" { "Browser" }
                                th scope="col" { "Since" }
                                th scope="col" { span.unseen { "End" } }
                            }
                        }
                        tbody { @for session in &data.sessions { (session_row(session, data, viewer)) } }
                    }
                }
                form method="post" action="/account/logout" {
                    (token(viewer))
                    button.danger type="submit" { "Log out everywhere" }
                }
            }
        }
    }
}

fn session_row(session: &SessionRow, data: &Data, viewer: &Viewer) -> Markup {
    html! {
        tr {
            td { (session.peer) @if is_this(session, viewer) { " " span.tag { "this one" } } }
            td.wide { bdi { (text::start(&session.user_agent, USER_AGENT_CHARS_MAX)) } }
            td.nowrap { (time_ago(session.created_at, data.now)) }
            td {
                form method="post" action="/account/sessions" {
                    (token(viewer))
                    button type="submit" name="session" value=(hex(&session.digest))
                        aria-label={ "End the session from " (session.peer) } { "End" }
                }
            }
        }
    }
}

/// The tokens of an account, each with the form that revokes it.
pub(super) fn tokens(data: &Data, action: &str, viewer: &Viewer) -> Markup {
    html! {
        @if data.tokens.is_empty() {
            p.muted { "There are none." }
        } @else {
            div.sheet {
                table.entries {
                    caption.unseen { "API tokens" }
                    thead {
                        tr {
                            th.number scope="col" { "Id" }
                            th scope="col" { "For" }
                            th scope="col" { "Scope" }
                            th scope="col" { "Until" }
                            th scope="col" { "Used" }
                            th scope="col" { span.unseen { "Revoke" } }
                        }
                    }
                    tbody {
                        @for row in &data.tokens {
                            tr {
                                td.number { (row.id) }
                                td.wide { bdi { (text::start(&row.name, TOKEN_NAME_CHARS_MAX)) } }
                                td { (row.scope.word()) }
                                td.nowrap { (until(row, data.now)) }
                                td.nowrap { @match row.used_at {
                                    Some(at) => (time_ago(at, data.now)),
                                    None => span.muted { "never" },
                                } }
                                td {
                                    form method="post" action=(action) {
                                        (token(viewer))
                                        button type="submit" name="token_id" value=(row.id)
                                            aria-label={ "Revoke token " (row.id) } { "Revoke" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn until(row: &TokenRow, now: i64) -> Markup {
    html! {
        @match row.until_at {
            Some(at) if at <= now => span.tag { "ended" },
            Some(at) => (utc_text(at)),
            None => "for ever",
        }
    }
}

fn token_form(viewer: &Viewer) -> Markup {
    let about = |scope| match scope {
        Scope::Records => "records: reads records",
        Scope::Read => "read: also reads the fleet",
        Scope::Write => "write: also changes them",
        Scope::Admin => "admin: all that you may",
    };
    html! {
        details {
            summary { "Make one" }
            form method="post" action="/account/tokens" {
                (token(viewer))
                div.fields {
                    div.field {
                        label for="for" { "What it is for" }
                        input #for name="for" type="text" required maxlength=(TOKEN_NAME_CHARS_MAX) autocomplete="off";
                    }
                    div.field {
                        label for="scope" { "Scope" }
                        select #scope name="scope" {
                            @for scope in Scope::ALL {
                                option value=(scope.word()) selected[scope == Scope::Read] { (about(scope)) }
                            }
                        }
                    }
                    div.field {
                        label for="days" { "Days until it ends; empty for never" }
                        input #days name="days" type="number" min="1" max="36500" value="365" autocomplete="off";
                    }
                }
                div.row { button type="submit" { "Make an API token" } }
                p.muted { "It never may do more than you." }
            }
        }
    }
}

fn new_token(token: &str) -> Markup {
    notice(
        Tone::Warning,
        html! {
            p { "The new API token is shown this once; it is not stored and cannot be shown again:" }
            p { code #api_token { (token) } }
            p { "A program sends it as " code { "Authorization: Bearer TOKEN" } "." }
        },
    )
}
