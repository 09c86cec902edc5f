// SPDX-License-Identifier: Apache-2.0
//! The charts of the fleet's page: numbers over time, agents by version and by OS.

use super::Data;
use crate::model::time::{DAY_SECS, utc_text};
use crate::store::fleet::{FleetNumbers, FleetSample};
use crate::views::chart::{self, Category, Mark, OTHER, Series, Shape};
use crate::views::fleet::agents_alike;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Most points of a line.
const POINTS_MAX: usize = 144;
/// Versions and systems that have a bar of their own.
const BARS_MAX: usize = 15;

/// How one line is called, and its number at each time.
type Line = (&'static str, fn(&FleetSample) -> i64);

/// The lines over time.
pub fn history(data: &Data) -> Markup {
    let agents: [Line; 2] = [("online", |one| one.online_agents), ("idle", |one| one.idle_agents)];
    let endpoints: [Line; 4] = [
        ("new", |one| one.new_endpoints),
        ("double", |one| one.double_endpoints),
        ("disappeared", |one| one.disappeared_endpoints),
        ("flapping", |one| one.flapping_endpoints),
    ];
    html! {
        (lines("history-agents", ("Agents over time", "agents"), &agents, data))
        (lines("history-endpoints", ("Endpoints to look at", "endpoints"), &endpoints, data))
    }
}

fn lines(id: &str, (title, unit): (&str, &str), lines: &[Line], data: &Data) -> Markup {
    let taken = thinned(&data.history, POINTS_MAX);
    let series = |(name, number): &Line| Series {
        name: (*name).to_owned(),
        // Counts stay far below 2^53.
        marks: taken.iter().map(|one| Mark { value: number(one) as f64, link: None }).collect(),
    };
    let category = |one: &FleetSample| {
        let whole = utc_text(one.taken_at);
        // `YYYY-MM-DD HH:MM:SS UTC`: the time of day where all is of one day, else the day.
        let label = whole.get(if data.days == 1 { 11..16 } else { 5..10 }).unwrap_or(&whole);
        Category { label: label.to_owned(), title: whole.clone() }
    };
    let chart = chart::Data {
        title: title.to_owned(),
        about: "Counted each minute; what is older than two days, each hour.".to_owned(),
        category_noun: "Time (UTC)".to_owned(),
        unit: unit.to_owned(),
        categories: taken.iter().map(category).collect(),
        series: lines.iter().map(series).collect(),
    };
    chart::figure(id, Shape::Lines, &chart)
}

/// At most `points_max` of them in equal steps of time, of each step the last.
fn thinned(taken: &[FleetSample], points_max: usize) -> Vec<FleetSample> {
    let (Some(first), Some(last)) = (taken.first(), taken.last()) else { return Vec::new() };
    if taken.len() <= points_max {
        return taken.to_vec();
    }
    let points = i64::try_from(points_max).unwrap_or(DAY_SECS).max(1);
    let step = (last.taken_at - first.taken_at) / points + 1;
    let mut kept: Vec<FleetSample> = Vec::with_capacity(points_max);
    for one in taken {
        let slot = |at: i64| (at - first.taken_at) / step;
        match kept.last_mut() {
            Some(last) if slot(last.taken_at) == slot(one.taken_at) => *last = *one,
            _ => kept.push(*one),
        }
    }
    kept
}

/// Agents that have a version or an OS in common.
struct Share {
    name: String,
    online: i64,
    idle: i64,
}

/// The two counts of each name, most agents first.
fn shares(online: &[(String, i64)], idle: &[(String, i64)]) -> Vec<Share> {
    let mut by_name: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    online.iter().for_each(|(name, count)| by_name.entry(name).or_default().0 += count);
    idle.iter().for_each(|(name, count)| by_name.entry(name).or_default().1 += count);
    let share = |(name, (online, idle)): (&str, (i64, i64))| Share { name: name.to_owned(), online, idle };
    let mut shares: Vec<Share> = by_name.into_iter().map(share).collect();
    // Stable: equal ones stay in the order of their names.
    shares.sort_by_key(|share| -(share.online + share.idle));
    shares
}

/// Agents by version.
pub fn versions(of: &FleetNumbers) -> Markup {
    bars(
        "versions",
        "Agents by version",
        "Version",
        "version",
        &shares(&of.online_by_version, &of.idle_by_version),
    )
}

/// Agents by OS.
pub fn systems(of: &FleetNumbers) -> Markup {
    bars("systems", "Agents by OS", "OS", "environment->>'os'", &shares(&of.online_by_os, &of.idle_by_os))
}

/// `value`: what the target language calls what they have in common.
fn bars(id: &str, title: &str, noun: &str, value: &str, shares: &[Share]) -> Markup {
    let kept = if shares.len() > BARS_MAX { BARS_MAX - 1 } else { BARS_MAX };
    let (shown, rest) = shares.split_at(shares.len().min(kept));
    let series = |name: &str, number: fn(&Share) -> i64, is_linked: bool| {
        let mark = |share: &Share| Mark {
            value: number(share) as f64,
            link: (is_linked && number(share) > 0).then(|| agents_alike(value, &share.name)).flatten(),
        };
        let mut marks: Vec<Mark> = shown.iter().map(mark).collect();
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
        about: "Those that are online, and the idle ones of endpoints where none is.".to_owned(),
        category_noun: noun.to_owned(),
        unit: "agents".to_owned(),
        categories,
        series: vec![
            series("online", |share| share.online, true),
            // Without a link: a list would also show idle agents of endpoints where one is online.
            series("idle", |share| share.idle, false),
        ],
    };
    chart::figure(id, Shape::Bars, &data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_thinned_to_the_last_of_each_step() {
        let taken: Vec<FleetSample> = (0..1_440)
            .map(|minute| FleetSample { taken_at: minute * 60, ..FleetSample::default() })
            .collect();
        let kept = thinned(&taken, 144);
        assert!(kept.len() <= 144 && kept.len() > 120, "{}", kept.len());
        assert_eq!(kept.last().map(|one| one.taken_at), Some(1_439 * 60));
        assert_eq!(thinned(&taken[..10], 144).len(), 10);
        assert!(thinned(&[], 144).is_empty());
        // A long pause takes no points from the rest, and never makes more.
        let mut paused = taken;
        paused.push(FleetSample { taken_at: 10_000_000, ..FleetSample::default() });
        assert!(thinned(&paused, 144).len() <= 145);
    }
}
