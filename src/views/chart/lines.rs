// SPDX-License-Identifier: Apache-2.0
//! Lines, one a series, with a point for each value.

use crate::views::chart::frame::{Drawing, Upright};
use crate::views::chart::plotted::{Plotted, colour, px};
use maud::html;
use std::fmt::Write;

/// Draws lines; a value that is missing leaves a gap.
pub fn draw(plotted: &Plotted) -> Drawing {
    let upright = Upright::new(plotted, plotted.scale(false, 5), 24.0, 4.0);
    let points_radius = if upright.pitch < 10.0 { 2.0 } else { 3.0 };
    let marks = html! {
        @for series in 0..plotted.n_series {
            path class={ "line " (colour(series)) } d=(path(plotted, &upright, series)) {}
            @for category in 0..plotted.n_categories {
                @if let Some(value) = plotted.value(series, category) {
                    @let (x, y) = (px(upright.slot(category) + upright.pitch / 2.0), px(upright.y(value)));
                    (plotted.mark(series, category, html! {
                        circle.aim cx=(x) cy=(y) r=(px((upright.pitch / 2.0).clamp(4.0, 10.0))) {}
                        circle class=(colour(series)) cx=(x) cy=(y) r=(points_radius) {}
                    }))
                }
            }
        }
    };
    upright.draw(plotted, &marks)
}

/// `M x y L x y …`, begun anew after each gap.
fn path(plotted: &Plotted, upright: &Upright, series: usize) -> String {
    let mut path = String::from("M 0 0");
    let mut is_after_gap = true;
    for category in 0..plotted.n_categories {
        let Some(value) = plotted.value(series, category) else {
            is_after_gap = true;
            continue;
        };
        let step = if std::mem::take(&mut is_after_gap) { 'M' } else { 'L' };
        let x = px(upright.slot(category) + upright.pitch / 2.0);
        // Writing to a String cannot fail.
        let _ = write!(path, " {step} {x} {}", px(upright.y(value)));
    }
    path
}
