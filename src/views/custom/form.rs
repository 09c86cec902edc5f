// SPDX-License-Identifier: Apache-2.0
//! The form of a custom view: a field for each parameter.

use crate::custom::{Definition, Parameter, ParameterKind};
use crate::ops::custom::ViewPage;
use crate::views::text;
use maud::{Markup, html};
use std::borrow::Cow;

/// The form; its ids have a prefix, because an administrator chose the names.
pub fn render(page: &ViewPage, definition: &Definition) -> Markup {
    html! {
        form.filter.parameters action={ "/views/" (page.file.name) } method="get"
            aria-label="Parameters of this view" {
            div { div.fields {
                @for (index, parameter) in definition.parameters.iter().enumerate() {
                    (field(page, parameter, index))
                }
                button.primary type="submit" { "Show" }
            } }
        }
    }
}

fn field(page: &ViewPage, parameter: &Parameter, index: usize) -> Markup {
    let id = format!("parameter-{}", parameter.name);
    let value = page.given.texts.get(index).map_or("", String::as_str);
    let error = page.given.errors.iter().find(|error| error.parameter == parameter.name);
    let wrong = error.map(|_| format!("wrong-{id}"));
    let choices = page.choices.get(index).map_or(&[][..], Vec::as_slice);
    // A browser drops from a date or number field what is none, and with it what was wrong.
    let kind = match (&parameter.kind, error) {
        (ParameterKind::Date, None) => "date",
        (ParameterKind::Integer | ParameterKind::Number, None) => "number",
        _ => "text",
    };
    html! {
        div.field {
            label for=(id) { bdi { (text::start(&parameter.label, 200)) } }
            @if matches!(parameter.kind, ParameterKind::Choice(_)) {
                select id=(id) name=(parameter.name)
                    aria-invalid=[wrong.as_ref().map(|_| "true")] aria-describedby=[&wrong] {
                    (options(value, choices))
                }
            } @else {
                input id=(id) name=(parameter.name) type=(kind) value=(value)
                    autocomplete="off" spellcheck="false"
                    step=[(parameter.kind == ParameterKind::Number).then_some("any")]
                    aria-invalid=[wrong.as_ref().map(|_| "true")] aria-describedby=[&wrong];
            }
            @if let (Some(error), Some(wrong)) = (error, &wrong) {
                p.wrong id=(wrong) { (text::visible(&error.message)) }
            }
        }
    }
}

/// A choice as it is shown.
fn shown(choice: &str) -> Cow<'_, str> {
    match choice {
        "" => Cow::Borrowed("any"),
        choice => text::start(choice, 80),
    }
}

/// The choices; the present value is offered even where it is not among them.
fn options(value: &str, choices: &[(String, String)]) -> Markup {
    let is_known = choices.iter().any(|(choice, _)| choice == value);
    html! {
        @if !is_known { option value=(value) selected { (shown(value)) } }
        @for (choice, label) in choices {
            option value=(choice) selected[choice == value] { (shown(label)) }
        }
    }
}
