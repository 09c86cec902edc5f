// SPDX-License-Identifier: Apache-2.0
//! The crash in a record: its guilty, the frames with boxes "never guilty", the other threads, what the
//! kernel said.
//!
//! Ticks are frame indexes in the address: the page is asked for again and shows the guilty that this record
//! would have. Only the preview, to which it then leads, speaks of the list.

use crate::guilty::{Blacklist, Entry, Oops, Thread, Trace, function_name, guilty_frame};
use crate::model::pairs::Pairs;
use crate::ops::blacklist::{Tick, change_for, entry_of};
use crate::ops::crashes::{CrashFacts, guilty_index};
use crate::views::backtrace::{Budget, Row, guilty_tag, left_out_note, list, within};
use crate::views::crashes::{self, guilty, guilty_url, preview_url};
use crate::views::parts::{Tone, definition, notice};
use crate::views::text;
use maud::{Markup, html};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Frames of the crashing thread that are shown.
const FRAMES_MAX: usize = 500;
/// Other threads that are shown.
const THREADS_MAX: usize = 50;
/// Frames of each of them.
const THREAD_FRAMES_MAX: usize = 200;
/// Different functions that have a box.
const BOXES_MAX: usize = 60;
/// Loaded modules of a kernel that are shown, and registers.
const WORDS_MAX: usize = 500;
/// The parameter that tells an unticked form from none.
const TRIED: &str = "tried";

/// The crash of a record and what is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// What the analysis and the list say.
    pub facts: CrashFacts,
    /// True for a viewer who may change the list.
    pub may_change: bool,
    /// The frames of the crashing thread that are ticked, by index; none where the form was not sent.
    pub ticked: Option<BTreeSet<usize>>,
}

/// Which frames a query ticks; none where the form was not sent. Values that are no index of a frame count
/// for nothing.
pub fn ticked(query: &Pairs) -> Option<BTreeSet<usize>> {
    query.first(TRIED)?;
    Some(query.all("never").filter_map(|value| value.parse().ok()).collect())
}

/// A different function of the crashing thread; symbols of one Rust path that the list treats alike are one.
struct Function<'a> {
    /// Its first frame.
    index: usize,
    /// Its names, as `function_name` makes them.
    names: Vec<&'a str>,
    /// Its module.
    module: &'a str,
    /// What would be put on the list; none where its name cannot be an entry.
    entry: Option<Entry>,
    /// True where the list holds it now.
    is_held: bool,
    /// True where it is always on the list.
    is_fixed: bool,
    /// True where the form's box is ticked.
    is_ticked: bool,
}

impl Function<'_> {
    fn can_change(&self) -> bool {
        self.entry.is_some() && !self.is_fixed
    }

    fn tick(&self) -> Tick<'_> {
        Tick { names: self.names.clone(), module: self.module, is_never: self.is_ticked }
    }
}

/// What the form would do.
struct Trial {
    /// The frame that would be guilty.
    guilty: Option<usize>,
    /// Where the preview of the change is; none where the ticks are as the list is.
    preview: Option<(String, usize)>,
}

/// The section about the crash of record `id`, and the line of its payload that is guilty.
pub fn render(id: i64, payload: &str, crash: &Crash) -> (Markup, Option<usize>) {
    let trace = Trace::parse(payload);
    let frames = trace.crashing();
    let found = crash.facts.found.as_ref();
    let blacklist = crash.facts.blacklist.effective();
    let index = found
        .and_then(|found| found.guilty.as_ref())
        .and_then(|guilty| guilty_index(frames, guilty, &blacklist));
    let functions = functions(&trace, &blacklist, crash.ticked.as_ref());
    let trial = crash.ticked.as_ref().map(|_| trial(&trace, crash, &functions));
    let mut budget = Budget::default();
    let markup = html! {
        section.panel.crash #crash {
            h2 { "Crash" }
            dl {
                (definition("Guilty", said(crash)))
                (headers(&trace))
            }
            @if let Some(trial) = &trial { (outcome(&trace, index, trial)) }
            (thread(id, &trace, index, crash, &functions, trial.as_ref(), &mut budget))
            (other_threads(&trace.threads, &mut budget))
            @if let Some(oops) = &trace.oops { (words(oops)) }
        }
    };
    (markup, index.and_then(|index| frames.get(index)).map(|frame| frame.line))
}

