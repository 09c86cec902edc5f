// SPDX-License-Identifier: Apache-2.0
//! Crashes by guilty: the lists, one guilty, its backtraces, the functions that are never guilty.
//!
//! What is counted is in `ops::crashes` and `ops::blacklist`; here are the pages and their addresses.

pub mod backtraces;
pub mod blacklist;
pub mod details;
pub mod preview;
mod switches;
pub mod top;

use crate::error::Result;
use crate::guilty::Entry;
use crate::model::account::Need;
use crate::model::build::BuildName;
use crate::model::crash::{CrashKind, Guilty};
use crate::model::filter::NO_SYSTEM;
use crate::model::pairs::Pairs;
use crate::ops::{App, crashes};
use crate::store::BlacklistChange;
use crate::views::backtrace::breakable;
use crate::views::parts::{Tone, notice};
use crate::views::switch::system_value;
use crate::views::{Asked, Page, View, links, text};
use maud::{Markup, html};

/// The guilties of the past days.
pub const VIEW: View = View {
    path: "/crashes",
    title: "Crashes",
    help: "Which functions crash most, in the past days, overall and per build",
    in_navigation: true,
    need: Need::ReadRecords,
    get: |app, asked| Ok(top::render(&crashes::load(app, asked.query)?)),
};

/// The guilties of all stored crashes.
pub const OVERALL: View = View {
    path: "/crashes/overall",
    title: "Crashes, overall",
    help: "Which functions crash most among all stored crashes",
    in_navigation: false,
    need: Need::ReadRecords,
    get: |app, asked| Ok(top::render(&crashes::load_overall(app, asked.query)?)),
};

/// The guilties of one build.
pub const BUILD: View = View {
    path: "/crashes/build/{system}/{build}",
    title: "Crashes of a build",
    help: "Which functions crash most on one build",
    in_navigation: false,
    need: Need::ReadRecords,
    get: of_build,
};

/// One guilty.
pub const DETAILS: View = View {
    path: "/crashes/guilty_details/{id}",
    title: "Guilty",
    help: "One guilty: its crashes by build and machine, a comment, and whether it is hidden",
    in_navigation: false,
    need: Need::ReadRecords,
    get: details::get,
};

/// The backtraces of one guilty.
pub const BACKTRACES: View = View {
    path: "/crashes/guilty_details/{id}/backtraces",
    title: "Backtraces",
    help: "The backtraces of one guilty, identical ones folded",
    in_navigation: false,
    need: Need::ReadRecords,
    get: |app, asked| {
        let backtraces = crashes::details::load_backtraces(app, asked.id()?, asked.query)?;
        Ok(backtraces::render(&backtraces, app.clock.now()))
    },
};

/// The functions that are never guilty.
pub const BLACKLIST: View = View {
    path: "/crashes/blacklist",
    title: "Blacklist",
    help: "The functions that are never guilty, and the guilties that are hidden",
    in_navigation: false,
    need: Need::ReadRecords,
    get: blacklist::get,
};

/// What a change of that list would do.
pub const PREVIEW: View = View {
    path: "/crashes/blacklist/preview",
    title: "Preview",
    help: "How many crashes would move from which guilty to which, before the blacklist is changed",
    in_navigation: false,
    need: Need::ReadRecords,
    get: preview::get,
};

/// An address longer than this is cut to fewer changes: a request's head has 16 KiB.
const URL_BYTES_MAX: usize = 12_000;
/// Characters of a guilty's function in a list.
const FUNCTION_CHARS_MAX: usize = 300;
/// Characters of it in a title.
const TITLE_CHARS_MAX: usize = 1_000;
/// Characters of a module in a list.
const MODULE_CHARS_MAX: usize = 200;

fn of_build(app: &App, asked: &Asked) -> Result<Page> {
    Ok(top::render(&crashes::load_build(app, &build_of(asked.parameters), asked.query)?))
}

/// The build that the two segments of a path name.
pub fn build_of(parameters: &[String]) -> BuildName {
    let segment = |index: usize| parameters.get(index).map_or("", String::as_str);
    let system_name = Some(segment(0)).filter(|name| *name != NO_SYSTEM);
    BuildName { system_name: system_name.unwrap_or("").to_owned(), build: segment(1).to_owned() }
}

