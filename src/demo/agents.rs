// SPDX-License-Identifier: Apache-2.0
//! The agents of the demo: one on each of many machines, some machines with two, and what became of them.

use crate::demo::fleet::{Fleet, Machine, Span};
use crate::demo::hardware::Form;
use crate::demo::random::{Random, bytes_16, mix};
use crate::error::Result;
use crate::model::agent::Environment;
use crate::model::time::DAY_SECS;
use crate::store::fleet::{AgentIds, FleetLoad, LoadedAgent, LoadedStatistics};
use serde_json::json;

/// How often agents beat, and when they are taken for idle and offline, in seconds: the defaults of the configuration.
const PERIOD_SECS: i64 = 300;
const IDLE_AFTER_SECS: i64 = 600;
const OFFLINE_AFTER_SECS: i64 = 1_200;
/// Days of history of the numbers.
const HISTORY_DAYS: i64 = 30;
/// Agents that are remembered as targets of actions.
const ROSTER_MAX: usize = 2_000;

const SITES: &[&str] = &["berlin", "lyon", "porto", "oslo", "graz"];
const OPERATORS: &[&str] = &["IT", "Research", "Ops", "Lab"];
const VERSIONS: &[&str] = &["20190913-9e7e4f5", "20260318-1f0c2ad", "20260902-77be031", "20261110-c04d9e8"];
const MODULES: &[&str] = &["agentdestroy", "file", "timedrift"];

/// An agent that was online when the demo was made, or nearly: what actions can be sent to.
#[derive(Clone, Debug)]
pub struct Present {
    /// Its ids.
    pub ids: AgentIds,
    /// Its endpoint.
    pub queueloc: String,
    /// Its process id.
    pub pid: i64,
    /// Its version.
    pub version: String,
    /// Its site.
    pub site: &'static str,
}

/// Agents that actions were sent to.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Those that are there at the end, the first ones made.
    pub present: Vec<Present>,
    /// One that was destroyed, and when.
    pub destroyed: Option<(Present, i64)>,
}

/// How an endpoint stands at the end of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Online,
    Idle,
    /// Offline since some days at most.
    Lately,
    /// Offline for longer than any window.
    Long,
    /// Two agents at once.
    Double,
    /// Online, after it was started anew.
    Restarted,
    /// Destroyed, and another one online.
    Replaced,
}

fn fate(random: &mut Random) -> Fate {
    match random.below(1_000) {
        0..620 => Fate::Online,
        620..680 => Fate::Idle,
        680..780 => Fate::Lately,
        780..820 => Fate::Long,
        820..835 => Fate::Double,
        835..985 => Fate::Restarted,
        _ => Fate::Replaced,
    }
}

/// What all agents of a run are made from.
struct Makers<'a> {
    fleet: &'a Fleet,
    span: Span,
    random: Random,
    seed: u64,
    /// The number of the first host's name.
    first: usize,
}

/// Loads exactly `count` agents of about as many machines, and the numbers of the past 30 days. Gives those that
/// are there at the end. `tell` is told how many are done.
pub fn load(
    load: &mut FleetLoad,
    fleet: &Fleet,
    span: Span,
    (seed, count): (u64, usize),
    tell: &mut dyn FnMut(usize),
) -> Result<Roster> {
    // Where agents are there already, these are others: a second demo adds to the first.
    let existing = usize::try_from(load.count_agents()?).unwrap_or(0);
    let salt = mix(seed, existing as u64 ^ 0xa6e7);
    let mut makers = Makers { fleet, span, random: Random::new(salt), seed: salt, first: existing };
    let mut roster = Roster::default();
    let (mut done, mut online, mut idle, mut double) = (0, 0, 0, 0);
    let mut number = 0;
    while done < count {
        let (site, mut agents) = makers.endpoint(number);
        agents.truncate(count - done);
        double += i64::from(agents.iter().filter(|agent| age(span, agent) <= IDLE_AFTER_SECS).count() > 1);
        for agent in &agents {
            let ids = load.agent(agent)?;
            let is_there = agent.destroyed_at.is_none() && age(span, agent) <= OFFLINE_AFTER_SECS;
            match age(span, agent) {
                _ if !is_there => {}
                0..=IDLE_AFTER_SECS => online += 1,
                _ => idle += 1,
            }
            let present = || Present {
                ids,
                queueloc: agent.queueloc.clone(),
                pid: agent.pid,
                version: agent.version.clone(),
                site,
            };
            if is_there && roster.present.len() < ROSTER_MAX {
                roster.present.push(present());
            }
            if let Some(at) = agent.destroyed_at {
                roster.destroyed.get_or_insert_with(|| (present(), at));
            }
        }
        done += agents.len();
        number += 1;
        if number.is_multiple_of(1_000) {
            tell(done);
        }
    }
    for row in statistics(&mut makers.random, span.end, online, idle, double) {
        load.statistics(&row)?;
    }
    refusals(load, span)?;
    tell(done);
    Ok(roster)
}

