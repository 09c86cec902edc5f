// SPDX-License-Identifier: Apache-2.0
//! Data made fit to draw: how much of it, which values, and what a mark says.

use crate::views::chart::scale::{DRAWN_MOST, Scale, drawable, number_text};
use crate::views::chart::{COLOURS, Data, OTHER, Shape, labels};
use maud::{Markup, html};

/// Most categories that are drawn; the table has all.
pub const CATEGORIES_MAX: usize = 1_000;

/// Most series that are drawn; the table has all.
pub const SERIES_MAX: usize = 24;

/// Most marks that are drawn, so that a page stays below a few megabytes.
const MARKS_MAX: usize = 6_000;

/// Most marks that are stops of the Tab key. The same links are in the table, which opens with one key.
const STOPS_MAX: usize = 60;

/// Data and what of it is drawn.
pub struct Plotted<'a> {
    /// All of it.
    pub data: &'a Data,
    /// The first series that are drawn.
    pub n_series: usize,
    /// The first categories that are drawn.
    pub n_categories: usize,
    /// True where negative values have no place.
    is_of_parts: bool,
    /// True where marks can be reached with the Tab key.
    are_stops: bool,
}

impl Plotted<'_> {
    /// Takes as much of the data as a drawing can hold.
    pub fn new(shape: Shape, data: &Data) -> Plotted<'_> {
        let series_max = if shape == Shape::Pie { 1 } else { SERIES_MAX };
        let n_series = data.series.len().min(series_max);
        let categories_max = CATEGORIES_MAX.min(MARKS_MAX / n_series.max(1));
        let n_categories = if shape == Shape::Pie {
            data.categories.len()
        } else {
            data.categories.len().min(categories_max)
        };
        let is_of_parts = match shape {
            Shape::Pie | Shape::StackedColumns | Shape::Bars => true,
            Shape::Columns | Shape::Lines => false,
        };
        let are_stops = n_series * n_categories <= STOPS_MAX;
        Plotted { data, n_series, n_categories, is_of_parts, are_stops }
    }

    /// The number that is drawn; none where there is none.
    pub fn value(&self, series: usize, category: usize) -> Option<f64> {
        let value = drawable(self.raw(series, category)?)?;
        Some(if self.is_of_parts { value.max(0.0) } else { value })
    }

    fn raw(&self, series: usize, category: usize) -> Option<f64> {
        Some(self.data.series.get(series)?.marks.get(category)?.value)
    }

    /// All that is drawn of one category, the numbers of its series one on another.
    pub fn sum(&self, category: usize) -> f64 {
        let sum: f64 = (0..self.n_series).filter_map(|series| self.value(series, category)).sum();
        sum.min(DRAWN_MOST)
    }

    /// The series of a category that have something: from where to where each reaches on top of those before.
    pub fn stacked(&self, category: usize) -> Vec<(usize, f64, f64)> {
        let mut below = 0.0;
        let mut parts = Vec::new();
        for series in 0..self.n_series {
            if let Some(value) = self.value(series, category).filter(|value| *value > 0.0) {
                parts.push((series, below, below + value));
                below += value;
            }
        }
        parts
    }

    /// The axis of values: for sums where the parts of a category are stacked, else for each value by itself.
    pub fn scale(&self, is_stacked: bool, n_ticks: u8) -> Scale {
        let mut values: Vec<f64> = self.values().collect();
        let is_whole = values.iter().all(|value| value.fract() == 0.0);
        if is_stacked {
            values = (0..self.n_categories).map(|category| self.sum(category)).collect();
        }
        let low = values.iter().copied().fold(0.0, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Scale::new(low, if high.is_finite() { high } else { 0.0 }, is_whole, n_ticks)
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let places = (0..self.n_series).flat_map(|series| (0..self.n_categories).map(move |c| (series, c)));
        places.filter_map(|(series, category)| self.value(series, category))
    }

    /// The text of a category at the axis.
    pub fn label(&self, category: usize) -> String {
        self.data.categories.get(category).map_or_else(String::new, |c| labels::plain(&c.label))
    }

    /// True for the sum of the small ones, as [`super::fold_categories`] makes it.
    pub fn is_other(&self, category: usize) -> bool {
        let is_last = category + 1 == self.data.categories.len();
        let label = self.data.categories.get(category).map(|category| category.label.as_str());
        let mark = self.data.series.first().and_then(|series| series.marks.get(category));
        is_last && label == Some(OTHER) && mark.is_none_or(|mark| mark.link.is_none())
    }

    /// `LABEL, SERIES: VALUE`, the series only where there are several.
    pub fn title(&self, series: usize, category: usize) -> String {
        let category_text = self.data.categories.get(category).map_or_else(String::new, |category| {
            let is_short = category.title.is_empty();
            labels::plain(if is_short { &category.label } else { &category.title })
        });
        let name = self.data.series.get(series).filter(|_| self.data.series.len() > 1);
        let name =
            name.map_or_else(String::new, |s| format!(", {}", labels::isolated(&labels::plain(&s.name))));
        let value = number_text(self.raw(series, category).unwrap_or(f64::NAN));
        let value = match self.data.unit.as_str() {
            "" => value,
            unit => format!("{value} {}", labels::plain(unit)),
        };
        format!("{}{name}: {value}", labels::isolated(&category_text))
    }

    /// What stands for one value: a link to what is behind it, with a title.
    pub fn mark(&self, series: usize, category: usize, content: Markup) -> Markup {
        let mark = self.data.series.get(series).and_then(|s| s.marks.get(category));
        let title = html! { title { (self.title(series, category)) } };
        html! {
            @match mark.and_then(|mark| mark.link.as_ref()) {
                Some(link) => a href=(link) tabindex=[(!self.are_stops).then_some("-1")] {
                    (title) (content)
                },
                None => g { (title) (content) },
            }
        }
    }

    /// True where a mark leads somewhere.
    pub fn has_links(&self) -> bool {
        self.data.series.iter().flat_map(|series| &series.marks).any(|mark| mark.link.is_some())
    }

    /// What the drawing does not show as it is.
    pub fn notes(&self) -> Vec<String> {
        let (n_series, n_categories) = (self.data.series.len(), self.data.categories.len());
        let shown = self.data.series.iter().take(self.n_series);
        let shown: Vec<f64> = shown.flat_map(|series| series.marks.iter().map(|mark| mark.value)).collect();
        let any = |is_so: fn(f64) -> bool| shown.iter().any(|value| is_so(*value));
        let mut notes = Vec::new();
        if self.n_categories < n_categories {
            notes.push(format!(
                "Drawn are the first {} of {n_categories}; the table has all.",
                self.n_categories
            ));
        }
        if self.n_series < n_series {
            notes.push(format!(
                "Drawn are the first {} of {n_series} series; the table has all.",
                self.n_series
            ));
        }
        if any(|value| !value.is_finite()) {
            notes.push("What is no number is left out.".to_owned());
        }
        if self.is_of_parts && any(|value| value < 0.0) {
            notes.push("Values below 0 cannot be shown as parts of a whole and are left out.".to_owned());
        }
        if any(|value| value.is_finite() && value.abs() > DRAWN_MOST) {
            notes.push("Very large values are drawn smaller than they are.".to_owned());
        }
        notes
    }
}

/// The colour of a series, counted from 0.
pub fn colour(series: usize) -> String {
    if series < COLOURS { format!("series-{}", series + 1) } else { "series-other".to_owned() }
}

/// A coordinate with two decimals.
pub fn px(coordinate: f64) -> f64 {
    // Adding 0 makes 0 of -0.
    (coordinate * 100.0).round() / 100.0 + 0.0
}
