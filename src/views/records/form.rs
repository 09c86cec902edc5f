// SPDX-License-Identifier: Apache-2.0
//! The filter of the records list: its form, and the conditions in force as chips that can be removed.

use crate::model::record::Severity;
use crate::store::RecordChoices;
use crate::views::parts::{Tone, error_id, field, input, notice, select};
use crate::views::records::{Data, VIEW};
use crate::views::{links, text};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Classifications and builds that the form offers, the most frequent; any other can be had by its address.
const CHOICES_MAX: usize = 500;

/// How a field is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// One of the classifications stored, or all of a domain or probe.
    Classification,
    /// One of four.
    Severity,
    /// One of the systems stored.
    System,
    /// Any text; the builds stored are suggested.
    Build,
    /// Internal or external.
    Source,
    /// Any text.
    Text,
    /// A regular expression.
    Pattern,
    /// A day.
    Date,
    /// A number from 0 on.
    Count,
}

/// A field of the form.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The parameter.
    pub name: &'static str,
    /// What the form and the chips call it.
    pub label: &'static str,
    /// How it is entered.
    pub control: Control,
    /// True for a field that is always shown; the others stand under "More filters".
    pub is_always_shown: bool,
}

const fn field_of(name: &'static str, label: &'static str, control: Control, is_always_shown: bool) -> Field {
    Field { name, label, control, is_always_shown }
}

/// The fields of the form in their order: one for each parameter of the filter.
pub const FIELDS: [Field; 17] = [
    field_of("classification", "Classification", Control::Classification, true),
    field_of("severity", "Severity", Control::Severity, true),
    field_of("system_name", "OS", Control::System, true),
    field_of("build", "Build", Control::Build, true),
    field_of("machine_id", "Machine id", Control::Text, true),
    field_of("classification_in", "Any of the classifications", Control::Text, false),
    field_of("payload", "Payload matches", Control::Pattern, false),
    field_of("not_payload", "Payload does not match", Control::Pattern, false),
    field_of("event_id", "Event id", Control::Text, false),
    field_of("data_source", "Source", Control::Source, false),
    field_of("host_type", "Platform", Control::Text, false),
    field_of("from_date", "Received from", Control::Date, false),
    field_of("to_date", "Received to", Control::Date, false),
    field_of("captured_from", "Captured from", Control::Date, false),
    field_of("captured_to", "Captured to", Control::Date, false),
    field_of("created_in_days", "In the past … days", Control::Count, false),
    field_of("created_in_sec", "In the past … seconds", Control::Count, false),
];

/// The form, and above the rows the conditions in force.
pub fn render(data: &Data) -> Markup {
    let is_error_elsewhere =
        data.error.as_ref().filter(|error| FIELDS.iter().all(|field| field.name != error.parameter));
    let is_used = |field: &Field| data.asked.first(field.name).is_some() || error_of(data, field).is_some();
    let n_more_used = FIELDS.iter().filter(|field| !field.is_always_shown && is_used(field)).count();
    html! {
        @if let Some(error) = is_error_elsewhere {
            (notice(Tone::Error, text::visible(&error.message)))
        }
        form.filter action=(VIEW.path) method="get" role="search" aria-label="Filter the records" {
            div.fields {
                @for field in FIELDS.iter().filter(|field| field.is_always_shown) { (render_field(data, field)) }
                button.primary type="submit" { "Filter" }
            }
            details open[n_more_used > 0] {
                summary { "More filters" @if n_more_used > 0 { " (" (n_more_used) " in use)" } }
                div.fields {
                    @for field in FIELDS.iter().filter(|field| !field.is_always_shown) { (render_field(data, field)) }
                }
            }
        }
        (chips(data))
    }
}

fn error_of<'a>(data: &'a Data, field: &Field) -> Option<&'a str> {
    data.error.as_ref().filter(|error| error.parameter == field.name).map(|error| error.message.as_str())
}

fn render_field(data: &Data, asked: &Field) -> Markup {
    let error = error_of(data, asked);
    let value = data.asked.first(asked.name).unwrap_or("");
    let name = asked.name;
    let control = match asked.control {
        Control::Classification => classification(value, &data.choices, error),
        Control::Severity => select(name, value, &severities(), error),
        Control::System => select(name, value, &systems(&data.choices), error),
        Control::Build => build(value, &data.choices, error),
        Control::Source => select(name, value, &sources(&data.choices), error),
        // A browser drops from a date or number field what is none, and with it what was wrong.
        Control::Date if error.is_none() => input(name, "date", value, error),
        Control::Count if error.is_none() => input(name, "number", value, error),
        Control::Text | Control::Pattern | Control::Date | Control::Count => {
            input(name, "text", value, error)
        }
    };
    field(name, asked.label, error, control)
}

fn choice(value: impl Into<String>, text: impl Into<String>) -> (String, String) {
    (value.into(), text.into())
}

