// SPDX-License-Identifier: Apache-2.0
//! The functions that are never guilty: what the list is, what a change of it would do, and doing it.
//!
//! The rule by which a guilty is found is in `guilty`; here is only the list.

use crate::error::Result;
use crate::guilty::blacklist::{FIXED, names};
use crate::guilty::defaults::default_groups;
use crate::guilty::{Blacklist, Entry, function_name};
use crate::model::audit::Actor;
use crate::model::crash::Guilty;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::ops::App;
use crate::store::{BlacklistChange, BlacklistState, GuiltyMove};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most characters of `search`.
const SEARCH_CHARS_MAX: usize = 200;
/// A longer entry is not offered: percent-encoded it may take three times that, of the 16 KiB of a head.
const ENTRY_BYTES_MAX: usize = 4_000;
/// Functions that a search finds at most.
pub const FUNCTIONS_MAX: usize = 50;
/// Moves of a preview that are listed.
pub const MOVES_MAX: usize = 50;

/// The whole list, as `/crashes/blacklist` shows it. Entries are text: `function [module]`, or `function` for
/// any module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// The two that are always there, as a person reads them.
    pub fixed: &'static [&'static str],
    /// The admin's own entries.
    pub own: Vec<String>,
    /// False where the whole shipped list is switched off.
    pub is_default_on: bool,
    /// The shipped list.
    pub groups: Vec<Group>,
    /// Guilties that an admin hid, most crashes first.
    pub hidden: Vec<HiddenGuilty>,
    /// How far the guilties of stored crashes follow the list; null where all do.
    pub recompute: Option<Progress>,
    /// What was searched for; null where nothing was.
    pub search: Option<String>,
    /// What it found, those in most backtraces first, at most [`FUNCTIONS_MAX`].
    pub functions: Vec<Guilty>,
}

/// A group of the shipped list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What these functions are.
    pub title: &'static str,
    /// Why they are never guilty.
    pub about: &'static str,
    /// Its entries.
    pub entries: Vec<GroupEntry>,
}

/// An entry of the shipped list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupEntry {
    /// `function [module]` or `function`.
    pub entry: String,
    /// False where an admin switched it off.
    pub is_on: bool,
}

/// A guilty that is hidden from the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HiddenGuilty {
    /// `id`, `function` (as sent), `shown` (as people read it), `module`, `comment`, `is_hidden`.
    #[serde(flatten)]
    pub guilty: Guilty,
    /// Its stored crashes.
    pub crashes: i64,
}

/// How far a recomputation is, in different backtraces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Looked at.
    pub done: i64,
    /// All.
    pub total: i64,
}

/// Reads the list. Parameter: `search` (part of a function's or module's name).
pub fn load(app: &App, query: &Pairs) -> Result<Overview> {
    let search = Parameters::new(query, &["search"])?.text("search", SEARCH_CHARS_MAX)?.map(str::trim);
    let search = search.filter(|part| !part.is_empty());
    let state = app.store.blacklist()?;
    let hidden = app.store.list_hidden_guilties()?;
    let progress = app.store.recompute_progress()?;
    Ok(Overview {
        fixed: FIXED,
        own: state.own.iter().map(Entry::to_string).collect(),
        is_default_on: state.is_default_on,
        groups: groups(&state),
        hidden: hidden.into_iter().map(|(guilty, crashes)| HiddenGuilty { guilty, crashes }).collect(),
        recompute: progress.map(|progress| Progress { done: progress.done, total: progress.total }),
        search: search.map(str::to_owned),
        functions: match search {
            Some(part) => app.store.list_functions(part, FUNCTIONS_MAX)?,
            None => Vec::new(),
        },
    })
}

fn groups(state: &BlacklistState) -> Vec<Group> {
    let shown =
        |entry: &Entry| GroupEntry { entry: entry.to_string(), is_on: !state.switched_off.contains(entry) };
    default_groups()
        .iter()
        .map(|group| Group {
            title: &group.title,
            about: &group.about,
            entries: group.entries.iter().map(shown).collect(),
        })
        .collect()
}

/// The entry of a function as sent, in one module or (None) in any; that of a Rust function names its path,
/// without the hash of its compiler. None where its text could not be read back or would not fit into an
/// address: it is too long, or has characters that an entry cannot have.
pub fn entry_of(function: &str, module: Option<&str>) -> Option<Entry> {
    let is_readable = |entry: &Entry| {
        let text = entry.to_string();
        text.len() <= ENTRY_BYTES_MAX && Entry::parse(&text).is_ok_and(|read| read == *entry)
    };
    names(function_name(function))
        .map(|name| Entry { name, module: module.map(str::to_owned) })
        .find(is_readable)
}

