// SPDX-License-Identifier: Apache-2.0
//! The table of pages as Markdown, which the README can take, and what breaks a budget in it.

use crate::measure::{Measured, Times};
use crate::variants::Kind;
use std::time::Duration;

/// Records from which on a page may take twice as long.
const LARGE_RECORDS: i64 = 2_000_000;
/// A page at the large database may take so many times what it takes at the small one.
const RATIO_MAX: f64 = 3.0;
/// Below this time at the large one a ratio is noise.
const RATIO_FROM: Duration = Duration::from_millis(5);
/// From this time on a search ran out of it and must say so.
const PARTIAL_FROM: Duration = Duration::from_millis(380);

/// What the budgets depend on.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Of the large database.
    pub records: i64,
    /// Of the small one.
    pub small_records: i64,
    /// True where the large one took posts meanwhile: then a comparison of both says nothing.
    pub has_posts: bool,
    /// True where every address gets a row, not only the slowest of a page and those over budget.
    pub shows_all: bool,
}

/// Prints the table; false where an address answered something else than 200.
pub fn print(measured: &[Measured], conditions: Conditions) -> bool {
    println!(
        "| page | slowest with | p50 ms | p95 ms | max ms | p95 ms at {} | ratio of p50 | KB | |",
        grouped(conditions.small_records)
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---|");
    let mut pages: Vec<&str> = Vec::new();
    for page in measured.iter().map(|measured| measured.variant.page.as_str()) {
        if !pages.contains(&page) {
            pages.push(page);
        }
    }
    // Pages first, their twins after them.
    pages.sort_by_key(|page| page.starts_with("/api"));
    for page in pages {
        let mut rows: Vec<&Measured> = measured.iter().filter(|row| row.variant.page == page).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.large.failure.is_some(), row.large.p95())));
        for (place, row) in rows.iter().enumerate() {
            let marks = marks(row, conditions);
            if place == 0 || conditions.shows_all || !marks.is_empty() {
                println!("{}", line(row, conditions, &marks));
            }
        }
    }
    println!();
    let broken = measured.iter().filter(|row| !marks(row, conditions).is_empty()).count();
    println!(
        "{} addresses of {} records asked for; {broken} break a budget (`!`): p95 at most {} ms, two filters \
         without a hit {} ms, a payload expression without a hit 500 ms on the page and 1,500 ms in the API, \
         p50 at most {} times that of the small database where it takes more than {} ms (below it a ratio \
         is noise){}. \
         Searches that look at every record have no ratio to keep; 10,000 records at once have no budget.\n",
        measured.len(),
        grouped(conditions.records),
        budget(Kind::Page, false, conditions).unwrap_or_default().as_millis(),
        budget(Kind::TwoWithoutHit, false, conditions).unwrap_or_default().as_millis(),
        RATIO_MAX,
        RATIO_FROM.as_millis(),
        if conditions.has_posts {
            ", and not judged here, because only the large one took posts"
        } else {
            ""
        },
    );
    failures(measured)
}

fn failures(measured: &[Measured]) -> bool {
    for row in measured {
        for failure in [&row.large.failure, &row.small.failure].into_iter().flatten() {
            eprintln!("{failure}: {}", row.variant.target);
        }
    }
    measured.iter().all(|row| row.large.failure.is_none() && row.small.failure.is_none())
}

/// The longest p95 that is all right; nothing where nothing is expected.
fn budget(kind: Kind, is_api: bool, conditions: Conditions) -> Option<Duration> {
    let is_large = conditions.records > LARGE_RECORDS;
    let millis = match kind {
        Kind::Bulk => return None,
        Kind::Page if is_large => 100,
        Kind::Page => 50,
        // Beyond that a page shows what it found so far, and the API searches on.
        Kind::TwoWithoutHit if is_large && is_api => return None,
        Kind::TwoWithoutHit if is_large => 500,
        Kind::TwoWithoutHit => 100,
        Kind::PayloadWithoutHit if !is_api => 500,
        Kind::PayloadWithoutHit if is_large => return None,
        Kind::PayloadWithoutHit => 1_500,
    };
    Some(Duration::from_millis(millis))
}

/// What breaks a budget.
fn marks(row: &Measured, conditions: Conditions) -> Vec<String> {
    let mut marks = Vec::new();
    let failures = [&row.large.failure, &row.small.failure];
    marks.extend(failures.into_iter().flatten().map(|failure| format!("! {failure}")));
    marks.dedup();
    let is_api = row.variant.target.starts_with("/api/");
    let most = budget(row.variant.kind, is_api, conditions);
    if let (Some(most), Some(p95)) = (most, row.large.p95())
        && p95 > most
    {
        marks.push(format!("! over {} ms", most.as_millis()));
    }
    let is_judged = row.variant.kind == Kind::Page && !conditions.has_posts;
    if is_judged
        && row.large.p50() > Some(RATIO_FROM)
        && let Some(ratio) = ratio(&row.large, &row.small).filter(|ratio| *ratio > RATIO_MAX)
    {
        marks.push(format!("! {ratio:.1} times the small one"));
    }
    let must_tell = row.variant.kind == Kind::PayloadWithoutHit && !is_api;
    if must_tell && row.large.p50() > Some(PARTIAL_FROM) && !row.large.is_partial {
        marks.push("! does not say how far it searched".to_owned());
    }
    marks
}

fn ratio(large: &Times, small: &Times) -> Option<f64> {
    Some(large.p50()?.as_secs_f64() / small.p50()?.as_secs_f64().max(1e-6))
}

fn line(row: &Measured, conditions: Conditions, marks: &[String]) -> String {
    let figure = |time: Option<Duration>| time.map_or(String::new(), ms);
    let large = &row.large;
    let is_judged = row.variant.kind == Kind::Page && !conditions.has_posts && large.p50() > Some(RATIO_FROM);
    let ratio = match ratio(large, &row.small) {
        Some(ratio) if is_judged => format!("{ratio:.1}"),
        Some(ratio) => format!("({ratio:.1})"),
        None => String::new(),
    };
    let mut notes = marks.to_vec();
    if large.is_partial {
        notes.push("says how far it searched".to_owned());
    }
    format!(
        "| `{}` | {} | {} | {} | {} | {} | {ratio} | {:.1} | {} |",
        row.variant.page,
        row.variant.name,
        figure(large.p50()),
        figure(large.p95()),
        figure(large.max()),
        figure(row.small.p95()),
        large.bytes as f64 / 1e3,
        notes.join("; ")
    )
}

/// A duration in milliseconds.
pub fn ms(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.1}") } else { format!("{millis:.0}") }
}

/// A number with commas.
pub fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
