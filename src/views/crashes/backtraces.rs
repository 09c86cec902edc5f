// SPDX-License-Identifier: Apache-2.0
//! The backtraces of one guilty, identical ones folded: `/crashes/guilty_details/ID/backtraces`.

use super::{backtraces_url, guilty, guilty_url};
use crate::model::crash::CrashKind;
use crate::ops::crashes::details::{Backtrace, Backtraces};
use crate::views::backtrace::{Budget, Row, list, within};
use crate::views::crashes::switches::kind_text;
use crate::views::parts::{heading, time_ago};
use crate::views::switch::{system_label, system_value};
use crate::views::{Page, links, text};
use maud::{Markup, html};

/// The page. `now`: Unix seconds.
pub fn render(data: &Backtraces, now: i64) -> Page {
    let title = format!("Backtraces of {}", text::start(&data.guilty.shown, 80));
    let mut budget = Budget::default();
    let markup = html! {
        (heading("Backtraces", about(data), actions(data)))
        p { "Guilty: " (guilty(&data.guilty)) }
        (conditions(data))
        @if data.backtraces.is_empty() {
            section.panel.empty {
                h2 { "No crash of this guilty here" }
                p { a href=(backtraces_url(data.guilty.id, None, None)) { "Show all its backtraces" } }
            }
        }
        @for (index, backtrace) in data.backtraces.iter().enumerate() {
            (self::backtrace(backtrace, data.skip + index + 1, now, &mut budget))
        }
        (pager(data))
    };
    Page::ok(title, markup)
}

fn about(data: &Backtraces) -> Markup {
    let different = i64::try_from(data.backtraces_count).unwrap_or(i64::MAX);
    html! {
        (text::counted(data.crashes, "crash", "crashes")) ", "
        (text::counted(different, "different backtrace", "different backtraces")) ", the most frequent first"
    }
}

fn actions(data: &Backtraces) -> Markup {
    html! {
        a.button href=(guilty_url(data.guilty.id)) { "Builds and machines" }
        a.button href={ "/api" (page_url(data, "", data.skip)) } { "JSON" }
    }
}

/// The address of this page from another row on, or without one of its conditions.
fn page_url(data: &Backtraces, lifted: &str, skip: usize) -> String {
    let (skip, days) = (skip.to_string(), data.days.map(|days| days.to_string()));
    let given = [
        ("machine_id", data.machine_id.as_deref()),
        ("system_name", data.system_name.as_deref().map(system_value)),
        ("build", data.build.as_deref()),
        ("days", days.as_deref()),
        ("kind", data.kind.map(CrashKind::word)),
        ("skip", Some(skip.as_str()).filter(|skip| *skip != "0")),
    ];
    let kept = given.into_iter().filter(|(name, _)| *name != lifted);
    let path = format!("{}/backtraces", guilty_url(data.guilty.id));
    links::link(&path, kept.filter_map(|(name, value)| Some((name, value?))))
}

/// What the crashes are limited to, each with a link that lifts it.
fn conditions(data: &Backtraces) -> Markup {
    let days = data.days.map(|days| match days {
        1 => "today".to_owned(),
        days => format!("past {days} days"),
    });
    let given = [
        ("machine_id", "Machine", data.machine_id.as_deref()),
        ("system_name", "OS", data.system_name.as_deref().map(system_label)),
        ("build", "Build", data.build.as_deref()),
        ("days", "Received", days.as_deref()),
        ("kind", "Of", data.kind.map(kind_text)),
    ];
    let given: Vec<_> =
        given.iter().filter_map(|(name, label, value)| Some((*name, *label, (*value)?))).collect();
    html! {
        @if !given.is_empty() {
            ul.chips {
                @for (name, label, value) in &given {
                    li {
                        span.muted { (label) } " " bdi { (text::visible(value)) }
                        a href=(page_url(data, name, 0)) aria-label={ "Any " (label) } {
                            span aria-hidden="true" { "×" }
                        }
                    }
                }
            }
        }
    }
}

fn backtrace(backtrace: &Backtrace, rank: usize, now: i64, budget: &mut Budget) -> Markup {
    let frames = backtrace.frames.iter().map(|frame| {
        Row::shown_as(frame.number, &frame.function, &frame.shown, &frame.module, frame.source.as_deref())
    });
    let (rows, left_out) = within(frames, usize::MAX, budget);
    let guilty = backtrace.frames.iter().position(|frame| frame.is_guilty);
    html! {
        section.panel {
            div.heading {
                h2 { (rank) ". " (text::counted(backtrace.crashes, "crash", "crashes")) }
                p.about {
                    "Newest: "
                    a href={ "/records/" (backtrace.newest_record_id) } { "record " (backtrace.newest_record_id) }
                    ", " (time_ago(backtrace.newest_ts_reception, now))
                }
            }
            @if backtrace.frames.is_empty() { p.muted { "The payload has no frames." } }
            (list(&rows, guilty, left_out + backtrace.frames_left_out))
        }
    }
}

fn pager(data: &Backtraces) -> Markup {
    html! {
        div.pager {
            @if data.skip > 0 { a.button href=(page_url(data, "", 0)) { "First" } }
            @if let Some(skip) = data.next_skip {
                a.button rel="next" href=(page_url(data, "", skip)) { "Load more" }
            }
        }
    }
}