/// What the analysis says.
fn said(crash: &Crash) -> Markup {
    let Some(found) = &crash.facts.found else {
        return html! { span.muted { "This record was not analysed yet." } };
    };
    html! {
        @match &found.guilty {
            Some(found) => (guilty(found)),
            None => "No guilty was found",
        }
        span.muted { " · " }
        @match (&found.guilty, found.alike) {
            (Some(guilty), alike) if alike > 1 => a href={ (guilty_url(guilty.id)) "/backtraces" } {
                (text::grouped(alike)) " crashes have this backtrace"
            },
            (None, alike) if alike > 1 => span.muted { (text::grouped(alike)) " crashes have this backtrace" },
            _ => span.muted { "no other crash has this backtrace" },
        }
    }
}

/// The headers of the payload that are no more than a line.
fn headers(trace: &Trace<'_>) -> Markup {
    let line = |term: &str, value: Option<&str>| {
        html! {
            @if let Some(value) = value.filter(|value| !value.is_empty()) {
                (definition(term, html! { bdi { (text::start(value, 500)) } }))
            }
        }
    };
    let oops = trace.oops.as_ref();
    html! {
        (line("Process", trace.process))
        (line("PID", trace.pid))
        @if let Some(signal) = trace.signal {
            (definition("Signal", html! {
                bdi { (text::start(signal, 60)) }
                @if let Some(name) = signal_name(signal) { " " span.muted { (name) } }
            }))
        }
        (line("Reason", oops.map(|oops| oops.reason)))
        (line("Kernel", oops.and_then(|oops| oops.kernel)))
        (line("Tainted", oops.and_then(|oops| oops.tainted)))
    }
}

fn signal_name(number: &str) -> Option<&'static str> {
    Some(match number {
        "3" => "SIGQUIT",
        "4" => "SIGILL",
        "5" => "SIGTRAP",
        "6" => "SIGABRT",
        "7" => "SIGBUS",
        "8" => "SIGFPE",
        "11" => "SIGSEGV",
        "24" => "SIGXCPU",
        "25" => "SIGXFSZ",
        "31" => "SIGSYS",
        _ => return None,
    })
}

/// The first different functions of the crashing thread.
fn functions<'a>(
    trace: &'a Trace<'_>,
    blacklist: &Blacklist,
    ticked: Option<&BTreeSet<usize>>,
) -> Vec<Function<'a>> {
    let frames = trace.crashing();
    let fixed = Blacklist::new([]);
    let mut seen = HashSet::new();
    let mut places = HashMap::new();
    let mut functions: Vec<Function<'_>> = Vec::new();
    for (index, frame) in frames.iter().enumerate().take(FRAMES_MAX) {
        let name = function_name(frame.function);
        if !seen.insert((name, frame.module)) {
            continue;
        }
        let is_last = index + 1 == frames.len();
        let is_held = blacklist.holds(name, frame.module, is_last);
        let entry = entry_of(frame.function, Some(frame.module));
        let place = entry.clone().map(|entry| (entry, is_held));
        let known = place.as_ref().and_then(|place| places.get(place).copied());
        if let Some(function) = known.and_then(|at: usize| functions.get_mut(at)) {
            function.names.push(name);
            continue;
        }
        if functions.len() == BOXES_MAX {
            continue;
        }
        places.extend(place.map(|place| (place, functions.len())));
        functions.push(Function {
            index,
            names: vec![name],
            module: frame.module,
            entry,
            is_held,
            is_fixed: fixed.holds(name, frame.module, is_last),
            is_ticked: ticked.map_or(is_held, |ticked| ticked.contains(&index)),
        });
    }
    functions
}

fn trial(trace: &Trace<'_>, crash: &Crash, functions: &[Function<'_>]) -> Trial {
    let can_change = functions.iter().filter(|function| function.can_change());
    let shown: Vec<Tick<'_>> = can_change.map(Function::tick).collect();
    let state = &crash.facts.blacklist;
    let change = change_for(state, &shown);
    let frames = trace.crashing().iter().map(|frame| (frame.function, frame.module));
    let is_change = !change.add.is_empty() || !change.remove.is_empty();
    Trial {
        guilty: guilty_frame(frames, &state.changed(&change).effective()),
        preview: is_change.then(|| preview_url(&change)),
    }
}

/// What the ticks would make of this record, and the way on.
fn outcome(trace: &Trace<'_>, now: Option<usize>, trial: &Trial) -> Markup {
    let named = |index: Option<usize>| {
        let frame = index.and_then(|index| trace.crashing().get(index));
        html! {
            @match frame {
                Some(frame) => {
                    strong { (Row::new(frame.number, frame.function, frame.module, None).function()) }
                    @if !frame.module.is_empty() { " [" bdi { (text::start(frame.module, 200)) } "]" }
                },
                None => strong { "no guilty" },
            }
        }
    };
    let content = html! {
        @match &trial.preview {
            Some((url, left_out)) => {
                "Guilty now: " (named(now)) ". With these ticks it would be: " (named(trial.guilty)) ". "
                a.button.primary href=(url) { "Submit: preview for all crashes" }
                @if *left_out > 0 {
                    p { (left_out) " of the changes have no room in one preview; repeat them after it." }
                }
            }
            None => "These ticks are what the list says already; nothing would change.",
        }
    };
    notice(Tone::Info, content)
}

