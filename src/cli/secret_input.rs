// SPDX-License-Identifier: Apache-2.0
//! Passwords as they are entered: on a terminal without an echo, twice; elsewhere from a file or standard input.

use crate::error::{Error, Kind, Result};
use crate::model::credentials::PASSWORD_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit status of a command that Ctrl-C ends.
const INTERRUPTED: i32 = 130;
/// How often is looked whether a signal came, in nanoseconds.
const LOOK_EVERY_NANOS: i64 = 100_000_000;

/// The password of `--password-file`, else from the terminal, else from standard input. One line end at its end is not
/// part of it. Usage where it cannot be read or is not UTF-8.
pub fn read_password(file: Option<&str>, name: &str) -> Result<String> {
    let bytes = match file {
        None if std::io::stdin().is_terminal() => return ask_twice(name),
        file => crate::cli::input::read_file(file.unwrap_or("-"), PASSWORD_BYTES_MAX + 2)?,
    };
    let text = String::from_utf8(bytes).map_err(|_| Error::usage("The password is not UTF-8"))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains(['\n', '\r', '\0']) {
        return Err(Error::usage("The password must be a single line"));
    }
    Ok(line.to_owned())
}

fn ask_twice(name: &str) -> Result<String> {
    let mut terminal = Silent::open()?;
    let first = terminal.ask(&format!("Password of {name}: "))?;
    let second = terminal.ask("The same again: ")?;
    match first == second {
        true => Ok(first),
        false => Err(Error::usage("The two passwords are not the same")),
    }
}

/// The terminal without its echo; dropped, or at a signal, it has it again.
struct Silent {
    terminal: File,
    before: Termios,
    is_cut_off: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

impl Silent {
    fn open() -> Result<Silent> {
        let failed = |error: std::io::Error| Error::usage("Cannot ask on the terminal").because(error);
        let terminal = File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
        let before = tcgetattr(&terminal).map_err(|error| failed(error.into()))?;
        let (is_cut_off, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGINT, SIGTERM, SIGQUIT] {
            // Once the echo is back a signal ends the program again.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&is_over)).map_err(failed)?;
            flag::register(signal, Arc::clone(&is_cut_off)).map_err(failed)?;
        }
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        let opened = Silent { terminal, before, is_cut_off, is_over };
        tcsetattr(&opened.terminal, OptionalActions::Flush, &silent).map_err(|error| failed(error.into()))?;
        Ok(opened)
    }

    fn ask(&mut self, question: &str) -> Result<String> {
        let failed = |error: std::io::Error| Error::usage("Cannot read from the terminal").because(error);
        self.terminal.write_all(question.as_bytes()).map_err(failed)?;
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            self.wait()?;
            let mut part = [0; 256];
            let n = self.terminal.read(&mut part).map_err(failed)?;
            line.extend_from_slice(part.get(..n).unwrap_or_default());
            if n == 0 {
                return Err(Error::usage("No password was entered"));
            }
            if line.len() > PASSWORD_BYTES_MAX + 2 {
                return Err(Error::invalid(format!(
                    "The password must have at most {PASSWORD_BYTES_MAX} bytes"
                )));
            }
        }
        line.pop();
        String::from_utf8(line).map_err(|_| Error::usage("The password is not UTF-8"))
    }

    /// Waits for a line, or for a signal.
    fn wait(&self) -> Result<()> {
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY_NANOS };
        loop {
            if self.is_cut_off.load(Ordering::Relaxed) {
                return Err(Error::new(Kind::Timeout, "Interrupted; nothing was changed"));
            }
            match poll(&mut [PollFd::new(&self.terminal, PollFlags::IN)], Some(&pause)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    let error = std::io::Error::from(error);
                    return Err(Error::usage("Cannot read from the terminal").because(error));
                }
            }
        }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before) {
            log::warn!("The terminal stays without its echo ({error}); `stty echo` gives it back");
        }
        self.is_over.store(true, Ordering::Relaxed);
    }
}