fn severities() -> Vec<(String, String)> {
    let word = |severity: Severity| choice(severity.number().to_string(), severity.word());
    [choice("", "any")].into_iter().chain(Severity::ALL.map(word)).collect()
}

fn systems(choices: &RecordChoices) -> Vec<(String, String)> {
    let system = |(name, count): &(String, i64)| {
        choice(name, format!("{} ({})", text::start(name, 40), text::grouped(*count)))
    };
    [choice("", "any")].into_iter().chain(choices.systems.iter().map(system)).collect()
}

fn sources(choices: &RecordChoices) -> Vec<(String, String)> {
    let external = format!("external ({})", text::grouped(choices.external));
    vec![choice("", "any"), choice("internal", "internal"), choice("external", external)]
}

/// A free field that suggests the builds stored, newest first.
fn build(value: &str, choices: &RecordChoices, error: Option<&str>) -> Markup {
    html! {
        input #build name="build" type="text" value=(value) list="builds" autocomplete="off" spellcheck="false"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id("build"))];
        datalist #builds {
            @for (system, build, count) in choices.builds.iter().take(CHOICES_MAX) {
                option value=(build) { (text::visible(system)) " · " (text::grouped(*count)) }
            }
        }
    }
}

/// The choices of a domain: each probe with its classifications and their counts.
type Probes<'a> = BTreeMap<&'a str, Vec<(&'a str, i64)>>;

/// The classifications stored, by domain and probe; each domain and each probe can be chosen whole.
fn classification(value: &str, choices: &RecordChoices, error: Option<&str>) -> Markup {
    let mut stored: Vec<_> =
        choices.classifications.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    stored.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    stored.truncate(CHOICES_MAX);
    stored.sort_unstable();
    let mut domains: BTreeMap<&str, Probes> = BTreeMap::new();
    for (name, count) in stored {
        let mut parts = name.splitn(3, '/');
        let (domain, probe) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        domains.entry(domain).or_default().entry(probe).or_default().push((name, count));
    }
    let is_offered =
        value.is_empty() || domains.iter().any(|(domain, probes)| is_among(value, domain, probes));
    html! {
        select #classification name="classification"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id("classification"))] {
            option value="" { "any" }
            @if !is_offered { option value=(value) selected { (text::start(value, 60)) } }
            @for (domain, probes) in &domains {
                optgroup label=(text::visible(domain)) { (domain_options(value, domain, probes)) }
            }
        }
    }
}

fn is_among(value: &str, domain: &str, probes: &Probes) -> bool {
    let Some(rest) = value.strip_prefix(domain).and_then(|rest| rest.strip_prefix('/')) else { return false };
    let is_probe = |probe: &str| rest.strip_suffix("/*").is_some_and(|asked| asked == probe);
    rest == "*" || probes.iter().any(|(probe, all)| is_probe(probe) || all.iter().any(|(n, _)| *n == value))
}

fn domain_options(value: &str, domain: &str, probes: &Probes) -> Markup {
    let sum = |all: &[(&str, i64)]| all.iter().map(|(_, count)| count).sum::<i64>();
    let option = |choice: &str, label: &str, count: i64| {
        html! {
            option value=(choice) selected[choice == value] {
                (text::visible(label)) " (" (text::grouped(count)) ")"
            }
        }
    };
    html! {
        (option(&format!("{domain}/*"), &format!("all of {domain}"), probes.values().map(|all| sum(all)).sum()))
        @for (probe, all) in probes {
            (option(&format!("{domain}/{probe}/*"), &format!("{probe}/*"), sum(all)))
            @for (name, count) in all {
                (option(name, name.strip_prefix(domain).unwrap_or(name).trim_start_matches('/'), *count))
            }
        }
    }
}

/// The conditions in force, each with a link that drops it alone.
fn chips(data: &Data) -> Markup {
    let in_force = |field: &'static Field| Some((field, data.asked.first(field.name)?));
    let chips: Vec<_> = FIELDS.iter().filter_map(in_force).collect();
    let without = |dropped: &str| {
        let kept = data.asked.0.iter().filter(|(name, _)| name != dropped);
        links::link(VIEW.path, kept.map(|(name, value)| (name.as_str(), value.as_str())))
    };
    html! {
        @if !chips.is_empty() {
            ul.chips aria-label="Conditions in force" {
                @for (field, value) in &chips {
                    li {
                        span.muted { (field.label) } " " bdi { (chip_text(field, value)) }
                        a href=(without(field.name)) title="Remove this condition" {
                            span.unseen { "Remove the condition on " (field.label) }
                            span aria-hidden="true" { "×" }
                        }
                    }
                }
                @if chips.len() > 1 { li.plain { a href=(VIEW.path) { "Clear all" } } }
            }
        }
    }
}

fn chip_text(field: &Field, value: &str) -> String {
    let severity = value.parse().ok().and_then(Severity::from_number);
    match severity.filter(|_| field.control == Control::Severity) {
        Some(severity) => severity.word().to_owned(),
        None => text::start(value, 60).into_owned(),
    }
}
