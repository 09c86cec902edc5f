// SPDX-License-Identifier: Apache-2.0
//! Records received per OS build: `/builds`.

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::builds::{BUILDS_MAX, BuildRecords, Builds};
use crate::ops::{App, builds};
use crate::views::chart::{self, Category, Data, Mark, Part, Series, Shape};
use crate::views::parts::heading;
use crate::views::switch::{build_conditions, system_label, system_value, systems};
use crate::views::{Asked, Page, View, links, records, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/builds",
    title: "Builds",
    help: "Records received per OS build",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

/// Builds that the chart shows where not all are asked for, the newest.
pub const CHARTED_MAX: usize = 60;

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&builds::load(app, asked.query)?))
}

/// The page.
pub fn render(data: &Builds) -> Page {
    let about = html! {
        @if !data.builds.is_empty() {
            (text::counted(data.records, "record", "records")) " of "
            (text::counted(count(data.builds_total), "build", "builds")) " of "
            bdi { (text::visible(system_label(&data.system_name))) }
        }
    };
    let system_counts = data.systems.iter().map(|system| (system.system_name.as_str(), system.records));
    let markup = html! {
        (heading("Builds", about, ""))
        (systems(VIEW.path, &data.system_name, system_counts))
        @if data.builds.is_empty() {
            (empty(data))
        } @else {
            (figure(data))
            @if charted(data).len() < data.builds_total { (table(data)) }
        }
    };
    Page::ok("Builds", markup)
}

/// A number of rows as a count.
fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// The builds that the chart shows.
fn charted(data: &Builds) -> &[BuildRecords] {
    let most = if data.is_all { BUILDS_MAX } else { CHARTED_MAX };
    &data.builds[data.builds.len().saturating_sub(most)..]
}

fn link(build: &BuildRecords) -> String {
    records::link(build_conditions(&build.system_name, &build.build))
}

fn figure(data: &Builds) -> Markup {
    let charted = charted(data);
    let is_part = charted.len() < data.builds_total;
    let system_link =
        |all: &str| links::link(VIEW.path, [("system_name", system_value(&data.system_name)), ("all", all)]);
    let chart = Data {
        title: "Records received per build".to_owned(),
        about: match is_part {
            true => {
                format!("The newest {} of {} builds.", charted.len(), text::grouped(count(data.builds_total)))
            }
            false => "All records, also those received long ago.".to_owned(),
        },
        category_noun: "Build".to_owned(),
        unit: "records".to_owned(),
        categories: charted.iter().map(|build| Category::new(&build.build)).collect(),
        series: vec![Series {
            name: "Records".to_owned(),
            marks: charted.iter().map(|build| Mark::count(build.records, link(build))).collect(),
        }],
    };
    html! {
        (chart::figure("builds", Shape::Columns, &chart))
        @if is_part && !data.is_all {
            p.after { a href=(system_link("1")) { "Draw all builds" } }
        } @else if data.is_all && data.builds.len() > CHARTED_MAX {
            p.after { a href=(system_link("0")) { "Draw the newest " (CHARTED_MAX) " builds" } }
        }
    }
}

/// All builds, newest first.
fn table(data: &Builds) -> Markup {
    let most = data.builds.iter().map(|build| build.records).max().unwrap_or(0);
    html! {
        section.listed {
            h2 {
                @match data.builds.len() < data.builds_total {
                    true => { "The newest " (text::grouped(count(data.builds.len()))) " builds" },
                    false => "All builds",
                }
            }
            div.sheet {
                table {
                    thead {
                        tr {
                            th scope="col" { "Build" }
                            th.number scope="col" { "Records" }
                            th.fill scope="col" {}
                        }
                     }
                    tbody { @for build in data.builds.iter().rev() { (row(build, most)) } }
                }
            }
        }
    }
}

fn row(build: &BuildRecords, most: i64) -> Markup {
    let part =
        Part { name: build.build.clone(), value: build.records as f64, link: Some(link(build)), colour: 0 };
    html! {
        tr {
            th scope="row" { a href=(link(build)) { bdi { (text::start(&build.build, 60)) } } }
            td.number { (text::grouped(build.records)) }
            td.fill { (chart::strip(&[part], most as f64)) }
        }
    }
}

fn empty(data: &Builds) -> Markup {
    html! {
        section.panel.empty {
            @if data.systems.is_empty() {
                h2 { "No record yet" }
                p {
                    "Each record that arrives counts for the build that its machine runs. "
                    a href=(records::VIEW.path) { "How to post one" } "."
                }
            } @else {
                h2 { "No records of this system" }
                p {
                    "No stored record is of " bdi { (text::visible(system_label(&data.system_name))) }
                    ". Choose a system above."
                }
            }
        }
    }
}
