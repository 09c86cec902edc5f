// SPDX-License-Identifier: Apache-2.0
//! Deleting chosen records: the button below the rows, and the page that asks once more.

use crate::views::parts::heading;
use crate::views::{Page, Viewer, records, text};
use maud::{Markup, html};

/// Where both forms go.
pub const PATH: &str = "/records/delete";
/// The form that the boxes in the rows belong to.
pub const FORM_ID: &str = "delete";
/// The field that says that the question was answered.
pub const CONFIRMED: &str = "confirmed";

/// The form of the boxes in the rows, to stand before them: its own field is then sent first, however many are chosen.
pub fn form(csrf_token: &str) -> Markup {
    html! {
        form #(FORM_ID) method="post" action=(PATH) {
            input type="hidden" name="csrf_token" value=(csrf_token);
        }
    }
}

/// The button of that form, to stand behind the rows.
pub fn button() -> Markup {
    html! { p { button type="submit" form=(FORM_ID) { "Delete the chosen records…" } } }
}

/// The form that deletes one record, after a question.
pub fn one(id: i64, csrf_token: &str) -> Markup {
    html! {
        form method="post" action=(PATH) {
            input type="hidden" name="csrf_token" value=(csrf_token);
            input type="hidden" name="id" value=(id);
            button type="submit" { "Delete this record…" }
        }
    }
}

/// The page that asks before these records are deleted; there is one at least.
pub fn confirmation(ids: &[i64], viewer: &Viewer) -> Page {
    let n = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let question = format!("Delete {}?", text::counted(n, "record", "records"));
    let about =
        "They are removed for good, with all that is counted for them. The audit log tells who did it.";
    let markup = html! {
        (heading(&question, about, html! {}))
        section.panel {
            p {
                "Numbers: "
                @for (index, id) in ids.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href={ "/records/" (id) } { (id) }
                }
            }
            form method="post" action=(PATH) {
                input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                @for id in ids { input type="hidden" name="id" value=(id); }
                div.actions {
                    button.danger type="submit" name=(CONFIRMED) value="1" { "Delete for good" }
                    a.button href=(records::VIEW.path) { "Cancel" }
                }
            }
        }
    };
    Page::ok(question, markup)
}
