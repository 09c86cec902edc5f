// SPDX-License-Identifier: Apache-2.0
//! Machines that run each build, by their heartbeats: `/population`.

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::population::{BuildMachines, CLASSIFICATION, Period, Population};
use crate::ops::{App, population};
use crate::views::builds::CHARTED_MAX;
use crate::views::chart::{self, Category, Data, Mark, Series, Shape};
use crate::views::parts::heading;
use crate::views::switch::{build_conditions, system_label, system_value, systems};
use crate::views::{Asked, Page, View, links, records, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/population",
    title: "Population",
    help: "Machines that run each build, by their heartbeats",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&population::load(app, asked.query)?))
}

/// The page.
pub fn render(data: &Population) -> Page {
    let about = html! {
        @if !data.systems.is_empty() {
            "Machines of " bdi { (text::visible(system_label(&data.system_name))) }
            " per build, by their heartbeats"
        }
    };
    let system_counts = data.systems.iter().map(|system| (system.system_name.as_str(), system.machines));
    let is_empty = data.periods.iter().all(|period| period.builds.is_empty());
    let markup = html! {
        (heading("Population", about, ""))
        (systems(VIEW.path, &data.system_name, system_counts))
        @if is_empty {
            (empty(data))
        } @else {
            p.muted {
                "Counted are distinct machine ids. A client changes its id every 3 days by default, so a machine "
                "may count several times: the longer the time, the fuzzier the number."
            }
            (draw_all(data))
            div.charts { @for period in &data.periods { (figure(data, period)) } }
        }
    };
    Page::ok("Population", markup)
}

/// The way to charts of all builds and back, where there are too many for a chart.
fn draw_all(data: &Population) -> Markup {
    let most = data.periods.iter().map(|period| period.builds_total).max().unwrap_or(0);
    let link =
        |all: &str| links::link(VIEW.path, [("system_name", system_value(&data.system_name)), ("all", all)]);
    html! {
        @if most > CHARTED_MAX {
            p.after {
                @match data.is_all {
                    true => a href=(link("0")) { "Draw the newest " (CHARTED_MAX) " builds" },
                    false => {
                        "Drawn are the newest " (CHARTED_MAX) " builds. " a href=(link("1")) { "Draw all" }
                    },
                }
            }
        }
    }
}

/// What a chart of these days is called, for its heading and in its id.
fn name(period: &Period) -> (String, String) {
    match period.days {
        None => ("Overall".to_owned(), "overall".to_owned()),
        Some(1) => ("Past 1 day".to_owned(), "days-1".to_owned()),
        Some(days) => (format!("Past {days} days"), format!("days-{days}")),
    }
}

fn figure(data: &Population, period: &Period) -> Markup {
    let charted_max = if data.is_all { period.builds.len() } else { CHARTED_MAX };
    let builds = &period.builds[period.builds.len().saturating_sub(charted_max)..];
    let (title, id) = name(period);
    let about = match &period.from_date {
        None => "Every id that ever sent a heartbeat.".to_owned(),
        Some(date) if period.days == Some(1) => format!("Heartbeats captured on {date} (UTC)."),
        Some(date) => format!("Heartbeats captured from {date} (UTC) on."),
    };
    let series = |name: &str, source: &str, count: fn(&BuildMachines) -> i64| Series {
        name: name.to_owned(),
        marks: builds
            .iter()
            .map(|build| Mark::count(count(build), link(&data.system_name, period, &build.build, source)))
            .collect(),
    };
    let chart = Data {
        title,
        about,
        category_noun: "Build".to_owned(),
        unit: "machines".to_owned(),
        categories: builds.iter().map(|build| Category::new(&build.build)).collect(),
        series: vec![
            series("External", "external", |build| build.external),
            series("Internal", "internal", |build| build.internal),
        ],
    };
    html! {
        @if builds.is_empty() {
            section.panel {
                h2 { (chart.title) }
                p { (chart.about) }
                p.nothing { "No heartbeats in this time." }
            }
        } @else {
            (chart::figure(&id, Shape::StackedColumns, &chart))
        }
    }
}

/// The heartbeats of a build from one source.
fn link(system_name: &str, period: &Period, build: &str, source: &str) -> String {
    let from = period.from_date.as_deref().map(|date| ("captured_from", date));
    let conditions =
        [("classification", CLASSIFICATION)].into_iter().chain(build_conditions(system_name, build));
    records::link(conditions.chain([("data_source", source)]).chain(from))
}

fn empty(data: &Population) -> Markup {
    html! {
        section.panel.empty {
            @if data.systems.is_empty() {
                h2 { "No heartbeat yet" }
                p {
                    "Machines are counted by their records of " code { (CLASSIFICATION) }
                    ", which a client sends about once a day."
                }
            } @else {
                h2 { "No heartbeats of this system" }
                p {
                    "No machine of " bdi { (text::visible(system_label(&data.system_name))) }
                    " has sent one. Choose a system above."
                }
            }
        }
    }
}
