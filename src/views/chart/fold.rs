// SPDX-License-Identifier: Apache-2.0
//! Many small parts made one: "other".

use crate::views::chart::{Data, Mark, Series};

/// What the sum of the small ones is called.
pub const OTHER: &str = "other";

/// Keeps the first `most` categories and sums the rest up in one more, which has no link.
pub fn fold_categories(data: &mut Data, most: usize) {
    if data.categories.len() <= most {
        return;
    }
    let n_rest = data.categories.len() - most;
    data.categories.truncate(most);
    data.categories.push(super::Category { label: OTHER.to_owned(), title: format!("{n_rest} others") });
    for series in &mut data.series {
        let rest = series.marks.split_off(most.min(series.marks.len()));
        series.marks.push(Mark { value: rest.iter().map(|mark| mark.value).sum(), link: None });
    }
}

/// Keeps the `most` series that are greatest in sum, in their order, and sums the rest up in one more without
/// links.
pub fn fold_series(data: &mut Data, most: usize) {
    if data.series.len() <= most {
        return;
    }
    let sum = |series: &Series| series.marks.iter().map(|mark| mark.value).sum::<f64>();
    let mut by_sum: Vec<(usize, f64)> =
        data.series.iter().enumerate().map(|(index, series)| (index, sum(series))).collect();
    by_sum.sort_by(|a, b| b.1.total_cmp(&a.1));
    let is_kept = |index: usize| by_sum.iter().take(most).any(|(kept, _)| *kept == index);
    let mut rest = vec![0.0; data.categories.len()];
    let mut kept = Vec::new();
    for (index, series) in std::mem::take(&mut data.series).into_iter().enumerate() {
        if is_kept(index) {
            kept.push(series);
        } else {
            rest.iter_mut().zip(&series.marks).for_each(|(sum, mark)| *sum += mark.value);
        }
    }
    let marks = rest.into_iter().map(|value| Mark { value, link: None }).collect();
    kept.push(Series { name: OTHER.to_owned(), marks });
    data.series = kept;
}
