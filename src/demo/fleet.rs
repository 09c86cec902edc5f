// SPDX-License-Identifier: Apache-2.0
//! The machines: each has hardware, a system and habits for good, and from them follows what it says at any time.
//!
//! Nothing is remembered between records: build, kernel and machine id at a time are computed from the machine and the
//! time, so the fleet takes the same memory for a thousand records and for a hundred million.

use crate::demo::hardware::{Form, Model, models};
use crate::demo::random::{Random, Weighted, bytes_16, mix, mix_below};
use crate::demo::systems::{Builds, CLEAR_LINUX, Host, Installed, SYSTEMS, System, Update, installed};
use crate::error::Result;
use crate::model::record::hex;
use crate::model::time::DAY_SECS;

/// How long the client keeps a machine id.
const MACHINE_ID_SECS: i64 = 3 * DAY_SECS;

/// The times between which the demo's records are received.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first second.
    pub start: i64,
    /// The last second: now.
    pub end: i64,
}

impl Span {
    /// Its length in seconds, at least one.
    pub fn secs(self) -> i64 {
        (self.end - self.start).max(1)
    }

    /// The time at this part (0 to 1) of it.
    pub fn at(self, part: f64) -> i64 {
        self.start + (self.secs() as f64 * part) as i64
    }

    /// How far through it a time is, 0 to 1.
    pub fn progress(self, at: i64) -> f64 {
        ((at - self.start) as f64 / self.secs() as f64).clamp(0.0, 1.0)
    }
}

/// How a machine names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Naming {
    /// As the client does: another id every three days.
    Rotating,
    /// One id for good.
    Static,
    /// A name that somebody wrote into the client's configuration.
    Named(String),
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Tells it apart from all others, and decides what else is peculiar to it.
    pub seed: u64,
    model: usize,
    system: usize,
    naming: Naming,
    /// Time between two updates; none where it is never updated.
    update_secs: Option<i64>,
    /// The format version of its client.
    pub record_format_version: u8,
    /// True where its client sends the JSON encoding, which cuts values at their first space.
    pub cuts_at_space: bool,
    /// True where it says that it is not one of ours.
    pub is_external: bool,
    joined_at: i64,
    left_at: i64,
    /// How much its clock is ahead.
    pub clock_ahead_secs: i64,
}

/// All machines.
#[derive(Debug)]
pub struct Fleet {
    /// The models of hardware.
    pub models: Vec<Model>,
    /// The machines.
    pub machines: Vec<Machine>,
    span: Span,
}

impl Fleet {
    /// The fleet of `seed`. The same seed gives the same machines whatever the time.
    pub fn new(seed: u64, machines: usize, span: Span) -> Result<Fleet> {
        let models = models()?;
        let by_weight = Weighted::new(models.iter().map(|model| model.weight));
        let machines = (0..machines as u64).map(|number| {
            let mut random = Random::new(mix(seed, number));
            let model = by_weight.at(random.unit());
            machine(&mut random, number, model, &models[model], span)
        });
        Ok(Fleet { machines: machines.collect(), models, span })
    }

    /// The hardware of a machine.
    pub fn model(&self, machine: &Machine) -> &Model {
        &self.models[machine.model]
    }

    /// What is installed on a machine at a time.
    pub fn installed(&self, machine: &Machine, at: i64) -> Installed {
        let model = self.model(machine);
        let host = Host {
            arch: model.arch,
            is_virtual: model.form == Form::Virtual,
            variant: mix(machine.seed, 11),
        };
        let updated_at = machine.updated_at(at, self.span);
        let update = Update { at: updated_at, progress: self.span.progress(updated_at) };
        installed(machine.system(), host, update)
    }

    /// The builds before and after a machine's last update.
    pub fn last_update(&self, machine: &Machine, at: i64) -> (Installed, Installed) {
        let before = machine.updated_at(at, self.span) - 1;
        (self.installed(machine, before), self.installed(machine, at))
    }
}

impl Machine {
    /// Its operating system.
    pub fn system(&self) -> &'static System {
        &SYSTEMS[self.system]
    }

    /// True where it runs Clear Linux.
    pub fn is_clear_linux(&self) -> bool {
        self.system().name == CLEAR_LINUX
    }

    /// True where it is part of the fleet at a time.
    pub fn is_there(&self, at: i64) -> bool {
        (self.joined_at..self.left_at).contains(&at)
    }

    /// The machine id that it sends at a time.
    pub fn machine_id(&self, at: i64) -> String {
        let period = match &self.naming {
            Naming::Named(name) => return name.clone(),
            Naming::Static => 0,
            // Not all change at the same hour.
            Naming::Rotating => {
                let phase = mix_below(self.seed, 3, MACHINE_ID_SECS.unsigned_abs()) as i64;
                (at + phase).div_euclid(MACHINE_ID_SECS)
            }
        };
        let period = period.unsigned_abs();
        hex(&bytes_16(mix(self.seed, period ^ 0x1d), mix(self.seed, period ^ 0xd1_0000_0000)))
    }

    /// Makes it keep one machine id for good.
    pub fn keep_one_id(&mut self) {
        self.naming = Naming::Static;
    }

    /// How long it has been up at a time, in seconds.
    pub fn uptime_secs(&self, at: i64) -> i64 {
        let period = 3_600 * (9 + mix_below(self.seed, 5, 700) as i64);
        20 + (at + mix_below(self.seed, 6, 10_000_000) as i64).rem_euclid(period)
    }

    fn updated_at(&self, at: i64, span: Span) -> i64 {
        let draw = |salt, end: i64| mix_below(self.seed, salt, end.max(1).unsigned_abs()) as i64;
        match self.update_secs {
            Some(secs) => at - (at + draw(7, secs)).rem_euclid(secs),
            None => span.start - draw(7, 40 * DAY_SECS),
        }
    }
}

