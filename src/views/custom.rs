// SPDX-License-Identifier: Apache-2.0
//! Custom views, as files of the views directory describe them: `/views/NAME`.
//!
//! Everything in them came from outside: the file from an administrator, the values from the senders of
//! records.

mod form;
mod panel;

use crate::custom::{Definition, Mistake};
use crate::error::Result;
use crate::model::account::Need;
use crate::ops::App;
use crate::ops::custom::{ViewPage, load};
use crate::views::layout::Tab;
use crate::views::parts::{Tone, heading, notice};
use crate::views::{Asked, Page, View, links, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/views/{name}",
    title: "Custom view",
    help: "A view that a file of the views directory describes",
    in_navigation: false,
    need: Need::ReadRecords,
    get,
};

/// Mistakes of a file that its page shows.
const MISTAKES_MAX: usize = 50;

fn get(app: &App, asked: &Asked) -> Result<Page> {
    let name = asked.parameters.first().map_or("", String::as_str);
    Ok(render(&load(app, name, asked.query)?))
}

/// The tabs of all custom views, broken ones too.
pub fn tabs(app: &App) -> Vec<Tab> {
    let tab = |name: &str, title: &str| Tab { path: format!("/views/{name}"), title: title.to_owned() };
    app.custom_views.list().iter().map(|file| tab(&file.name, file.tab())).collect()
}

/// The page.
pub fn render(page: &ViewPage) -> Page {
    match &page.file.definition {
        Ok(definition) => whole(page, definition),
        Err(mistakes) => broken(&page.file.name, mistakes),
    }
}

fn whole(page: &ViewPage, definition: &Definition) -> Page {
    let errors = &page.given.errors;
    let known = |name: &str| definition.parameters.iter().any(|parameter| parameter.name == name);
    let title = text::start(&definition.title, 200);
    let markup = html! {
        (heading(html! { bdi { (title) } }, sentence(&definition.about), actions(page, definition)))
        @for error in errors.iter().filter(|error| !known(&error.parameter)) {
            (notice(Tone::Error, text::visible(&error.message)))
        }
        @if !definition.parameters.is_empty() { (form::render(page, definition)) }
        @if !errors.is_empty() {
            (notice(Tone::Warning, "Nothing is shown until all parameters keep their rules."))
        }
        @for (index, (panel, shown)) in definition.panels.iter().zip(&page.panels).enumerate() {
            (panel::render(&format!("panel-{}", index + 1), panel, shown))
        }
    };
    let status = if errors.is_empty() { 200 } else { 400 };
    Page { status, ..Page::ok(title, markup) }
}

/// A sentence of the file; nothing where there is none.
fn sentence(about: &str) -> Markup {
    html! { @if !about.is_empty() { bdi { (text::one_line(about, 2_000)) } } }
}

/// The same as data, under the same parameters.
fn actions(page: &ViewPage, definition: &Definition) -> Markup {
    let names = definition.parameters.iter().map(|parameter| parameter.name.as_str());
    let path = format!("/api/views/{}", page.file.name);
    let link = links::link(&path, names.zip(page.given.texts.iter().map(String::as_str)));
    html! { @if page.given.errors.is_empty() { a.button href=(link) { "As JSON" } } }
}

/// The page of a file that says nothing that can be shown: what is wrong with it.
fn broken(name: &str, mistakes: &[Mistake]) -> Page {
    let more = mistakes.len().saturating_sub(MISTAKES_MAX);
    let markup = html! {
        (heading(name, "A custom view whose file has mistakes", ""))
        (notice(Tone::Error, html! {
            ul.mistakes {
                @for mistake in mistakes.iter().take(MISTAKES_MAX) {
                    li { bdi { (text::start(&mistake.to_string(), 1_000)) } }
                }
                @if more > 0 { li { "and " (more) " more" } }
            }
        }))
        section.panel {
            p {
                "The file is " code { (name) ".toml" } " in the views directory. "
                "It is read again as soon as it changes."
            }
            p { code { "muster view check " (name) ".toml" } " says the same, and tries its queries too." }
        }
    };
    Page::ok(name, markup)
}
