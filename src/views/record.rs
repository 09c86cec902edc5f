// SPDX-License-Identifier: Apache-2.0
//! One record, whole: `/records/ID`.

mod crash;

pub use crash::Crash;

use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::record::Record;
use crate::ops::{App, crashes};
use crate::views::parts::{definition, heading, severity, time_exact};
use crate::views::records::{delete, link, source};
use crate::views::{Asked, Page, View, fleet, text};
use maud::{Markup, html};

/// The view of one record.
pub const VIEW: View = View {
    path: "/records/{id}",
    title: "Record",
    help: "One record with every field and its whole payload",
    in_navigation: false,
    need: Need::ReadRecords,
    get,
};

/// What the link on a value says.
const SAME: &str = "All records with the same";

/// Agents of the machine that are linked.
const AGENTS_MAX: usize = 3;

/// What the page shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// The record with its whole payload.
    pub record: Record,
    /// The record stored next after it.
    pub newer_id: Option<i64>,
    /// The record stored next before it.
    pub older_id: Option<i64>,
    /// Its crash; none where its class has no backtrace.
    pub crash: Option<Crash>,
    /// The newest agents of its machine; none for a viewer who may not see the fleet.
    pub agent_ids: Vec<i64>,
    /// What the form that deletes it sends back; none for a viewer who may not.
    pub delete_token: Option<String>,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The record, its neighbours and its crash; NotFound where there is no such record.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let id = asked.id()?;
    let record =
        app.store.find_record(id)?.ok_or_else(|| Error::not_found(format!("There is no record {id}")))?;
    let (older_id, newer_id) = app.store.neighbours_of_record(id)?;
    let crash = crashes::facts_of(app, &record)?.map(|facts| Crash {
        facts,
        may_change: asked.viewer.may(Need::ChangeRecords),
        ticked: crash::ticked(asked.query),
    });
    let agent_ids = match asked.viewer.may(Need::ReadFleet) {
        true => app.store.agents_of_machine(&record.content.machine_id, AGENTS_MAX)?,
        false => Vec::new(),
    };
    let delete_token = asked.viewer.may(Need::Operate).then(|| asked.viewer.csrf_token.clone());
    Ok(Data { now: app.clock.now(), record, newer_id, older_id, crash, agent_ids, delete_token })
}

/// The page.
pub fn render(data: &Data) -> Page {
    let content = &data.record.content;
    let title = format!("Record {}", data.record.id);
    let about = html! {
        (severity(content.severity)) " "
        strong { bdi { (text::visible(&content.classification)) } }
    };
    let crash = data.crash.as_ref().map(|crash| crash::render(data.record.id, &content.payload, crash));
    let (crash, guilty_line) = crash.map_or((None, None), |(markup, line)| (Some(markup), line));
    let markup = html! {
        (heading(&title, about, neighbours(data)))
        div.facts {
            (facts_of_event(data))
            (facts_of_system(data))
            (facts_of_machine(data))
        }
        @if let Some(crash) = crash { (crash) }
        (payload(&data.record, guilty_line))
        @if let Some(csrf_token) = &data.delete_token { (delete::one(data.record.id, csrf_token)) }
    };
    Page::ok(title, markup)
}

fn neighbours(data: &Data) -> Markup {
    let neighbour = |id: Option<i64>, word: &str, rel: &str| {
        html! {
            @match id {
                Some(id) => a.button rel=(rel) href={ "/records/" (id) } { (word) },
                None => span.button.off aria-disabled="true" { (word) },
            }
        }
    };
    html! {
        (neighbour(data.newer_id, "← Newer", "prev"))
        (neighbour(data.older_id, "Older →", "next"))
        a.button href={ "/api/records/" (data.record.id) } { "JSON" }
    }
}

/// A value that links to the records which share it.
fn shared(parameter: &str, value: &str) -> Markup {
    html! {
        a href=(link([(parameter, value)])) title=(SAME) { bdi { (text::visible(value)) } }
    }
}

/// Text that a sender gave, may have left empty, or could not give in its format version.
fn given(value: Option<&str>) -> Markup {
    html! {
        @match value {
            Some("") => span.muted { "empty" },
            Some(value) => bdi { (text::visible(value)) },
            None => span.muted { "not sent" },
        }
    }
}

/// Each part of a classification links to the records that share it up to there.
fn classification(classification: &str) -> Markup {
    let ends = classification.match_indices('/').map(|(at, _)| at).take(2);
    let mut start = 0;
    html! {
        bdi {
            @for end in ends {
                a href=(link([("classification", format!("{}/*", &classification[..end]).as_str())])) {
                    (text::visible(&classification[std::mem::replace(&mut start, end + 1)..end]))
                }
                "/" wbr;
            }
            a href=(link([("classification", classification)])) { (text::visible(&classification[start..])) }
        }
    }
}

fn facts_of_event(data: &Data) -> Markup {
    let content = &data.record.content;
    html! {
        section.panel {
            h2 { "Event" }
            dl {
                (definition("Classification", classification(&content.classification)))
                @let level = content.severity;
                (definition("Severity", html! {
                    a href=(link([("severity", level.number().to_string().as_str())])) title=(SAME) { (level.word()) }
                }))
                (definition("Received", time_exact(data.record.received_at, data.now)))
                (definition("Captured", time_exact(content.captured_at, data.now)))
                @let event_id = content.event_id.map(|id| id.to_string());
                (definition("Event id", html! {
                    @match &event_id {
                        Some(id) => code { (shared("event_id", id)) },
                        None => (given(None)),
                    }
                }))
                (definition("Source", source(content.is_external)))
            }
        }
    }
}

