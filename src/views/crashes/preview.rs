// SPDX-License-Identifier: Apache-2.0
//! What a change of the blacklist would do, and the form that does it: `/crashes/blacklist/preview`.

use super::{BLACKLIST, PREVIEW, entry, guilty_or_none, only_local};
use crate::error::Result;
use crate::guilty::Entry;
use crate::model::account::Need;
use crate::model::pairs::Pairs;
use crate::ops::App;
use crate::ops::blacklist::{self, BadEntry, Preview};
use crate::store::{BlacklistChange, GuiltyMove};
use crate::views::parts::{Tone, error_id, field, heading, notice};
use crate::views::{Asked, Page, Viewer, text};
use maud::{Markup, html};

/// Entries of a list that are shown; a switch of the whole list has more.
const ENTRIES_MAX: usize = 500;

/// Shows what a change would do; an entry that breaks its rule is asked for again.
pub fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(match blacklist::read_change(asked.query)? {
        Ok(change) => render(&blacklist::preview(app, change)?, asked.viewer),
        Err(bad) => refused(asked.query, &bad),
    })
}

/// The page that shows a change.
pub fn render(preview: &Preview, viewer: &Viewer) -> Page {
    let back = html! { a.button href=(BLACKLIST.path) { "Back to the list" } };
    let markup = html! {
        (heading("Preview of the blacklist", "Nothing is changed yet.", back))
        (notes(preview))
        @if preview.is_change {
            section.panel {
                h2 { "What would change" }
                (summary(preview))
                (entries("would be never guilty", &preview.added))
                (entries("could be guilty again", &preview.removed))
                @if viewer.may(Need::ChangeRecords) { (apply_form(preview, viewer)) } @else { (only_local()) }
            }
            (moves(preview))
        } @else {
            section.panel.empty {
                h2 { "Nothing would change" }
                p { "The list is so already. " a href=(BLACKLIST.path) { "Back to it" } }
            }
        }
    };
    Page::ok("Preview of the blacklist", markup)
}

/// What was asked for and has no effect.
fn notes(preview: &Preview) -> Markup {
    html! {
        @if !preview.unknown.is_empty() {
            (notice(Tone::Warning, html! {
                "Not in the list, so not to be removed: " (joined(&preview.unknown))
            }))
        }
        @if !preview.held.is_empty() {
            (notice(Tone::Info, html! { "In the list already: " (joined(&preview.held)) }))
        }
    }
}

fn joined(entries: &[Entry]) -> Markup {
    html! { @for (index, one) in entries.iter().enumerate() { @if index > 0 { ", " } (entry(one)) } }
}

fn summary(preview: &Preview) -> Markup {
    let change = &preview.change;
    html! {
        @if change.is_reset {
            p { strong { "The list is reset." } " Everything that was added here goes, everything shipped is on." }
        }
        @if let Some(is_on) = change.set_default_on {
            p { "The whole shipped list is switched " (if is_on { "on" } else { "off" }) "." }
        }
        p {
            strong { (text::counted(preview.crashes, "stored crash", "stored crashes")) }
            " would move to another guilty."
        }
    }
}

fn entries(what: &str, entries: &[Entry]) -> Markup {
    let left_out = entries.len().saturating_sub(ENTRIES_MAX);
    html! {
        @if !entries.is_empty() {
            details open[entries.len() <= 20] {
                summary { (text::counted(entries.len() as i64, "entry", "entries")) " " (what) }
                ul.entries {
                    @for one in entries.iter().take(ENTRIES_MAX) { li { (entry(one)) } }
                }
                @if left_out > 0 { p.muted { (left_out) " more are left out here." } }
            }
        }
    }
}

/// The form that applies exactly what is shown.
fn apply_form(preview: &Preview, viewer: &Viewer) -> Markup {
    let change = &preview.change;
    html! {
        form method="post" action=(BLACKLIST.path) {
            input type="hidden" name="csrf_token" value=(viewer.csrf_token);
            (hidden_fields(change))
            div.actions {
                @if change.is_reset {
                    button.danger type="submit" { "Reset the blacklist" }
                } @else {
                    button.primary type="submit" { "Apply to all crashes" }
                }
                a.button href=(BLACKLIST.path) { "Cancel" }
            }
        }
    }
}

fn hidden_fields(change: &BlacklistChange) -> Markup {
    html! {
        @if change.is_reset { input type="hidden" name="reset" value="1"; }
        @if let Some(is_on) = change.set_default_on {
            input type="hidden" name="defaults" value=(if is_on { "on" } else { "off" });
        }
        @for entry in &change.remove { input type="hidden" name="remove" value=(entry); }
        @for entry in &change.add { input type="hidden" name="add" value=(entry); }
    }
}

fn moves(preview: &Preview) -> Markup {
    let left_out = preview.moves_count.saturating_sub(preview.moves.len());
    html! {
        @if !preview.moves.is_empty() {
            div.sheet tabindex="0" {
                table.moves {
                    caption.unseen { "Crashes that would move, most first" }
                    thead {
                        tr {
                            th.number scope="col" { "Crashes" }
                            th scope="col" { "From" }
                            th scope="col" { "To" }
                        }
                    }
                    tbody { @for step in &preview.moves { (self::step(step)) } }
                }
            }
        }
        @if left_out > 0 {
            p.muted { (left_out) " smaller moves are left out here; they are in the total." }
        }
    }
}

fn step(step: &GuiltyMove) -> Markup {
    html! {
        tr {
            td.number { (text::grouped(step.crashes)) }
            td { (guilty_or_none(step.from.as_ref())) }
            td { span.unseen { "to " } (guilty_or_none(step.to.as_ref())) }
        }
    }
}

/// The page that asks again for an entry that breaks its rule; what else was asked for is kept.
pub fn refused(asked: &Pairs, bad: &BadEntry) -> Page {
    let error = Some(bad.message.as_str());
    let mut is_found = false;
    let mut is_bad = |name: &str, value: &str| {
        let is_it = !is_found && name == bad.parameter && value == bad.text;
        is_found |= is_it;
        is_it
    };
    let kept: Vec<_> =
        asked.0.iter().filter(|(name, value)| name != "csrf_token" && !is_bad(name, value)).collect();
    let markup = html! {
        (heading("Preview of the blacklist", "Nothing was changed.",
            html! { a.button href=(BLACKLIST.path) { "Back to the list" } }))
        section.panel {
            h2 { "This cannot be an entry" }
            form.row method="get" action=(PREVIEW.path) {
                @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
                (field("entry", "function [module]", error, html! {
                    input #entry name=(bad.parameter) type="text" value=(text::visible(&bad.text)) autocomplete="off"
                        spellcheck="false" aria-invalid="true" aria-describedby=(error_id("entry"));
                }))
                button.primary type="submit" { "Preview" }
            }
        }
    };
    Page { status: 400, ..Page::ok("Preview of the blacklist", markup) }
}