/// The address of one guilty.
pub fn guilty_url(id: i64) -> String {
    format!("/crashes/guilty_details/{id}")
}

/// The address of a guilty's backtraces, of any time and kind.
pub fn backtraces_url(id: i64, build: Option<&BuildName>, machine_id: Option<&str>) -> String {
    let of_build = build
        .map(|build| [("system_name", system_value(&build.system_name)), ("build", build.build.as_str())]);
    let of_machine = machine_id.map(|machine_id| ("machine_id", machine_id));
    let path = format!("{}/backtraces", guilty_url(id));
    links::link(&path, of_machine.into_iter().chain(of_build.into_iter().flatten()))
}

/// The path of a build below `/crashes/build/`: the system's segment and its own.
pub fn build_path(build: &BuildName) -> String {
    format!("{}/{}", segment(system_value(&build.system_name)), segment(&build.build))
}

/// Percent-encodes a text so that it is one segment of a path.
fn segment(text: &str) -> String {
    let encoded = links::link("", [("", text)]);
    let value = encoded.strip_prefix("?=").unwrap_or(&encoded).replace('/', "%2F");
    // A browser would take these two for steps in the path.
    if matches!(text, "." | "..") { value.replace('.', "%2E") } else { value }
}

/// The address of the guilties of one build.
pub fn build_url(build: &BuildName, kind: CrashKind) -> String {
    links::link(&format!("/crashes/build/{}", build_path(build)), kind_pair(kind))
}

/// The address of the guilties of all stored crashes.
pub fn overall_url(kind: CrashKind) -> String {
    links::link(OVERALL.path, kind_pair(kind))
}

/// The parameter of a kind; programs are what pages show without it.
fn kind_pair(kind: CrashKind) -> Option<(&'static str, &'static str)> {
    (kind != CrashKind::Program).then(|| ("kind", kind.word()))
}

/// The address of the preview of a change, and how many of its entries had no room in it.
pub fn preview_url(change: &BlacklistChange) -> (String, usize) {
    let adds = change.add.iter().map(|entry| ("add", entry.to_string()));
    let entries: Vec<_> =
        adds.chain(change.remove.iter().map(|entry| ("remove", entry.to_string()))).collect();
    let pairs = |count: usize| entries[..count].iter().map(|(name, value)| (*name, value.as_str()));
    let mut count = entries.len();
    let mut url = links::link(PREVIEW.path, pairs(count));
    while url.len() > URL_BYTES_MAX && count > 1 {
        count -= 1;
        url = links::link(PREVIEW.path, pairs(count));
    }
    (url, entries.len() - count)
}

/// The address of the preview of adding or removing one entry.
fn preview_one(parameter: &str, entry: &str) -> String {
    links::link(PREVIEW.path, [(parameter, entry)])
}

/// A guilty as lists show it: a link to it with its function as people read it, and its module.
pub fn guilty(guilty: &Guilty) -> Markup {
    let shown = text::start(&guilty.shown, FUNCTION_CHARS_MAX);
    html! {
        a.guilty href=(guilty_url(guilty.id)) title=(text::start(&guilty.function, TITLE_CHARS_MAX)) {
            bdi { (breakable(&shown)) }
        }
        @if !guilty.module.is_empty() {
            " " span.module { "[" bdi { (breakable(&text::start(&guilty.module, MODULE_CHARS_MAX))) } "]" }
        }
    }
}

/// A guilty, or the words for none.
fn guilty_or_none(found: Option<&Guilty>) -> Markup {
    html! {
        @match found {
            Some(found) => (guilty(found)),
            None => span.muted { "no guilty" },
        }
    }
}

/// An entry of the list as it is shown.
fn entry(entry: &Entry) -> Markup {
    entry_text(&entry.to_string())
}

/// The text of an entry of the list as it is shown.
fn entry_text(entry: &str) -> Markup {
    html! { code.entry { bdi { (breakable(&text::visible(entry))) } } }
}

