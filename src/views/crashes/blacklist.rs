// SPDX-License-Identifier: Apache-2.0
//! The functions that are never guilty: `/crashes/blacklist`. Every change goes through the preview.

use super::details::hide_form;
use super::{BLACKLIST, PREVIEW, done, entry_text, guilty, only_local, preview_one, without_done};
use crate::error::Result;
use crate::model::account::Need;
use crate::model::crash::Guilty;
use crate::ops::App;
use crate::ops::blacklist::{self, FUNCTIONS_MAX, Group, Overview, entry_of};
use crate::views::parts::{field, heading, input};
use crate::views::{Asked, Page, Viewer, links, text};
use maud::{Markup, html};

/// While stored crashes follow a change, the page is loaded again after so many seconds.
const REFRESH_SECS: u32 = 2;
/// Hidden guilties that are listed.
const HIDDEN_MAX: usize = 500;

/// Shows the list.
pub fn get(app: &App, asked: &Asked) -> Result<Page> {
    let (query, code) = without_done(asked.query);
    Ok(render(&blacklist::load(app, &query)?, asked.viewer, code))
}

/// The page. `code`: what was done before.
pub fn render(data: &Overview, viewer: &Viewer, code: Option<&str>) -> Page {
    let about = "Functions that report a fault rather than cause it; the guilty is looked for further down.";
    let actions = html! {
        a.button href="/crashes" { "Crashes" }
        a.button href="/api/crashes/blacklist" { "JSON" }
    };
    let markup = html! {
        (heading("Blacklist", about, actions))
        (done(code))
        (progress(data))
        @if !viewer.may(Need::ChangeRecords) { (only_local()) }
        @if viewer.may(Need::ChangeRecords) { (add_forms(data)) }
        (own(data, viewer))
        (shipped(data, viewer))
        (fixed(data))
        (hidden(data, viewer))
        @if viewer.may(Need::ChangeRecords) { (reset()) }
    };
    let refresh_secs = data.recompute.map(|_| REFRESH_SECS);
    Page { refresh_secs, ..Page::ok("Blacklist", markup) }
}

fn progress(data: &Overview) -> Markup {
    html! {
        @if let Some(progress) = &data.recompute {
            section.notice role="status" {
                strong { "Working" }
                div {
                    "Stored crashes follow the list: " (text::grouped(progress.done)) " of "
                    (text::counted(progress.total, "backtrace", "different backtraces")) " looked at. "
                    progress max=(progress.total.max(1)) value=(progress.done) {}
                }
            }
        }
    }
}

/// Two ways to an entry: found among what was seen, or written.
fn add_forms(data: &Overview) -> Markup {
    html! {
        section.panel #add {
            h2 { "Add" }
            div.facts {
                form.row method="get" action=(BLACKLIST.path) {
                    (field("search", "Search the functions and modules seen in crashes", None,
                        input("search", "search", data.search.as_deref().unwrap_or(""), None)))
                    button type="submit" { "Search" }
                }
                form.row method="get" action=(PREVIEW.path) {
                    (field("entry", "Or write one: function [module]", None, html! {
                        input #entry name="add" type="text" required autocomplete="off" spellcheck="false"
                            placeholder="abort [libc.so.6]";
                    }))
                    button type="submit" { "Preview" }
                }
            }
            @if let Some(search) = &data.search { (found(data, search)) }
        }
    }
}

fn found(data: &Overview, search: &str) -> Markup {
    html! {
        @if data.functions.is_empty() {
            p { "No function or module seen has " bdi { "“" (text::start(search, 60)) "”" } " in its name." }
        } @else {
            table.entries {
                caption.unseen { "Functions found, those in most backtraces first" }
                thead { tr { th scope="col" { "Function" } th scope="col" { "Never guilty" } } }
                tbody { @for function in &data.functions { (found_row(function)) } }
            }
            @if data.functions.len() == FUNCTIONS_MAX {
                p.muted { "These are the first " (FUNCTIONS_MAX) "; a longer part of the name finds fewer." }
            }
        }
    }
}

fn found_row(function: &Guilty) -> Markup {
    let here = entry_of(&function.function, Some(&function.module)).map(|entry| entry.to_string());
    let anywhere = entry_of(&function.function, None).map(|entry| entry.to_string());
    html! {
        tr {
            td { (guilty(function)) }
            td.actions {
                @if let Some(entry) = &here { a.button href=(preview_one("add", entry)) { "in this module" } " " }
                @if let Some(entry) = &anywhere { a.button href=(preview_one("add", entry)) { "in any module" } }
                @if here.is_none() && anywhere.is_none() { span.muted { "its name cannot be an entry" } }
            }
        }
    }
}

