// SPDX-License-Identifier: Apache-2.0
//! The thread that asks for commands, has them done one after the other, and brings back the answers.

use crate::agent::pace::{Backoff, random_hex};
use crate::agent::work::{Reply, Work, is_worn_out};
use crate::agent::{Agent, Bundle, Ended, Trouble};
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the server is asked to keep a poll.
const WAIT: Duration = Duration::from_secs(50);
/// The keyring is looked for so often while there is none.
const BUNDLE_PERIOD: Duration = Duration::from_secs(30);
/// A server may ask for pauses up to this.
const PAUSE_MOST: Duration = Duration::from_secs(3_600);
/// An empty answer before this, without a pause, is followed by one of ours: else the two would run in a circle.
const EMPTY_LEAST: Duration = Duration::from_secs(1);
/// What has expired is forgotten so often.
const PRUNE_PERIOD: Duration = Duration::from_secs(3_600);
/// Attempts to bring an answer; after that the server asks again when its lease is over, and gets the kept one.
const DELIVERIES_MAX: u32 = 8;

/// The thread's work.
pub(super) struct Polls {
    agent: Arc<Agent>,
    instance: String,
    backoff: Backoff,
    trouble: Trouble,
    pruned: Instant,
}

impl Polls {
    /// For this agent, as an instance of its own.
    pub(super) fn new(agent: Arc<Agent>) -> Result<Polls> {
        let instance = random_hex(16)?;
        let (backoff, trouble) = (Backoff::default(), Trouble::default());
        Ok(Polls { agent, instance, backoff, trouble, pruned: Instant::now() })
    }

    /// Polls until the agent stops.
    pub(super) fn run(mut self) {
        loop {
            let pause = match self.poll() {
                Ok(pause) => pause,
                Err(error) => {
                    self.trouble.is("No commands can be fetched", &error);
                    self.backoff.next_pause()
                }
            };
            if self.agent.stop.wait(pause) {
                return;
            }
        }
    }

    /// Fetches once and does what there is; how long to wait until the next time.
    fn poll(&mut self) -> Result<Duration> {
        let agent = Arc::clone(&self.agent);
        if !Bundle::has_key_files(&agent.options.bundle_dir)? {
            return Ok(BUNDLE_PERIOD);
        }
        let begun = Instant::now();
        let fetched = agent.client.fetch(agent.state.queueloc(), &self.instance, WAIT)?;
        self.trouble.is_over("Fetching commands");
        if fetched.commands.is_empty() && fetched.pause.is_zero() && begun.elapsed() < EMPTY_LEAST {
            return Ok(self.backoff.next_pause());
        }
        self.backoff.reset();
        for command in &fetched.commands {
            agent.is_working.store(true, Ordering::SeqCst);
            let done = self.work(command);
            agent.is_working.store(false, Ordering::SeqCst);
            match done {
                Ok(()) => {}
                Err(error) => log::warn!("A command is passed over: {}", error.with_causes()),
            }
            if agent.stop.is_set() {
                break;
            }
        }
        if self.pruned.elapsed() >= PRUNE_PERIOD {
            agent.state.prune(agent.clock.now())?;
            self.pruned = Instant::now();
        }
        Ok(fetched.pause.min(PAUSE_MOST))
    }

    fn work(&mut self, command: &Value) -> Result<()> {
        let agent = Arc::clone(&self.agent);
        // Read anew for each: a key or a weight that was taken away counts at once.
        let bundle = Bundle::read(&agent.options.bundle_dir)?
            .ok_or_else(|| Error::invalid("No key of the keyring can be read"))?;
        let own = agent.own()?;
        let work = Work {
            state: &agent.state,
            bundle: &bundle,
            own: &own,
            module_most: agent.options.module_most,
            clock: &agent.clock,
        };
        let reply = work.reply(command)?;
        self.deliver(&reply);
        if reply.ends_agent {
            agent.end(Ok(Ended::Destroyed));
        } else if is_worn_out() {
            agent.end(Err(Error::internal("Several modules did not end; the agent must be started anew")));
        }
        Ok(())
    }

    /// Brings the answer, trying again where the server is away. One that the server cannot take is replaced by the
    /// reason, so that the command ends.
    fn deliver(&self, reply: &Reply) {
        let mut backoff = Backoff::default();
        let mut json = reply.json.clone();
        let mut is_replaced = false;
        for _ in 0..DELIVERIES_MAX {
            match self.agent.client.deliver(&json) {
                Ok(false) => return,
                Ok(true) => {
                    log::info!("The server had an answer to command {} already", reply.command_id);
                    return;
                }
                Err(error) if matches!(error.kind(), Kind::Busy | Kind::Timeout) => {
                    log::warn!(
                        "The answer to command {} must wait: {}",
                        reply.command_id,
                        error.with_causes()
                    );
                    if self.agent.stop.wait(backoff.next_pause()) {
                        return;
                    }
                }
                Err(error) => {
                    log::warn!("The answer to command {} is not taken: {error}", reply.command_id);
                    if is_replaced || !matches!(error.kind(), Kind::Invalid | Kind::TooLarge) {
                        return;
                    }
                    json = reply.replaced(&format!("The server did not take the results: {error}"));
                    is_replaced = true;
                }
            }
        }
        log::warn!("The answer to command {} is kept until the server asks again", reply.command_id);
    }
}
