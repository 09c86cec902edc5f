// SPDX-License-Identifier: Apache-2.0
//! The page on which one logs in: `/login`. What the form sends is handled in `http::login`.

use crate::model::account::LoggedIn;
use crate::views::parts::{Tone, heading, notice};
use crate::views::{Page, text};
use maud::{Markup, html};

/// Where it is.
pub const PATH: &str = "/login";

/// Whom the page is for.
pub enum Guest<'a> {
    /// Somebody who may log in.
    Unknown {
        /// What was entered as the name.
        name: &'a str,
        /// Why it was refused.
        refused: Option<&'a str>,
        /// The query with which the page is asked for again at once, to see whether a cookie comes then.
        look_again: Option<String>,
    },
    /// Somebody who is logged in.
    Known(&'a LoggedIn),
    /// Anybody, while there is no account.
    BeforeAccounts {
        /// True where who asks may make the first one.
        is_local: bool,
    },
}

/// The page. `next`: where it leads then; `status`: 200, or that of a refusal.
pub fn render(guest: &Guest<'_>, next: &str, status: u16) -> Page {
    let markup = html! {
        (heading("Log in", "", ""))
        @match guest {
            Guest::Unknown { name, refused, .. } => (form(name, *refused, next)),
            Guest::Known(account) => {
                section.panel {
                    p { "You are logged in as " strong { (account.name) } ", " (account.role.word()) "." }
                    p { a.button href=(next) { "Go on" } " " a.button href="/account" { "Your account" } }
                }
            }
            Guest::BeforeAccounts { is_local } => (before_accounts(*is_local)),
        }
    };
    let refresh_query = match guest {
        Guest::Unknown { look_again, .. } => look_again.clone(),
        _ => None,
    };
    Page { status, refresh_query, ..Page::ok("Log in", markup) }
}

fn form(name: &str, refused: Option<&str>, next: &str) -> Markup {
    html! {
        section.panel.login {
            @if let Some(message) = refused { (notice(Tone::Error, text::visible(message))) }
            form method="post" action=(PATH) {
                input type="hidden" name="next" value=(next);
                div.field {
                    label for="name" { "Name" }
                    input #name name="name" type="text" value=(name) required maxlength="64"
                        autocomplete="username" autocapitalize="none" spellcheck="false" autofocus[name.is_empty()];
                }
                div.field {
                    label for="password" { "Password" }
                    input #password name="password" type="password" required maxlength="1024"
                        autocomplete="current-password" autofocus[!name.is_empty()];
                }
                div.row { button.primary type="submit" { "Log in" } }
            }
            p.muted { "Forgotten? An admin can give you another password, or " code { "muster account password" }
                " on the server." }
        }
    }
}

fn before_accounts(is_local: bool) -> Markup {
    html! {
        section.panel {
            p { "There is no account yet, so nobody can log in." }
            p { code { "muster account add NAME" } " on the server makes the first one" @if is_local {
                ", or " a href="/accounts" { "this page" }
            } "." }
        }
    }
}
