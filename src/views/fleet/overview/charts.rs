// SPDX-License-Identifier: Apache-2.0
//! The charts of the fleet's page: numbers over time, agents by version and by OS.

use super::{Data, Share, Taken};
use crate::model::time::{DAY_SECS, utc_text};
use crate::ops::fleet::agent_search::quoted;
use crate::views::chart::{self, Category, Mark, OTHER, Series, Shape};
use crate::views::fleet::agents_link;
use maud::Markup;

/// Most points of a line.
const POINTS_MAX: usize = 288;
/// Versions and systems that have a bar of their own.
const BARS_MAX: usize = 15;

/// The lines over time.
pub fn history(data: &Data) -> Markup {
    let taken = thinned(&data.history, POINTS_MAX);
    let series = |name: &str, number: fn(&Taken) -> i64| Series {
        name: name.to_owned(),
        // Counts stay far below 2^53.
        marks: taken.iter().map(|one| Mark { value: number(one) as f64, link: None }).collect(),
    };
    let category = |one: &Taken| {
        let whole = utc_text(one.at);
        // `YYYY-MM-DD HH:MM:SS UTC`: the time of day where all is of one day, else the day.
        let label = whole.get(if data.days == 1 { 11..16 } else { 5..10 }).unwrap_or(&whole);
        Category { label: label.to_owned(), title: whole.clone() }
    };
    chart::figure(
        "history",
        Shape::Lines,
        &chart::Data {
            title: "Over time".to_owned(),
            about: "What was counted each minute, beyond two days each hour.".to_owned(),
            category_noun: "Time (UTC)".to_owned(),
            unit: "agents or endpoints".to_owned(),
            categories: taken.iter().map(category).collect(),
            series: vec![
                series("online agents", |one| one.numbers.online_agents),
                series("idle agents", |one| one.numbers.idle_agents),
                series("new endpoints", |one| one.numbers.new_endpoints),
                series("double endpoints", |one| one.numbers.double_endpoints),
                series("disappeared endpoints", |one| one.numbers.disappeared_endpoints),
                series("flapping endpoints", |one| one.numbers.flapping_endpoints),
            ],
        },
    )
}

/// At most `points_max` of them in equal steps of time, of each step the last.
fn thinned(taken: &[Taken], points_max: usize) -> Vec<Taken> {
    let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return Vec::new() };
    if taken.len() <= points_max {
        return taken.to_vec();
    }
    let points = i64::try_from(points_max).unwrap_or(DAY_SECS).max(1);
    let step = (last.at - first.at) / points + 1;
    let mut kept: Vec<Taken> = Vec::with_capacity(points_max);
    for one in taken {
        let slot = |at: i64| (at - first.at) / step;
        match kept.last_mut() {
            Some(last) if slot(last.at) == slot(one.at) => *last = *one,
            _ => kept.push(*one),
        }
    }
    kept
}

/// Agents by version.
pub fn versions(shares: &[Share]) -> Markup {
    bars("versions", "Agents by version", "Version", "version", shares)
}

/// Agents by the name of their OS.
pub fn systems(shares: &[Share]) -> Markup {
    bars("systems", "Agents by OS", "OS", "environment->>'ident'", shares)
}

/// `value`: what the target language calls what they have in common.
fn bars(id: &str, title: &str, noun: &str, value: &str, shares: &[Share]) -> Markup {
    let kept = if shares.len() > BARS_MAX { BARS_MAX - 1 } else { BARS_MAX };
    let (shown, rest) = shares.split_at(shares.len().min(kept));
    let link = |share: &Share, status: &str| {
        let target = format!("{value} = {}", quoted(&share.name));
        agents_link([("status", status), ("target", target.as_str())])
    };
    let series = |name: &str, status: &str, number: fn(&Share) -> i64| {
        let mut marks: Vec<Mark> =
            shown.iter().map(|share| Mark::count(number(share), link(share, status))).collect();
        if !rest.is_empty() {
            marks.push(Mark { value: rest.iter().map(number).sum::<i64>() as f64, link: None });
        }
        Series { name: name.to_owned(), marks }
    };
    let mut categories: Vec<Category> = shown.iter().map(|share| Category::new(&share.name)).collect();
    if !rest.is_empty() {
        categories.push(Category { label: OTHER.to_owned(), title: format!("{} others", rest.len()) });
    }
    let data = chart::Data {
        title: title.to_owned(),
        about: "Those that are online or idle.".to_owned(),
        category_noun: noun.to_owned(),
        unit: "agents".to_owned(),
        categories,
        series: vec![
            series("online", "online", |share| share.online),
            series("idle", "idle", |share| share.idle),
        ],
    };
    chart::figure(id, Shape::Bars, &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::fleet::overview::Numbers;

    #[test]
    fn points_are_thinned_to_the_last_of_each_step() {
        let taken: Vec<Taken> =
            (0..1_440).map(|minute| Taken { at: minute * 60, numbers: Numbers::default() }).collect();
        let kept = thinned(&taken, 288);
        assert!(kept.len() <= 288 && kept.len() > 250, "{}", kept.len());
        assert_eq!(kept.last().map(|one| one.at), Some(1_439 * 60));
        assert_eq!(thinned(&taken[..10], 288).len(), 10);
        assert!(thinned(&[], 288).is_empty());
        // A long pause takes no points from the rest, and never makes more.
        let mut paused = taken;
        paused.push(Taken { at: 10_000_000, numbers: Numbers::default() });
        assert!(thinned(&paused, 288).len() <= 289);
    }
}
