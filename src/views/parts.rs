// SPDX-License-Identifier: Apache-2.0
//! The small pieces that views are put together from.

use crate::model::record::Severity;
use crate::model::time::{age_text, rfc3339, utc_text};
use maud::{Markup, Render, html};

/// How grave a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Something to know.
    Info,
    /// Something to look at.
    Warning,
    /// Something that went wrong.
    Error,
}

/// A box that tells the viewer something; an error is announced by screen readers at once.
pub fn notice(tone: Tone, content: impl Render) -> Markup {
    let (class, word) = match tone {
        Tone::Info => ("notice", "Note"),
        Tone::Warning => ("notice warning", "Attention"),
        Tone::Error => ("notice error", "Error"),
    };
    html! {
        div class=(class) role=[(tone == Tone::Error).then_some("alert")] {
            strong { (word) }
            div { (content) }
        }
    }
}

/// What stands at the head of a page: its heading, a line about it, and what can be done with it.
pub fn heading(title: impl Render, about: impl Render, actions: impl Render) -> Markup {
    html! {
        div.heading {
            h1 { (title) }
            p.about { (about) }
            div.actions { (actions) }
        }
    }
}

/// How long ago, with the exact time in its title; the script keeps it current.
pub fn time_ago(at: i64, now: i64) -> Markup {
    html! { time.age datetime=(rfc3339(at)) title=(utc_text(at)) { (age_text(at, now)) } }
}

/// An exact time, followed by how long ago it was.
pub fn time_exact(at: i64, now: i64) -> Markup {
    html! { time datetime=(rfc3339(at)) { (utc_text(at)) } span.muted { " · " (age_text(at, now)) } }
}

/// The severity as a word and as one to four filled bars, so that colour is never the only sign.
pub fn severity(severity: Severity) -> Markup {
    let title = format!("Severity {} of 4: {}", severity.number(), severity.word());
    html! { span class={ "severity severity-" (severity.number()) } title=(title) { (severity.short()) } }
}

/// A label, its control, and what is wrong with what was entered.
///
/// The control must have `name` as its id and [`error_id`] as its `aria-describedby` where there is an error.
pub fn field(name: &str, label: &str, error: Option<&str>, control: impl Render) -> Markup {
    html! {
        div class={ "field field-" (name) } {
            label for=(name) { (label) }
            (control)
            @if let Some(error) = error {
                p.wrong id=(error_id(name)) { (error) }
            }
        }
    }
}

/// The id of the message beside the field `name`.
pub fn error_id(name: &str) -> String {
    format!("wrong-{name}")
}

/// Any one-line control of a form.
pub fn input(name: &str, kind: &str, value: &str, error: Option<&str>) -> Markup {
    html! {
        input id=(name) name=(name) type=(kind) value=(value) autocomplete="off" spellcheck="false"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id(name))];
    }
}

/// A choice among `(value, text)`; the present value is offered even where it is not among them.
pub fn select(name: &str, value: &str, choices: &[(String, String)], error: Option<&str>) -> Markup {
    let is_known = choices.iter().any(|(choice, _)| choice == value);
    html! {
        select id=(name) name=(name)
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id(name))] {
            @if !is_known {
                option value=(value) selected { (crate::views::text::start(value, 60)) }
            }
            @for (choice, text) in choices {
                option value=(choice) selected[choice == value] { (text) }
            }
        }
    }
}

/// One row of a definition list.
pub fn definition(term: &str, value: impl Render) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}
