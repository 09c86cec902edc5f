// SPDX-License-Identifier: Apache-2.0
//! The data directory, the disk below it, the database in it.

use super::{Finding, shown_bytes, shown_secs};
use crate::config::Config;
use crate::error::Kind;
use crate::store::{
    CurrentInspection, Inspection, SCHEMA_VERSION, WAL_BYTES_THRESHOLD, database_path, disk_figures, inspect,
};
use rustix::fs::{StatVfsMountFlags, statfs, statvfs};
use rustix::process::geteuid;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Permissions of the data directory that others than its owner have.
const NOT_OWNER: u32 = 0o077;
/// The database is read in search of damage every day.
const CHECK_SECS_MAX: i64 = 3 * 86_400;
/// A backup that is older is worth a warning.
const BACKUP_SECS_MAX: i64 = 8 * 86_400;
/// A record that is so far ahead of the clock was received by another clock.
const AHEAD_SECS: i64 = 120;

/// File systems on which SQLite's locks or shared memory are not to be relied on, or which forget, by their magic
/// number.
const FILE_SYSTEMS: &[(i64, &str, &str)] = &[
    (0x6969, "NFS", "its locks are not to be relied on"),
    (0xff53_4d42, "SMB", "its locks are not to be relied on"),
    (0xfe53_4d42, "SMB", "its locks are not to be relied on"),
    (0x0102_1997, "9p", "its locks are not to be relied on"),
    (0x6573_5546, "FUSE", "its locks and syncs may not be what they should"),
    (0x0102_1994, "tmpfs", "everything in it is lost at a restart"),
    (0x8584_58f6, "ramfs", "everything in it is lost at a restart"),
];

/// The data directory: there, its owner's alone.
pub fn data_dir(dir: &Path) -> Finding {
    const CHECK: &str = "data directory";
    let found = match fs::metadata(dir) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("{} is not there", dir.display());
            return Finding::fail(CHECK, message, "start the server once, or name the right one with --data");
        }
        Err(error) => {
            let message = format!("{} cannot be looked at: {error}", dir.display());
            return Finding::fail(CHECK, message, "run this as root or as the user of the service");
        }
    };
    if !found.is_dir() {
        let message = format!("{} is not a directory", dir.display());
        return Finding::fail(CHECK, message, "name the right one with --data");
    }
    let (shown, mode, user) = (dir.display(), found.mode() & 0o7777, geteuid());
    if found.uid() != user.as_raw() && !user.is_root() {
        let message = format!("{shown} belongs to user {}, and this is user {}", found.uid(), user.as_raw());
        return Finding::fail(CHECK, message, "run this as root or as the user of the service");
    }
    if mode & NOT_OWNER != 0 {
        let message = format!("{shown} is open to others than its owner (mode {mode:04o})");
        return Finding::warn(CHECK, message, format!("chmod 0700 {shown}"));
    }
    Finding::ok(CHECK, format!("{shown} (user {}, mode {mode:04o})", found.uid()))
}

/// The disk below it: free space against the reserve, writable, of a kind that a database can be on.
pub fn disk(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "disk";
    let dir = &config.data_dir;
    let mut findings = Vec::new();
    match disk_figures(dir, config.disk_reserve_bytes) {
        None => findings.push(Finding::fail(
            CHECK,
            format!("the file system of {} cannot be asked for its free space", dir.display()),
            "see what is mounted there",
        )),
        Some(disk) => {
            let free = shown_bytes(disk.free_bytes);
            let reserve = shown_bytes(disk.reserve_bytes);
            let remedy = "free some space, or let retention remove more (`muster purge`)";
            findings.push(if disk.free_bytes < disk.reserve_bytes {
                let message =
                    format!("only {free} are free, less than the reserve of {reserve}: nothing is stored");
                Finding::fail(CHECK, message, remedy)
            } else if disk.free_bytes < disk.reserve_bytes * 2 || disk.free_bytes < disk.total_bytes / 20 {
                Finding::warn(
                    CHECK,
                    format!("only {free} of {} are free", shown_bytes(disk.total_bytes)),
                    remedy,
                )
            } else {
                Finding::ok(CHECK, format!("{free} are free; the reserve is {reserve}"))
            });
        }
    }
    if statvfs(dir).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        let message = format!("the file system of {} is read-only", dir.display());
        findings.push(Finding::fail(CHECK, message, "see the kernel's log, and mount it writable"));
    }
    if let Ok(stat) = statfs(dir) {
        let magic = stat.f_type & 0xffff_ffff;
        if let Some((_, name, why)) = FILE_SYSTEMS.iter().find(|(known, ..)| *known == magic) {
            let message = format!("{} is on {name}: {why}", dir.display());
            findings.push(Finding::warn(CHECK, message, "keep the data directory on a local disk"));
        }
    }
    findings
}

