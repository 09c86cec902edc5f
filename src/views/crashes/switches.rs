// SPDX-License-Identifier: Apache-2.0
//! The ways from one list of guilties to another: time, kind, system, build. All are links or a plain form.

use super::{OVERALL, VIEW, build_path, build_url};
use crate::model::build::BuildName;
use crate::model::crash::CrashKind;
use crate::ops::crashes::{BuildCrashes, Crashes, DAYS, DAYS_USUAL};
use crate::views::switch::{Choice, switch, system_label, system_value};
use crate::views::{links, text};
use maud::{Markup, html};

/// Characters of a build in the heading of a column.
pub const BUILD_CHARS_MAX: usize = 12;
/// Characters of a system there.
const SYSTEM_CHARS_MAX: usize = 10;
/// Characters of a system or a build in the form.
const OPTION_CHARS_MAX: usize = 40;

/// The address of a list of guilties.
#[derive(Clone)]
struct Target<'a> {
    build: Option<BuildName>,
    days: Option<i64>,
    kind: CrashKind,
    system_name: Option<&'a str>,
    skip: Option<usize>,
}

impl<'a> Target<'a> {
    fn of(data: &'a Crashes) -> Target<'a> {
        let build = data.build_name();
        let system_name = data.system_name.as_deref().filter(|_| build.is_none());
        Target { build, days: data.days, kind: data.kind, system_name, skip: None }
    }

    fn url(&self) -> String {
        let path = match (&self.build, self.days) {
            (Some(build), _) => format!("/crashes/build/{}", build_path(build)),
            (None, Some(_)) => VIEW.path.to_owned(),
            (None, None) => OVERALL.path.to_owned(),
        };
        let days = self.days.filter(|days| *days != DAYS_USUAL).map(|days| days.to_string());
        let skip = self.skip.map(|skip| skip.to_string());
        let pairs = [
            ("days", days.as_deref()),
            ("kind", Some(self.kind.word()).filter(|_| self.kind != CrashKind::Program)),
            ("system_name", self.system_name.map(system_value)),
            ("skip", skip.as_deref()),
        ];
        links::link(&path, pairs.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }
}

/// The address of this list from another row on.
pub fn page_url(data: &Crashes, skip: Option<usize>) -> String {
    Target { skip, ..Target::of(data) }.url()
}

/// All switches of a list.
pub fn render(data: &Crashes) -> Markup {
    let here = Target::of(data);
    html! {
        div.switches {
            (switch("Time", &times(data, &here)))
            (switch("Of", &CrashKind::ALL.map(|kind| Choice {
                label: kind_text(kind).to_owned(),
                count: None,
                link: Target { kind, ..here.clone() }.url(),
                is_chosen: kind == data.kind,
            })))
            @if data.build.is_none() { (switch("System", &systems(data, &here))) }
            @if !data.all_builds.is_empty() { (build_form(data)) }
        }
    }
}

/// What the switch calls a kind.
pub fn kind_text(kind: CrashKind) -> &'static str {
    match kind {
        CrashKind::Program => "programs",
        CrashKind::Kernel => "the kernel",
    }
}

/// The days and all time. From the page of a build they lead to all builds.
fn times(data: &Crashes, here: &Target<'_>) -> Vec<Choice> {
    let of_days = |word: &&str| {
        let days = word.parse().unwrap_or(DAYS_USUAL);
        let text = if days == 1 { "today".to_owned() } else { format!("{word} days") };
        (text, Some(days))
    };
    let choice = |(label, days): (String, Option<i64>)| Choice {
        label,
        count: None,
        link: Target { build: None, days, ..here.clone() }.url(),
        is_chosen: data.build.is_none() && days == data.days,
    };
    DAYS.iter().map(of_days).chain([("overall".to_owned(), None)]).map(choice).collect()
}

/// All systems, then each.
fn systems(data: &Crashes, here: &Target<'_>) -> Vec<Choice> {
    let asked = data.system_name.as_deref();
    let choice = |system_name: Option<&str>, crashes: i64| Choice {
        label: system_name.map_or("all", system_label).to_owned(),
        count: Some(crashes),
        link: Target { system_name, ..here.clone() }.url(),
        is_chosen: system_name == asked,
    };
    let total = data.systems.iter().map(|system| system.crashes).sum();
    let each = data.systems.iter().map(|system| choice(Some(&system.system_name), system.crashes));
    [choice(None, total)].into_iter().chain(each).collect()
}

/// A form that leads to the guilties of a build: builds are too many for links.
fn build_form(data: &Crashes) -> Markup {
    let present = data.build_name();
    html! {
        form.switch method="get" action="/crashes/build" {
            label.muted for="of" { "Build" }
            select #of name="of" {
                @if present.is_none() { option value="" selected { "all" } }
                @for system in by_system(&data.all_builds) {
                    optgroup label=(text::start(system_label(&system[0].build.system_name), OPTION_CHARS_MAX)) {
                        @for of in system {
                            option value=(build_path(&of.build)) selected[present.as_ref() == Some(&of.build)] {
                                (text::start(&of.build.build, OPTION_CHARS_MAX)) " · " (text::grouped(of.crashes))
                            }
                        }
                    }
                }
            }
            @if data.kind != CrashKind::Program { input type="hidden" name="kind" value=(data.kind.word()); }
            button type="submit" { "Show" }
        }
    }
}

/// The builds cut where the system changes; no part is empty.
fn by_system(builds: &[BuildCrashes]) -> impl Iterator<Item = &[BuildCrashes]> {
    builds.chunk_by(|a, b| a.build.system_name == b.build.system_name)
}

/// A build as the heading of a column, linking to its guilties; with its system where there are several.
pub fn build_link(build: &BuildName, kind: CrashKind, with_system: bool) -> Markup {
    let title = format!("{} {}", system_label(&build.system_name), build.build);
    html! {
        a href=(build_url(build, kind)) title=(text::visible(&title)) {
            bdi { (text::start(&build.build, BUILD_CHARS_MAX)) }
        }
        @if with_system {
            br;
            bdi.muted { (text::start(system_label(&build.system_name), SYSTEM_CHARS_MAX)) }
        }
    }
}
