// SPDX-License-Identifier: Apache-2.0
//! The rows of the records list. On a narrow screen the style sheet makes each a card.

use crate::model::record::Record;
use crate::views::records::Data;
use crate::views::{parts, text};
use maud::{Markup, html};

/// Characters of a machine id that a list shows; the whole is in the title.
const MACHINE_ID_CHARS: usize = 8;

/// The table around the rows of a page.
pub fn table(data: &Data) -> Markup {
    html! {
        div.sheet {
            table.records {
                caption.unseen { "Records, newest first" }
                thead {
                    tr {
                        th.source scope="col" { "Source" }
                        th.machine scope="col" { "Machine" }
                        th.age scope="col" { "Age" }
                        th.level scope="col" { "Severity" }
                        th.class scope="col" { "Classification" }
                        th.system scope="col" { "OS and build" }
                        th.payload scope="col" { "Payload" }
                    }
                }
                tbody #rows { (render_rows(&data.records, data.now, data.may_delete)) }
            }
        }
    }
}

/// `<tr>` rows, in the order given: what the page shows and what an event of the stream carries, without line ends.
/// `may_delete`: each with a box that chooses it.
pub fn render_rows(records: &[Record], now: i64, may_delete: bool) -> Markup {
    html! { @for record in records { (row(record, now, may_delete)) } }
}

fn row(record: &Record, now: i64, may_delete: bool) -> Markup {
    let content = &record.content;
    let machine_url = super::link([("machine_id", content.machine_id.as_str())]);
    html! {
        tr id={ "record-" (record.id) } {
            td.source {
                @if may_delete {
                    input type="checkbox" name="id" value=(record.id) form=(super::delete::FORM_ID)
                        autocomplete="off" aria-label={ "Choose record " (record.id) };
                    " "
                }
                (source(content.is_external))
            }
            td.machine {
                a href=(machine_url) title={ "All records of machine " (text::visible(&content.machine_id)) } {
                    bdi { (text::start(&content.machine_id, MACHINE_ID_CHARS)) }
                }
            }
            td.age { (parts::time_ago(record.received_at, now)) }
            td.level { (parts::severity(content.severity)) }
            td.class {
                a href={ "/records/" (record.id) } title=(text::visible(&content.classification)) {
                    bdi { (text::short_classification(&content.classification)) }
                }
            }
            td.system {
                @if let Some(system_name) = &content.system_name {
                    bdi.muted { (text::visible(system_name)) } " "
                }
                bdi { (text::visible(&content.build)) }
            }
            td.payload { bdi { (text::one_line(&content.payload, super::PAYLOAD_CHARS_MAX)) } }
        }
    }
}

/// Internal or external; the rarer one stands out.
pub fn source(is_external: bool) -> Markup {
    html! {
        @if is_external { span.tag { "external" } } @else { span.muted { "internal" } }
    }
}
