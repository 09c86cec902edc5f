// SPDX-License-Identifier: Apache-2.0
//! The log goes to stderr: for the journal with `<N>` priority prefixes, else with time and level. A line is one
//! write, bounded, without control characters, so that what a client sends cannot forge or break one. A stderr that is
//! closed or full never disturbs the program.

use chrono::{DateTime, SecondsFormat};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::Write;

/// Characters of a message; the rest is cut.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// Libraries whose warnings are about what strangers send, which our own refusals already name.
const SILENT: [&str; 2] = ["pgp", "multipart"];

/// How a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `<6>`: the journal adds the time and keeps the level.
    Journal,
    /// `2026-11-21T05:08:45Z INFO  `.
    Plain,
}

struct Stderr {
    form: Form,
    now: fn() -> i64,
}

/// Begins to log what is at `level` or above; `now` tells the time in Unix seconds. A second call only sets the level.
pub fn start(level: LevelFilter, now: fn() -> i64) {
    let form = if is_journal() { Form::Journal } else { Form::Plain };
    // It fails where a logger is set already, which then stays.
    let _ = log::set_boxed_logger(Box::new(Stderr { form, now }));
    set_level(level);
}

/// Logs from now on what is at `level` or above.
pub fn set_level(level: LevelFilter) {
    log::set_max_level(level);
}

/// Lets a panic be one line of the log like everything else, instead of several without a level.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("without a name");
        let place = panic.location().map_or("an unknown place".to_owned(), ToString::to_string);
        let said = panic.payload_as_str().unwrap_or("no text");
        log::error!("Thread {name} panicked at {place}: {said}");
    }));
}

/// Tells who runs the program why it ends: the text as it is, also where no logger is set or the level is off; in the
/// journal with the priority of an error.
pub fn write_failure(text: &str) {
    let prefix = if is_journal() { "<3>" } else { "" };
    let mut lines = String::new();
    for line in text.lines() {
        lines.push_str(prefix);
        push_clean(&mut lines, line);
        lines.push('\n');
    }
    write_all(lines.as_bytes());
}

/// True where systemd reads our stderr. A shell started under systemd inherits the variable, so the device and inode
/// in it are compared.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_wanted(metadata.target(), metadata.level(), log::max_level())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = line(self.form, record.level(), (self.now)(), &record.args().to_string());
            write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

/// What is logged at `most`. Libraries tell more than an admin wants to read.
fn is_wanted(target: &str, level: Level, most: LevelFilter) -> bool {
    let library = target.split("::").next().unwrap_or_default();
    let is_ours = library == "muster";
    level <= most
        && (is_ours || most == LevelFilter::Trace || (level <= Level::Warn && !SILENT.contains(&library)))
}

/// Writes to stderr; nobody can be told where that fails.
fn write_all(bytes: &[u8]) {
    let _ = std::io::stderr().lock().write_all(bytes);
}

fn line(form: Form, level: Level, now: i64, message: &str) -> String {
    let mut line = match form {
        Form::Journal => format!("<{}>", priority(level)),
        Form::Plain => {
            let time = DateTime::from_timestamp(now, 0).unwrap_or_default();
            format!("{} {level:<5} ", time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
    };
    push_clean(&mut line, message);
    line.push('\n');
    line
}

/// The priorities of syslog, which the journal uses.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn push_clean(line: &mut String, message: &str) {
    let mut characters = message.chars();
    for character in characters.by_ref().take(MESSAGE_CHARS_MAX) {
        if is_unprintable(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    if characters.next().is_some() {
        line.push('…');
    }
}

/// Control characters, line and paragraph ends, and those that turn the direction of writing.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_gets_a_priority_and_no_time() {
        assert_eq!(line(Form::Journal, Level::Error, 0, "x"), "<3>x\n");
        assert_eq!(line(Form::Journal, Level::Info, 0, "x"), "<6>x\n");
    }

    #[test]
    fn of_libraries_only_warnings_are_logged_and_none_about_what_strangers_send() {
        let cases = [
            ("muster::http", Level::Debug, LevelFilter::Debug, true),
            ("muster::http", Level::Debug, LevelFilter::Info, false),
            ("r2d2", Level::Error, LevelFilter::Info, true),
            ("ureq::pool", Level::Info, LevelFilter::Debug, false),
            ("ureq::pool", Level::Info, LevelFilter::Trace, true),
            ("pgp::packet::many", Level::Warn, LevelFilter::Debug, false),
            ("pgp", Level::Error, LevelFilter::Info, false),
            ("pgp", Level::Warn, LevelFilter::Trace, true),
            ("pgpx", Level::Warn, LevelFilter::Info, true),
            ("multipart::server", Level::Warn, LevelFilter::Info, false),
        ];
        for (target, level, most, expected) in cases {
            assert_eq!(is_wanted(target, level, most), expected, "{target} {level} {most}");
        }
    }

    #[test]
    fn others_get_time_and_level() {
        assert_eq!(line(Form::Plain, Level::Warn, 1_795_228_041, "x"), "2026-11-21T02:27:21Z WARN  x\n");
    }

    #[test]
    fn a_message_cannot_forge_a_line() {
        let text = line(Form::Journal, Level::Info, 0, "a\n<0>b\x1b[31m\r\0\u{202e}\u{85}é");
        assert_eq!(text, "<6>a\\n<0>b\\u{1b}[31m\\r\\u{0}\\u{202e}\\u{85}é\n");
    }

    #[test]
    fn a_message_is_bounded() {
        let text = line(Form::Journal, Level::Info, 0, &"é".repeat(5_000));
        assert_eq!(text.chars().count(), 3 + 2_000 + 1 + 1);
        assert!(!line(Form::Journal, Level::Info, 0, &"é".repeat(2_000)).contains('…'));
    }
}