/// The database, and what it tells; none of the latter where it cannot be read.
pub fn database(config: &Config, now: i64) -> (Vec<Finding>, Option<Inspection>) {
    const CHECK: &str = "database";
    let path = database_path(&config.data_dir);
    let found = match inspect(&config.data_dir) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let message = format!("{} is not there yet", path.display());
            return (vec![Finding::warn(CHECK, message, "start the server once; it makes one")], None);
        }
        Err(error) => {
            let remedy = match error.kind() {
                Kind::Corrupt => "see above: the newer program, or `muster restore` with a backup",
                _ => "run this as root or as the user of the service",
            };
            return (vec![Finding::fail(CHECK, error.with_causes(), remedy)], None);
        }
    };
    let mut findings = Vec::new();
    let sizes = format!("{}, log {}", shown_bytes(found.bytes), shown_bytes(found.wal_bytes));
    findings.push(match &found.current {
        Some(current) => Finding::ok(
            CHECK,
            format!("{} ({sizes}, schema {}, {} records)", path.display(), found.schema, current.records),
        ),
        None => Finding::warn(
            CHECK,
            format!(
                "{} ({sizes}) is of schema {}, older than {SCHEMA_VERSION}",
                path.display(),
                found.schema
            ),
            "the next start upgrades it, and keeps a copy",
        ),
    });
    if found.wal_bytes > 4 * WAL_BYTES_THRESHOLD {
        findings.push(Finding::warn(
            CHECK,
            format!("the log has {}", shown_bytes(found.wal_bytes)),
            "see who reads the database for long; a restart of the server writes it back",
        ));
    }
    findings.extend(found.current.as_ref().map(|current| checked(current, now)));
    (findings, Some(found))
}

fn checked(current: &CurrentInspection, now: i64) -> Finding {
    const CHECK: &str = "integrity";
    let remedy = "`muster check` reads all of it; the server does so each day";
    match current.checked_at {
        Some(at) if now - at <= CHECK_SECS_MAX => {
            Finding::ok(CHECK, format!("no damage was found {} ago", shown_secs(now - at)))
        }
        Some(at) => Finding::warn(
            CHECK,
            format!("it was last looked for damage {} ago", shown_secs(now - at)),
            remedy,
        ),
        None if current.records < 1_000 => Finding::ok(CHECK, "it was not yet looked for damage, and is new"),
        None => Finding::warn(CHECK, "it was never looked for damage", remedy),
    }
}

/// Times in the database against the clock.
pub fn record_times(current: &CurrentInspection, now: i64) -> Finding {
    const CHECK: &str = "record times";
    if let Some(at) = current.newest_received_at
        && at > now + AHEAD_SECS
    {
        let message = format!("the newest record was received {} after now", shown_secs(at - now));
        return Finding::warn(CHECK, message, "set this machine's clock right");
    }
    match current.clock_steps {
        0 => Finding::ok(CHECK, "the clock was never set back while records came in"),
        steps => Finding::ok(CHECK, format!("the clock was set back {steps} times while records came in")),
    }
}

/// How old the newest backup is.
pub fn backups(current: &CurrentInspection, now: i64) -> Finding {
    const CHECK: &str = "backups";
    let remedy = "`muster backup FILE`, or systemctl enable --now muster-backup.timer";
    match current.backed_up_at {
        Some(at) if now - at <= BACKUP_SECS_MAX => {
            Finding::ok(CHECK, format!("the newest was made {} ago", shown_secs((now - at).max(0))))
        }
        Some(at) => Finding::warn(CHECK, format!("the newest was made {} ago", shown_secs(now - at)), remedy),
        None => Finding::warn(CHECK, "none was made of this database", remedy),
    }
}

/// When retention last ran, and whether it waits.
pub fn retention(current: &CurrentInspection, now: i64) -> Finding {
    const CHECK: &str = "retention";
    match (current.purged_at, current.clock_doubted_at) {
        (_, Some(at)) if at <= now => Finding::warn(
            CHECK,
            "it waits for a day, because the clock is more than 30 days ahead of the last purge",
            "set this machine's clock right, or run `muster purge` where it is",
        ),
        (None, _) => Finding::ok(CHECK, "it has not run yet"),
        (Some(at), _) if at > now + AHEAD_SECS => {
            let message = format!("it last ran {} after now", shown_secs(at - now));
            Finding::warn(CHECK, message, "set this machine's clock right")
        }
        (Some(at), _) => Finding::ok(CHECK, format!("it last ran {} ago", shown_secs((now - at).max(0)))),
    }
}

