// SPDX-License-Identifier: Apache-2.0
//! One panel of a custom view: a table, a chart, large numbers, or what is wrong.

use crate::custom::{Arranged, Cell, Cut, Heading, Mistake, Panel, Run, Show, Value};
use crate::ops::custom::{ROWS_MAX, Shown};
use crate::views::chart::{self, Category, Data, Mark, Series, Shape};
use crate::views::parts::{Tone, notice};
use crate::views::text;
use maud::{Markup, html};

/// Characters of a cell that a table shows.
const CELL_CHARS_MAX: usize = 500;
/// Characters of a name in a chart.
const NAME_CHARS_MAX: usize = 100;

/// The panel. `id` is unique on the page.
pub fn render(id: &str, panel: &Panel, shown: &Result<Shown, Mistake>) -> Markup {
    let shown = match shown {
        Ok(shown) => shown,
        Err(mistake) => {
            let mistake = text::start(&mistake.to_string(), 1_000).into_owned();
            return framed(id, panel, html! { (notice(Tone::Error, html! { bdi { (mistake) } })) });
        }
    };
    match &shown.arranged {
        Arranged::Table { headings, rows } => framed(
            id,
            panel,
            html! {
                (cut(shown.cut, rows.len()))
                (table(headings, rows))
            },
        ),
        Arranged::Numbers(numbers) => framed(id, panel, large(numbers)),
        Arranged::Chart { noun, categories, series } => html! {
            (chart::figure(id, shape(panel.show), &data(panel, noun, categories, series)))
            @if shown.cut.is_some() { div.after { (cut(shown.cut, ROWS_MAX)) } }
        },
    }
}

/// A panel that is no chart, which brings its own frame.
fn framed(id: &str, panel: &Panel, content: Markup) -> Markup {
    html! {
        section.panel.custom #(id) {
            h2 { bdi { (text::start(&panel.title, 200)) } }
            @if !panel.about.is_empty() { p.muted { bdi { (text::one_line(&panel.about, 2_000)) } } }
            (content)
        }
    }
}

fn cut(cut: Option<Cut>, n_rows: usize) -> Markup {
    let n_rows = text::counted(i64::try_from(n_rows).unwrap_or(i64::MAX), "row", "rows");
    match cut {
        None => html! {},
        Some(Cut::Rows) => {
            notice(Tone::Info, format!("The query has more rows; these are the first {n_rows}."))
        }
        Some(Cut::Bytes) => notice(
            Tone::Info,
            format!("The query has more text than a page may take; these are the first {n_rows}."),
        ),
    }
}

fn table(headings: &[Heading], rows: &[Vec<Cell>]) -> Markup {
    html! {
        @if rows.is_empty() {
            p.nothing { "No rows." }
        } @else {
            div.sheet tabindex="0" role="group" aria-label="Table; scrolls sideways where it is wide" {
                table {
                    thead { tr {
                        @for heading in headings {
                            th scope="col" class=[heading.is_number.then_some("number")] {
                                bdi { (text::start(&heading.name, NAME_CHARS_MAX)) }
                            }
                        }
                    } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (heading, value) in headings.iter().zip(row) {
                                    td class=[heading.is_number.then_some("number")] { (cell(value)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    let shown = value(&cell.value);
    html! {
        @match &cell.link {
            Some(link) => a href=(link) { bdi { (shown) } },
            None => bdi { (shown) },
        }
    }
}

/// A value in one line; NULL is a dash.
fn value(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Text(content) => {
            let mut line = text::one_line(content, CELL_CHARS_MAX);
            if content.chars().nth(CELL_CHARS_MAX).is_some() {
                line.push('…');
            }
            line
        }
        number => number.text().unwrap_or_default(),
    }
}

fn large(numbers: &[(String, Cell)]) -> Markup {
    html! {
        @if numbers.is_empty() { p.nothing { "No rows." } }
        @else {
            dl.large {
                @for (name, cell) in numbers {
                    div {
                        dt { bdi { (text::start(name, NAME_CHARS_MAX)) } }
                        dd { (large_value(cell)) }
                    }
                }
            }
        }
    }
}

/// Counts are grouped, because they stand alone.
fn large_value(shown: &Cell) -> Markup {
    let grouped = match shown.value {
        Value::Integer(number) => {
            Cell { value: Value::Text(text::grouped(number)), link: shown.link.clone() }
        }
        _ => shown.clone(),
    };
    cell(&grouped)
}

fn shape(show: Show) -> Shape {
    match show {
        Show::StackedColumns => Shape::StackedColumns,
        Show::Bars => Shape::Bars,
        Show::Lines => Shape::Lines,
        Show::Pie => Shape::Pie,
        Show::Columns | Show::Table | Show::Number => Shape::Columns,
    }
}

fn data(panel: &Panel, noun: &str, categories: &[String], series: &[Run]) -> Data {
    let name = |name: &str| text::one_line(name, NAME_CHARS_MAX);
    let mut data = Data {
        title: name(&panel.title),
        about: text::one_line(&panel.about, 2_000),
        category_noun: name(noun),
        unit: name(&panel.unit),
        categories: categories.iter().map(|category| Category::new(name(category))).collect(),
        series: series
            .iter()
            .map(|run| Series {
                name: name(&run.name),
                marks: run
                    .points
                    .iter()
                    .map(|point| Mark { value: point.value, link: point.link.clone() })
                    .collect(),
            })
            .collect(),
    };
    if panel.show.is_stacked() {
        chart::fold_series(&mut data, chart::COLOURS);
    }
    data
}
