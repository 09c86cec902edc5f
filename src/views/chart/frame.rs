// SPDX-License-Identifier: Apache-2.0
//! What stands around the marks: the SVG element, the axes, the legend.

use crate::views::chart::labels::{self, LETTER, thinned};
use crate::views::chart::plotted::{Plotted, colour, px};
use crate::views::chart::scale::Scale;
use maud::{Markup, html};

/// The widths that drawings have, near to the pixels they will have on a screen; wider ones scroll in their
/// figure.
const WIDTHS: [(f64, &str); 4] = [(320.0, "w320"), (480.0, "w480"), (640.0, "w640"), (960.0, "w960")];

/// Height of upright drawings.
pub const HEIGHT: f64 = 260.0;

/// Above the highest tick: room for the unit and a number over a column.
const TOP: f64 = 30.0;

/// Below the lowest tick: room for the labels.
const BOTTOM: f64 = 24.0;

/// Right of the last category: room for the half of its label.
const RIGHT_LEAST: f64 = 6.0;

/// Labels of upright drawings are cut to this width.
const LABEL_MOST: f64 = 90.0;

/// A finished drawing.
pub struct Drawing {
    /// Width in its own units.
    pub width: f64,
    /// Height in its own units.
    pub height: f64,
    /// True where the end is seen first of what has to be scrolled.
    pub is_from_end: bool,
    /// What is drawn.
    pub content: Markup,
}

/// The least of the usual widths that holds `needed`, or `needed` itself where none does.
pub fn usual_width(needed: f64) -> f64 {
    WIDTHS.iter().map(|(width, _)| *width).find(|width| *width >= needed).unwrap_or(needed.ceil())
}

/// The drawing in a box in which a long one scrolls.
pub fn plot(id: &str, plotted: &Plotted, drawing: &Drawing) -> Markup {
    let class = WIDTHS.iter().find(|(width, _)| *width == drawing.width).map_or("long", |(_, class)| class);
    // The narrowest fits everywhere; every other may have to be scrolled, with the keyboard too.
    let scrolls = drawing.width > WIDTHS[0].0;
    let title = labels::plain(&plotted.data.title);
    html! {
        div.plot.from-end[drawing.is_from_end] tabindex=[scrolls.then_some("0")]
            role=[scrolls.then_some("group")] aria-label=[scrolls.then_some(&title)] {
            (svg(id, class, plotted, drawing))
        }
    }
}

/// The SVG element with its name and description.
///
/// With links in it, it is a group: an image hides what is in it from screen readers, and the links would be
/// reached without a name. Without links it is an image.
pub fn svg(id: &str, class: &str, plotted: &Plotted, drawing: &Drawing) -> Markup {
    let (width, height) = (px(drawing.width), px(drawing.height));
    let role = if plotted.has_links() { "group" } else { "img" };
    html! {
        svg class=(class) width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role=(role) aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-desc" } {
            title id={ (id) "-title" } { (labels::plain(&plotted.data.title)) }
            desc id={ (id) "-desc" } {
                (labels::plain(&plotted.data.about)) " The numbers are in the table below."
            }
            (drawing.content)
        }
    }
}

/// Names with the colours of series, in their order.
pub fn legend<'a>(names: impl IntoIterator<Item = &'a str>) -> Markup {
    html! {
        ul.legend {
            @for (index, name) in names.into_iter().enumerate() {
                li { (swatch(&colour(index))) bdi { (labels::plain(name)) } }
            }
        }
    }
}

/// A square of a colour. It is drawn, not a background, so that it is printed too.
pub fn swatch(colour: &str) -> Markup {
    html! {
        svg.swatch viewBox="0 0 10 10" aria-hidden="true" { rect class=(colour) width="10" height="10" {} }
    }
}

/// The place for upright marks: a slot for each category, an axis of values at the left.
pub struct Upright {
    /// The axis of values.
    pub scale: Scale,
    /// Left edge of the first slot.
    pub left: f64,
    /// Right edge of the last slot.
    pub end: f64,
    /// Width of a slot.
    pub pitch: f64,
    /// Width of the drawing.
    pub width: f64,
}

impl Upright {
    /// Lays out `plotted` with slots of `pitch_best` where there is room, and never less than `pitch_least`.
    pub fn new(plotted: &Plotted, scale: Scale, pitch_best: f64, pitch_least: f64) -> Upright {
        let n_slots = plotted.n_categories.max(1) as f64;
        let left = scale.ticks.iter().map(|(_, text)| labels::width(text)).fold(8.0, f64::max) + 10.0;
        let last = plotted.label(plotted.n_categories.saturating_sub(1));
        let right = (labels::width(&last).min(LABEL_MOST) / 2.0).max(RIGHT_LEAST);
        let around = left + right;
        let widest = WIDTHS[WIDTHS.len() - 1].0;
        let pitch = pitch_best.min(((widest - around) / n_slots).max(pitch_least));
        let width = usual_width(around + n_slots * pitch);
        Upright { scale, left, end: width - right, pitch: (width - around) / n_slots, width }
    }

    /// The left edge of a category's slot.
    pub fn slot(&self, category: usize) -> f64 {
        self.left + category as f64 * self.pitch
    }

    /// The height at which a value is.
    pub fn y(&self, value: f64) -> f64 {
        self.scale.place(value, HEIGHT - BOTTOM, TOP)
    }

    /// The whole drawing: grid, marks, base line, labels.
    pub fn draw(&self, plotted: &Plotted, marks: &Markup) -> Drawing {
        let (end, base) = (self.end, px(self.y(0.0)));
        let content = html! {
            g.axis aria-hidden="true" {
                text x="0" y=(LETTER) { (labels::plain(&plotted.data.unit)) }
                @for (value, text) in &self.scale.ticks {
                    @let y = px(self.y(*value));
                    line.grid x1=(px(self.left)) x2=(px(end)) y1=(y) y2=(y) {}
                    text.tick x=(px(self.left - 6.0)) y=(px(self.y(*value) + 4.0)) { (text) }
                }
            }
            (marks)
            g.axis aria-hidden="true" {
                // What a narrow screen shows of a drawing that has to be scrolled; else the style sheet hides
                // it.
                @for (value, text) in &self.scale.ticks {
                    text.tick.again x=(px(self.width)) y=(px(self.y(*value) - 4.0)) { (text) }
                }
                line.base x1=(px(self.left)) x2=(px(end)) y1=(base) y2=(base) {}
                (self.labels(plotted))
            }
        };
        Drawing { width: self.width, height: HEIGHT, is_from_end: true, content }
    }

    fn labels(&self, plotted: &Plotted) -> Markup {
        let width_max = self.pitch.max(LABEL_MOST);
        let texts: Vec<_> = (0..plotted.n_categories)
            .map(|category| labels::cut(&plotted.label(category), width_max))
            .collect();
        let places: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(category, text)| (self.slot(category) + self.pitch / 2.0, labels::width(text)))
            .collect();
        html! {
            @for (category, middle) in thinned(&places, self.width) {
                text.label x=(px(middle)) y=(px(HEIGHT - 8.0)) {
                    (texts[category])
                    @if texts[category] != plotted.label(category) { title { (plotted.label(category)) } }
                }
            }
        }
    }
}
