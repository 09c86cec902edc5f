// SPDX-License-Identifier: Apache-2.0
//! The skeleton of every page: head, the bar across the top, main, footer.

use crate::model::account::{Need, Who};
use crate::views::{Page, VIEWS, Viewer, assets, text};
use maud::{DOCTYPE, Markup, html};

/// What the skeleton shows beside the page.
pub struct Frame<'a> {
    /// Where the page stands; the navigation marks the view it belongs to.
    pub path: &'a str,
    /// All records stored; none where it is not known.
    pub n_records: Option<i64>,
    /// What stands in the bar after the built-in views.
    pub tabs: &'a [Tab],
    /// Who looks; none where it is not known.
    pub viewer: Option<&'a Viewer>,
}

/// A custom view in the bar across the top.
pub struct Tab {
    /// Where it is.
    pub path: String,
    /// What it is called; its author may have written anything.
    pub title: String,
}

/// The whole document.
pub fn render(frame: &Frame, page: &Page) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (page.title) " · muster" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(secs) = page.refresh_secs { meta http-equiv="refresh" content=(secs); }
                // Relative, so that it holds below any path.
                @if let Some(query) = &page.refresh_query { meta http-equiv="refresh" content={ "0;url=" (query) }; }
                link rel="icon" type="image/svg+xml" href=(assets::url("favicon.svg"));
                link rel="stylesheet" href=(assets::url("style.css"));
                script defer src=(assets::url("app.js")) {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (bar(frame))
                main #main tabindex="-1" { (page.markup) }
                (footer(frame))
            }
        }
    }
}

/// The bar across the top; on a narrow screen the links scroll inside it.
fn bar(frame: &Frame) -> Markup {
    html! {
        header.bar {
            a.brand href="/" {
                svg.mark viewBox="0 0 20 20" aria-hidden="true" {
                    @for (x, y) in [(3, 3), (10, 3), (17, 3), (3, 10), (17, 10), (3, 17), (10, 17), (17, 17)] {
                        circle cx=(x) cy=(y) r="2" {}
                    }
                    circle.here cx="10" cy="10" r="3" {}
                }
                "muster"
            }
            nav aria-label="Views" {
                ul {
                    @for view in VIEWS.iter().filter(|view| view.in_navigation && is_shown(frame, view.need)) {
                        li {
                            a href=(view.path) title=(view.help)
                                aria-current=[is_within(frame.path, view.path).then_some("page")] {
                                (view.title)
                            }
                        }
                    }
                    @for tab in frame.tabs {
                        li {
                            a href=(tab.path) aria-current=[is_within(frame.path, &tab.path).then_some("page")] {
                                bdi { (text::start(&tab.title, 30)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// True where `path` is the view's or below it.
fn is_within(path: &str, view_path: &str) -> bool {
    path.strip_prefix(view_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// True where the viewer may see what needs this. Who could log in sees the bar but for what is an admin's, and is asked
/// to.
fn is_shown(frame: &Frame, need: Need) -> bool {
    let is_everybodys = need != Need::Administer;
    frame
        .viewer
        .map_or(is_everybodys, |viewer| viewer.may(need) || viewer.rights.who == Who::Nobody && is_everybodys)
}

/// Who is logged in, or how to.
fn account(viewer: &Viewer) -> Markup {
    html! {
        @match &viewer.rights.who {
            Who::Account(account) => {
                span.who { a href="/account" { (account.name) } " (" (account.role.word()) ")" }
            }
            Who::Nobody if viewer.has_accounts => { span.who { a href="/login" { "Log in" } } }
            _ if viewer.has_accounts => {}
            _ => {
                span.who {
                    "No account yet: changes are taken from this host alone. "
                    code { "muster account add NAME" } " makes one."
                }
            }
        }
    }
}

fn footer(frame: &Frame) -> Markup {
    html! {
        footer.foot {
            span { "muster " (env!("CARGO_PKG_VERSION")) }
            @if let Some(n_records) = frame.n_records {
                span { (text::counted(n_records, "record", "records")) }
            }
            span { "Times are UTC" }
            @if let Some(viewer) = frame.viewer { (account(viewer)) }
        }
    }
}
