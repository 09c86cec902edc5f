// SPDX-License-Identifier: Apache-2.0
//! Accounts: the list with the form that adds one, `/accounts`; one with its forms, `/accounts/ID`.

pub mod one;

pub use one::VIEW as ONE;

use crate::error::Result;
use crate::model::account::{Need, Role};
use crate::ops::App;
use crate::store::AccountRow;
use crate::views::account::token;
use crate::views::parts::{Tone, heading, notice, time_ago};
use crate::views::{Asked, Page, View, Viewer, text};
use maud::{Markup, html};

/// The list.
pub const VIEW: View = View {
    path: "/accounts",
    title: "Accounts",
    help: "Who may log in and what they may do",
    in_navigation: true,
    need: Need::Administer,
    get: |app, asked| load(app).map(|data| render(&data, asked, &Draft::default())),
};

/// What the list shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// All accounts, by name.
    pub accounts: Vec<AccountRow>,
    /// True where a proxy logs people in.
    pub has_proxy: bool,
}

/// What was entered into the form that adds one, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The name.
    pub name: String,
    /// The role; none: admin where it is the first, else viewer.
    pub role: Option<Role>,
    /// Why it was refused.
    pub error: Option<String>,
}

/// The address of an account's page.
pub fn account_url(id: i64) -> String {
    format!("{}/{id}", VIEW.path)
}

/// Asks the store.
pub fn load(app: &App) -> Result<Data> {
    Ok(Data {
        now: app.clock.now(),
        accounts: app.store.list_accounts()?,
        has_proxy: !app.config.access.proxy_header.is_empty(),
    })
}

/// The page. `draft`: what the form begins with.
pub fn render(data: &Data, asked: &Asked<'_>, draft: &Draft) -> Page {
    let markup = html! {
        (heading("Accounts", "Who may log in, and what they may do.", ""))
        @if asked.query.filled("done") == Some("removed") { (notice(Tone::Info, "The account was removed.")) }
        @if data.accounts.is_empty() {
            p { "There are none yet, so whoever is on this host may do everything. The first one is an admin; from then on "
                "everybody must log in." }
        } @else {
            (table(data))
        }
        (add_form(data, asked.viewer, draft))
    };
    let status = if draft.error.is_some() { 400 } else { 200 };
    Page { status, ..Page::ok("Accounts", markup) }
}

fn table(data: &Data) -> Markup {
    html! {
        div.sheet {
            table.entries {
                caption.unseen { "Accounts, by name" }
                thead {
                    tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Role" }
                        th scope="col" { "Status" }
                        th scope="col" { "Logs in" }
                        th scope="col" { "Last login" }
                        th.number scope="col" { "Sessions" }
                        th.number scope="col" { "API tokens" }
                    }
                }
                tbody {
                    @for row in &data.accounts {
                        tr {
                            td { a href=(account_url(row.id)) { bdi { (text::start(&row.name, 64)) } } }
                            td { (row.role.word()) }
                            td { (status(row.is_active)) }
                            td { (way_in(row)) }
                            td.nowrap { (last_login(row, data.now)) }
                            td.number { (row.n_sessions) }
                            td.number { (row.n_tokens) }
                        }
                    }
                }
            }
        }
    }
}

fn status(is_active: bool) -> Markup {
    html! { @if is_active { span.status.good { "active" } } @else { span.status.off { "disabled" } } }
}

fn way_in(row: &AccountRow) -> &'static str {
    if row.has_password { "by password" } else { "by proxy" }
}

fn last_login(row: &AccountRow, now: i64) -> Markup {
    html! { @match row.logged_in_at { Some(at) => (time_ago(at, now)), None => span.muted { "never" } } }
}

/// A choice of roles.
fn role_select(chosen: Role) -> Markup {
    let about = |role| match role {
        Role::Viewer => "viewer: looks at records and the fleet",
        Role::Operator => "operator: also changes them",
        Role::Admin => "admin: also accounts, investigators, ACL, audit log",
    };
    html! {
        select #role name="role" {
            @for role in Role::ALL { option value=(role.word()) selected[role == chosen] { (about(role)) } }
        }
    }
}

fn add_form(data: &Data, viewer: &Viewer, draft: &Draft) -> Markup {
    let usual = if data.accounts.is_empty() { Role::Admin } else { Role::Viewer };
    html! {
        section.panel #add {
            h2 { "Add" }
            @if let Some(error) = &draft.error { (notice(Tone::Error, text::visible(error))) }
            form method="post" action=(VIEW.path) {
                (token(viewer))
                div.fields {
                    div.field {
                        label for="name" { "Name: letters, digits and . _ @ -" }
                        input #name name="name" type="text" value=(draft.name) required maxlength="64"
                            autocomplete="off" autocapitalize="none" spellcheck="false";
                    }
                    div.field { label for="role" { "Role" } (role_select(draft.role.unwrap_or(usual))) }
                    div.field {
                        label for="password" { "Password; empty to have one made up" }
                        input #password name="password" type="password" autocomplete="new-password";
                    }
                }
                @if data.has_proxy {
                    label.check {
                        input type="checkbox" name="no_password" value="true";
                        " No password: the proxy logs it in"
                    }
                }
                div.row { button.primary type="submit" { "Add account" } }
            }
        }
    }
}
