// SPDX-License-Identifier: Apache-2.0
//! The guilties of a scope, most crashes first: `/crashes`, `/crashes/overall`,
//! `/crashes/build/SYSTEM/BUILD`.

use super::switches::{BUILD_CHARS_MAX, build_link, kind_text, page_url};
use super::{BLACKLIST, OVERALL, guilty, guilty_url, switches, tally};
use crate::model::build::BuildName;
use crate::model::crash::CrashKind;
use crate::ops::crashes::{BuildCrashes, Crashes, RankedGuilty};
use crate::views::parts::heading;
use crate::views::switch::{system_label, system_value};
use crate::views::{Page, links, text};
use maud::{Markup, html};

/// The page.
pub fn render(data: &Crashes) -> Page {
    let title = title(data);
    let markup = html! {
        (heading(&title, about(data), actions(data)))
        (switches::render(data))
        @if data.guilties.is_empty() { (empty(data)) } @else { (table(data)) }
        (pager(data))
    };
    Page::ok(title, markup)
}

fn title(data: &Crashes) -> String {
    match (data.build_name(), data.days) {
        (Some(name), _) => {
            let system = text::start(system_label(&name.system_name), 60);
            format!("Crashes of {system} {}", text::start(&name.build, 60))
        }
        (None, None) => "Crashes overall".to_owned(),
        (None, Some(1)) => "Crashes today".to_owned(),
        (None, Some(days)) => format!("Crashes of the past {days} days"),
    }
}

fn about(data: &Crashes) -> Markup {
    let noun = match data.kind {
        CrashKind::Program => ("crash", "crashes"),
        CrashKind::Kernel => ("kernel oops", "kernel oopses"),
    };
    let guilties = i64::try_from(data.guilties_count).unwrap_or(i64::MAX);
    html! {
        (text::counted(data.crashes, noun.0, noun.1))
        " · " (text::counted(guilties, "guilty", "guilties"))
        @if data.without_guilty > 0 { " · " (text::grouped(data.without_guilty)) " without guilty" }
        @if data.hidden > 0 {
            " · " a href=(BLACKLIST.path) { (text::grouped(data.hidden)) " of hidden guilties" }
        }
    }
}

fn actions(data: &Crashes) -> Markup {
    html! {
        a.button href=(BLACKLIST.path) { "Blacklist" }
        a.button href={ "/api" (page_url(data, (data.skip > 0).then_some(data.skip))) } { "JSON" }
    }
}

fn empty(data: &Crashes) -> Markup {
    html! {
        section.panel.empty {
            @if data.skip > 0 && data.guilties_count > 0 {
                h2 { "No more guilties" }
                p { a href=(page_url(data, None)) { "Back to the first" } }
            } @else if data.crashes > 0 {
                h2 { "No guilty to show" }
                p {
                    "Of the " (text::counted(data.crashes, "crash", "crashes")) " here "
                    (text::grouped(data.without_guilty)) " have no backtrace with a function, and "
                    (text::grouped(data.hidden)) " are of guilties that are hidden."
                }
            } @else {
                h2 { "No crash here" }
                p {
                    "Records of " code { (data.kind.classifications().join(", ")) } " appear here as they arrive. "
                    @if data.days.is_some() { a href=(OVERALL.path) { "Look at all that are stored" } "." }
                }
            }
        }
    }
}

fn table(data: &Crashes) -> Markup {
    let has_comment = data.guilties.iter().any(|row| !row.guilty.comment.is_empty());
    let is_one_system = data.builds.windows(2).all(|pair| pair[0].system_name == pair[1].system_name);
    let cells = data.guilties.iter().flat_map(|row| &row.by_build);
    let most_of_builds = cells.map(|build| build.crashes).max().unwrap_or(0);
    html! {
        div.sheet tabindex="0" {
            table.guilties {
                caption.unseen { "Guilties among " (kind_text(data.kind)) ", most crashes first" }
                thead {
                    tr {
                        th.number scope="col" { "Rank" }
                        th scope="col" { "Guilty" }
                        th scope="col" { "Crashes" }
                        @for build in &data.builds {
                            th.build scope="col" { (build_link(build, data.kind, !is_one_system)) }
                        }
                        @if has_comment { th scope="col" { "Comment" } }
                    }
                }
                tbody { @for row in &data.guilties { (self::row(data, row, most_of_builds, has_comment)) } }
            }
        }
    }
}

fn row(data: &Crashes, row: &RankedGuilty, most_of_builds: i64, has_comment: bool) -> Markup {
    html! {
        tr {
            td.number { (row.rank) }
            td.function { (guilty(&row.guilty)) }
            td.total {
                (tally(row.crashes, data.most, html! {
                    a href=(backtraces_url(data, row.guilty.id, data.build_name().as_ref())) title="Backtraces" {
                        (text::grouped(row.crashes))
                    }
                }))
            }
            @for build in &row.by_build { (cell(data, row, build, most_of_builds)) }
            @if has_comment { td.comment { bdi { (text::visible(&row.guilty.comment)) } } }
        }
    }
}

/// The crashes of a guilty on one build; the heading of the column says which. A card on a narrow screen has
/// no headings, so the build is there too.
fn cell(data: &Crashes, row: &RankedGuilty, build: &BuildCrashes, most: i64) -> Markup {
    let label = text::start(&build.build.build, BUILD_CHARS_MAX);
    html! {
        @if build.crashes > 0 {
            td.build data-label=(label) {
                (tally(build.crashes, most, html! {
                    a href=(backtraces_url(data, row.guilty.id, Some(&build.build))) {
                        (text::grouped(build.crashes))
                    }
                }))
            }
        } @else {
            td.build.none { span.muted { "0" } }
        }
    }
}

/// The address of the backtraces of the very crashes that a number of the list counts: of its kind and days, and
/// of `build` where it is of one, else of the list's system.
fn backtraces_url(data: &Crashes, id: i64, build: Option<&BuildName>) -> String {
    let days = data.days.map(|days| days.to_string());
    let system_name = build.map(|build| build.system_name.as_str()).or(data.system_name.as_deref());
    let pairs = [
        ("system_name", system_name.map(system_value)),
        ("build", build.map(|build| build.build.as_str())),
        ("days", days.as_deref()),
        ("kind", Some(data.kind.word())),
    ];
    let path = format!("{}/backtraces", guilty_url(id));
    links::link(&path, pairs.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

fn pager(data: &Crashes) -> Markup {
    let last = data.skip + data.guilties.len();
    html! {
        div.pager {
            @if data.skip > 0 { a.button href=(page_url(data, None)) { "First" } }
            @if let Some(skip) = data.next_skip {
                a.button rel="next" href=(page_url(data, Some(skip))) { "Load more" }
            }
            @if !data.guilties.is_empty() && (data.skip > 0 || data.next_skip.is_some()) {
                span.muted {
                    "Ranks " (data.skip + 1) " to " (last) " of " (data.guilties_count)
                }
            }
        }
    }
}
