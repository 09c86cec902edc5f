// SPDX-License-Identifier: Apache-2.0
//! One guilty: `/crashes/guilty_details/ID`.

use super::{BLACKLIST, backtraces_url, done, guilty_url, only_local, preview_one, tally, without_done};
use crate::error::Result;
use crate::model::account::Need;
use crate::model::build::BuildName;
use crate::model::crash::{COMMENT_CHARS_MAX, Guilty};
use crate::ops::App;
use crate::ops::blacklist::entry_of;
use crate::ops::crashes::details::{self, GuiltyDetails, GuiltyOnBuild, MACHINES_MAX};
use crate::views::backtrace::breakable;
use crate::views::chart;
use crate::views::parts::{definition, error_id, field, heading};
use crate::views::switch::system_label;
use crate::views::{Asked, Page, Viewer, links, records, text};
use maud::{Markup, html};

/// Builds that the chart shows, the newest of each system.
const CHART_BUILDS_MAX: usize = 60;
/// Builds that have a table.
const TABLES_MAX: usize = 50;
/// Builds with a table of their own where nothing is said.
const TABLES_USUAL: usize = 12;
/// Builds after those that are listed with their counts.
const BUILDS_LISTED_MAX: usize = 1_000;

/// What was entered as a comment and cannot be one.
pub struct BadComment<'a> {
    /// What was entered.
    pub text: &'a str,
    /// What is wrong with it.
    pub message: &'a str,
}

/// Shows a guilty; NotFound where there is none.
pub fn get(app: &App, asked: &Asked) -> Result<Page> {
    let (query, code) = without_done(asked.query);
    let details = details::load(app, asked.id()?, &query)?;
    Ok(render(&details, asked.viewer, code, None))
}

/// The page; 400 where a comment was refused. `code`: what was done before.
pub fn render(
    details: &GuiltyDetails,
    viewer: &Viewer,
    code: Option<&str>,
    refused: Option<&BadComment<'_>>,
) -> Page {
    let title = format!("Guilty: {}", text::start(&details.guilty.shown, 80));
    let markup = html! {
        (heading(html! { "Guilty" }, about(details), actions(&details.guilty)))
        (done(code))
        div.facts {
            (facts(details))
            (changes(details, viewer, refused))
        }
        @if details.by_build.is_empty() {
            section.panel.empty {
                h2 { "No crash is laid at its door now" }
                p { "It is on the blacklist, or the crashes of the past were removed by age." }
            }
        } @else {
            (chart::figure("by-build", chart::Shape::Columns, &columns(details)))
            (tables(details))
        }
    };
    Page { status: if refused.is_some() { 400 } else { 200 }, ..Page::ok(title, markup) }
}

fn about(details: &GuiltyDetails) -> Markup {
    let builds = i64::try_from(details.by_build.len()).unwrap_or(i64::MAX);
    html! {
        (text::counted(details.crashes, "crash", "crashes")) " on " (text::counted(builds, "build", "builds"))
        @if details.guilty.is_hidden { " · " strong { "hidden" } " from the lists" }
    }
}

fn actions(guilty: &Guilty) -> Markup {
    html! {
        a.button href=(backtraces_url(guilty.id, None, None)) { "Backtraces" }
        a.button href={ "/api" (guilty_url(guilty.id)) } { "JSON" }
    }
}

fn facts(details: &GuiltyDetails) -> Markup {
    let guilty = &details.guilty;
    html! {
        section.panel {
            h2 { "Function" }
            dl {
                (definition("Function", html! {
                    strong { bdi { (breakable(&text::start(&guilty.shown, 2_000))) } }
                }))
                (definition("As sent", html! {
                    code { bdi { (breakable(&text::start(&guilty.function, 2_000))) } }
                }))
                (definition("Module", html! {
                    @if guilty.module.is_empty() { span.muted { "not known" } }
                    @else { bdi { (breakable(&text::start(&guilty.module, 500))) } }
                }))
                (definition("Crashes", text::grouped(details.crashes)))
                (definition("In the lists", if guilty.is_hidden { "no, hidden" } else { "yes" }))
                @if !guilty.comment.is_empty() {
                    (definition("Comment", html! { bdi { (text::visible(&guilty.comment)) } }))
                }
            }
        }
    }
}

/// The forms that change something; for who may not, the sentence that says so.
fn changes(details: &GuiltyDetails, viewer: &Viewer, refused: Option<&BadComment<'_>>) -> Markup {
    let guilty = &details.guilty;
    html! {
        section.panel {
            h2 { "Change" }
            @if viewer.may(Need::ChangeRecords) {
                (comment_form(guilty, viewer, refused))
                (hide_form(guilty, viewer, ""))
                (never_guilty(guilty))
            } @else {
                (only_local())
            }
        }
    }
}

fn comment_form(guilty: &Guilty, viewer: &Viewer, refused: Option<&BadComment<'_>>) -> Markup {
    let value = refused.map_or(guilty.comment.as_str(), |refused| refused.text);
    let error = refused.map(|refused| refused.message);
    let label = format!("Comment, at most {COMMENT_CHARS_MAX} characters");
    let control = html! {
        input #comment name="comment" type="text" value=(value) maxlength=(COMMENT_CHARS_MAX) autocomplete="off"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id("comment"))];
    };
    html! {
        form.row method="post" action={ (guilty_url(guilty.id)) "/comment" } {
            input type="hidden" name="csrf_token" value=(viewer.csrf_token);
            (field("comment", &label, error, control))
            button type="submit" { "Save" }
        }
    }
}

