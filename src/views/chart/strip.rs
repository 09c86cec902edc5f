// SPDX-License-Identifier: Apache-2.0
//! A thin stacked bar for a cell of a table.

use crate::views::chart::labels;
use crate::views::chart::plotted::{colour, px};
use crate::views::chart::scale::{drawable, number_text};
use maud::{Markup, html};

/// One part of a strip.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What its title says before the value.
    pub name: String,
    /// Its size; nothing is drawn below 0.
    pub value: f64,
    /// Address of what is behind it.
    pub link: Option<String>,
    /// Which colour, counted from 0; from [`super::COLOURS`] on that of "other".
    pub colour: usize,
}

/// The parts after each other; the whole width stands for `whole`, so that strips in one column compare.
///
/// It is decoration: the row says the same numbers in text, with the same links, so screen readers and the
/// Tab key pass it by.
pub fn strip(parts: &[Part], whole: f64) -> Markup {
    let whole = drawable(whole).filter(|whole| *whole > 0.0).unwrap_or(1.0);
    let share = |part: &Part| drawable(part.value).unwrap_or(0.0).max(0.0) / whole * 100.0;
    let mut end = 0.0_f64;
    let mut placed = Vec::new();
    for part in parts.iter().filter(|part| share(part) > 0.0) {
        let width = share(part).min(100.0 - end);
        placed.push((part, end, width));
        end += width;
    }
    html! {
        svg.strip width="100%" height="14" aria-hidden="true" {
            @for (part, from, width) in placed {
                @let content = html! {
                    title { (labels::isolated(&labels::plain(&part.name))) ": " (number_text(part.value)) }
                    rect class=(colour(part.colour)) x={ (px(from)) "%" }
                        width={ (px(width)) "%" } height="14" {}
                };
                @match &part.link {
                    Some(link) => a href=(link) tabindex="-1" { (content) },
                    None => g { (content) },
                }
            }
        }
    }
}
