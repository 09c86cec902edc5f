// SPDX-License-Identifier: Apache-2.0
//! One slice a category, with the share beside it and a legend that has the numbers.

use crate::views::chart::frame::{Drawing, svg, swatch};
use crate::views::chart::plotted::{Plotted, colour, px};
use crate::views::chart::scale::{DRAWN_MOST, number_text};
use crate::views::chart::{COLOURS, OTHER, labels};
use maud::{Markup, html};
use std::f64::consts::TAU;

/// Side of the square drawing.
const SIDE: f64 = 240.0;

/// Radius of the pie.
const RADIUS: f64 = 88.0;

/// The share from which on a slice has it written beside it.
const SHARE_WRITTEN: f64 = 0.05;

/// Some of the categories of a pie.
struct Slice {
    /// The category; none for the rest.
    category: Option<usize>,
    value: f64,
    colour: String,
}

/// Draws slices clockwise from the top: the greatest in the order of the data, the rest as one.
pub fn draw(id: &str, plotted: &Plotted) -> Markup {
    let slices = slices(plotted);
    let whole: f64 = slices.iter().map(|slice| slice.value).sum();
    if whole <= 0.0 {
        return html! { p.nothing { "All values are 0." } };
    }
    let shares: Vec<f64> = slices.iter().map(|slice| slice.value / whole).collect();
    let content = html! {
        @for (index, slice) in slices.iter().enumerate() {
            @let (from, share) = (shares[..index].iter().sum(), shares[index]);
            (marked(plotted, slice, shape(&slice.colour, from, share)))
            (written(from, share))
        }
    };
    let drawing = Drawing { width: SIDE, height: SIDE, is_from_end: false, content };
    html! { div.pie { (svg(id, "round", plotted, &drawing)) (legend(plotted, &slices, whole)) } }
}

/// At most [`COLOURS`] slices with something in them.
fn slices(plotted: &Plotted) -> Vec<Slice> {
    let value = |category: usize| plotted.value(0, category).unwrap_or(0.0);
    let mut filled: Vec<usize> =
        (0..plotted.n_categories).filter(|category| value(*category) > 0.0).collect();
    let mut rest = Vec::new();
    if filled.len() > COLOURS {
        filled.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
        rest = filled.split_off(COLOURS - 1);
        filled.sort_unstable();
    }
    // Where all categories have a colour, each keeps it in every chart of a page.
    let is_few = plotted.n_categories <= COLOURS;
    let slice = |(index, category): (usize, &usize)| {
        let colour = match plotted.is_other(*category) {
            true => colour(COLOURS),
            false => colour(if is_few { *category } else { index }),
        };
        Slice { category: Some(*category), value: value(*category), colour }
    };
    let mut slices: Vec<Slice> = filled.iter().enumerate().map(slice).collect();
    if !rest.is_empty() {
        let value = rest.iter().map(|category| value(*category)).sum::<f64>().min(DRAWN_MOST);
        slices.push(Slice { category: None, value, colour: colour(COLOURS) });
    }
    slices
}

fn marked(plotted: &Plotted, slice: &Slice, content: Markup) -> Markup {
    match slice.category {
        Some(category) => plotted.mark(0, category, content),
        None => html! { g { title { (OTHER) ": " (number_text(slice.value)) } (content) } },
    }
}

/// The point at a share of the way around, at a distance from the middle.
fn point(share: f64, radius: f64) -> (f64, f64) {
    let (sin, cos) = (share * TAU).sin_cos();
    (px(SIDE / 2.0 + radius * sin), px(SIDE / 2.0 - radius * cos))
}

fn shape(colour: &str, from: f64, share: f64) -> Markup {
    let middle = SIDE / 2.0;
    // An arc that ends where it began is none.
    if share > 0.9999 {
        return html! { circle class=(colour) cx=(middle) cy=(middle) r=(RADIUS) {} };
    }
    let ((x1, y1), (x2, y2)) = (point(from, RADIUS), point(from + share, RADIUS));
    let is_large = u8::from(share > 0.5);
    html! {
        path class=(colour)
            d={ "M " (middle) " " (middle) " L " (x1) " " (y1)
                " A " (RADIUS) " " (RADIUS) " 0 " (is_large) " 1 " (x2) " " (y2) " Z" } {}
    }
}

fn written(from: f64, share: f64) -> Markup {
    let (x, y) = point(from + share / 2.0, RADIUS + 17.0);
    html! {
        @if share >= SHARE_WRITTEN {
            text.label aria-hidden="true" x=(x) y=(y + 4.0) { (share_text(share)) }
        }
    }
}

/// A share as a percentage that is 0 or 100 only where it is exactly that.
fn share_text(share: f64) -> String {
    match (share * 100.0).round() {
        percent if percent == 0.0 && share > 0.0 => "<1 %".to_owned(),
        percent if percent == 100.0 && share < 1.0 => ">99 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

fn legend(plotted: &Plotted, slices: &[Slice], whole: f64) -> Markup {
    html! {
        ul.legend {
            @for slice in slices {
                li {
                    (swatch(&slice.colour))
                    @match slice.category {
                        Some(category) => (named(plotted, category)),
                        None => (OTHER),
                    }
                    span.amount { (number_text(slice.value)) " · " (share_text(slice.value / whole)) }
                }
            }
        }
    }
}

fn named(plotted: &Plotted, category: usize) -> Markup {
    let label = plotted.label(category);
    let link = plotted.data.series.first().and_then(|s| s.marks.get(category)).and_then(|m| m.link.as_ref());
    html! {
        @match link {
            Some(link) => a href=(link) { bdi { (labels::breakable(&labels::cut(&label, 500.0))) } },
            None => bdi { (labels::breakable(&labels::cut(&label, 500.0))) },
        }
    }
}
