// SPDX-License-Identifier: Apache-2.0
//! Upright columns, one series beside or upon the other.

use crate::views::chart::frame::{Drawing, HEIGHT, Upright};
use crate::views::chart::labels;
use crate::views::chart::plotted::{Plotted, colour, px};
use crate::views::chart::scale::number_text;
use maud::{Markup, html};

/// A column is at least this high, so that a 1 beside a million is seen.
const HEIGHT_LEAST: f64 = 1.5;

/// A column is at most this wide.
const WIDTH_MOST: f64 = 48.0;

/// Draws columns; each value is a mark.
pub fn draw(plotted: &Plotted, is_stacked: bool) -> Drawing {
    let n_beside = if is_stacked { 1 } else { plotted.n_series.max(1) };
    let (best, least) = (14.0 * (n_beside as f64) + 12.0, 4.0 * (n_beside as f64) + 4.0);
    let upright = Upright::new(plotted, plotted.scale(is_stacked, 5), best, least);
    let marks = html! {
        @for category in 0..plotted.n_categories {
            @if is_stacked {
                (stack(plotted, &upright, category))
            } @else {
                (beside(plotted, &upright, category, n_beside))
            }
        }
        (totals(plotted, &upright, is_stacked))
    };
    upright.draw(plotted, &marks)
}

/// Left edge and width of all columns of a category together.
fn extent(upright: &Upright, category: usize, n_beside: usize) -> (f64, f64) {
    let width = (upright.pitch * 0.78).min(WIDTH_MOST * n_beside as f64);
    (upright.slot(category) + (upright.pitch - width) / 2.0, width)
}

fn beside(plotted: &Plotted, upright: &Upright, category: usize, n_beside: usize) -> Markup {
    let (left, width) = extent(upright, category, n_beside);
    let width = width / n_beside as f64;
    // One series alone is clicked and hovered over the whole height: a low column is a small aim.
    let has_wide_aim = n_beside == 1;
    html! {
        @for series in 0..plotted.n_series {
            @if let Some(value) = plotted.value(series, category).filter(|value| *value != 0.0) {
                (plotted.mark(series, category, html! {
                    @if has_wide_aim {
                        rect.aim x=(px(upright.slot(category))) y="0"
                            width=(px(upright.pitch)) height=(px(HEIGHT)) {}
                    }
                    (column(upright, (left + series as f64 * width, width), (0.0, value), series))
                }))
            }
        }
    }
}

fn stack(plotted: &Plotted, upright: &Upright, category: usize) -> Markup {
    let (left, width) = extent(upright, category, 1);
    html! {
        @for (series, from, to) in plotted.stacked(category) {
            (plotted.mark(series, category, column(upright, (left, width), (from, to), series)))
        }
    }
}

/// A column from one value to another at a left edge with a width.
fn column(upright: &Upright, (left, width): (f64, f64), (from, to): (f64, f64), series: usize) -> Markup {
    let (from_y, to_y) = (upright.y(from), upright.y(to));
    let height = (from_y - to_y).abs().max(HEIGHT_LEAST);
    let top = if to < from { from_y } else { from_y - height };
    html! { rect class=(colour(series)) x=(px(left)) y=(px(top)) width=(px(width)) height=(px(height)) {} }
}

/// The number over each column, where each finds room.
fn totals(plotted: &Plotted, upright: &Upright, is_stacked: bool) -> Markup {
    let total = |category: usize| match is_stacked {
        true => plotted.sum(category),
        false => plotted.value(0, category).unwrap_or(0.0),
    };
    let texts: Vec<_> = (0..plotted.n_categories).map(|category| (total(category), category)).collect();
    let widest = texts.iter().map(|(total, _)| labels::width(&number_text(*total))).fold(0.0, f64::max);
    if widest + 4.0 > upright.pitch || !is_stacked && plotted.n_series > 1 {
        return html! {};
    }
    html! {
        g.totals aria-hidden="true" {
            @for (total, category) in texts.into_iter().filter(|(total, _)| *total > 0.0) {
                text.label x=(px(upright.slot(category) + upright.pitch / 2.0))
                    y=(px(upright.y(total) - 5.0)) {
                    (number_text(total))
                }
            }
        }
    }
}
