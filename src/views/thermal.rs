// SPDX-License-Identifier: Apache-2.0
//! Thermal events by week: `/thermal`.

use crate::error::Result;
use crate::model::account::Need;
use crate::ops::thermal::{CLASSIFICATION, Thermal, WEEKS, WeekReports, YEARS};
use crate::ops::{App, thermal};
use crate::views::chart::{self, Category, Data, Mark, Series, Shape};
use crate::views::parts::heading;
use crate::views::switch::{Choice, switch};
use crate::views::{Asked, Page, View, links, records, text};
use maud::html;

/// The view.
pub const VIEW: View = View {
    path: "/thermal",
    title: "Thermal",
    help: "Thermal events by week",
    in_navigation: true,
    need: Need::ReadRecords,
    get,
};

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&thermal::load(app, asked.query)?))
}

/// The page.
pub fn render(data: &Thermal) -> Page {
    let (Some(first), Some(last)) = (data.weeks.first(), data.weeks.last()) else {
        return Page::ok("Thermal", heading("Thermal", "", ""));
    };
    let about = html! {
        (text::counted(data.reports, "report", "reports"))
        " captured from " (first.from_date) " to " (last.to_date)
    };
    let markup = html! {
        (heading("Thermal", about, ""))
        div.switches {
            (switch("Weeks", &weeks(data)))
            (switch("Year", &years(data)))
        }
        @if data.reports == 0 {
            section.panel.empty {
                h2 { "No thermal events" }
                p {
                    "No record of " code { (CLASSIFICATION) } " was captured in these weeks. "
                    "Machines report when a processor grows so hot that it is slowed down."
                }
            }
        } @else {
            (chart::figure("weeks", Shape::Columns, &chart(data)))
        }
    };
    Page::ok("Thermal", markup)
}

fn address(data: &Thermal, weeks: &str, year: i32) -> String {
    let year = Some(year).filter(|year| *year != data.current_year).map(|year| year.to_string());
    let year = year.as_deref().map(|year| ("year", year));
    links::link(VIEW.path, [("weeks", weeks)].into_iter().chain(year))
}

fn weeks(data: &Thermal) -> Vec<Choice> {
    let shown = data.weeks.len().to_string();
    let choice = |weeks: &&str| Choice {
        label: (*weeks).to_owned(),
        count: None,
        link: address(data, weeks, data.year),
        is_chosen: shown == *weeks,
    };
    WEEKS.iter().map(choice).collect()
}

/// The year before, this one, the next.
fn years(data: &Thermal) -> Vec<Choice> {
    let shown = data.weeks.len().to_string();
    let first = data.year.saturating_sub(1).max(*YEARS.start());
    let last = data.year.saturating_add(1).min(data.current_year);
    let choice = |year: i32| Choice {
        label: year.to_string(),
        count: None,
        link: address(data, &shown, year),
        is_chosen: year == data.year,
    };
    (first..=last).rev().map(choice).collect()
}

fn chart(data: &Thermal) -> Data {
    let category = |week: &WeekReports| Category {
        label: format!("W{:02}", week.week),
        title: format!("{} W{:02} ({} to {})", week.year, week.week, week.from_date, week.to_date),
    };
    let mark = |week: &WeekReports| {
        let link = records::link([
            ("classification", CLASSIFICATION),
            ("captured_from", week.from_date.as_str()),
            ("captured_to", week.to_date.as_str()),
        ]);
        Mark::count(week.reports, link)
    };
    Data {
        title: "Thermal events per week".to_owned(),
        about: "By the time at which the machine captured them, in ISO weeks from Monday to Sunday."
            .to_owned(),
        category_noun: "Week".to_owned(),
        unit: "reports".to_owned(),
        categories: data.weeks.iter().map(category).collect(),
        series: vec![Series { name: "Reports".to_owned(), marks: data.weeks.iter().map(mark).collect() }],
    }
}
