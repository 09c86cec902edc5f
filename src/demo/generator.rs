// SPDX-License-Identifier: Apache-2.0
//! The stream of records, in the order in which they are received.

use crate::demo::crashes::Sites;
use crate::demo::fleet::{Fleet, Machine, Span};
use crate::demo::hardware::Form;
use crate::demo::kernel::{self, Oopses};
use crate::demo::kinds::{CLASSES, Class, Kind, RARE_BELOW, Senders, class_of, frequency};
use crate::demo::machine_checks::{self, Check};
use crate::demo::messages;
use crate::demo::random::{Random, Weighted};
use crate::demo::schedule::{Schedule, Slot, Slots, received_at};
use crate::demo::story::Story;
use crate::demo::systems::Installed;
use crate::error::Result;
use crate::model::record::{EventId, NewRecord};

/// How often a machine is drawn again that does not fit.
const DRAWS_MAX: usize = 60;
/// The crash site of the bad build: the desktop shell, first in the list.
const BAD_BUILD_SITE: usize = 0;

/// The machines of each sort, by index.
#[derive(Debug)]
struct Rosters {
    any: Vec<usize>,
    clear_linux: Vec<usize>,
    physical: Vec<usize>,
    uncooled: Vec<usize>,
}

impl Rosters {
    fn new(fleet: &Fleet) -> Rosters {
        let all = || 0..fleet.machines.len();
        let of = |is_fit: &dyn Fn(&Machine) -> bool| {
            let fit: Vec<usize> = all().filter(|index| is_fit(&fleet.machines[*index])).collect();
            // Rather an odd record than none.
            if fit.is_empty() { all().collect() } else { fit }
        };
        let is_physical = |machine: &Machine| fleet.model(machine).has_machine_checks();
        Rosters {
            any: all().collect(),
            clear_linux: of(&Machine::is_clear_linux),
            physical: of(&is_physical),
            uncooled: of(&|machine| is_physical(machine) && fleet.model(machine).form != Form::Server),
        }
    }
}

/// What is in force during a slot.
#[derive(Debug, Default)]
struct Now {
    classes: Weighted,
    /// By class, the part of all records; 0 for those that are not rare.
    rare_parts: Vec<f64>,
    sites: Weighted,
}

/// A record that another one brings about.
#[derive(Debug)]
struct FollowUp {
    machine: usize,
    sent_at: i64,
    event_id: EventId,
    payload: String,
}

/// Makes the records of a demo.
#[derive(Debug)]
pub struct Generator {
    fleet: Fleet,
    rosters: Rosters,
    story: Story,
    sites: Sites,
    oopses: Oopses,
    span: Span,
    schedule: Schedule,
    slots: Slots,
    slot: Slot,
    /// Records made in this slot.
    slot_records: u64,
    now: Now,
    /// By class: what is owed of the rare ones, and at how much the next is paid.
    owed: Vec<(f64, f64)>,
    turns: usize,
    follow_up: Option<FollowUp>,
    last_received_at: i64,
    records_left: u64,
    random: Random,
}

impl Generator {
    /// The records that `fleet` sends in `span`. `salt` tells runs with the same fleet apart.
    pub fn new(mut fleet: Fleet, span: Span, records: u64, salt: u64) -> Result<Generator> {
        let story = Story::new(&mut fleet, span);
        let schedule = Schedule::new(span, records);
        let mut random = Random::new(salt);
        let owed = CLASSES.iter().map(|_| (0.0, 0.3 + random.unit())).collect();
        Ok(Generator {
            rosters: Rosters::new(&fleet),
            fleet,
            story,
            sites: Sites::load()?,
            oopses: Oopses::load()?,
            slots: schedule.slots(),
            schedule,
            slot: Slot { start: span.start, end: span.start, records: 0 },
            slot_records: 0,
            now: Now::default(),
            owed,
            turns: 0,
            follow_up: None,
            last_received_at: span.start,
            records_left: records,
            span,
            random,
        })
    }

