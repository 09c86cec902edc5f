// SPDX-License-Identifier: Apache-2.0
//! The command line. Each subcommand is one file: an argh structure and its `run`; what does more than read arguments
//! and print is in the layers below.
//!
//! To add a subcommand: its file, its variant of `arguments::Command` and its line in `run`.

mod account;
mod acl;
mod action;
mod actor;
mod agent;
mod arguments;
mod audit;
mod backup;
mod check;
mod completions;
mod config;
mod data_dir;
mod delete;
mod demo;
mod doctor;
mod export;
mod import;
mod input;
mod investigator;
mod manual;
mod progress;
mod purge;
mod restore;
mod roff;
mod secret_input;
mod send;
mod serve;
mod signals;
mod spool;
mod tls;
mod tree;
mod view;
mod watchdog;

use crate::clock::Clock;
use crate::config::{Config, Flags, Loaded};
use crate::error::{Error, Kind, Result};
use crate::logging;
use crate::ops::App;
use crate::store::{Missing, Store, StoreOptions};
use actor::actor;
use arguments::{Command, Parsed};
use std::ffi::OsString;
use std::io::{ErrorKind, Write};

/// Runs the program with these arguments (without its name) and returns its exit status: 0 done, 1 failed, 2 refused.
pub fn main(arguments: Vec<OsString>) -> u8 {
    logging::start(log::LevelFilter::Info, || Clock::system().now());
    logging::log_panics();
    actor::note_user();
    let outcome = match arguments::parse(arguments) {
        Parsed::Command(command) => run(*command),
        Parsed::Print(text) => print(&text),
        Parsed::Refused(text) => {
            logging::write_failure(&text);
            return Kind::Usage.exit_code();
        }
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            logging::write_failure(&format!("muster: {}", error.with_causes()));
            error.kind().exit_code()
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Send(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::View(command) => command.run(),
        Command::Spool(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Tls(command) => command.run(),
        Command::Restore(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Agent(command) => command.run(),
        Command::Action(command) => command.run(),
        Command::Acl(command) => command.run(),
        Command::Investigator(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Purge(command) => command.run(),
        Command::Delete(command) => command.run(),
        Command::Manual(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Account(command) => command.run(),
    }
}

/// Loads the configuration, logs from then on at its level, and tells its warnings.
fn load_config(flags: &Flags) -> Result<Loaded> {
    let loaded = load_quietly(flags)?;
    logging::set_level(loaded.config.log_level);
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    Ok(loaded)
}

/// Loads the configuration; its warnings are the caller's to tell.
fn load_quietly(flags: &Flags) -> Result<Loaded> {
    let environment: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    Config::load(flags, &environment)
}

/// Opens the database for a command, as the owner of its directory; a running server does not mind. Both flags may be
/// missing. Kinds: those of the configuration and of [`Store::open`].
fn open_app(config: Option<&str>, data: Option<&str>, missing: Missing) -> Result<App> {
    let config = load_config(&Flags::new(config, data))?.config;
    data_dir::prepare(&config.data_dir, missing)?;
    Store::look(&config.data_dir)?;
    Store::refuse_upgrade_beside_server(&config.data_dir)?;
    let clock = Clock::system();
    let options = StoreOptions {
        data_dir: config.data_dir.clone(),
        missing,
        disk_reserve_bytes: config.disk_reserve_bytes,
        readers: config.readers,
        clock: clock.clone(),
    };
    let store = Store::open(&options)?;
    Ok(App::new(config, clock, store))
}

/// Prints to standard output. A reader that has gone (`muster … | head`) is no failure.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::internal("Cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}
