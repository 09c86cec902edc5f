// SPDX-License-Identifier: Apache-2.0
//! Machine check exceptions by week, build, status and machine: `/mce`.

mod charts;
mod machines;

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::machine_checks::MachineChecks;
use crate::ops::{App, machine_checks};
use crate::store::MACHINE_CHECK_CLASSES;
use crate::views::parts::heading;
use crate::views::switch::{Choice, switch};
use crate::views::{Asked, Page, View, links, records, text};
use maud::{Markup, html};

/// The view.
pub const VIEW: View = View {
    path: "/mce",
    title: "MCE",
    help: "Machine check exceptions by week, build, status and machine",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&machine_checks::load(app, asked.query)?))
}

/// The page.
pub fn render(data: &MachineChecks) -> Page {
    let about = html! {
        (text::counted(data.reports.all, "report", "reports")) " of "
        (text::counted(data.machines_total, "machine", "machines"))
        " captured in " (data.year) " (" (data.from_date) " to " (data.to_date) ")"
    };
    let markup = html! {
        (heading("Machine check exceptions", about, ""))
        (switch("Year", &years(data)))
        @if data.reports.all == 0 {
            (empty(data))
        } @else {
            (charts::weeks(data))
            div.charts { (charts::classes(data)) (charts::statuses(data)) }
            (charts::builds(data))
            (machines::render(data))
        }
    };
    Page::ok("MCE", markup)
}

fn years(data: &MachineChecks) -> Vec<Choice> {
    let choice = |year: i32| Choice {
        label: year.to_string(),
        count: None,
        link: links::link(VIEW.path, [("year", year.to_string().as_str())]),
        is_chosen: year == data.year,
    };
    // A year that was asked for by its address is offered also where it has none.
    let asked = Some(data.year).filter(|year| !data.years.contains(year));
    data.years.iter().copied().chain(asked).map(choice).collect()
}

fn empty(data: &MachineChecks) -> Markup {
    html! {
        section.panel.empty {
            h2 { "No machine checks in " (data.year) }
            p {
                "Machines report here what their processors and memory find wrong: records of "
                code { "org.clearlinux/mce/" } " and " code { "corrected" } ", " code { "SRAO" } ", "
                code { "SRAR" } " or " code { "UCNA" } "."
            }
        }
    }
}

/// The classification of a class.
fn classification_of(class: &str) -> String {
    format!("org.clearlinux/mce/{class}")
}

/// The records captured from one day to another under more conditions.
fn records_between(from_date: &str, to_date: &str, conditions: &[(&str, &str)]) -> String {
    let between = [("captured_from", from_date), ("captured_to", to_date)];
    records::link(conditions.iter().copied().chain(between))
}

/// The year's reports of all classes under more conditions.
fn records_of_year(data: &MachineChecks, conditions: &[(&str, &str)]) -> String {
    // Not by their prefix: thermal events have it too, and any other class that somebody sends.
    let all = MACHINE_CHECK_CLASSES.map(classification_of).join(",");
    let conditions: Vec<_> =
        [("classification_in", all.as_str())].into_iter().chain(conditions.iter().copied()).collect();
    records_between(&data.from_date, &data.to_date, &conditions)
}