fn machine(random: &mut Random, number: u64, index: usize, model: &Model, span: Span) -> Machine {
    let joined_at = match random.below(100) {
        0..16 => random.between(span.start, span.end),
        _ => i64::MIN,
    };
    let left_at = match random.below(100) {
        0..5 => random.between(joined_at.max(span.start), span.end),
        _ => i64::MAX,
    };
    let system = system(random, model);
    Machine {
        seed: random.bits(),
        model: index,
        naming: naming(random, number, model.form),
        update_secs: update_secs(random, &SYSTEMS[system]),
        system,
        record_format_version: match random.below(1_000) {
            0..7 => 1,
            7..20 => 2,
            20..42 => 3,
            _ => 4,
        },
        cuts_at_space: random.chance(0.05),
        is_external: random.chance(0.11),
        joined_at,
        left_at,
        clock_ahead_secs: clock_ahead_secs(random),
    }
}

fn system(random: &mut Random, model: &Model) -> usize {
    let runs_on = |system: &System| match (model.arch, system.name) {
        ("x86_64", name) => name != "raspbian",
        (_, CLEAR_LINUX) => false,
        ("aarch64", name) => name != "raspbian" || model.form == Form::Board,
        (_, name) => matches!(name, "debian" | "fedora"),
    };
    Weighted::new(SYSTEMS.iter().map(|system| if runs_on(system) { system.weight } else { 0.0 }))
        .at(random.unit())
}

fn naming(random: &mut Random, number: u64, form: Form) -> Naming {
    let is_static = match form {
        Form::Server => random.chance(0.7),
        _ => random.chance(0.08),
    };
    match is_static {
        true if random.chance(0.15) => {
            Naming::Named(format!("lab-{}-{number:04}", random.pick(&["build", "ci", "rack"])))
        }
        true => Naming::Static,
        false => Naming::Rotating,
    }
}

fn update_secs(random: &mut Random, system: &System) -> Option<i64> {
    let is_quick = !matches!(system.builds, Builds::Releases(_));
    match random.below(100) {
        0..45 if is_quick => Some(DAY_SECS),
        45..75 if is_quick => Some(DAY_SECS * random.between(2, 7)),
        0..60 => Some(DAY_SECS * random.between(7, 14)),
        60..93 => Some(DAY_SECS * random.between(14, 30)),
        _ => None,
    }
}

/// Most clocks are right to the second; a few are minutes off, and some were never set.
fn clock_ahead_secs(random: &mut Random) -> i64 {
    match random.below(2_000) {
        0 => 400 * DAY_SECS,
        1..4 => 3 * DAY_SECS,
        4..6 => -9_400 * DAY_SECS,
        6..40 => random.between(-900, 900),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { start: 1_791_600_000, end: 1_795_228_800 };

    #[test]
    fn a_machine_is_the_same_whenever_it_is_asked() {
        let (a, b) = (Fleet::new(1, 50, SPAN).unwrap(), Fleet::new(1, 50, SPAN).unwrap());
        for (a_machine, b_machine) in a.machines.iter().zip(&b.machines) {
            let at = SPAN.start + 1_000_000;
            assert_eq!(a_machine.machine_id(at), b_machine.machine_id(at));
            assert_eq!(a.installed(a_machine, at), b.installed(b_machine, at));
        }
    }

    #[test]
    fn most_machines_take_another_id_every_three_days() {
        let fleet = Fleet::new(1, 300, SPAN).unwrap();
        let changed = |secs: i64| {
            let changes =
                fleet.machines.iter().filter(|m| m.machine_id(SPAN.start) != m.machine_id(SPAN.start + secs));
            changes.count()
        };
        assert!(changed(3 * DAY_SECS) > 200 && changed(3 * DAY_SECS) < 300);
        assert!(changed(3_600) < 20);
    }

    #[test]
    fn the_fleet_has_many_builds_and_they_advance() {
        let fleet = Fleet::new(1, 500, SPAN).unwrap();
        let builds = |at: i64| {
            let clear = fleet.machines.iter().filter(|machine| machine.is_clear_linux());
            let mut builds: Vec<String> = clear.map(|machine| fleet.installed(machine, at).build).collect();
            builds.sort();
            builds.dedup();
            builds
        };
        let (first, last) = (builds(SPAN.start), builds(SPAN.end));
        assert!(first.len() > 10 && last.len() > 10);
        assert!(last.last() > first.last());
    }
}
