// SPDX-License-Identifier: Apache-2.0
//! Charts drawn as SVG on the server, each with its numbers as a table below.
//!
//! A view fills a [`Data`], chooses a [`Shape`] and places what [`figure`] makes. Nothing here knows what is
//! counted. Colours are classes (`series-1` … `series-8`, `series-other`) that `style.css` sets for light and
//! dark.

mod bars;
mod columns;
mod fold;
mod frame;
mod labels;
mod lines;
mod numbers;
mod pie;
mod plotted;
mod scale;
mod strip;
#[cfg(test)]
mod tests;

pub use fold::{OTHER, fold_categories, fold_series};
pub use frame::legend;
pub use labels::breakable;
pub use scale::number_text;
pub use strip::{Part, strip};

use maud::{Markup, html};
use plotted::Plotted;

/// Series that have a colour of their own; all further ones share that of "other".
pub const COLOURS: usize = 8;

/// How numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Upright columns, side by side where there are several series.
    Columns,
    /// Upright columns, the series on top of each other.
    StackedColumns,
    /// Horizontal bars, one a category, the series after each other; for long labels.
    Bars,
    /// Lines, one a series.
    Lines,
    /// One slice a category of the first series; small ones fold into "other".
    Pie,
}

/// What a chart shows: one value for each category and series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// Heading of the figure.
    pub title: String,
    /// One sentence that says what is counted, for screen readers and under the heading.
    pub about: String,
    /// What a category is, for the head of the table: `Build`.
    pub category_noun: String,
    /// What is counted, for the axis: `records`.
    pub unit: String,
    /// The categories in their order.
    pub categories: Vec<Category>,
    /// At least one, in their order; each has a mark for each category.
    pub series: Vec<Series>,
}

/// One place on the axis of categories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Category {
    /// Short text at the axis.
    pub label: String,
    /// What a mark's title and the table say; the label where it is empty.
    pub title: String,
}

impl Category {
    /// A category whose label says everything.
    pub fn new(label: impl Into<String>) -> Category {
        Category { label: label.into(), title: String::new() }
    }
}

/// The values of one colour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// As many as there are categories.
    pub marks: Vec<Mark>,
}

/// One value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// The number drawn.
    pub value: f64,
    /// Address of what is behind it.
    pub link: Option<String>,
}

impl Mark {
    /// A count and the address of what was counted; nothing is behind a 0.
    pub fn count(count: i64, link: String) -> Mark {
        // Counts stay far below 2^53.
        Mark { value: count as f64, link: (count != 0).then_some(link) }
    }
}

/// The figure: heading, drawing, legend, table. `id` is unique on the page.
///
/// Any numbers and any text make a sound figure: what is no number is left out, what a shape cannot show is
/// drawn as 0 and a note says so, and what is too much to draw (from 1,000 categories on) is in the table
/// only.
pub fn figure(id: &str, shape: Shape, data: &Data) -> Markup {
    let plotted = Plotted::new(shape, data);
    html! {
        figure.chart #(id) {
            figcaption {
                h2 { (labels::plain(&data.title)) }
                @if !data.about.is_empty() { p { (labels::plain(&data.about)) } }
            }
            @if data.categories.is_empty() || data.series.is_empty() {
                p.nothing { "There are no numbers to draw." }
            } @else {
                (drawn(id, shape, &plotted))
                @for note in plotted.notes() { p.note { (note) } }
                (numbers::table(data))
            }
        }
    }
}

fn drawn(id: &str, shape: Shape, plotted: &Plotted) -> Markup {
    let drawing = match shape {
        Shape::Columns => columns::draw(plotted, false),
        Shape::StackedColumns => columns::draw(plotted, true),
        Shape::Bars => bars::draw(plotted),
        Shape::Lines => lines::draw(plotted),
        Shape::Pie => return pie::draw(id, plotted),
    };
    html! {
        (frame::plot(id, plotted, &drawing))
        @if plotted.data.series.len() > 1 {
            (legend(plotted.data.series.iter().map(|series| series.name.as_str())))
        }
    }
}