fn age(span: Span, agent: &LoadedAgent) -> i64 {
    if agent.destroyed_at.is_some() { i64::MAX } else { span.end - agent.heartbeat_at }
}

impl Makers<'_> {
    /// One endpoint: its site and its agents, the older one first.
    fn endpoint(&mut self, number: usize) -> (&'static str, Vec<LoadedAgent>) {
        let machine = self.fleet.machines.get(number);
        let form = machine.map_or(Form::Server, |machine| self.fleet.model(machine).form);
        let site = self.random.index(SITES.len());
        let base = self.base(number, machine, form, site);
        let mut agents = Vec::new();
        let fate = fate(&mut self.random);
        let now = self.span.end;
        let beat = now - self.random.between(0, PERIOD_SECS - 1);
        let younger = now - self.random.between(3_600, 6 * DAY_SECS);
        let mut push = |started_at: i64, heartbeat_at: i64, destroyed_at: Option<i64>, pid: i64| {
            let started_at = started_at.min(heartbeat_at);
            agents.push(LoadedAgent { started_at, heartbeat_at, destroyed_at, pid, ..base.clone() });
        };
        let (pid, next_pid) = (self.random.between(400, 32_000), self.random.between(32_001, 65_000));
        let age = |random: &mut Random, from: i64, to: i64| now - random.between(from, to);
        match fate {
            Fate::Online => push(base.started_at, beat, None, pid),
            Fate::Idle => {
                let heartbeat_at = age(&mut self.random, IDLE_AFTER_SECS + 60, OFFLINE_AFTER_SECS - 120);
                push(base.started_at, heartbeat_at, None, pid);
            }
            Fate::Lately => {
                let heartbeat_at = age(&mut self.random, OFFLINE_AFTER_SECS * 2, 9 * DAY_SECS);
                push(base.started_at, heartbeat_at, None, pid);
            }
            Fate::Long => {
                let heartbeat_at = age(&mut self.random, 25 * DAY_SECS, 60 * DAY_SECS);
                push(base.started_at, heartbeat_at, None, pid);
            }
            Fate::Double => {
                push(base.started_at, beat, None, pid);
                push(younger, now - self.random.between(0, PERIOD_SECS - 1), None, next_pid);
            }
            Fate::Restarted => {
                push(base.started_at, younger - self.random.between(20, 290), None, pid);
                push(younger, beat, None, next_pid);
            }
            Fate::Replaced => {
                push(base.started_at, younger, Some(younger), pid);
                push(younger + 40, beat, None, next_pid);
            }
        }
        (SITES[site], agents)
    }

    /// What all agents of an endpoint have in common.
    fn base(&mut self, number: usize, machine: Option<&Machine>, form: Form, site: usize) -> LoadedAgent {
        let now = self.span.end;
        let kind = match form {
            Form::Laptop => "lt",
            Form::Desktop => "ws",
            Form::Server => "srv",
            Form::Virtual => "vm",
            Form::Board => "pi",
        };
        let name = format!("{kind}{:05}.{}.example.net", self.first + number, SITES[site]);
        let mut tags = json!({
            "operator": self.random.pick(OPERATORS),
            "site": SITES[site],
        });
        // Half of the agents know under which id their machine sends records.
        if let Some(machine) = machine.filter(|_| number.is_multiple_of(2)) {
            tags["machine_id"] = json!(machine.machine_id(now));
        }
        let version = self.random.index(VERSIONS.len());
        let changed_at = now - self.random.between(DAY_SECS, 20 * DAY_SECS);
        let is_unbound = version == 0 || self.random.chance(0.08);
        let mut key_digest = [0; 32];
        key_digest[..16].copy_from_slice(&bytes_16(mix(self.seed, number as u64), 1));
        LoadedAgent {
            queueloc: format!("linux.{name}"),
            key_digest: (!is_unbound).then_some(key_digest),
            environment: self.environment(number, machine, site),
            tags,
            version: VERSIONS[version].to_owned(),
            pid: 0,
            started_at: now - self.random.between(7 * DAY_SECS, 70 * DAY_SECS),
            heartbeat_at: now,
            destroyed_at: None,
            was: (version > 0 && self.random.chance(0.1))
                .then(|| (VERSIONS[version - 1].to_owned(), changed_at)),
            name,
        }
    }

    fn environment(&mut self, number: usize, machine: Option<&Machine>, site: usize) -> Environment {
        let (ident, arch) = match machine {
            Some(machine) => {
                let installed = self.fleet.installed(machine, self.span.end);
                (ident(machine.system().name, &installed.build), self.fleet.model(machine).arch)
            }
            None => ("Debian 13 trixie".to_owned(), "x86_64"),
        };
        let (high, low) = (number / 250, 1 + number % 250);
        let publicip = format!("10.{}.{}.{low}", 16 + site + 8 * (high / 256), high % 256);
        let proxy = if site == 3 { "proxy.oslo.example.net:3128" } else { "" };
        Environment {
            init: "systemd".to_owned(),
            ident,
            os: "linux".to_owned(),
            arch: match arch {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            }
            .to_owned(),
            isproxied: !proxy.is_empty(),
            proxy: proxy.to_owned(),
            addresses: Some(vec![format!("{publicip}/16"), format!("fe80::{high:x}:{low:x}/64")]),
            publicip,
            modules: Some(MODULES.iter().map(|module| (*module).to_owned()).collect()),
            ..Environment::default()
        }
    }
}