/// An entry of a change that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry {
    /// `add` or `remove`.
    pub parameter: &'static str,
    /// What was entered.
    pub text: String,
    /// What is wrong with it.
    pub message: String,
}

/// A change as a form or an address says it: `add` and `remove` (entries as text, both may repeat),
/// `defaults` (on or off), `reset` (1). Empty values mean nothing. The inner error is an entry that breaks
/// its rule; Invalid is all else that is not understood.
pub fn read_change(pairs: &Pairs) -> Result<std::result::Result<BlacklistChange, BadEntry>> {
    let mut change = BlacklistChange::default();
    let mut entries = Pairs::default();
    let mut others = Pairs::default();
    for (name, value) in &pairs.0 {
        let is_entry = name == "add" || name == "remove";
        let side = if is_entry { &mut entries } else { &mut others };
        side.0.push((name.clone(), value.clone()));
    }
    let others = Parameters::new(&others, &["add", "remove", "defaults", "reset", "csrf_token"])?;
    change.set_default_on = others.choice("defaults", &["off", "on"])?.map(|index| index == 1);
    change.is_reset = others.flag("reset")?;
    for (name, value) in entries.0.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let parameter = if name == "add" { "add" } else { "remove" };
        match Entry::parse(value) {
            Ok(entry) if parameter == "add" => change.add.push(entry),
            Ok(entry) => change.remove.push(entry),
            Err(error) => {
                let (text, message) = (value.clone(), error.message().to_owned());
                return Ok(Err(BadEntry { parameter, text, message }));
            }
        }
    }
    Ok(Ok(change))
}

/// What a change would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The change.
    pub change: BlacklistChange,
    /// Entries that would hold and do not now.
    pub added: Vec<Entry>,
    /// Entries that would not hold any more.
    pub removed: Vec<Entry>,
    /// Entries that are to be removed but do not hold.
    pub unknown: Vec<Entry>,
    /// Entries that are to be added but hold already.
    pub held: Vec<Entry>,
    /// True where the list would be another, even if the same entries held.
    pub is_change: bool,
    /// From which guilty to which how many crashes would move, most crashes first, at most [`MOVES_MAX`].
    pub moves: Vec<GuiltyMove>,
    /// How many different moves there are.
    pub moves_count: usize,
    /// How many crashes would move.
    pub crashes: i64,
}

/// What a change would do to the list and to stored crashes.
pub fn preview(app: &App, change: BlacklistChange) -> Result<Preview> {
    let now = app.store.blacklist()?;
    let next = now.changed(&change);
    let mut preview = differences(&now, &next, change);
    if !preview.added.is_empty() || !preview.removed.is_empty() {
        let mut moves = app.store.preview_blacklist(&next)?;
        preview.moves_count = moves.len();
        preview.crashes = moves.iter().map(|step| step.crashes).sum();
        moves.truncate(MOVES_MAX);
        preview.moves = moves;
    }
    Ok(preview)
}

fn differences(now: &BlacklistState, next: &BlacklistState, change: BlacklistChange) -> Preview {
    let (before, after) = (now.entries(), next.entries());
    let listed = |entries: &[Entry], is_held: bool| -> Vec<Entry> {
        let asked: BTreeSet<&Entry> = entries.iter().collect();
        asked.into_iter().filter(|entry| before.contains(*entry) == is_held).cloned().collect()
    };
    Preview {
        added: after.difference(&before).cloned().collect(),
        removed: before.difference(&after).cloned().collect(),
        unknown: listed(&change.remove, false),
        held: listed(&change.add, true),
        is_change: now != next,
        change,
        ..Preview::default()
    }
}

/// Applies a change; false where the list was already so. Stored crashes follow in the background.
pub fn apply(app: &App, change: &BlacklistChange, actor: &Actor) -> Result<bool> {
    let now = app.store.blacklist()?;
    if now.changed(change) == now {
        return Ok(false);
    }
    let next = app.store.change_blacklist(change, actor)?;
    app.recompute.wake();
    log::info!(
        "The blacklist has {} entries now: {} added, {} removed{}",
        next.entries().len(),
        change.add.len(),
        change.remove.len(),
        if change.is_reset { ", after a reset" } else { "" }
    );
    Ok(true)
}

/// A box of the form that says which functions are never guilty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick<'a> {
    /// The function, as [`function_name`] makes it; of a Rust function every symbol that has this path.
    pub names: Vec<&'a str>,
    /// Its module.
    pub module: &'a str,
    /// True where the box is ticked.
    pub is_never: bool,
}