fn own(data: &Overview, viewer: &Viewer) -> Markup {
    html! {
        section.panel #own {
            h2 { "Added here " span.muted { (data.own.len()) } }
            @if data.own.is_empty() { p.muted { "Nothing was added to the shipped list yet." } }
            ul.entries {
                @for entry in &data.own {
                    li {
                        (entry_text(entry))
                        @if viewer.may(Need::ChangeRecords) {
                            @let label = format!("Remove {}", text::visible(entry));
                            " " a.button href=(preview_one("remove", entry)) aria-label=(label) { "Remove" }
                        }
                    }
                }
            }
        }
    }
}

fn shipped(data: &Overview, viewer: &Viewer) -> Markup {
    let (word, value) = if data.is_default_on { ("off", "off") } else { ("on", "on") };
    html! {
        section.panel #shipped {
            div.heading {
                h2 { "Shipped with the program" }
                p.about { @if data.is_default_on { "on" } @else { strong { "off as a whole" } } }
                @if viewer.may(Need::ChangeRecords) {
                    div.actions {
                        a.button href=(links::link(PREVIEW.path, [("defaults", value)])) { "Switch all " (word) }
                    }
                }
            }
            @for group in &data.groups { (self::group(group, data.is_default_on, viewer)) }
        }
    }
}

fn group(group: &Group, is_list_on: bool, viewer: &Viewer) -> Markup {
    let off = group.entries.iter().filter(|entry| !entry.is_on).count();
    html! {
        details {
            summary {
                (group.title) " " span.muted { (group.entries.len()) @if off > 0 { ", " (off) " off" } }
            }
            p.muted { (group.about) }
            ul.entries {
                @for entry in &group.entries {
                    @let is_on = entry.is_on && is_list_on;
                    li.off[!is_on] {
                        (entry_text(&entry.entry))
                        @if !is_on { " " span.tag { "off" } }
                        @if viewer.may(Need::ChangeRecords) && is_list_on {
                            " " (toggle(&entry.entry, entry.is_on))
                        }
                    }
                }
            }
        }
    }
}

fn toggle(entry: &str, is_on: bool) -> Markup {
    let (parameter, word) = if is_on { ("remove", "Switch off") } else { ("add", "Switch on") };
    html! {
        a.button href=(preview_one(parameter, entry)) aria-label={ (word) " " (text::visible(entry)) } { (word) }
    }
}

fn fixed(data: &Overview) -> Markup {
    html! {
        section.panel {
            h2 { "Always there" }
            ul.entries { @for entry in data.fixed { li { (entry_text(entry)) } } }
        }
    }
}

fn hidden(data: &Overview, viewer: &Viewer) -> Markup {
    let left_out = data.hidden.len().saturating_sub(HIDDEN_MAX);
    html! {
        section.panel #hidden {
            h2 { "Hidden guilties " span.muted { (data.hidden.len()) } }
            @if data.hidden.is_empty() {
                p.muted { "No guilty is hidden from the lists. One can be hidden on its own page." }
            } @else {
                table.entries {
                    caption.unseen { "Hidden guilties, most crashes first" }
                    thead {
                        tr {
                            th scope="col" { "Guilty" }
                            th.number scope="col" { "Crashes" }
                            @if viewer.may(Need::ChangeRecords) { th scope="col" { span.unseen { "Change" } } }
                        }
                    }
                    tbody {
                        @for row in data.hidden.iter().take(HIDDEN_MAX) {
                            tr {
                                td { (guilty(&row.guilty)) }
                                td.number { (text::grouped(row.crashes)) }
                                @if viewer.may(Need::ChangeRecords) { td { (hide_form(&row.guilty, viewer, "blacklist")) } }
                            }
                        }
                    }
                }
            }
            @if left_out > 0 { p.muted { (left_out) " more are left out here." } }
        }
    }
}

fn reset() -> Markup {
    html! {
        section.panel {
            h2 { "Reset" }
            p.muted { "Back to the shipped list, all of it on and nothing added. A preview comes first." }
            a.button.danger href=(links::link(PREVIEW.path, [("reset", "1")])) { "Reset the blacklist" }
        }
    }
}
