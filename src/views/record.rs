// SPDX-License-Identifier: Apache-2.0
//! One record, whole: `/records/ID`.

use crate::error::{Error, Result};
use crate::model::record::Record;
use crate::ops::App;
use crate::views::parts::{definition, heading, severity, time_exact};
use crate::views::records::{link, source};
use crate::views::{Asked, Page, View, text};
use maud::{Markup, html};

/// The view of one record.
pub const VIEW: View = View {
    path: "/records/{id}",
    title: "Record",
    help: "One record with every field and its whole payload",
    in_navigation: false,
    get,
};

/// What the link on a value says.
const SAME: &str = "All records with the same";

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
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked.id()?)?))
}

/// The record and its neighbours; NotFound where there is no such record.
pub fn load(app: &App, id: i64) -> Result<Data> {
    let record =
        app.store.find_record(id)?.ok_or_else(|| Error::not_found(format!("There is no record {id}")))?;
    let (older_id, newer_id) = app.store.neighbours_of_record(id)?;
    Ok(Data { now: app.clock.now(), record, newer_id, older_id })
}

/// The page.
pub fn render(data: &Data) -> Page {
    let content = &data.record.content;
    let title = format!("Record {}", data.record.id);
    let about = html! {
        (severity(content.severity)) " "
        strong { bdi { (text::visible(&content.classification)) } }
    };
    let markup = html! {
        (heading(&title, about, neighbours(data)))
        div.facts {
            (facts_of_event(data))
            (facts_of_system(data))
            (facts_of_machine(data))
        }
        (payload(&data.record))
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

fn facts_of_machine(data: &Data) -> Markup {
    let content = &data.record.content;
    html! {
        section.panel {
            h2 { "Machine" }
            dl {
                (definition("Machine id", html! { code { (shared("machine_id", &content.machine_id)) } }))
                (definition("Host", given(Some(&content.host_type))))
                (definition("Board", given(content.board_name.as_deref())))
                (definition("CPU", given(content.cpu_model.as_deref())))
                (definition("BIOS", given(content.bios_version.as_deref())))
            }
        }
    }
}

/// The payload as it was sent, what cannot be seen made visible. The script adds a copy button to the heading.
fn payload(record: &Record) -> Markup {
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
                (payload_text("payload", payload))
            }
        }
    }
}

/// A text from outside in a box of its own, lines kept, what cannot be seen made visible and marked.
pub fn payload_text(id: &str, text: &str) -> Markup {
    html! {
        // HTML drops a line end right after the tag: this one, not the text's own.
        pre #(id) tabindex="0" { "\n"
            @for (is_sign, run) in text::runs(text) {
                @if is_sign { span.sign { (run) } } @else { (run) }
            }
        }
    }
}