/// The crashing thread: a table, with boxes in a form where the viewer may change the list.
fn thread(
    id: i64,
    trace: &Trace<'_>,
    guilty: Option<usize>,
    crash: &Crash,
    functions: &[Function<'_>],
    trial: Option<&Trial>,
    budget: &mut Budget,
) -> Markup {
    let frames = trace.crashing();
    if frames.is_empty() {
        return html! { p.muted { "The payload has no frames." } };
    }
    let all = frames.iter().map(|frame| Row::new(frame.number, frame.function, frame.module, frame.source));
    let (rows, left_out) = within(all, FRAMES_MAX, budget);
    let boxes = crash.may_change.then_some(functions);
    let marks = Marks { now: guilty, then: trial.and_then(|trial| trial.guilty), is_trial: trial.is_some() };
    let table = html! {
        (table(&rows, boxes, marks))
        (left_out_note(left_out))
    };
    let tid = trace.threads.first().and_then(|thread| thread.tid);
    html! {
        h3 { "Crashing thread" @if let Some(tid) = tid { " " (text::start(tid, 20)) } }
        @if crash.may_change {
            form method="get" action={ "/records/" (id) "#crash" } {
                input type="hidden" name=(TRIED) value="1";
                (table)
                @if functions.len() == BOXES_MAX {
                    p.muted { "Only the first " (BOXES_MAX) " different functions have a box." }
                }
                div.actions {
                    button type="submit" { "Apply to this record" }
                    @if trial.is_some() { a.button href={ "/records/" (id) } { "As the list is" } }
                    a.button href=(crashes::BLACKLIST.path) { "Blacklist" }
                }
                p.muted {
                    "Tick what is never guilty. This changes nothing yet: it shows the guilty that this record "
                    "would have."
                }
            }
        } @else {
            (table)
        }
    }
}

/// Which frames are marked.
#[derive(Clone, Copy)]
struct Marks {
    now: Option<usize>,
    then: Option<usize>,
    is_trial: bool,
}

impl Marks {
    /// The words beside a frame.
    fn words(self, index: usize) -> Option<&'static str> {
        let (is_now, is_then) = (self.now == Some(index), self.is_trial && self.then == Some(index));
        match (is_now, is_then) {
            (true, true) => Some("guilty now and then"),
            (true, false) if self.is_trial => Some("guilty now"),
            (true, false) => Some("guilty"),
            (false, true) => Some("would be guilty"),
            (false, false) => None,
        }
    }
}

fn table(rows: &[Row<'_>], boxes: Option<&[Function<'_>]>, marks: Marks) -> Markup {
    let has_source = rows.iter().any(|row| !row.source.is_empty());
    html! {
        table.trace {
            caption.unseen { "Frames of the crashing thread, the innermost first" }
            thead {
                tr {
                    th.number scope="col" { "#" }
                    th scope="col" { "Function" }
                    th scope="col" { "Module" }
                    @if has_source { th scope="col" { "Source" } }
                    @if boxes.is_some() { th scope="col" { "Never guilty" } }
                }
            }
            tbody {
                @for (index, row) in rows.iter().enumerate() {
                    @let words = marks.words(index);
                    tr.guilty[words.is_some()] {
                        td.number { (row.number) }
                        td.function { (row.function()) @if let Some(words) = words { " " (guilty_tag(words)) } }
                        td.module { bdi { (row.module) } }
                        @if has_source { td.source { bdi { (row.source) } } }
                        @if let Some(functions) = boxes {
                            td.never { (never(functions.iter().find(|function| function.index == index), row)) }
                        }
                    }
                }
            }
        }
    }
}

/// The box of a function, in the row of its first frame.
fn never(function: Option<&Function<'_>>, row: &Row<'_>) -> Markup {
    html! {
        @match function {
            Some(function) if function.can_change() => {
                label.check {
                    input type="checkbox" name="never" value=(function.index) checked[function.is_ticked]
                        aria-label={ "Never guilty: " (row.function) };
                    @if function.is_ticked != function.is_held {
                        span.tag { @if function.is_ticked { "to be added" } @else { "to be taken out" } }
                    } @else if function.is_held { span.muted { "on the list" } }
                }
            }
            Some(function) if function.is_fixed => {
                label.check {
                    input type="checkbox" checked disabled aria-label={ "Never guilty: " (row.function) };
                    span.muted { "always" }
                }
            }
            Some(_) => span.muted { "cannot be an entry" },
            None => {}
        }
    }
}

