// SPDX-License-Identifier: Apache-2.0
//! A row of links of which one is chosen: the systems, the years, how many weeks.

use crate::model::filter::NO_SYSTEM;
use crate::views::{links, text};
use maud::{Markup, html};

/// Choices that are seen at once; the rest opens.
const SHOWN_MAX: usize = 12;

/// One link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// What it says.
    pub label: String,
    /// A number beside it.
    pub count: Option<i64>,
    /// Where it leads.
    pub link: String,
    /// True for the one whose page this is.
    pub is_chosen: bool,
}

/// The links; `label` says what is chosen. Nothing where there is nothing to choose.
pub fn switch(label: &str, choices: &[Choice]) -> Markup {
    if choices.len() < 2 && choices.iter().all(|choice| choice.is_chosen) {
        return html! {};
    }
    let (shown, rest) = choices.split_at(choices.len().min(SHOWN_MAX));
    html! {
        nav.switch aria-label=(label) {
            span.muted aria-hidden="true" { (label) }
            ul {
                @for choice in shown { (item(choice)) }
                @if !rest.is_empty() {
                    li {
                        details open[rest.iter().any(|choice| choice.is_chosen)] {
                            summary { (rest.len()) " more" }
                            ul { @for choice in rest { (item(choice)) } }
                        }
                    }
                }
            }
        }
    }
}

fn item(choice: &Choice) -> Markup {
    html! {
        li {
            a href=(choice.link) aria-current=[choice.is_chosen.then_some("page")] {
                bdi { (text::start(&choice.label, 60)) }
                @if let Some(count) = choice.count { " " span.count { (text::grouped(count)) } }
            }
        }
    }
}

/// The switch between systems at `path`, each with a count, the one named `chosen` marked.
pub fn systems<'a>(path: &str, chosen: &str, counts: impl IntoIterator<Item = (&'a str, i64)>) -> Markup {
    let choice = |(name, count): (&str, i64)| Choice {
        label: system_label(name).to_owned(),
        count: Some(count),
        link: links::link(path, [("system_name", system_value(name))]),
        is_chosen: name == chosen,
    };
    switch("System", &counts.into_iter().map(choice).collect::<Vec<_>>())
}

/// How a page calls a system.
pub fn system_label(name: &str) -> &str {
    if name.is_empty() { "without a system" } else { name }
}

/// How an address calls a system.
pub fn system_value(name: &str) -> &str {
    if name.is_empty() { NO_SYSTEM } else { name }
}

/// The conditions that choose the records of a build.
pub fn build_conditions<'a>(system_name: &'a str, build: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("system_name", system_value(system_name)), ("build", build)]
}