/// The change after which the list holds exactly those of `shown` that are ticked. A function that is to be
/// guilty again loses every entry that holds it, also the one for any module.
pub fn change_for(state: &BlacklistState, shown: &[Tick<'_>]) -> BlacklistChange {
    let mut left = state.entries();
    let mut change = BlacklistChange::default();
    for tick in shown.iter().filter(|tick| !tick.is_never) {
        for holding in tick.names.iter().flat_map(|name| Entry::holding(name, tick.module)) {
            if left.remove(&holding) {
                change.remove.push(holding);
            }
        }
    }
    let left = Blacklist::new(left);
    for tick in shown.iter().filter(|tick| tick.is_never) {
        // The fixed `_start` at the bottom of a thread has no box that could be ticked.
        for name in tick.names.iter().filter(|name| !left.holds(name, tick.module, false)) {
            change.add.extend(entry_of(name, Some(tick.module)).filter(|entry| !change.add.contains(entry)));
        }
    }
    change
}

/// What `done=` says after a change, for the redirect: never text of a sender.
pub fn outcome_word(change: &BlacklistChange, is_changed: bool) -> &'static str {
    match (is_changed, change.is_reset) {
        (false, _) => "unchanged",
        (true, true) => "reset",
        (true, false) => "changed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guilty::blacklist::ENTRY_CHARS_MAX;

    fn entry(text: &str) -> Entry {
        Entry::parse(text).unwrap()
    }

    fn pairs(given: &[(&str, &str)]) -> Pairs {
        Pairs(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_change_is_read_with_its_entries_and_switches() {
        let asked = [("add", "a"), ("remove", "b [m]"), ("add", " "), ("defaults", "off"), ("reset", "1")];
        let change = read_change(&pairs(&asked)).unwrap().unwrap();
        let expected = BlacklistChange {
            is_reset: true,
            set_default_on: Some(false),
            remove: vec![entry("b [m]")],
            add: vec![entry("a")],
        };
        assert_eq!(change, expected);
    }

    #[test]
    fn what_is_wrong_with_a_change_is_told_and_where() {
        let bad = read_change(&pairs(&[("add", "a"), ("remove", "b\0c")])).unwrap().unwrap_err();
        assert_eq!((bad.parameter, bad.text.as_str()), ("remove", "b\0c"));
        for (name, value) in [("defaults", "maybe"), ("reset", "2"), ("colour", "red")] {
            let error = read_change(&pairs(&[(name, value)])).unwrap_err();
            assert!(error.message().contains(name), "{}", error.message());
        }
        assert!(read_change(&pairs(&[("reset", "1"), ("reset", "1")])).is_err());
    }

    #[test]
    fn ticks_become_the_differences_to_the_list() {
        let own = ["held", "one [m]", "both", "both [m]"].map(entry);
        let state = BlacklistState { own: own.into(), ..BlacklistState::default() };
        // Ticked entries begin with +; the difference is told the same way, removals before additions.
        let cases: &[(&[&str], &[&str])] = &[
            (&["+held [m]", "-new [m]"], &[]),
            (&["+new [m]"], &["+new [m]"]),
            (&["-one [m]"], &["-one [m]"]),
            (&["-both [m]"], &["-both [m]", "-both"]),
            (&["+held [n]", "-held [m]"], &["-held", "+held [n]"]),
            (&["+one [n]", "+one [m]"], &["+one [n]"]),
        ];
        for (shown, expected) in cases {
            assert_eq!(told(&state, shown), *expected);
        }
    }

    /// What the ticks change: removals begin with -, additions with +.
    fn told(state: &BlacklistState, shown: &[&str]) -> Vec<String> {
        let entries: Vec<_> = shown.iter().map(|text| (entry(&text[1..]), text.starts_with('+'))).collect();
        let ticks: Vec<_> = entries
            .iter()
            .map(|(entry, is_never)| Tick {
                names: vec![entry.name.as_str()],
                module: entry.module.as_deref().unwrap_or_default(),
                is_never: *is_never,
            })
            .collect();
        let change = change_for(state, &ticks);
        let removed = change.remove.iter().map(|entry| format!("-{entry}"));
        removed.chain(change.add.iter().map(|entry| format!("+{entry}"))).collect()
    }

    #[test]
    fn a_tick_of_a_rust_function_is_one_of_its_path() {
        const FMT: &str = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE";
        const FMT_V0: &str = "_RNvNtCs5QSdWC790r4_4core9panicking9panic_fmt";
        const RUN: &str = "_ZN3app3run17h0123456789abcdefE";
        const ABORT: &str = "_ZN3app5abort17h0123456789abcdefE";
        const CPP: &str = "_ZN3foo3barEv";
        let own = ["core::panicking::panic_fmt", "core::cell::panic [m]", "app::abort [m]", "plain", CPP];
        let mut own: BTreeSet<Entry> = own.map(entry).into();
        own.insert(entry(&format!("{ABORT} [m]")));
        let state = BlacklistState { own, ..BlacklistState::default() };
        let line = |sign: &str, name: &str| format!("{sign}{name} [m]");
        let rest = [line("+", CPP), line("+", "plain"), line("-", "main")];
        let cases: &[(&[String], &[&str])] = &[
            (&[line("+", FMT), line("+", FMT_V0), line("+", ABORT), line("-", RUN)], &[]),
            (&[line("-", FMT), line("+", ABORT)], &["-core::panicking::panic_fmt"]),
            (&[line("-", FMT_V0)], &["-core::panicking::panic_fmt"]),
            (&[line("+", FMT), line("+", RUN)], &["+app::run [m]"]),
            (
                &[line("-", ABORT), line("+", FMT)],
                &["-app::abort [m]", "-_ZN3app5abort17h0123456789abcdefE [m]"],
            ),
            (&[format!("+{ABORT} [n]")], &["+app::abort [n]"]),
            (&[format!("-{ABORT} [n]")], &[]),
            (&[line("+", "_ZN3foo3bazEv"), line("+", "other")], &["+_ZN3foo3bazEv [m]", "+other [m]"]),
        ];
        for (shown, expected) in cases {
            let shown: Vec<&str> = shown.iter().chain(&rest).map(String::as_str).collect();
            assert_eq!(told(&state, &shown), *expected, "{shown:?}");
        }
        assert_eq!(
            told(&state, &[&line("-", CPP), &line("-", "plain")]),
            [format!("-{CPP}"), "-plain".into()]
        );
    }

    #[test]
    fn symbols_of_one_path_are_ticked_together() {
        let (one, two) = ("_ZN3app3run17h0123456789abcdefE", "_ZN3app3run17hfedcba9876543210E");
        let tick = |is_never| [Tick { names: vec![one, two], module: "m", is_never }];
        let state = |own: &[&str]| BlacklistState {
            own: own.iter().map(|text| entry(text)).collect(),
            ..BlacklistState::default()
        };
        assert_eq!(change_for(&state(&[]), &tick(true)).add, [entry("app::run [m]")]);
        assert_eq!(change_for(&state(&[two]), &tick(true)).add, [entry("app::run [m]")]);
        assert_eq!(change_for(&state(&[two, "app::run"]), &tick(true)), BlacklistChange::default());
        assert_eq!(
            change_for(&state(&[two, "app::run"]), &tick(false)).remove,
            [entry("app::run"), entry(two)]
        );
    }

    #[test]
    fn what_would_change_and_what_would_not_is_kept_apart() {
        let now = BlacklistState { own: ["a", "b"].map(entry).into(), ..BlacklistState::default() };
        let change = BlacklistChange {
            remove: ["b", "x"].map(entry).into(),
            add: ["a", "c"].map(entry).into(),
            ..BlacklistChange::default()
        };
        let preview = differences(&now, &now.changed(&change), change);
        assert_eq!((preview.added, preview.removed), (vec![entry("c")], vec![entry("b")]));
        assert_eq!((preview.held, preview.unknown), (vec![entry("a")], vec![entry("x")]));
        assert!(preview.is_change);
    }

    #[test]
    fn an_entry_is_made_only_where_its_text_can_be_read_back() {
        let long = "f".repeat(ENTRY_CHARS_MAX + 1);
        let (wide, fits) = ("😀".repeat(1_500), "é".repeat(1_500));
        let cases = [
            ("main()", Some("/usr/bin/x"), Some("main [/usr/bin/x]")),
            ("main()", None, Some("main")),
            ("f", Some(""), Some("f []")),
            ("_ZN3app3run17h0123456789abcdefE()", Some("m"), Some("app::run [m]")),
            ("_RNvNtCs5QSdWC790r4_4core9panicking9panic_fmt", None, Some("core::panicking::panic_fmt")),
            ("_ZN4main17h0123456789abcdefE", None, Some("_ZN4main17h0123456789abcdefE")),
            ("_ZN3foo3barEv", None, Some("_ZN3foo3barEv")),
            ("a\0b", None, None),
            (&long, None, None),
            (&wide, None, None),
            (&fits, None, Some(&fits)),
        ];
        for (function, module, expected) in cases {
            let made = entry_of(function, module).map(|entry| entry.to_string());
            assert_eq!(made.as_deref(), expected, "{function} {module:?}");
        }
    }
}