fn facts_of_system(data: &Data) -> Markup {
    let content = &data.record.content;
    let payload_format = content.payload_format_version.map(|version| version.to_string());
    html! {
        section.panel {
            h2 { "System" }
            dl {
                (definition("OS", match &content.system_name {
                    Some(name) => shared("system_name", name),
                    None => given(None),
                }))
                (definition("Build", build(content.system_name.as_deref(), &content.build)))
                (definition("Kernel", given(Some(&content.kernel_version))))
                (definition("Architecture", given(Some(&content.arch))))
                (definition("Record format", content.record_format_version))
                (definition("Payload format", given(payload_format.as_deref())))
            }
        }
    }
}

/// A build is meant together with its system: two systems may number alike.
fn build(system_name: Option<&str>, build: &str) -> Markup {
    let system = system_name.map(|name| ("system_name", name));
    html! {
        a href=(link(system.into_iter().chain([("build", build)]))) title=(SAME) {
            bdi { (text::visible(build)) }
        }
    }
}

/// The platform; an empty one cannot be asked for.
fn host(host_type: &str) -> Markup {
    if host_type.is_empty() { given(Some(host_type)) } else { shared("host_type", host_type) }
}

/// Links to the agents of the machine.
fn agents(ids: &[i64]) -> Markup {
    html! { @for id in ids { a href=(fleet::agent_url(*id)) { "Agent " (id) } " " } }
}

fn facts_of_machine(data: &Data) -> Markup {
    let content = &data.record.content;
    html! {
        section.panel {
            h2 { "Machine" }
            dl {
                (definition("Machine id", html! { code { (shared("machine_id", &content.machine_id)) } }))
                @if !data.agent_ids.is_empty() { (definition("Agent", agents(&data.agent_ids))) }
                (definition("Host", host(&content.host_type)))
                (definition("Board", given(content.board_name.as_deref())))
                (definition("CPU", given(content.cpu_model.as_deref())))
                (definition("BIOS", given(content.bios_version.as_deref())))
            }
        }
    }
}

/// The payload as it was sent, what cannot be seen made visible. The script adds a copy button to the
/// heading.
fn payload(record: &Record, guilty_line: Option<usize>) -> Markup {
    let payload = &record.content.payload;
    let bytes = i64::try_from(payload.len()).unwrap_or(i64::MAX);
    html! {
        section.panel.payload {
            div.heading {
                h2 { "Payload" }
                p.about { (text::counted(bytes, "byte", "bytes")) }
                div.actions {
                    span #copy data-of="payload" {}
                    a.button href={ "/records/" (record.id) "/payload" } download={ "record-" (record.id) ".txt" } {
                        "Download"
                    }
                }
            }
            @if payload.is_empty() {
                p.muted { "The payload is empty." }
            } @else {
                (marked_text("payload", payload, guilty_line))
            }
        }
    }
}

/// A text from outside in a box of its own, lines kept, what cannot be seen made visible and marked.
pub fn payload_text(id: &str, text: &str) -> Markup {
    marked_text(id, text, None)
}

/// The same with one line marked, by its index.
fn marked_text(id: &str, text: &str, line: Option<usize>) -> Markup {
    let (before, marked, after) = around_line(text, line);
    html! {
        // HTML drops a line end right after the tag: this one, not the text's own.
        pre #(id) tabindex="0" { "\n"
            (signs(before))
            @if !marked.is_empty() { mark.guilty { (signs(marked)) } }
            (signs(after))
        }
    }
}

/// Signs that are marked one by one; in a text with more, they are only made visible, or the page would grow
/// too large.
const SIGNS_MAX: usize = 5_000;

fn signs(text: &str) -> Markup {
    let runs = text::runs(text);
    let is_marked = runs.len() <= SIGNS_MAX;
    html! {
        @for (is_sign, run) in runs {
            @if is_sign && is_marked { span.sign { (run) } } @else { (run) }
        }
    }
}

/// What stands before a line, the line without its end, and what comes after. Without such a line all is
/// before.
fn around_line(text: &str, line: Option<usize>) -> (&str, &str, &str) {
    let Some(line) = line else { return (text, "", "") };
    let mut lines = text.split_inclusive('\n');
    let start: usize = lines.by_ref().take(line).map(str::len).sum();
    let marked = lines.next().unwrap_or("");
    let end = start + marked.trim_end_matches(['\r', '\n']).len();
    (&text[..start], &text[start..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_out_of_its_text() {
        let text = "a\r\nbé\n\nc";
        let cases = [
            (None, (text, "", "")),
            (Some(0), ("", "a", "\r\nbé\n\nc")),
            (Some(1), ("a\r\n", "bé", "\n\nc")),
            (Some(2), ("a\r\nbé\n", "", "\nc")),
            (Some(3), ("a\r\nbé\n\n", "c", "")),
            (Some(9), (text, "", "")),
        ];
        for (line, expected) in cases {
            assert_eq!(around_line(text, line), expected, "{line:?}");
        }
    }
}