/// Hides a guilty or shows it again. `from` is the code of the page to come back to, empty for that of the
/// guilty.
pub fn hide_form(guilty: &Guilty, viewer: &Viewer, from: &str) -> Markup {
    let word = if guilty.is_hidden { "Show in the lists again" } else { "Hide from the lists" };
    html! {
        form method="post" action={ (guilty_url(guilty.id)) "/hide" } {
            input type="hidden" name="csrf_token" value=(viewer.csrf_token);
            input type="hidden" name="hidden" value=(if guilty.is_hidden { "0" } else { "1" });
            @if !from.is_empty() { input type="hidden" name="from" value=(from); }
            button type="submit" { (word) }
        }
    }
}

/// The ways into the blacklist: for this module or any.
fn never_guilty(guilty: &Guilty) -> Markup {
    let here = entry_of(&guilty.function, Some(&guilty.module)).map(|entry| entry.to_string());
    let anywhere = entry_of(&guilty.function, None).map(|entry| entry.to_string());
    html! {
        h2 { "Never guilty" }
        p.muted {
            "A function that only reports a fault belongs on the " a href=(BLACKLIST.path) { "blacklist" }
            ". A preview comes before the change."
        }
        @if here.is_none() && anywhere.is_none() {
            p { "Its name is too long for the list, or has characters that an entry cannot have." }
        }
        div.actions {
            @if let Some(entry) = &here {
                a.button href=(preview_one("add", entry)) { "Add to the blacklist, in this module" }
            }
            @if let Some(entry) = &anywhere {
                a.button href=(preview_one("add", entry)) { "in any module" }
            }
        }
    }
}

/// Crashes per build, oldest first, the newest builds of each system.
fn columns(details: &GuiltyDetails) -> chart::Data {
    let shown = &details.by_build[..details.by_build.len().min(CHART_BUILDS_MAX)];
    let category = |build: &GuiltyOnBuild| {
        let name = &build.build.build;
        let title = format!("{} {}", system_label(&name.system_name), name.build);
        chart::Category { label: name.build.clone(), title }
    };
    let mark = |build: &GuiltyOnBuild| chart::Mark {
        // Counts are far below the 2^53 up to which this is exact.
        value: build.build.crashes as f64,
        link: Some(backtraces_url(details.guilty.id, Some(&build.build.build), None)),
    };
    let left_out = details.by_build.len() - shown.len();
    let rest = if left_out > 0 { "; older builds are listed below" } else { "" };
    chart::Data {
        title: "Crashes per build".to_owned(),
        about: format!("Stored crashes of this guilty on each build{rest}"),
        category_noun: "Build".to_owned(),
        unit: "crashes".to_owned(),
        categories: shown.iter().rev().map(category).collect(),
        series: vec![chart::Series {
            name: "Crashes".to_owned(),
            marks: shown.iter().rev().map(mark).collect(),
        }],
    }
}

fn tables(details: &GuiltyDetails) -> Markup {
    let all = links::link(&guilty_url(details.guilty.id), [("all", "1")]);
    let tables_most = if details.is_all { TABLES_MAX } else { TABLES_USUAL };
    let more = details.by_build.get(tables_most..).unwrap_or(&[]);
    let unlisted = more.len().saturating_sub(BUILDS_LISTED_MAX);
    html! {
        div.on_builds {
            @for build in details.by_build.iter().take(tables_most) {
                (table(details, build, &all))
            }
        }
        @if !more.is_empty() {
            details {
                summary { (more.len()) " older builds" }
                @if !details.is_all { p { a href=(all) { "Show their machines too" } } }
                ul {
                    @for build in more.iter().take(BUILDS_LISTED_MAX) {
                        li {
                            (build_backtraces(details.guilty.id, &build.build.build))
                            ": " (text::counted(build.build.crashes, "crash", "crashes"))
                        }
                    }
                }
                @if unlisted > 0 { p.muted { (unlisted) " more are left out." } }
            }
        }
    }
}

fn build_backtraces(id: i64, build: &BuildName) -> Markup {
    html! {
        a href=(backtraces_url(id, Some(build), None)) {
            bdi { (text::start(system_label(&build.system_name), 60)) " " (text::start(&build.build, 60)) }
        }
    }
}

fn table(details: &GuiltyDetails, on: &GuiltyOnBuild, all_url: &str) -> Markup {
    let (id, build) = (details.guilty.id, &on.build.build);
    let most = on.top_machines.first().map_or(0, |machine| machine.crashes);
    let shown = i64::try_from(on.top_machines.len()).unwrap_or(i64::MAX);
    html! {
        section.panel {
            h2 { (build_backtraces(id, build)) }
            p.muted {
                (text::counted(on.build.crashes, "crash", "crashes")) " on "
                (text::counted(on.machines, "machine", "machines"))
            }
            table.hosts {
                caption.unseen { "Machines with these crashes, most first" }
                thead {
                    tr {
                        th scope="col" { "Machine" }
                        th scope="col" { "Crashes" }
                        th scope="col" { span.unseen { "Records" } }
                    }
                }
                tbody {
                    @for machine in &on.top_machines {
                        @let name = machine.machine_id.as_str();
                        tr {
                            td { code { bdi { (text::visible(name)) } } }
                            td.total {
                                (tally(machine.crashes, most, html! {
                                    a href=(backtraces_url(id, Some(build), Some(name))) title="Backtraces" {
                                        (text::grouped(machine.crashes))
                                    }
                                }))
                            }
                            td.nowrap { a href=(records::link([("machine_id", name)])) { "Records" } }
                        }
                    }
                }
            }
            @if shown < on.machines {
                p.muted {
                    (text::grouped(on.machines - shown)) " more machines"
                    @if !details.is_all {
                        " · " a href=(all_url) { "Show up to " (MACHINES_MAX) " of each build" }
                    }
                }
            }
        }
    }
}
