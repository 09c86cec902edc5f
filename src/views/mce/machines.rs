// SPDX-License-Identifier: Apache-2.0
//! The machines with most machine checks, each with a bar of its builds.

use crate::model::build::BuildName;
use crate::model::version::by_version;
use crate::ops::machine_checks::{BuildReports, MACHINES, MachineChecks, MachineReports};
use crate::views::chart::{COLOURS, OTHER, Part, legend, strip};
use crate::views::mce::{VIEW, records_of_year};
use crate::views::switch::{Choice, build_conditions, switch};
use crate::views::{links, text};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Builds of a machine that are named; the rest is counted.
const BUILDS_NAMED: usize = 3;

/// The table with its switch.
pub fn render(data: &MachineChecks) -> Markup {
    let most = data.machines.iter().map(|machine| machine.reports).max().unwrap_or(0);
    let colours = Colours::new(&data.machines);
    let (coloured, has_others) = (colours.names(), colours.has_others);
    html! {
        section.listed #machines {
            h2 { "Machines by number of reports" }
            (switch("Machines", &choices(data)))
            (legend(coloured.iter().map(String::as_str).chain(has_others.then_some(OTHER))))
            div.sheet tabindex="0" role="group" aria-label="Machines by number of reports" {
                table.machines {
                    thead {
                        tr {
                            th.number scope="col" { "Rank" }
                            th scope="col" { "Machine" }
                            th.number scope="col" { "Reports" }
                            th scope="col" { "Builds" }
                            th.fill scope="col" {}
                        }
                    }
                    tbody {
                        @for (index, machine) in data.machines.iter().enumerate() {
                            (row(data, &colours, (machine, data.machines_from + index + 1), most))
                        }
                    }
                }
            }
            (pager(data))
        }
    }
}

/// The address of this page with other machines.
fn address(data: &MachineChecks, machines: &str, from: Option<usize>) -> String {
    let (year, from) = (data.year.to_string(), from.map(|from| from.to_string()));
    let pairs = [("year", year.as_str()), ("machines", machines)];
    let from = from.as_deref().map(|from| ("from", from));
    links::link(VIEW.path, pairs.into_iter().chain(from)) + "#machines"
}

fn choices(data: &MachineChecks) -> Vec<Choice> {
    let choice = |(index, machines): (usize, &&str)| Choice {
        label: match machines.parse::<u32>() {
            Ok(count) => format!("Top {count}"),
            Err(_) => "All".to_owned(),
        },
        count: None,
        link: address(data, machines, None),
        is_chosen: index == data.machines_choice && data.machines_from == 0,
    };
    MACHINES.iter().enumerate().map(choice).collect()
}

fn row(
    data: &MachineChecks,
    colours: &Colours,
    (machine, rank): (&MachineReports, usize),
    most: i64,
) -> Markup {
    let machine_id = text::start(&machine.machine_id, 40);
    let link = records_of_year(data, &[("machine_id", &machine.machine_id)]);
    html! {
        tr {
            td.number { (rank) }
            th scope="row" { code title=(machine_id) { bdi { (machine_id) } } }
            td.number { a href=(link) { (text::grouped(machine.reports)) } }
            td.builds { (builds(data, machine)) }
            td.fill { (strip(&parts(data, colours, machine), most as f64)) }
        }
    }
}

fn build_link(data: &MachineChecks, machine: &MachineReports, build: &BuildReports) -> String {
    let mut conditions = vec![("machine_id", machine.machine_id.as_str())];
    conditions.extend(build_conditions(&build.name.system_name, &build.name.build));
    records_of_year(data, &conditions)
}

/// The builds with most reports, in words.
fn builds(data: &MachineChecks, machine: &MachineReports) -> Markup {
    let mut builds: Vec<&BuildReports> = machine.builds.iter().collect();
    builds.sort_by_key(|build| std::cmp::Reverse(build.reports));
    let n_rest = builds.len().saturating_sub(BUILDS_NAMED);
    html! {
        @for (index, build) in builds.iter().take(BUILDS_NAMED).enumerate() {
            @if index > 0 { ", " }
            a href=(build_link(data, machine, build)) { bdi { (text::start(&build.name.build, 40)) } }
            " " span.muted { "× " (text::grouped(build.reports)) }
        }
        @if n_rest > 0 { span.muted { ", " (n_rest) " more" } }
    }
}

/// A part for each build, those with a colour of their own first.
fn parts(data: &MachineChecks, colours: &Colours, machine: &MachineReports) -> Vec<Part> {
    let part = |build: &BuildReports| Part {
        name: full_name(&build.name),
        value: build.reports as f64,
        link: Some(build_link(data, machine, build)),
        colour: colours.of(&build.name),
    };
    let mut parts: Vec<Part> = machine.builds.iter().map(part).collect();
    parts.sort_by_key(|part| part.colour);
    parts
}

fn full_name(name: &BuildName) -> String {
    format!("{} {}", name.system_name, name.build).trim().to_owned()
}

/// Which builds have a colour of their own, the same in every row: those with most reports of the machines
/// listed.
struct Colours<'a> {
    builds: Vec<&'a BuildName>,
    has_others: bool,
}

impl Colours<'_> {
    fn new(machines: &[MachineReports]) -> Colours<'_> {
        let mut sums: BTreeMap<&BuildName, i64> = BTreeMap::new();
        for build in machines.iter().flat_map(|machine| &machine.builds) {
            *sums.entry(&build.name).or_default() += build.reports;
        }
        let mut builds: Vec<&BuildName> = sums.keys().copied().collect();
        builds.sort_by_key(|build| std::cmp::Reverse(sums[build]));
        let has_others = builds.len() > COLOURS;
        builds.truncate(COLOURS);
        builds.sort_by(|a, b| a.system_name.cmp(&b.system_name).then_with(|| by_version(&a.build, &b.build)));
        Colours { builds, has_others }
    }

    fn of(&self, build: &BuildName) -> usize {
        self.builds.iter().position(|coloured| *coloured == build).unwrap_or(COLOURS)
    }

    /// The builds in the order of their colours; without their systems where all are of one.
    fn names(&self) -> Vec<String> {
        let is_one_system = self.builds.windows(2).all(|pair| pair[0].system_name == pair[1].system_name);
        let name = |build: &&BuildName| if is_one_system { build.build.clone() } else { full_name(build) };
        self.builds.iter().map(name).collect()
    }
}

fn pager(data: &MachineChecks) -> Markup {
    html! {
        @if let Some(next_from) = data.machines_next_from {
            div.pager { a.button href=(address(data, "all", Some(next_from))) { "Next machines" } }
        } @else if data.machines_from > 0 {
            div.pager { a.button href=(address(data, "all", None)) { "Back to the first" } }
        }
    }
}
