// SPDX-License-Identifier: Apache-2.0
//! What records there are: classification, severity and how often, and how that changes with the story.

use crate::demo::story::Story;
use crate::model::record::Severity;

/// What a record is about; decides its payload. What each is: [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Heartbeat,
    Hello,
    Update,
    FailedUpdate,
    BundleAdded,
    Crash,
    BadBuildCrash,
    BuildCrash,
    ThirdPartyCrash,
    CrashError,
    KernelBug,
    KernelWarning,
    KernelStack,
    Corrected,
    Dying,
    DyingUncorrected,
    Ucna,
    Srao,
    Srar,
    Thermal,
    LogLine,
    CrashLogLine,
    FirmwareErrors,
    BackupFailed,
    SensorReading,
    PrintQueue,
    SpecialCharacters,
}

/// Which machines send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Any machine, each as often as the others.
    InTurn,
    /// Any machine, some more often than others.
    Any,
    /// Machines with Clear Linux.
    ClearLinux,
    /// Machines with hardware of their own.
    Physical,
    /// Physical machines that are not in a cooled room.
    Uncooled,
    /// The one whose memory dies.
    Dying,
}

/// A kind with all that its records have in common.
#[derive(Debug)]
pub struct Class {
    /// The kind.
    pub kind: Kind,
    /// `DOMAIN/PROBE/REST`.
    pub classification: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Of its payload.
    pub payload_format_version: u32,
    /// Of ten thousand records on an ordinary day.
    pub frequency: f64,
    /// Who sends it.
    pub senders: Senders,
}

const fn class(
    kind: Kind,
    classification: &'static str,
    severity: Severity,
    frequency: f64,
    senders: Senders,
) -> Class {
    Class { kind, classification, severity, payload_format_version: 1, frequency, senders }
}

/// Version 2 of the payload, which the software updater writes.
const fn updater(class: Class) -> Class {
    Class { payload_format_version: 2, ..class }
}

use Severity::{Critical, High, Low, Medium};

/// All kinds. [`Kind::CrashLogLine`] has no frequency: it follows some crashes.
pub const CLASSES: [Class; 27] = [
    class(Kind::Heartbeat, "org.clearlinux/heartbeat/ping", Low, 6_900.0, Senders::InTurn),
    class(Kind::Hello, "org.clearlinux/hello/world", Low, 250.0, Senders::Any),
    updater(class(Kind::Update, "org.clearlinux/swupd-client/update", Low, 690.0, Senders::ClearLinux)),
    updater(class(
        Kind::FailedUpdate,
        "org.clearlinux/swupd-client/update",
        Critical,
        75.0,
        Senders::ClearLinux,
    )),
    updater(class(
        Kind::BundleAdded,
        "org.clearlinux/swupd-client/bundleadd",
        Low,
        55.0,
        Senders::ClearLinux,
    )),
    class(Kind::Crash, "org.clearlinux/crash/clr", High, 430.0, Senders::Any),
    class(Kind::BadBuildCrash, "org.clearlinux/crash/clr", High, 0.0, Senders::ClearLinux),
    class(Kind::BuildCrash, "org.clearlinux/crash/clr-build", Medium, 32.0, Senders::ClearLinux),
    class(Kind::ThirdPartyCrash, "org.clearlinux/crash/unknown", Medium, 105.0, Senders::Any),
    class(Kind::CrashError, "org.clearlinux/crash/error", Critical, 24.0, Senders::Any),
    class(Kind::KernelBug, "org.clearlinux/kernel/bug", Critical, 31.0, Senders::Any),
    class(Kind::KernelWarning, "org.clearlinux/kernel/warning", Medium, 92.0, Senders::Any),
    class(Kind::KernelStack, "org.clearlinux/kernel/stackoverflow", Critical, 5.0, Senders::Any),
    class(Kind::Corrected, "org.clearlinux/mce/corrected", Medium, 90.0, Senders::Physical),
    class(Kind::Dying, "org.clearlinux/mce/corrected", Medium, 0.0, Senders::Dying),
    class(Kind::DyingUncorrected, "org.clearlinux/mce/UCNA", High, 0.0, Senders::Dying),
    class(Kind::Ucna, "org.clearlinux/mce/UCNA", High, 9.0, Senders::Physical),
    class(Kind::Srao, "org.clearlinux/mce/SRAO", High, 6.0, Senders::Physical),
    class(Kind::Srar, "org.clearlinux/mce/SRAR", Critical, 4.0, Senders::Physical),
    class(Kind::Thermal, "org.clearlinux/mce/thermal", Medium, 42.0, Senders::Uncooled),
    class(Kind::LogLine, "org.clearlinux/journal/error", Medium, 560.0, Senders::Any),
    class(Kind::CrashLogLine, "org.clearlinux/journal/error", Medium, 0.0, Senders::Any),
    class(Kind::FirmwareErrors, "org.clearlinux/bert/debug", Medium, 7.0, Senders::Physical),
    class(Kind::BackupFailed, "org.example/backup/failed", High, 38.0, Senders::Any),
    class(Kind::SensorReading, "org.example/sensor/reading", Low, 130.0, Senders::Any),
    class(Kind::PrintQueue, "com.example.printing/queue/stuck", Medium, 17.0, Senders::Any),
    class(Kind::SpecialCharacters, "org.example/app/special", High, 5.0, Senders::Any),
];

/// Below this frequency a kind comes at nearly equal distances, so that small demos have it too.
pub const RARE_BELOW: f64 = 35.0;

/// The class of a kind.
pub fn class_of(kind: Kind) -> &'static Class {
    CLASSES.iter().find(|class| class.kind == kind).unwrap_or(&CLASSES[0])
}

/// How often a class comes at a time, as the story wants it.
pub fn frequency(class: &Class, story: &Story, at: i64) -> f64 {
    match class.kind {
        Kind::BadBuildCrash => 750.0 * story.bad_build_part(at),
        Kind::Dying => 170.0 * story.dying_part(at),
        Kind::DyingUncorrected => 20.0 * (story.dying_part(at) - 0.6).max(0.0),
        Kind::Thermal => class.frequency * story.heat(at),
        _ => class.frequency,
    }
}
