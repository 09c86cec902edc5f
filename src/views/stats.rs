// SPDX-License-Identifier: Apache-2.0
//! Records by classification and by platform: `/stats`.

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::stats::{ALL_ROWS_MAX, Stats};
use crate::ops::{App, stats};
use crate::views::chart::{self, COLOURS, Category, Data, Mark, OTHER, Series, Shape};
use crate::views::parts::heading;
use crate::views::{Asked, Page, View, links, records, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/stats",
    title: "Stats",
    help: "Records by classification and by platform",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&stats::load(app, asked.query)?))
}

/// One list of the page.
struct List {
    id: &'static str,
    title: &'static str,
    noun: &'static str,
    about: &'static str,
    total: usize,
    rows: Vec<Row>,
}

/// A string that records have, and how many have it.
struct Row {
    label: String,
    title: String,
    link: String,
    records: i64,
}

/// The page.
pub fn render(data: &Stats) -> Page {
    let about = html! { @if data.records > 0 { (text::counted(data.records, "record", "records")) } };
    let lists = [classifications(data), platforms(data)];
    let markup = html! {
        (heading("Stats", about, ""))
        @if data.records == 0 {
            section.panel.empty {
                h2 { "No record yet" }
                p {
                    "Records are counted here as they arrive. "
                    a href=(records::VIEW.path) { "How to post one" } "."
                }
            }
        } @else {
            div.charts { @for list in &lists { (pie(list, data.records)) } }
            div.charts { @for list in &lists { (table(list, data.records)) } }
        }
    };
    Page::ok("Stats", markup)
}

fn classifications(data: &Stats) -> List {
    let row = |counted: &stats::ClassificationRecords| Row {
        label: text::short_classification(&counted.classification).into_owned(),
        title: counted.classification.clone(),
        link: records::link([("classification", counted.classification.as_str())]),
        records: counted.records,
    };
    List {
        id: "classifications",
        title: "Records per classification",
        noun: "Classification",
        about: "What the records report.",
        total: data.classifications_total,
        rows: data.classifications.iter().map(row).collect(),
    }
}

fn platforms(data: &Stats) -> List {
    let row = |counted: &stats::PlatformRecords| Row {
        label: counted.host_type.clone(),
        title: counted.host_type.clone(),
        link: records::link([("host_type", counted.host_type.as_str())]),
        records: counted.records,
    };
    List {
        id: "platforms",
        title: "Records per platform",
        noun: "Platform",
        about: "The vendor, product and version of the machine that sent them.",
        total: data.platforms_total,
        rows: data.platforms.iter().map(row).collect(),
    }
}

/// The greatest, and all others as one slice.
fn pie(list: &List, whole: i64) -> Markup {
    let kept = if list.total > COLOURS { COLOURS - 1 } else { COLOURS };
    let shown = &list.rows[..list.rows.len().min(kept)];
    let mut categories: Vec<Category> =
        shown.iter().map(|row| Category { label: row.label.clone(), title: row.title.clone() }).collect();
    let mut marks: Vec<Mark> = shown.iter().map(|row| Mark::count(row.records, row.link.clone())).collect();
    if list.total > shown.len() {
        let rest = (whole - shown.iter().map(|row| row.records).sum::<i64>()).max(0);
        let title = format!("{} others", text::grouped(count(list.total - shown.len())));
        categories.push(Category { label: OTHER.to_owned(), title });
        marks.push(Mark { value: rest as f64, link: None });
    }
    let data = Data {
        title: list.title.to_owned(),
        about: list.about.to_owned(),
        category_noun: list.noun.to_owned(),
        unit: "records".to_owned(),
        categories,
        series: vec![Series { name: "Records".to_owned(), marks }],
    };
    chart::figure(list.id, Shape::Pie, &data)
}

fn table(list: &List, whole: i64) -> Markup {
    let is_part = list.rows.len() < list.total;
    html! {
        section.listed {
            h2 {
                @if is_part { "The first " (text::grouped(count(list.rows.len()))) " of " }
                (text::grouped(count(list.total))) " " (plural(list))
            }
            div.sheet {
                table {
                    thead {
                        tr {
                            th scope="col" { (list.noun) }
                            th.number scope="col" { "Records" }
                            th.number scope="col" { "Share" }
                        }
                     }
                    tbody { @for row in &list.rows { (table_row(row, whole)) } }
                }
            }
            @if is_part && list.rows.len() < ALL_ROWS_MAX {
                p.after { a href=(links::link(VIEW.path, [("all", "1")])) { "List all" } }
            }
        }
    }
}

fn plural(list: &List) -> String {
    format!("{}{}", list.noun.to_lowercase(), if list.total == 1 { "" } else { "s" })
}

fn table_row(row: &Row, whole: i64) -> Markup {
    let percent = match 100.0 * row.records as f64 / whole.max(1) as f64 {
        percent if percent < 0.05 => "<0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    };
    html! {
        tr {
            th.wide scope="row" {
                a href=(row.link) title=(text::start(&row.title, 300)) {
                    bdi { (chart::breakable(&text::start(&row.label, 120))) }
                }
            }
            td.number { (text::grouped(row.records)) }
            td.number { (percent) }
        }
    }
}

/// A number of rows as a count.
fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