/// As an agent names the system of its host.
fn ident(system: &str, build: &str) -> String {
    let name = match system {
        "clear-linux-os" => "Clear Linux OS",
        "debian" => "Debian",
        "ubuntu" => "Ubuntu",
        "fedora" => "Fedora Linux",
        "opensuse-leap" => "openSUSE Leap",
        "opensuse-tumbleweed" => "openSUSE Tumbleweed",
        "rhel" => "Red Hat Enterprise Linux",
        "almalinux" => "AlmaLinux",
        "raspbian" => "Raspbian",
        other => other,
    };
    format!("{name} {build}")
}

/// The numbers of the past: every hour, and every minute of the last two days, ending in those of the demo.
fn statistics(random: &mut Random, now: i64, online: i64, idle: i64, double: i64) -> Vec<LoadedStatistics> {
    let first = now - HISTORY_DAYS * DAY_SECS;
    let hours = (0..).map(|hour| first - first.rem_euclid(3_600) + hour * 3_600);
    let minutes_from = now - 2 * DAY_SECS;
    let minutes_from = minutes_from - minutes_from.rem_euclid(60);
    let minutes = (0..).map(|minute| minutes_from + minute * 60).take_while(|at| *at <= now);
    let mut rows = Vec::new();
    for taken_at in hours.take_while(|at| *at < minutes_from).chain(minutes) {
        // Fewer at night, and fewer a month ago.
        let day = (taken_at.rem_euclid(DAY_SECS) as f64 / DAY_SECS as f64 - 0.25) * std::f64::consts::TAU;
        let age = (now - taken_at) as f64 / (HISTORY_DAYS * DAY_SECS) as f64;
        let part = if taken_at + 60 > now { 1.0 } else { (0.93 + 0.06 * day.sin()) * (1.0 - 0.2 * age) };
        let scaled = |number: i64, jitter: f64| (number as f64 * part * jitter).round() as i64;
        let jitter = 1.0 + (random.unit() - 0.5) * 0.01;
        let (online_now, idle_now, double_now) =
            (scaled(online, jitter), scaled(idle, jitter), scaled(double, 1.0));
        let new = random.between(0, 1 + online / 200);
        let disappeared = online / 15 + random.between(0, 1 + online / 300);
        rows.push((
            taken_at,
            [
                online_now,
                idle_now,
                (online_now - double_now).max(0),
                idle_now,
                new,
                double_now,
                disappeared,
                double_now + random.between(0, 1 + double_now / 4),
            ],
        ));
    }
    rows
}

fn refusals(load: &mut FleetLoad, span: Span) -> Result<()> {
    for (queueloc, peer, reason, ago_secs, attempts) in [
        (
            "linux.srv90001.lyon.example.net",
            "10.17.4.9",
            "it shows another key than the one that is bound",
            400,
            61,
        ),
        ("linux.lt90002.berlin.example.net", "10.16.9.77", "it shows no key, and one is bound", 5_000, 12),
        (
            "linux.vm90003.graz.example.net",
            "10.20.1.3",
            "its enrolment token is not the right one",
            90_000,
            3,
        ),
    ] {
        load.refusal(queueloc, peer, reason, span.end - ago_secs, attempts)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_past_end_in_those_of_now() {
        let rows = statistics(&mut Random::new(1), 1_795_228_811, 300, 20, 4);
        assert!(rows.is_sorted_by(|a, b| a.0 < b.0));
        assert!((3_400..3_700).contains(&rows.len()), "{}", rows.len());
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        assert!(first.0 < 1_795_228_811 - 29 * DAY_SECS && first.1[0] < 270);
        assert!(last.0 > 1_795_228_811 - 60 && (298..=302).contains(&last.1[0]));
    }
}
