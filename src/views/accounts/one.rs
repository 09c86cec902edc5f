// SPDX-License-Identifier: Apache-2.0
//! One account with the forms that change it: `/accounts/ID`.

use super::{account_url, last_login, role_select, status, way_in};
use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::ops::App;
use crate::store::AccountRow;
use crate::views::account::{Data, token, tokens};
use crate::views::parts::{Tone, definition, heading, notice, time_exact};
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/accounts/{id}",
    title: "Account",
    help: "One account: role, status, password, sessions, API tokens",
    in_navigation: false,
    need: Need::Administer,
    get: |app, asked| Ok(render(&load(app, asked.id()?)?, asked.viewer, &done(asked))),
};

/// What is said above it.
pub enum Said {
    /// Nothing.
    Nothing,
    /// What was done.
    Done(&'static str),
    /// Why something was not done.
    Refused(String),
    /// The password that was made up, this once.
    Password(String),
}

/// Asks the store; NotFound where there is no such account.
pub fn load(app: &App, id: i64) -> Result<Data> {
    let now = app.clock.now();
    let row = app.store.account(id)?;
    Ok(Data {
        now,
        row: row.ok_or_else(|| Error::not_found(format!("There is no account {id}")))?,
        sessions: app.store.list_sessions(id, now)?,
        tokens: app.store.list_tokens(Some(id))?,
    })
}

fn done(asked: &Asked<'_>) -> Said {
    match asked.query.filled("done") {
        Some("added") => Said::Done("The account was added."),
        Some("role") => Said::Done("The role was changed; its sessions have ended."),
        Some("disabled") => Said::Done("The account is disabled; its sessions and API tokens have ended."),
        Some("enabled") => Said::Done("The account is enabled. Its API tokens do not come back."),
        Some("password") => Said::Done("The password was changed; its sessions have ended."),
        Some("logout") => Said::Done("All its sessions have ended."),
        Some("revoked") => Said::Done("The API token does not count any more."),
        _ => Said::Nothing,
    }
}

/// The page.
pub fn render(data: &Data, viewer: &Viewer, said: &Said) -> Page {
    let row = &data.row;
    let markup = html! {
        (heading(html! { bdi { (text::start(&row.name, 64)) } }, "An account.", html! {
            a.button href="/accounts" { "All accounts" }
        }))
        @match said {
            Said::Nothing => {},
            Said::Done(text) => (notice(Tone::Info, text)),
            Said::Refused(text) => (notice(Tone::Error, text::visible(text))),
            Said::Password(password) => (made_up(&row.name, password)),
        }
        section.panel { (facts(data)) }
        div.facts {
            (role_form(row, viewer))
            (status_form(row, viewer))
            (password_form(row, viewer))
            (logout_form(data, viewer))
        }
        section.panel {
            h2 { "API tokens" }
            (tokens(data, &format!("{}/revoke", account_url(row.id)), viewer))
        }
        (remove_form(row, viewer))
    };
    let status = if matches!(said, Said::Refused(_)) { 409 } else { 200 };
    Page { status, ..Page::ok(format!("Account {}", row.name), markup) }
}

fn facts(data: &Data) -> Markup {
    let row = &data.row;
    html! {
        dl {
            (definition("Role", row.role.word()))
            (definition("Status", status(row.is_active)))
            (definition("Logs in", way_in(row)))
            (definition("Last login", last_login(row, data.now)))
            (definition("Sessions", data.sessions.len()))
            (definition("Added", time_exact(row.created_at, data.now)))
            (definition("Changed", time_exact(row.modified_at, data.now)))
        }
    }
}

fn made_up(name: &str, password: &str) -> Markup {
    notice(
        Tone::Warning,
        html! {
            p { "The password of " (name) " is shown this once; it cannot be shown again:" }
            p { code #made_up { (password) } }
        },
    )
}

fn role_form(row: &AccountRow, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            h2 { "Role" }
            form method="post" action={ (account_url(row.id)) "/role" } {
                (token(viewer))
                div.row { div.field { label.unseen for="role" { "Role" } (role_select(row.role)) }
                    button type="submit" { "Set" } }
            }
            p.muted { "Its sessions end." }
        }
    }
}

fn status_form(row: &AccountRow, viewer: &Viewer) -> Markup {
    let (word, value) = if row.is_active { ("Disable", "disabled") } else { ("Enable", "active") };
    html! {
        section.panel {
            h2 { "Status" }
            p.muted { "A disabled account lets nobody in; its sessions and API tokens end." }
            form method="post" action={ (account_url(row.id)) "/status" } {
                (token(viewer))
                button.danger[row.is_active] type="submit" name="status" value=(value) { (word) }
            }
        }
    }
}

fn password_form(row: &AccountRow, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            h2 { "Password" }
            form method="post" action={ (account_url(row.id)) "/password" } {
                (token(viewer))
                button type="submit" { "Make up a new one" }
            }
            p.muted { "It is shown once. Its sessions end." }
        }
    }
}

fn logout_form(data: &Data, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            h2 { "Sessions" }
            form method="post" action={ (account_url(data.row.id)) "/logout" } {
                (token(viewer))
                button type="submit" { "Log out everywhere" }
            }
            p.muted { (text::counted(i64::try_from(data.sessions.len()).unwrap_or(i64::MAX), "session", "sessions"))
                " at the moment." }
        }
    }
}

fn remove_form(row: &AccountRow, viewer: &Viewer) -> Markup {
    html! {
        section.panel {
            details.drop.alone {
                summary { "Remove" }
                form method="post" action={ (account_url(row.id)) "/remove" } {
                    (token(viewer))
                    p { "Its sessions and API tokens end. The audit log keeps its name." }
                    button.danger type="submit" { "Remove this account" }
                }
            }
        }
    }
}