/// What a page says to who may not change anything.
fn only_local() -> Markup {
    html! {
        p.muted { "Comments, hiding and the blacklist are open to operators who are logged in; without accounts, to a browser on \
             the server itself." }
    }
}

/// Takes `done` out of a query: the code of what was done before the page was shown.
fn without_done(query: &Pairs) -> (Pairs, Option<&str>) {
    let others = query.0.iter().filter(|(name, _)| name != "done").cloned().collect();
    (Pairs(others), query.filled("done"))
}

/// Says what was done; nothing for a code that is none of ours.
fn done(code: Option<&str>) -> Markup {
    let said = match code.unwrap_or("") {
        "changed" => "The blacklist was changed. New crashes follow it at once, stored ones within seconds.",
        "reset" => "The blacklist is the shipped one again. Stored crashes follow within seconds.",
        "unchanged" => "The blacklist was so already; nothing was changed.",
        "hidden" => "This guilty is hidden from the lists now.",
        "shown" => "The guilty is in the lists again.",
        "comment" => "The comment was saved.",
        _ => return html! {},
    };
    notice(Tone::Info, said)
}

/// A number and a bar as long as its share of `most`; the bar is hidden from screen readers.
fn tally(number: i64, most: i64, content: Markup) -> Markup {
    // Tenths of a percent are finer than any screen; at least one so that nothing that is there looks like
    // nothing.
    let width = if most > 0 { (number.clamp(0, most) * 1_000 / most).max(i64::from(number > 0)) } else { 0 };
    html! {
        span.tally {
            (content)
            svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
                rect width=(width) height="10" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(system_name: &str, build: &str) -> BuildName {
        BuildName { system_name: system_name.into(), build: build.into() }
    }

    #[test]
    fn the_address_of_a_build_leads_back_to_it() {
        let names = [
            ("clear-linux-os", "41890"),
            ("", "1"),
            ("a/b", ".."),
            ("é ?#%2F", "&=+"),
            (".", "x"),
            ("x", "."),
        ];
        for (system_name, number) in names {
            let name = build(system_name, number);
            let url = build_url(&name, CrashKind::Program);
            let parameters = links::parameters(BUILD.path, &url).unwrap();
            assert_eq!(build_of(&parameters), name, "{url}");
            assert!(!url.contains("/."), "{url}");
        }
        assert_eq!(build_url(&build("a", "1"), CrashKind::Kernel), "/crashes/build/a/1?kind=kernel");
    }

    #[test]
    fn the_address_of_backtraces_has_only_the_conditions_that_there_are() {
        let cases = [
            (backtraces_url(7, None, None), "/crashes/guilty_details/7/backtraces"),
            (
                backtraces_url(7, Some(&build("", "1")), Some("a&b")),
                "/crashes/guilty_details/7/backtraces?machine_id=a%26b&system_name=%22%22&build=1",
            ),
        ];
        for (url, expected) in cases {
            assert_eq!(url, expected);
        }
    }

    #[test]
    fn the_address_of_a_preview_stays_short_enough_for_a_head() {
        let entry = |number: usize| Entry { name: format!("{number}{}", "é".repeat(400)), module: None };
        let change = BlacklistChange { add: (0..60).map(entry).collect(), ..BlacklistChange::default() };
        let (url, left_out) = preview_url(&change);
        assert!(url.len() <= URL_BYTES_MAX && left_out == 56, "{} {left_out}", url.len());
        let (url, left_out) = preview_url(&BlacklistChange {
            add: vec![Entry { name: "a".into(), module: None }],
            remove: vec![Entry { name: "b".into(), module: Some("m n".into()) }],
            ..BlacklistChange::default()
        });
        assert_eq!((url.as_str(), left_out), ("/crashes/blacklist/preview?add=a&remove=b%20%5Bm%20n%5D", 0));
    }

    #[test]
    fn a_bar_is_never_longer_than_the_longest_and_never_nothing() {
        for (number, most, width) in
            [(0, 10, 0), (10, 10, 1000), (1, 1_000_000, 1), (7, 0, 0), (20, 10, 1000)]
        {
            let markup = tally(number, most, html! {}).into_string();
            assert!(markup.contains(&format!("width=\"{width}\"")), "{markup}");
        }
    }
}