fn other_threads(threads: &[Thread<'_>], budget: &mut Budget) -> Markup {
    let others = threads.get(1..).unwrap_or(&[]);
    let left_out = others.len().saturating_sub(THREADS_MAX);
    let count = i64::try_from(others.len()).unwrap_or(i64::MAX);
    html! {
        @if !others.is_empty() {
            details {
                summary { (text::counted(count, "other thread", "other threads")) }
                @for thread in others.iter().take(THREADS_MAX) { (other_thread(thread, budget)) }
                @if left_out > 0 { p.muted { (left_out) " more threads are left out here." } }
            }
        }
    }
}

fn other_thread(thread: &Thread<'_>, budget: &mut Budget) -> Markup {
    let all =
        thread.frames.iter().map(|frame| Row::new(frame.number, frame.function, frame.module, frame.source));
    let (rows, left_out) = within(all, THREAD_FRAMES_MAX, budget);
    html! {
        h3 { "Thread" @if let Some(tid) = thread.tid { " " (text::start(tid, 20)) } }
        (list(&rows, None, left_out))
    }
}

/// Loaded modules and registers of a kernel oops, folded.
fn words(oops: &Oops<'_>) -> Markup {
    let (modules, registers) = (oops.modules.len(), oops.registers.len());
    html! {
        @if modules > 0 {
            details {
                summary { (text::counted(modules as i64, "module", "modules")) " loaded" }
                p.words {
                    @for module in oops.modules.iter().take(WORDS_MAX) { bdi { (text::start(module, 80)) } " " }
                    @if modules > WORDS_MAX { "and " (modules - WORDS_MAX) " more" }
                }
            }
        }
        @if registers > 0 {
            details {
                summary { (text::counted(registers as i64, "register", "registers")) }
                p.words {
                    @for (name, value) in oops.registers.iter().take(WORDS_MAX) {
                        span { bdi { (text::start(name, 40)) } ": " bdi { (text::start(value, 40)) } } " "
                    }
                    @if registers > WORDS_MAX { "and " (registers - WORDS_MAX) " more" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unticked_form_is_told_from_none() {
        let pairs = |given: &[(&str, &str)]| {
            Pairs(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(ticked(&pairs(&[])), None);
        assert_eq!(ticked(&pairs(&[("never", "3")])), None);
        assert_eq!(ticked(&pairs(&[("tried", "1")])), Some(BTreeSet::new()));
        let some = pairs(&[("tried", "1"), ("never", "3"), ("never", "0"), ("never", "-1"), ("never", "x")]);
        assert_eq!(ticked(&some), Some(BTreeSet::from([0, 3])));
    }

    #[test]
    fn symbols_of_one_rust_path_have_one_box() {
        let payload = "Process: app\nPID: 7\nSignal: 6\n\nBacktrace (TID 7):\n\
            #0 _ZN4core9panicking9panic_fmt17h0123456789abcdefE() - [app]\n\
            #1 _ZN3app3run17h0123456789abcdefE() - [app]\n\
            #2 _ZN3foo3barEv() - [app]\n\
            #3 _ZN3app3run17hfedcba9876543210E() - [app]\n\
            #4 _ZN3app3run17h0123456789abcdefE() - [app]\n\
            #5 _ZN3app3run17h1111111111111111E() - [app]\n\
            #6 _ZN3app3run17h0123456789abcdefE() - [lib]\n";
        let trace = Trace::parse(payload);
        let own = ["core::panicking::panic_fmt", "_ZN3app3run17h1111111111111111E"];
        let list = Blacklist::new(own.map(|text| Entry::parse(text).unwrap()));
        let functions = functions(&trace, &list, None);
        let told: Vec<_> = functions
            .iter()
            .map(|function| (function.index, function.names.len(), function.is_held, function.is_ticked))
            .collect();
        let expected = [
            (0, 1, true, true),
            (1, 2, false, false),
            (2, 1, false, false),
            (5, 1, true, true),
            (6, 1, false, false),
        ];
        assert_eq!(told, expected);
        let entry = |at: usize| functions[at].entry.as_ref().map(Entry::to_string).unwrap_or_default();
        assert_eq!([entry(0), entry(1)], ["core::panicking::panic_fmt [app]", "app::run [app]"]);
    }
}
