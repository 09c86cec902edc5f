// SPDX-License-Identifier: Apache-2.0
//! The command line, on the real binary: arguments, configuration, starting and stopping, units and packaged files.

mod arguments;
mod configuration;
mod data_dir;
mod install;
mod manual;
mod packaging;
mod records;
mod running;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with these arguments, and without what this machine's environment might say to it.
fn muster(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MUSTER_") {
            command.env_remove(name);
        }
    }
    for name in
        ["STATE_DIRECTORY", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID"]
    {
        command.env_remove(name);
    }
    command
}

/// Exit status, standard output, standard error.
type Outcome = (i32, String, String);

fn outcome(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn run(arguments: &[&str]) -> Outcome {
    outcome(&mut muster(arguments))
}

/// A path as an argument.
fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}
