// SPDX-License-Identifier: Apache-2.0
//! Horizontal bars, one a category, with the label before and the number after.

use crate::views::chart::frame::{Drawing, usual_width};
use crate::views::chart::labels::{self, LETTER};
use crate::views::chart::plotted::{Plotted, colour, px};
use crate::views::chart::scale::number_text;
use maud::{Markup, html};

/// From one bar to the next.
const PITCH: f64 = 24.0;

/// Thickness of a bar.
const THICK: f64 = 15.0;

/// A bar is at least this long, so that a 1 beside a million is seen.
const LENGTH_LEAST: f64 = 1.5;

/// Labels are cut to this width.
const LABEL_MOST: f64 = 220.0;

/// Draws bars; the longest fills the room between labels and numbers.
pub fn draw(plotted: &Plotted) -> Drawing {
    let categories = 0..plotted.n_categories;
    let label_width = categories
        .clone()
        .map(|category| labels::width(&plotted.label(category)))
        .fold(0.0, f64::max)
        .min(LABEL_MOST);
    let sums: Vec<_> = categories.clone().map(|category| plotted.sum(category)).collect();
    let number_width = sums.iter().map(|sum| labels::width(&number_text(*sum))).fold(0.0, f64::max);
    let left = label_width + 8.0;
    let width = usual_width(left + number_width + 180.0);
    let length = width - left - number_width - 10.0;
    let most = sums.iter().copied().fold(0.0, f64::max);
    // No axis: each bar has its number. All zero: no bar has a length.
    let per_value = if most > 0.0 { length / most } else { 0.0 };
    let content = html! {
        @for category in categories {
            (bar(plotted, category, Place { left, top: category as f64 * PITCH, per_value, label_width }))
        }
    };
    Drawing { width, height: PITCH * plotted.n_categories as f64, is_from_end: false, content }
}

/// Where a bar stands.
struct Place {
    left: f64,
    top: f64,
    per_value: f64,
    label_width: f64,
}

fn bar(plotted: &Plotted, category: usize, place: Place) -> Markup {
    let label = plotted.label(category);
    let text_y = px(place.top + PITCH / 2.0 + LETTER * 0.36);
    let end = place.left + plotted.sum(category) * place.per_value;
    html! {
        text.before x=(px(place.left - 8.0)) y=(text_y) {
            (labels::cut(&label, place.label_width)) title { (label) }
        }
        @for (series, from, to) in plotted.stacked(category) {
            (plotted.mark(series, category, html! {
                // One series alone is clicked and hovered from the label on: a short bar is a small aim.
                @if plotted.n_series == 1 {
                    rect.aim x="0" y=(px(place.top)) width=(px(end)) height=(PITCH) {}
                }
                rect class=(colour(series)) x=(px(place.left + from * place.per_value))
                    y=(px(place.top + (PITCH - THICK) / 2.0))
                    width=(px(((to - from) * place.per_value).max(LENGTH_LEAST))) height=(THICK) {}
            }))
        }
        text.after x=(px(end + 6.0)) y=(text_y) { (number_text(plotted.sum(category))) }
    }
}