    /// The machines, as they send.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    fn next_received_at(&mut self) -> Option<i64> {
        if self.fleet.machines.is_empty() {
            return None;
        }
        while self.slot_records >= self.slot.records {
            self.slot = self.slots.next()?;
            self.slot_records = 0;
            if self.slot.records > 0 {
                self.now = self.now_at(self.slot.start);
            }
        }
        let mut at = received_at(self.slot, self.slot_records, &mut self.random);
        self.slot_records += 1;
        self.records_left = self.records_left.saturating_sub(1);
        if self.records_left == 0 {
            // So that "just now" on the pages is true however few records there are.
            at = at.max(self.span.end - 2);
        }
        self.last_received_at = self.last_received_at.max(at);
        Some(self.last_received_at)
    }

    fn now_at(&self, at: i64) -> Now {
        let frequencies: Vec<f64> = CLASSES.iter().map(|class| frequency(class, &self.story, at)).collect();
        let all: f64 = frequencies.iter().sum();
        let is_rare = |class: &Class| class.frequency > 0.0 && class.frequency < RARE_BELOW;
        let with_class = || CLASSES.iter().zip(&frequencies);
        Now {
            classes: Weighted::new(
                with_class().map(|(class, part)| if is_rare(class) { 0.0 } else { *part }),
            ),
            rare_parts: with_class()
                .map(|(class, part)| if is_rare(class) { part / all } else { 0.0 })
                .collect(),
            sites: self.sites.weights(self.span.progress(at)),
        }
    }

    fn choose_class(&mut self) -> &'static Class {
        for (index, part) in self.now.rare_parts.iter().enumerate() {
            let (owed, paid_at) = &mut self.owed[index];
            *owed += part;
            if *owed >= *paid_at {
                *owed -= *paid_at;
                *paid_at = 0.5 + self.random.unit();
                return &CLASSES[index];
            }
        }
        &CLASSES[self.now.classes.at(self.random.unit())]
    }

    /// When a record that is received at a time was made: at once, or long before by a machine that could not send.
    fn sent_at(&mut self, received_at: i64) -> i64 {
        if let Some(gap) = self.schedule.gap_just_over(received_at)
            && self.random.chance(0.45)
        {
            return self.random.between(gap.start, gap.end - 1);
        }
        received_at
            - match self.random.below(1_000) {
                0..962 => self.random.between(0, 3),
                962..990 => self.random.between(120, 12 * 3_600),
                _ => self.random.between(12 * 3_600, 20 * 3_600),
            }
    }

    /// A machine that may send this; none where nobody was found.
    fn choose_machine(&mut self, class: &Class, at: i64) -> Option<usize> {
        match class.senders {
            Senders::Dying => return self.story.dying_machine,
            Senders::InTurn => return self.machine_in_turn(at),
            _ => {}
        }
        let roster = match class.senders {
            Senders::ClearLinux => &self.rosters.clear_linux,
            Senders::Physical => &self.rosters.physical,
            Senders::Uncooled => &self.rosters.uncooled,
            _ => &self.rosters.any,
        };
        let mut found = None;
        for _ in 0..DRAWS_MAX {
            // Some machines have more trouble than others.
            let part = self.random.unit().powf(1.6);
            let index = roster[((part * roster.len() as f64) as usize).min(roster.len() - 1)];
            let machine = &self.fleet.machines[index];
            if !machine.is_there(at) {
                continue;
            }
            let is_fit = match class.kind {
                Kind::BadBuildCrash => self.fleet.installed(machine, at).build == self.story.bad_build,
                Kind::Update | Kind::FailedUpdate if found.is_none() => {
                    found = Some(index);
                    let (before, after) = self.fleet.last_update(machine, at);
                    before.build != after.build
                }
                _ => true,
            };
            if is_fit {
                return Some(index);
            }
        }
        found
    }

    fn machine_in_turn(&mut self, at: i64) -> Option<usize> {
        let machines = self.fleet.machines.len();
        for _ in 0..machines {
            self.turns = (self.turns + 1) % machines;
            if self.fleet.machines[self.turns].is_there(at) {
                return Some(self.turns);
            }
        }
        None
    }

    fn payload(
        &mut self,
        kind: Kind,
        index: usize,
        at: i64,
        installed: &Installed,
    ) -> (String, Option<String>) {
        let (machine, random) = (&self.fleet.machines[index], &mut self.random);
        let model = self.fleet.model(machine);
        let check =
            |is_dying| machine_checks::Origin { model, captured_at: at + machine.clock_ahead_secs, is_dying };
        let oops = kernel::Origin { model, kernel_version: &installed.kernel_version, seed: machine.seed };
        let payload = match kind {
            Kind::Heartbeat => messages::heartbeat(machine.uptime_secs(at)),
            Kind::Hello => messages::hello(machine.seed, random),
            Kind::Update | Kind::FailedUpdate => {
                let result = if kind == Kind::Update { 0 } else { messages::update_failure(random) };
                let (before, after) = self.fleet.last_update(machine, at);
                messages::update(&before.build, &after.build, result, random)
            }
            Kind::BundleAdded => messages::bundle_added(&installed.build, random),
            Kind::Crash | Kind::BadBuildCrash => {
                let is_bad = kind == Kind::BadBuildCrash;
                let site = if is_bad { BAD_BUILD_SITE } else { self.now.sites.at(random.unit()) };
                let crash = self.sites.crash(site, installed.epoch, random);
                let is_logged = random.chance(0.12);
                let line = is_logged.then(|| messages::crash_log_line(crash.program, crash.signal));
                return (crash.payload, line);
            }
            Kind::BuildCrash => "Crash from Clear package build\n".to_owned(),
            Kind::ThirdPartyCrash => "Crash from third party\n".to_owned(),
            Kind::CrashError => "Error: Failed to find module for current frame\n".to_owned(),
            Kind::KernelBug => self.oopses.payload("bug", oops, random),
            Kind::KernelWarning => self.oopses.payload("warning", oops, random),
            Kind::KernelStack => self.oopses.payload("stackoverflow", oops, random),
            Kind::Corrected => machine_checks::machine_check(Check::Corrected, check(false), random),
            Kind::Dying => machine_checks::machine_check(Check::Corrected, check(true), random),
            Kind::DyingUncorrected => machine_checks::machine_check(Check::Ucna, check(true), random),
            Kind::Ucna => machine_checks::machine_check(Check::Ucna, check(false), random),
            Kind::Srao => machine_checks::machine_check(Check::Srao, check(false), random),
            Kind::Srar => machine_checks::machine_check(Check::Srar, check(false), random),
            Kind::Thermal => machine_checks::thermal(check(false), random),
            Kind::LogLine | Kind::CrashLogLine => messages::log_line(random),
            Kind::FirmwareErrors => machine_checks::firmware_errors(random),
            Kind::BackupFailed => messages::backup_failed(random),
            Kind::SensorReading => messages::sensor_reading(random),
            Kind::PrintQueue => messages::print_queue(random),
            Kind::SpecialCharacters => messages::special_characters(),
        };
        (payload, None)
    }

    fn record(&mut self, received_at: i64) -> Option<NewRecord> {
        if let Some(next) = self.follow_up.take() {
            let installed = self.fleet.installed(&self.fleet.machines[next.machine], next.sent_at);
            let class = class_of(Kind::CrashLogLine);
            return Some(self.assemble(
                class,
                next.machine,
                next.sent_at,
                installed,
                next.event_id,
                next.payload,
            ));
        }
        let sent_at = self.sent_at(received_at);
        let mut class = self.choose_class();
        let machine = match self.choose_machine(class, sent_at) {
            Some(machine) => machine,
            None => {
                class = &CLASSES[0];
                self.machine_in_turn(sent_at).unwrap_or(0)
            }
        };
        let installed = self.fleet.installed(&self.fleet.machines[machine], sent_at);
        let (payload, follow_up) = self.payload(class.kind, machine, sent_at, &installed);
        let event_id = EventId(self.random.bytes_16());
        self.follow_up = follow_up.map(|payload| FollowUp { machine, sent_at, event_id, payload });
        Some(self.assemble(class, machine, sent_at, installed, event_id, payload))
    }

    fn assemble(
        &self,
        class: &Class,
        index: usize,
        sent_at: i64,
        installed: Installed,
        event_id: EventId,
        payload: String,
    ) -> NewRecord {
        let machine = &self.fleet.machines[index];
        let model = self.fleet.model(machine);
        let version = machine.record_format_version;
        let since = |first: u8, text: String| (version >= first).then_some(text);
        let cut = |text: &str| match text.split_once(' ') {
            Some((start, _)) if machine.cuts_at_space => start.to_owned(),
            _ => text.to_owned(),
        };
        let bios = model.bios_versions[(machine.seed % model.bios_versions.len() as u64) as usize];
        NewRecord {
            record_format_version: version,
            classification: class.classification.to_owned(),
            severity: class.severity,
            machine_id: machine.machine_id(sent_at),
            captured_at: (sent_at + machine.clock_ahead_secs).max(0),
            arch: model.arch.to_owned(),
            host_type: cut(model.host_type),
            build: installed.build,
            kernel_version: installed.kernel_version,
            payload_format_version: (version >= 2).then_some(class.payload_format_version),
            system_name: since(2, machine.system().name.to_owned()),
            board_name: since(3, cut(model.board_name)),
            cpu_model: since(3, cut(model.cpu_model)),
            bios_version: since(3, cut(bios)),
            event_id: (version >= 4).then_some(event_id),
            is_external: machine.is_external,
            payload: if machine.cuts_at_space { payload + "\n" } else { payload },
        }
    }
}

impl Iterator for Generator {
    /// A record and when it is received.
    type Item = (NewRecord, i64);

    fn next(&mut self) -> Option<(NewRecord, i64)> {
        let received_at = self.next_received_at()?;
        self.record(received_at).map(|record| (record, received_at))
    }
}
