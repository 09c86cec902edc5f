// SPDX-License-Identifier: Apache-2.0
//! The addresses that are measured: every page, each with parameters that a person would click, and their JSON
//! twins.

use crate::client::Client;
use crate::facts::{Facts, first_record};
use muster::views::links::link;

/// What is expected of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It answers at once, however many records there are.
    Page,
    /// Two filters that no record passes though many pass each.
    TwoWithoutHit,
    /// A regular expression that no payload matches: every record is looked at.
    PayloadWithoutHit,
    /// Thousands of records: its time is shown, and nothing is expected of it.
    Bulk,
}

/// An address.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The page's path, or what a group of addresses of one page has in common.
    pub page: String,
    /// What its parameters are; in every database the same.
    pub name: String,
    /// Path and query.
    pub target: String,
    /// What is expected.
    pub kind: Kind,
}

/// The addresses of one database as they are added up.
struct Variants {
    list: Vec<Variant>,
}

/// A filter without a hit is looked for among so many frequent values of each field.
const FREQUENT: usize = 6;
/// A value that no record has.
const NOBODY: &str = "ffffffffffffffffffffffffffffff00";
/// No payload of a demo holds it.
const NO_PAYLOAD: (&str, &str) = ("payload", "no.such(text|words)here");

/// Makes the addresses from what a database holds.
pub fn variants(client: &mut Client, facts: &Facts) -> Vec<Variant> {
    let mut variants = Variants { list: Vec::new() };
    variants.all_records(facts);
    variants.one_filter_each(facts);
    variants.two_filters(client, facts);
    variants.one_record(client);
    variants.builds_and_stats(facts);
    variants.crashes(facts);
    variants.one_guilty(facts);
    variants.blacklist(facts);
    variants.machine_checks();
    variants.custom(facts);
    variants.list
}

impl Variants {
    fn add(&mut self, page: &str, name: impl Into<String>, target: String, kind: Kind) {
        self.list.push(Variant { page: page.to_owned(), name: name.into(), target, kind });
    }

    /// A page and its twin, which takes the same parameters.
    fn add_both(&mut self, page: &str, name: impl Into<String>, target: String) {
        let name = name.into();
        self.add(page, name.clone(), target.clone(), Kind::Page);
        self.add(&format!("/api{page}"), name, format!("/api{target}"), Kind::Page);
    }

    /// The list of records by a filter, and as many of them as JSON.
    fn add_filter(&mut self, group: &str, name: impl Into<String>, pairs: &[(&str, &str)], kind: Kind) {
        let name = name.into();
        let pairs = pairs.iter().copied();
        self.add(&format!("/records, {group}"), &name, link("/records", pairs.clone()), kind);
        let target = link("/api/records", pairs.chain([("limit", "50")]));
        self.add(&format!("/api/records, {group}"), name, target, kind);
    }

    fn all_records(&mut self, facts: &Facts) {
        self.add_filter("all", "newest", &[], Kind::Page);
        for (name, part) in [("in the middle", 50), ("among the oldest", 1)] {
            let from_id = (facts.newest_id() * part / 100).max(2).to_string();
            self.add_filter("all", name, &[("from_id", &from_id)], Kind::Page);
        }
        self.add_filter("payload without a hit", "over all records", &[NO_PAYLOAD], Kind::PayloadWithoutHit);
        for limit in ["10", "1000", "10000"] {
            let kind = if limit == "10000" { Kind::Bulk } else { Kind::Page };
            let page = format!("/api/records, limit {limit}");
            self.add(&page, "newest", link("/api/records", [("limit", limit)]), kind);
            if let Some(class) = facts.classifications.get(1) {
                let pairs = [("classification", class.as_str()), ("limit", limit)];
                self.add(&page, "second most frequent classification", link("/api/records", pairs), kind);
            }
        }
    }

