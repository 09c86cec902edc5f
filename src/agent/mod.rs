// SPDX-License-Identifier: Apache-2.0
//! The reference agent, `muster agent run`: heartbeats, commands, results. It trusts nobody, the server included.
//!
//! | file | what |
//! |---|---|
//! | `host`, `addresses` | what it finds out about its machine |
//! | `state` | what it remembers beyond its process |
//! | `judge` | whether an action may run here: keys, weights, validity, target |
//! | `work` | from a command to its answer |
//! | `beat`, `poll` | the two threads |
//! | `pace` | stopping, and pauses after failures |

pub mod addresses;
mod beat;
mod host;
mod judge;
mod pace;
mod poll;
mod state;
#[cfg(test)]
mod tests;
mod work;

use crate::client::base_url::BaseUrl;
use crate::client::fleet::FleetClient;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::systemd;
use beat::Beats;
use judge::{Bundle, Own};
use poll::Polls;
use state::State;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A command in work has so long to end when the agent is told to stop.
const STOP_MOST: Duration = Duration::from_secs(3);
/// Bytes of a tag's name and of its value.
const TAG_BYTES_MAX: usize = 1_024;

/// How an agent is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub server: BaseUrl,
    /// What the agent remembers.
    pub state_dir: PathBuf,
    /// Keyring and ACL.
    pub bundle_dir: PathBuf,
    /// What lets the key bind, where the server asks for it.
    pub token: Option<String>,
    /// Names and values.
    pub tags: Vec<(String, String)>,
    /// How often it beats.
    pub heartbeat_period: Duration,
    /// How long one module may run.
    pub module_most: Duration,
    /// Certificates that the server's is checked by, PEM.
    pub ca_pem: Option<String>,
    /// Believe the server where a target cannot be judged here.
    pub trusts_server_targets: bool,
}

/// Why the agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop.
    Stopped,
    /// An action ended it.
    Destroyed,
}

/// Reads `name=value`. Usage where it is not that, or longer than 1024 bytes each.
pub fn parse_tag(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value))
            if !name.is_empty() && name.len() <= TAG_BYTES_MAX && value.len() <= TAG_BYTES_MAX =>
        {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(Error::usage(format!("A tag is name=value, each of at most {TAG_BYTES_MAX} bytes"))),
    }
}

/// What the two threads share.
struct Agent {
    options: Options,
    clock: Clock,
    client: FleetClient,
    state: State,
    name: String,
    started_at: i64,
    /// What was told to the server last, and when.
    told: Mutex<beat::Told>,
    stop: Stop,
    is_working: AtomicBool,
    /// How it ends; none: it was told to stop.
    verdict: Mutex<Option<Result<Ended>>>,
}

impl Agent {
    /// Ends the agent from within.
    fn end(&self, how: Result<Ended>) {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(how);
        self.stop.set();
    }
}

/// Runs until `stop` is set or an action ends it. Kinds: Usage or Corrupt where options or the state directory are
/// refused, Busy where another agent has that directory, Internal where modules hang. A server that is away is waited
/// for.
pub fn run(options: &Options, clock: &Clock, stop: &Stop) -> Result<Ended> {
    let name = host::name();
    let state = State::open(&options.state_dir, &name)?;
    state.prune(clock.now())?;
    let client = FleetClient::new(
        options.server.clone(),
        state.key(),
        options.token.clone(),
        options.ca_pem.as_deref(),
    )?;
    log::info!("This agent is {} with state in {}", state.queueloc(), options.state_dir.display());
    match Bundle::read(&options.bundle_dir)? {
        Some(bundle) => {
            log::info!("Judging by {} of {}", bundle.describe(), options.bundle_dir.display());
            bundle.left_out().iter().for_each(|why| log::warn!("{why}"));
        }
        None => log::warn!(
            "No keys in {}: the agent only beats until the bundle of `muster agent bundle` is there",
            options.bundle_dir.display()
        ),
    }
    let agent = Arc::new(Agent {
        options: options.clone(),
        clock: clock.clone(),
        client,
        state,
        name,
        started_at: clock.now(),
        told: Mutex::default(),
        stop: stop.clone(),
        is_working: AtomicBool::new(false),
        verdict: Mutex::new(None),
    });
    // Commands are asked for once the server knows the key.
    let (is_known, known) = sync_channel(1);
    let beats = Beats::new(Arc::clone(&agent), is_known);
    spawn("beat", || beats.run())?;
    let polls = Polls::new(Arc::clone(&agent))?;
    spawn("poll", move || {
        if known.recv().is_ok() {
            polls.run();
        }
    })?;
    systemd::ready(&format!("agent of {}", options.server));
    while !stop.wait(Duration::from_secs(3_600)) {}
    // A long poll may hang on the server for a minute; it is not waited for, only work that was begun.
    let until = Instant::now() + STOP_MOST;
    while agent.is_working.load(Ordering::SeqCst) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let verdict = agent.verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
    verdict.unwrap_or(Ok(Ended::Stopped))
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|error| Error::internal("Cannot start a thread").because(error))
}

/// Tells a lasting trouble once in the log, and its end.
#[derive(Debug, Default)]
struct Trouble {
    last: Option<String>,
}

impl Trouble {
    /// Something failed; it is told unless it is the same as before.
    fn is(&mut self, what: &str, error: &Error) {
        let text = error.with_causes();
        if self.last.as_ref() != Some(&text) {
            log::warn!("{what}: {text}");
            self.last = Some(text);
        }
    }

    /// It works.
    fn is_over(&mut self, what: &str) {
        if self.last.take().is_some() {
            log::info!("{what}: it works again");
        }
    }
}
