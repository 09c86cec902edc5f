// SPDX-License-Identifier: Apache-2.0
//! What a database holds, asked of its server through the JSON API: frequent and rare values to filter and link by.
//!
//! Both databases are asked alike, and what is found has the same name in both, so that their times can be compared.

use crate::client::{Client, Coding};
use muster::views::links::link;
use serde_json::Value;

/// What the addresses of a database are made of. A list that could not be asked for is empty.
#[derive(Debug, Default)]
pub struct Facts {
    /// The newest record.
    pub newest: Value,
    /// The oldest one.
    pub oldest: Value,
    /// Classifications, most records first.
    pub classifications: Vec<String>,
    /// Platforms, most records first.
    pub host_types: Vec<String>,
    /// Systems, most records first.
    pub systems: Vec<String>,
    /// Systems and builds, most records first.
    pub builds: Vec<(String, String)>,
    /// Machine ids with machine checks, most first.
    pub machines: Vec<String>,
    /// Guilties of programs, most crashes first, as the API has them.
    pub guilties: Vec<Value>,
    /// The kernel guilty with most crashes, by number.
    pub kernel_guilty: Option<i64>,
    /// Systems and builds with crashes of programs, most first.
    pub crash_builds: Vec<(String, String)>,
    /// Systems with crashes, most first.
    pub crash_systems: Vec<String>,
    /// A machine, a system and a build that the first guilty has crashes of.
    pub guilty_place: Option<[String; 3]>,
    /// The names of the custom views.
    pub views: Vec<String>,
}

impl Facts {
    /// Asks for everything.
    pub fn ask(client: &mut Client) -> Facts {
        let newest = first_record(client, &[]);
        let stats = client.json("/api/stats?all=1");
        let crashes = client.json("/api/crashes/overall");
        let builds = builds(client);
        let mut facts = Facts {
            oldest: first_record(client, &[("from_id", "2")]),
            newest,
            classifications: texts(&stats["classifications"], "classification"),
            host_types: texts(&stats["platforms"], "host_type"),
            systems: texts(&client.json("/api/builds")["systems"], "system_name"),
            builds,
            machines: texts(&client.json("/api/mce?machines=all")["machines"], "machine_id"),
            guilties: list(&crashes["guilties"]),
            crash_builds: pairs_by(&crashes["all_builds"], "crashes"),
            crash_systems: texts(&crashes["systems"], "system_name"),
            kernel_guilty: client.json("/api/crashes/overall?kind=kernel")["guilties"][0]["id"].as_i64(),
            ..Facts::default()
        };
        facts.guilty_place = facts.top_guilty().and_then(|id| guilty_place(client, id));
        facts.views = views(client);
        facts
    }

    /// The guilty with most crashes, by number.
    pub fn top_guilty(&self) -> Option<i64> {
        self.guilties.first().and_then(|guilty| guilty["id"].as_i64())
    }

    /// The guilty with most crashes, as an entry of the blacklist.
    pub fn top_entry(&self) -> Option<String> {
        let guilty = self.guilties.first()?;
        let function = muster::guilty::function_name(guilty["function"].as_str()?);
        Some(format!("{function} [{}]", guilty["module"].as_str()?))
    }

    /// The newest record's number.
    pub fn newest_id(&self) -> i64 {
        self.newest["id"].as_i64().unwrap_or(0)
    }
}

/// The newest record that a filter chooses; null where there is none.
pub fn first_record(client: &mut Client, filter: &[(&str, &str)]) -> Value {
    let pairs = filter.iter().copied().chain([("limit", "1")]);
    let answer = client.json(&link("/api/records", pairs));
    answer["records"].get(0).cloned().unwrap_or_default()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn texts(values: &Value, name: &str) -> Vec<String> {
    list(values).iter().filter_map(|value| Some(value[name].as_str()?.to_owned())).collect()
}

/// Systems and builds of a list, those with most of `count` first.
fn pairs_by(values: &Value, count: &str) -> Vec<(String, String)> {
    let mut rows = list(values);
    rows.sort_by_key(|row| -row[count].as_i64().unwrap_or(0));
    let pair =
        |row: &Value| Some((row["system_name"].as_str()?.to_owned(), row["build"].as_str()?.to_owned()));
    rows.iter().filter_map(pair).filter(|(system, build)| !system.is_empty() && !build.is_empty()).collect()
}

fn builds(client: &mut Client) -> Vec<(String, String)> {
    let systems = texts(&client.json("/api/builds")["systems"], "system_name");
    let mut all = Vec::new();
    for system in systems.iter().filter(|system| !system.is_empty()) {
        let answer = client.json(&link("/api/builds", [("system_name", system.as_str())]));
        all.extend(list(&answer["builds"]));
    }
    pairs_by(&Value::Array(all), "records")
}

fn guilty_place(client: &mut Client, id: i64) -> Option<[String; 3]> {
    let details = client.json(&format!("/api/crashes/guilty_details/{id}"));
    let build = list(&details["by_build"]).into_iter().max_by_key(|build| build["crashes"].as_i64())?;
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    Some([
        text(&build["top_machines"][0]["machine_id"])?,
        text(&build["system_name"])?,
        text(&build["build"])?,
    ])
}

/// The custom views that the navigation links.
fn views(client: &mut Client) -> Vec<String> {
    let Ok(page) = client.get("/records", Coding::Plain) else { return Vec::new() };
    let text = page.text();
    let mut names: Vec<String> = text
        .split("href=\"/views/")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}