    fn one_filter_each(&mut self, facts: &Facts) {
        let builds: Vec<String> = facts.builds.iter().map(|(_, build)| build.clone()).collect();
        let lists = [
            ("classification", &facts.classifications),
            ("host_type", &facts.host_types),
            ("system_name", &facts.systems),
            ("build", &builds),
            ("machine_id", &facts.machines),
        ];
        for (field, values) in lists {
            let ends = [("most frequent", values.first()), ("rarest", values.last())];
            for (which, value) in ends {
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    self.one_filter(&format!("{which} {field}"), &[(field, value)]);
                }
            }
        }
        for (which, record) in [("newest", &facts.newest), ("oldest", &facts.oldest)] {
            for field in ["machine_id", "event_id"] {
                if let Some(value) = record[field].as_str() {
                    self.one_filter(&format!("{field} of the {which}"), &[(field, value)]);
                }
            }
            let day = record["ts_reception"].as_str().and_then(|text| text.get(..10)).unwrap_or("2026-01-01");
            self.one_filter(&format!("day of the {which}"), &[("from_date", day), ("to_date", day)]);
            self.one_filter(
                &format!("day of capture of the {which}"),
                &[("captured_from", day), ("captured_to", day)],
            );
        }
        for severity in ["1", "4"] {
            self.one_filter(&format!("severity {severity}"), &[("severity", severity)]);
        }
        for (name, pair) in [
            ("external", ("data_source", "external")),
            ("internal", ("data_source", "internal")),
            ("crashes", ("classification", "org.clearlinux/crash/*")),
            ("past day", ("created_in_days", "1")),
            ("payload of most", ("payload", "[a-z]")),
            ("payload of few", ("payload", "MCGSTATUS")),
            ("machine without a record", ("machine_id", NOBODY)),
            ("event without a record", ("event_id", NOBODY)),
        ] {
            self.one_filter(name, &[pair]);
        }
    }

    fn one_filter(&mut self, name: &str, pairs: &[(&str, &str)]) {
        self.add_filter("one filter", name, pairs, Kind::Page);
    }

    /// For each two fields the first pair of frequent values with a hit and the first without.
    fn two_filters(&mut self, client: &mut Client, facts: &Facts) {
        let builds = facts.builds.iter().map(|(_, build)| build.clone()).collect();
        let severities = ["4", "1", "2", "3"].map(str::to_owned).to_vec();
        let sources = ["external", "internal"].map(str::to_owned).to_vec();
        let class: (&str, &Vec<String>) = ("classification", &facts.classifications);
        let (build, platform) = (("build", &builds), ("host_type", &facts.host_types));
        let (severity, source) = (("severity", &severities), ("data_source", &sources));
        let fields = [
            (class, severity),
            (class, build),
            (build, platform),
            (("system_name", &facts.systems), build),
            (class, source),
            (class, ("machine_id", &facts.machines)),
            (severity, build),
        ];
        for ((first, first_values), (second, second_values)) in fields {
            let firsts = first_values.iter().take(FREQUENT).filter(|value| !value.is_empty());
            let pairs = firsts.flat_map(|a| {
                second_values.iter().take(FREQUENT).map(move |b| [(first, &**a), (second, &**b)])
            });
            let (mut with_hit, mut without) = (None, None);
            for pair in pairs {
                let is_hit = !first_record(client, &pair).is_null();
                (if is_hit { &mut with_hit } else { &mut without }).get_or_insert(pair);
                if with_hit.is_some() && without.is_some() {
                    break;
                }
            }
            let name = format!("{first} and {second}");
            if let Some(pair) = with_hit {
                self.add_filter("two filters with a hit", &name, &pair, Kind::Page);
            }
            if let Some(pair) = without {
                self.add_filter("two filters without a hit", &name, &pair, Kind::TwoWithoutHit);
            }
        }
    }

    fn one_record(&mut self, client: &mut Client) {
        for (name, class) in [
            ("crash", "org.clearlinux/crash/clr"),
            ("oops", "org.clearlinux/kernel/warning"),
            ("heartbeat", "org.clearlinux/heartbeat/ping"),
            ("machine check", "org.clearlinux/mce/corrected"),
            ("update", "org.clearlinux/swupd-client/update"),
        ] {
            if let Some(id) = first_record(client, &[("classification", class)])["id"].as_i64() {
                self.add("/records/ID", name, format!("/records/{id}"), Kind::Page);
                self.add("/api/records/ID", name, format!("/api/records/{id}"), Kind::Page);
            }
        }
    }

    fn builds_and_stats(&mut self, facts: &Facts) {
        for page in ["/builds", "/population"] {
            self.add_both(page, "default", page.to_owned());
            for (number, system) in (1..).zip(facts.systems.iter().filter(|system| !system.is_empty())) {
                let name = format!("system {number}");
                self.add_both(page, &name, link(page, [("system_name", system.as_str())]));
                let all = link(page, [("system_name", system.as_str()), ("all", "1")]);
                self.add_both(page, format!("{name}, all builds"), all);
            }
        }
        self.add_both("/stats", "default", "/stats".to_owned());
        self.add_both("/stats", "all", "/stats?all=1".to_owned());
    }

    fn crashes(&mut self, facts: &Facts) {
        for kind in ["program", "kernel"] {
            for days in ["1", "7", "30"] {
                let pairs = [("days", days), ("kind", kind)];
                self.add_both("/crashes", format!("{days} days, {kind}"), link("/crashes", pairs));
            }
            let page = "/crashes/overall";
            self.add_both(page, kind, link(page, [("kind", kind)]));
            let next = link(page, [("kind", kind), ("skip", "10")]);
            self.add_both(page, format!("{kind}, next ten"), next);
        }
        self.add_both("/crashes", "30 days, far down", "/crashes?days=30&skip=40".to_owned());
        for (number, system) in (1..).zip(facts.crash_systems.iter().filter(|system| !system.is_empty())) {
            let pairs = [("days", "30"), ("system_name", system.as_str())];
            self.add_both("/crashes", format!("30 days, system {number}"), link("/crashes", pairs));
            let overall = link("/crashes/overall", [("system_name", system.as_str())]);
            self.add_both("/crashes/overall", format!("system {number}"), overall);
        }
        let builds = [("most", facts.crash_builds.first()), ("fewest", facts.crash_builds.last())];
        for (which, build) in builds {
            let Some((system, build)) = build else { continue };
            let target = format!("/crashes/build/{}/{}", segment(system), segment(build));
            for kind in ["program", "kernel"] {
                let name = format!("build with {which} crashes, {kind}");
                self.add("/crashes/build", &name, link(&target, [("kind", kind)]), Kind::Page);
                let twin = format!("/api{target}");
                self.add("/api/crashes/build", name, link(&twin, [("kind", kind)]), Kind::Page);
            }
        }
    }

    fn one_guilty(&mut self, facts: &Facts) {
        let page = "/crashes/guilty_details";
        let (top, last) =
            (facts.top_guilty(), facts.guilties.last().and_then(|guilty| guilty["id"].as_i64()));
        // Where none is known the first number tells at least that the page is not there.
        let guilties =
            [("top", Some(top.unwrap_or(1))), ("tenth", last), ("top of the kernel", facts.kernel_guilty)];
        for (name, id) in guilties {
            let Some(id) = id else { continue };
            self.add_both(page, name, format!("{page}/{id}"));
            self.add_both(page, format!("{name}, all machines"), format!("{page}/{id}?all=1"));
            for (view, query) in [("backtraces", ""), ("backtraces, next fifty", "?skip=50")] {
                let target = format!("{page}/{id}/backtraces{query}");
                self.add("/crashes/…/backtraces", format!("{name}, {view}"), target.clone(), Kind::Page);
                let twin = format!("/api{target}");
                self.add("/api/crashes/…/backtraces", format!("{name}, {view}"), twin, Kind::Page);
            }
        }
        let (Some(id), Some([machine, system, build])) = (top, &facts.guilty_place) else { return };
        let path = format!("{page}/{id}/backtraces");
        let of_build = [("system_name", system.as_str()), ("build", build.as_str())];
        for (name, target) in [
            ("top, of a machine", link(&path, [("machine_id", machine.as_str())])),
            ("top, of a build", link(&path, of_build)),
            ("top, of both", link(&path, of_build.into_iter().chain([("machine_id", machine.as_str())]))),
        ] {
            self.add("/crashes/…/backtraces", name, target.clone(), Kind::Page);
            self.add("/api/crashes/…/backtraces", name, format!("/api{target}"), Kind::Page);
        }
    }

    fn blacklist(&mut self, facts: &Facts) {
        let page = "/crashes/blacklist";
        self.add_both(page, "default", page.to_owned());
        for part in ["main", "lib", "nobody"] {
            self.add_both(page, format!("search for {part}"), format!("{page}?search={part}"));
        }
        let path = "/crashes/blacklist/preview";
        let entry = facts.top_entry().unwrap_or_else(|| "main".to_owned());
        self.add(path, "the top guilty added", link(path, [("add", entry.as_str())]), Kind::Page);
        self.add(path, "default list off", format!("{path}?defaults=off"), Kind::Page);
    }

    fn machine_checks(&mut self) {
        for machines in ["10", "50", "100", "all"] {
            let target = link("/mce", [("machines", machines)]);
            self.add_both("/mce", format!("{machines} machines"), target);
        }
        self.add_both("/mce", "a year without reports", "/mce?year=2001".to_owned());
        for weeks in ["5", "13", "26", "53"] {
            self.add_both("/thermal", format!("{weeks} weeks"), link("/thermal", [("weeks", weeks)]));
        }
    }

    fn custom(&mut self, facts: &Facts) {
        for view in &facts.views {
            self.add_both("/views", view, format!("/views/{view}"));
        }
    }
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    link("", [("", text)]).trim_start_matches("?=").replace('/', "%2F")
}
