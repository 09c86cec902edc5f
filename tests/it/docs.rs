// SPDX-License-Identifier: Apache-2.0
//! The README says what the tables in the code say.

use muster::http::routes::ROUTES;
use muster::model::filter::PARAMETERS;
use muster::views::VIEWS;

const README: &str = include_str!("../../README.md");

#[test]
fn the_readme_names_every_page_and_every_route_that_people_use() {
    let routes = ROUTES.iter().filter(|route| route.method == "GET" && !route.path.starts_with("/assets"));
    for path in VIEWS.iter().map(|view| view.path).chain(routes.map(|route| route.path)) {
        // A path below a page of its own is part of that page.
        let is_part = path.starts_with("/records/") && path.matches('/').count() > 2;
        let written = path.replace("{id}", "ID");
        assert!(
            is_part || path == "/records/stream" || README.contains(&format!("`{written}`")),
            "{written}"
        );
    }
}

#[test]
fn the_readme_names_every_parameter_of_the_records() {
    for parameter in PARAMETERS.iter().chain(&["limit", "from_id"]) {
        assert!(README.contains(&format!("`{parameter}`")), "{parameter}");
    }
}

#[test]
fn the_two_commands_of_the_readme_are_what_is_run() {
    assert!(README.contains("cargo run --release -- serve") && README.contains("\ntests/run "));
    assert!(include_str!("../../.ci/run").contains("exec tests/run"));
}
