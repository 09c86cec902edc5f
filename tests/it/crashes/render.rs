// SPDX-License-Identifier: Apache-2.0
//! The crash pages over made-up data: hostile text in every field, and states that soon pass.

use super::*;
use muster::guilty::Entry;
use muster::model::account::Rights;
use muster::model::build::BuildName;
use muster::model::crash::{CrashKind, Guilty};
use muster::ops::blacklist::{BadEntry, Overview, Preview, Progress};
use muster::ops::crashes::details::{
    Backtrace, BacktraceFrame, Backtraces, GuiltyDetails, GuiltyOnBuild, MachineCrashes,
};
use muster::ops::crashes::{BuildCrashes, Crashes, RankedGuilty, SystemCrashes};
use muster::store::{BlacklistChange, GuiltyMove};
use muster::views::crashes::{backtraces, blacklist, details, preview, top};
use muster::views::{Page, Viewer, layout};

const HOSTILE: [&str; 6] = [
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "</td></tr></table> [x]",
    "\u{202e}gpj.exe\u{200f}",
    "a\0b\u{1b}[31m\r\n\u{85}\u{feff}",
    "javascript:alert(1)//%00%zz?&#=+ ",
];

fn document(page: &Page) -> Vec<Element> {
    let frame = layout::Frame { path: "/crashes", n_records: Some(1), tabs: &[], viewer: None };
    read_document(&layout::render(&frame, page).into_string())
}

fn viewer(token: &str) -> Viewer {
    Viewer {
        rights: Rights::all(),
        has_accounts: false,
        csrf_token: token.into(),
        session_digest: None,
        origin: token.into(),
    }
}

fn guilty(text: &str) -> Guilty {
    Guilty {
        id: 7,
        function: text.into(),
        shown: text.into(),
        module: text.into(),
        comment: text.into(),
        is_hidden: true,
    }
}

fn on_build(text: &str) -> BuildCrashes {
    BuildCrashes { build: BuildName { system_name: text.into(), build: text.into() }, crashes: 3 }
}

fn crashes(text: &str) -> Crashes {
    Crashes {
        kind: CrashKind::Kernel,
        days: None,
        system_name: Some(text.into()),
        build: Some(text.into()),
        crashes: 3,
        without_guilty: 1,
        hidden: 1,
        guilties_count: 30,
        most: 3,
        skip: 10,
        next_skip: Some(20),
        builds: vec![on_build(text).build, on_build("x").build],
        guilties: vec![RankedGuilty {
            rank: 11,
            guilty: guilty(text),
            crashes: 3,
            by_build: vec![on_build(text), BuildCrashes { crashes: 0, ..on_build("x") }],
        }],
        systems: vec![SystemCrashes { system_name: text.into(), crashes: 3 }],
        all_builds: vec![on_build(text)],
    }
}

fn overview(text: &str) -> Overview {
    Overview {
        fixed: &["_start"],
        own: vec![text.into()],
        is_default_on: true,
        groups: vec![],
        hidden: vec![],
        recompute: Some(Progress { done: 3, total: 0 }),
        search: Some(text.into()),
        functions: vec![guilty(text)],
    }
}

fn details_of(text: &str) -> GuiltyDetails {
    let machine = MachineCrashes { machine_id: text.into(), crashes: 3 };
    let of_build = GuiltyOnBuild { build: on_build(text), machines: 9, top_machines: vec![machine] };
    GuiltyDetails { guilty: guilty(text), crashes: 3, is_all: false, by_build: vec![of_build] }
}

fn backtraces_of(text: &str) -> Backtraces {
    let frame = BacktraceFrame {
        number: 0,
        function: text.into(),
        shown: text.into(),
        module: text.into(),
        source: Some(text.into()),
        is_guilty: true,
    };
    let folded = Backtrace {
        crashes: 3,
        newest_record_id: 1,
        newest_ts_reception: 0,
        frames: vec![frame],
        frames_left_out: 3,
    };
    Backtraces {
        guilty: guilty(text),
        machine_id: Some(text.into()),
        system_name: Some(text.into()),
        build: Some(text.into()),
        days: Some(7),
        kind: Some(CrashKind::Kernel),
        crashes: 3,
        backtraces_count: 1,
        skip: 50,
        next_skip: Some(100),
        backtraces: vec![folded],
    }
}

