// SPDX-License-Identifier: Apache-2.0
//! Each number of a list of guilties leads to the very crashes that it counts. No server: the clock is set.

use super::*;
use crate::store::{NOW, options, record};
use muster::clock::Clock;
use muster::config::Config;
use muster::model::build::BuildName;
use muster::model::pairs::Pairs;
use muster::model::record::NewRecord;
use muster::model::time::DAY_SECS;
use muster::ops::App;
use muster::ops::crashes::{Crashes, details, load, load_build, load_overall};
use muster::store::Store;
use muster::views::crashes::top;

/// Days before the last on which crashes were received.
const DAYS_BACK: [i64; 5] = [40, 20, 6, 1, 0];

/// Crashes of two functions that are guilty in both kinds, of several systems, builds and days.
fn filled(data_dir: &std::path::Path) -> App {
    let clock = Clock::fixed(NOW);
    let store = Store::open(&options(data_dir, &clock)).unwrap();
    let classes = [PROGRAM, "org.clearlinux/kernel/bug", PROGRAM];
    let systems = [Some("clear-linux-os"), Some("fedora"), None];
    let mut number = 0;
    for days_back in DAYS_BACK {
        clock.set(NOW - days_back * DAY_SECS);
        for _ in 0..(30 + days_back) {
            number += 1;
            let frame = if number % 5 == 0 { "cold() - [m]" } else { "hot() - [m]" };
            let made = NewRecord {
                classification: classes[number as usize % 3].into(),
                system_name: systems[number as usize / 3 % 3].map(str::to_owned),
                build: (100 + number / 9 % 3).to_string(),
                payload: payload(&[frame, if number % 2 == 0 { "a() - [m]" } else { "b() - [m]" }]),
                ..record(number as u64)
            };
            store.insert_record(&made).unwrap();
        }
    }
    App::new(Config::defaults(data_dir), clock, store)
}

fn pairs(text: &str) -> Pairs {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let decoded = |text: &str| text.replace("%22", "\"");
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), decoded(value))
    };
    Pairs(query.split('&').filter(|part| !part.is_empty()).map(pair).collect())
}

/// Follows each link of a list to backtraces; how many there are.
fn follow(app: &App, asked: &str, list: &Crashes) -> usize {
    let json = serde_json::to_value(list).unwrap();
    let mut said = Vec::new();
    for guilty in json["guilties"].as_array().unwrap() {
        let by_build = guilty["by_build"].as_array().unwrap().iter().map(|build| &build["crashes"]);
        let counts = [&guilty["crashes"]].into_iter().chain(by_build).filter_map(|count| count.as_i64());
        said.extend(counts.filter(|count| *count > 0).map(|count| (guilty["id"].as_i64().unwrap(), count)));
    }
    let page = crate::views::html::read(&top::render(list).markup.into_string());
    let links = page.iter().filter_map(|element| element.attribute("href"));
    let links: Vec<&str> = links.filter(|link| link.contains("/backtraces")).collect();
    assert_eq!(links.len(), said.len(), "{asked}: {links:#?}");
    for (link, (id, count)) in links.iter().zip(&said) {
        assert!(link.starts_with(&format!("/crashes/guilty_details/{id}/backtraces?")), "{asked}: {link}");
        let found = details::load_backtraces(app, *id, &pairs(link)).unwrap();
        assert_eq!(found.crashes, *count, "{asked}: {link}");
        assert_eq!(found.backtraces.iter().map(|row| row.crashes).sum::<i64>(), *count, "{asked}: {link}");
    }
    links.len()
}

#[test]
fn every_number_of_a_list_leads_to_the_crashes_that_it_counts() {
    let directory = tempfile::tempdir().unwrap();
    let app = filled(directory.path());
    let mut totals = std::collections::HashSet::new();
    let mut n_links = 0;
    for kind in ["kind=program", "kind=kernel"] {
        for system in ["", "&system_name=fedora", "&system_name=%22%22", "&system_name=nobody"] {
            for days in ["&days=1", "", "&days=30"] {
                let asked = format!("?{kind}{system}{days}");
                let list = load(&app, &pairs(&asked)).unwrap();
                totals.insert(list.crashes);
                n_links += follow(&app, &asked, &list);
            }
            let asked = format!("?{kind}{system}");
            let list = load_overall(&app, &pairs(&asked)).unwrap();
            totals.insert(list.crashes);
            n_links += follow(&app, &format!("overall{asked}"), &list);
        }
        for (system_name, build) in [("clear-linux-os", "100"), ("fedora", "102"), ("", "101")] {
            let name = BuildName { system_name: system_name.into(), build: build.into() };
            let list = load_build(&app, &name, &pairs(&format!("?{kind}"))).unwrap();
            n_links += follow(&app, &format!("{name:?} {kind}"), &list);
        }
    }
    // Else a dropped condition would not be seen.
    assert!(totals.len() > 10 && n_links > 100, "{totals:?} {n_links}");
}

#[test]
fn backtraces_of_days_and_kinds_are_asked_for_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let app = filled(directory.path());
    let id = load_overall(&app, &pairs("")).unwrap().guilties[0].guilty.id;
    let crashes = |asked: &str| details::load_backtraces(&app, id, &pairs(asked)).map(|found| found.crashes);
    let all = crashes("").unwrap();
    assert_eq!(crashes("?days=365").unwrap(), all);
    assert_eq!(crashes("?kind=program").unwrap() + crashes("?kind=kernel").unwrap(), all);
    for (shorter, longer) in [(1, 2), (6, 7), (20, 21), (40, 41)] {
        let of = |days: i64| crashes(&format!("?days={days}")).unwrap();
        assert!(of(shorter) < of(longer), "{shorter} {longer}");
    }
    for asked in ["?days=0", "?days=366", "?days=x", "?kind=all", "?kind=kernel&kind=kernel"] {
        assert!(crashes(asked).is_err(), "{asked}");
    }
}