/// The database against `retention.database_bytes_max`; none where there is no limit.
pub fn size(current: &CurrentInspection, bytes_max: u64) -> Option<Finding> {
    const CHECK: &str = "size limit";
    let (used, max) = (current.used_bytes, shown_bytes(bytes_max));
    let message = format!("the database uses {} of {max}", shown_bytes(used));
    match bytes_max {
        0 => None,
        _ if used <= bytes_max => Some(Finding::ok(CHECK, message)),
        _ if current.bytes_over > 0 => Some(Finding::warn(
            CHECK,
            format!("{message}, and the last purge found nothing more that may go"),
            "raise retention.database_bytes_max, or change retention.rules that keep for ever",
        )),
        _ => Some(Finding::warn(
            CHECK,
            message,
            "the next purge removes the oldest records; `muster purge` does it now",
        )),
    }
}

/// The copies of the database that an upgrade or a restore left, which hold what was deleted since.
pub fn copies(dir: &Path, now: i64) -> Vec<Finding> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(|entry| entry.ok());
    let mut copies: Vec<_> = entries
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata()))
        .filter(|(name, _)| name.starts_with("muster.db.before-"))
        .filter_map(|(name, found)| Some((name, found.ok()?)))
        .collect();
    copies.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    let finding = |(name, found): (String, fs::Metadata)| {
        let (bytes, age) = (shown_bytes(found.len()), shown_secs((now - found.mtime()).max(0)));
        Finding::ok("copies", format!("{name}: {bytes}, {age} old; it holds what was deleted since"))
    };
    copies.into_iter().map(finding).collect()
}

/// Who may log in.
pub fn accounts(current: &CurrentInspection) -> Finding {
    const CHECK: &str = "accounts";
    let active = current.active_accounts;
    match (current.accounts, active, current.active_admins) {
        (0, ..) => Finding::warn(
            CHECK,
            "there are none: only who is on this machine may change anything or see the fleet",
            "muster account add NAME",
        ),
        (_, 0, _) => Finding::warn(
            CHECK,
            "all are disabled: nobody may log in, and this machine alone is no longer enough",
            "muster account enable NAME",
        ),
        (.., 0) => Finding::warn(
            CHECK,
            format!("{active} may log in, but no admin"),
            "muster account enable NAME or muster account role NAME admin",
        ),
        _ => Finding::ok(CHECK, format!("{active} may log in")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::doctor::Level;

    #[test]
    fn a_database_over_its_limit_is_warned_of() {
        // Used, over after the last purge, limit; what is found, and a word of its remedy.
        let cases = [
            (10, 0, 0, None),
            (100, 0, 100, Some((Level::Ok, ""))),
            (101, 0, 100, Some((Level::Warn, "muster purge"))),
            (145, 45, 100, Some((Level::Warn, "raise"))),
            (90, 45, 100, Some((Level::Ok, ""))),
        ];
        for (used_bytes, bytes_over, bytes_max, expected) in cases {
            let current = CurrentInspection { used_bytes, bytes_over, ..CurrentInspection::default() };
            let found = size(&current, bytes_max);
            assert_eq!(found.as_ref().map(|found| found.level), expected.map(|(level, _)| level));
            let remedy = found.and_then(|found| found.remedy).unwrap_or_default();
            assert!(remedy.contains(expected.map_or("", |(_, word)| word)), "{remedy}");
        }
    }

    #[test]
    fn accounts_of_which_none_can_administer_are_warned_of() {
        // Accounts, active ones, active admins; a word of what is said.
        let cases = [
            ((0, 0, 0), Level::Warn, "none"),
            ((2, 0, 0), Level::Warn, "nobody may log in"),
            ((2, 1, 0), Level::Warn, "1 may log in, but no admin"),
            ((3, 2, 1), Level::Ok, "2 may log in"),
        ];
        for ((accounts, active_accounts, active_admins), level, word) in cases {
            let found = CurrentInspection {
                accounts,
                active_accounts,
                active_admins,
                ..CurrentInspection::default()
            };
            let finding = super::accounts(&found);
            assert!(finding.level == level && finding.message.contains(word), "{finding:?}");
        }
    }

    #[test]
    fn what_is_old_or_ahead_is_warned_of() {
        let now = 1_000_000_000;
        let current = |at: Option<i64>| CurrentInspection {
            records: 5_000,
            checked_at: at,
            backed_up_at: at,
            newest_received_at: at,
            ..CurrentInspection::default()
        };
        let levels = |at| {
            let current = current(at);
            [checked(&current, now).level, backups(&current, now).level, record_times(&current, now).level]
        };
        assert_eq!(levels(None), [Level::Warn, Level::Warn, Level::Ok]);
        assert_eq!(levels(Some(now - 60)), [Level::Ok, Level::Ok, Level::Ok]);
        assert_eq!(levels(Some(now - 4 * 86_400)), [Level::Warn, Level::Ok, Level::Ok]);
        assert_eq!(levels(Some(now - 9 * 86_400)), [Level::Warn, Level::Warn, Level::Ok]);
        assert_eq!(levels(Some(now + 3_600))[2], Level::Warn);
        let fresh = CurrentInspection::default();
        assert_eq!((checked(&fresh, now).level, accounts(&fresh).level), (Level::Ok, Level::Warn));
    }
}