#[test]
fn the_conditions_of_backtraces_are_shown_and_kept_from_page_to_page() {
    let elements = document(&backtraces::render(&backtraces_of("x"), 0));
    let chips: Vec<&str> = elements
        .iter()
        .filter(|e| e.name == "li" && e.text.ends_with('×'))
        .map(|e| e.text.as_str())
        .collect();
    assert_eq!(chips, ["Machine x×", "OS x×", "Build x×", "Received past 7 days×", "Of the kernel×"]);
    let all = "machine_id=x&system_name=x&build=x&days=7&kind=kernel";
    let path = "/crashes/guilty_details/7/backtraces";
    for link in [
        format!("{path}?{all}"),
        format!("{path}?{all}&skip=100"),
        format!("/api{path}?{all}&skip=50"),
        format!("{path}?machine_id=x&system_name=x&build=x&kind=kernel"),
        format!("{path}?machine_id=x&system_name=x&build=x&days=7"),
    ] {
        assert!(links(&elements).contains(&link.as_str()), "{link} is not among {:#?}", links(&elements));
    }
}

fn preview_of(text: &str) -> Preview {
    let entry = Entry { name: text.into(), module: Some(text.into()) };
    let entries = || vec![entry.clone()];
    Preview {
        change: BlacklistChange { add: entries(), remove: entries(), ..BlacklistChange::default() },
        added: entries(),
        removed: entries(),
        unknown: entries(),
        held: entries(),
        is_change: true,
        moves: vec![GuiltyMove { from: Some(guilty(text)), to: None, crashes: 3 }],
        moves_count: 80,
        crashes: 3,
    }
}

#[test]
fn hostile_text_never_breaks_a_page_of_crashes() {
    for text in HOSTILE {
        let mut list = crashes(text);
        document(&top::render(&list));
        (list.build, list.days) = (None, Some(7));
        document(&top::render(&list));
        list.guilties.clear();
        document(&top::render(&list));
        let refused = details::BadComment { text, message: text };
        document(&details::render(&details_of(text), &viewer(text), Some(text), Some(&refused)));
        document(&backtraces::render(&backtraces_of(text), 0));
        document(&blacklist::render(&overview(text), &viewer(text), Some(text)));
        document(&preview::render(&preview_of(text), &viewer(text)));
        let bad = BadEntry { parameter: "add", text: text.into(), message: text.into() };
        let asked =
            muster::model::pairs::Pairs(vec![(text.into(), text.into()), ("add".into(), text.into())]);
        document(&preview::refused(&asked, &bad));
    }
}

#[test]
fn while_stored_crashes_follow_the_list_the_page_shows_how_far_and_comes_again() {
    let elements = document(&blacklist::render(&overview("f"), &viewer("t"), Some("changed")));
    let refresh = elements.iter().find(|e| e.attribute("http-equiv") == Some("refresh"));
    assert_eq!(refresh.and_then(|e| e.attribute("content")), Some("2"));
    assert!(elements.iter().any(|e| e.name == "progress" && e.attribute("value") == Some("3")));
    let still = Overview { recompute: None, ..overview("f") };
    let elements = document(&blacklist::render(&still, &viewer("t"), None));
    assert!(!elements.iter().any(|e| e.attribute("http-equiv") == Some("refresh") || e.name == "progress"));
}

#[test]
fn only_the_words_of_ours_are_told_as_done() {
    for (code, is_told) in [("changed", true), ("reset", true), ("<b>", false), ("", false)] {
        let elements = document(&blacklist::render(
            &Overview { recompute: None, ..overview("f") },
            &viewer("t"),
            Some(code),
        ));
        assert_eq!(elements.iter().any(|e| e.has_class("notice")), is_told, "{code}");
    }
}
