// SPDX-License-Identifier: Apache-2.0
//! From a command, as the server sent it, to its answer: judged, remembered, run within time and size.

use crate::agent::Own;
use crate::agent::judge::{Bundle, judge};
use crate::agent::state::{Known, State};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::action::{Action, Operation};
use crate::model::command::{CommandStatus, OperationResult};
use crate::model::filter::shortened;
use crate::model::record::hex;
use crate::model::timestamp::Timestamp;
use crate::modules::{self, Host, Limits, Outcome};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Bytes of the results of a command together, as JSON.
const RESULTS_BYTES_MAX: usize = 4 << 20;
/// Of these, so much is kept for what the envelope and errors need.
const RESERVE_BYTES: usize = 64 << 10;
/// A module that has not ended so long after its time is left behind.
const GRACE: Duration = Duration::from_secs(5);
/// With so many modules left behind the process is no longer sound.
const LEFT_BEHIND_MAX: usize = 4;
/// Operations of one action that are answered one by one.
const OPERATIONS_MAX: usize = 1_000;

/// Modules that were left behind and may still run.
static LEFT_BEHIND: AtomicUsize = AtomicUsize::new(0);

/// True where so many modules did not end in time that the agent should begin anew.
pub fn is_worn_out() -> bool {
    LEFT_BEHIND.load(Ordering::Relaxed) >= LEFT_BEHIND_MAX
}

/// What goes back to the server.
#[derive(Debug)]
pub struct Reply {
    /// The command.
    pub command_id: i64,
    /// `{"id", "status", "results", "finishtime"}`.
    pub json: String,
    /// The agent ends once this is delivered.
    pub ends_agent: bool,
}

impl Reply {
    /// Another answer to the same command: that it failed, and why.
    pub fn replaced(&self, why: &str) -> String {
        let finished: Option<Value> = serde_json::from_str(&self.json).ok();
        let finished = finished.map(|json| json["finishtime"].clone()).unwrap_or_default();
        json!({
            "id": self.command_id,
            "status": CommandStatus::Failed.word(),
            "results": [{"foundanything": false, "success": false, "elements": null, "statistics": null,
                "errors": [why]}],
            "finishtime": finished,
        })
        .to_string()
    }
}

/// What work needs to know.
#[derive(Debug)]
pub struct Work<'a> {
    /// Where it is remembered what ran.
    pub state: &'a State,
    /// Keys and weights.
    pub bundle: &'a Bundle,
    /// This agent as targets see it.
    pub own: &'a Own,
    /// How long one module may run.
    pub module_most: Duration,
    /// Tells the time.
    pub clock: &'a Clock,
}

impl Work<'_> {
    /// Does what a command asks for, where that may be, and says what is to be answered: the same again where it was
    /// answered before. Invalid where it is no command at all, so that nothing can be answered.
    pub fn reply(&self, command: &Value) -> Result<Reply> {
        let id = command.get("id").and_then(Value::as_i64).filter(|id| *id > 0);
        let id = id.ok_or_else(|| Error::invalid("The server sent a command without an id"))?;
        let read = || -> Result<(Action, String)> {
            let action = command.get("action").unwrap_or(&Value::Null);
            let action: Action = serde_json::from_value(action.clone())
                .map_err(|error| Error::invalid(format!("The command has no action: {error}")))?;
            let text = action.signed_text()?;
            Ok((action, text))
        };
        match read() {
            Ok((action, text)) => self.reply_to(id, &action, &text),
            Err(error) => Ok(self.refusal(id, 1, &error)),
        }
    }

    fn reply_to(&self, id: i64, action: &Action, text: &str) -> Result<Reply> {
        let hash = hex(&Sha256::digest(text));
        let operations = action.operations.as_deref().unwrap_or_default();
        let name = shortened(&action.name);
        let refuse = |error: &Error| {
            log::warn!("Refused command {id}, action {name}: {error}");
            Ok(self.refusal(id, operations.len(), error))
        };
        match self.state.look_up(&hash, id) {
            Ok(Known::New) => {}
            Ok(Known::Answered(json)) => {
                log::info!("Command {id} is answered as before");
                return Ok(Reply { command_id: id, json, ends_agent: false });
            }
            Ok(Known::Begun) => {
                let message = "The action began to run here and was cut off; it is not run again";
                return refuse(&Error::invalid(message));
            }
            Ok(Known::Replayed) => {
                return refuse(&Error::invalid("The action ran here before, for another command"));
            }
            Err(error) => return refuse(&error),
        }
        let begun = judge(action, text, self.bundle, self.own, self.clock.now()).and_then(|signers| {
            self.state.begin(&hash, id, action.expireafter.unix_secs)?;
            Ok(signers)
        });
        let signers = match begun {
            Ok(signers) => signers,
            Err(error) => return refuse(&error),
        };
        let modules: Vec<&str> = operations.iter().map(|operation| operation.module.as_str()).collect();
        log::info!(
            "Running command {id}, action {name}: {}, signed by {}",
            shortened(&modules.join(", ")),
            signers.join(", ")
        );
        let reply = self.run(id, operations);
        if let Err(error) = self.state.finish(&hash, &reply.json) {
            log::warn!("The answer to command {id} is not kept: {}", error.with_causes());
        }
        Ok(reply)
    }

    /// Runs all operations in order, also after one that failed.
    fn run(&self, id: i64, operations: &[Operation]) -> Reply {
        let mut status = CommandStatus::Success;
        let mut results = Results::default();
        let mut ends_agent = false;
        for operation in operations {
            let (result, ended) = match self.outcome(operation, results.left()) {
                // As in MIG: a module that tells what it could not do has answered. Its clients show results of
                // commands that succeeded, and nothing of others.
                Outcome::Done(result) => (result, None),
                Outcome::DoneAndEnd(result) => {
                    ends_agent = true;
                    (result, None)
                }
                Outcome::TimedOut(result) => (result, Some(CommandStatus::Timeout)),
                Outcome::Failed(why) => (failed(why), Some(CommandStatus::Failed)),
                Outcome::Unknown => {
                    let message = format!(
                        "This agent has no module {}; it has {}",
                        shortened(&operation.module),
                        modules::NAMES.join(", ")
                    );
                    (failed(message), Some(CommandStatus::Failed))
                }
            };
            status = worse(status, ended);
            // `want_compressed` is about the parameters on their way; results go as they are.
            results.push(result);
        }
        self.envelope(id, status, results, ends_agent)
    }

    /// Runs one operation on a thread of its own, so that a module that hangs holds up nothing for ever.
    fn outcome(&self, operation: &Operation, output_bytes_max: usize) -> Outcome {
        let parameters = match operation.is_compressed {
            true => modules::plain_parameters(&operation.parameters),
            false => Ok(operation.parameters.clone()),
        };
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(error) => return Outcome::Failed(error.message().to_owned()),
        };
        let (now_secs, now_nanos) = self.clock.now_precisely();
        let host = Host {
            pid: i64::from(std::process::id()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_secs,
            now_nanos,
        };
        let limits = Limits { deadline: Instant::now() + self.module_most, output_bytes_max };
        let module = operation.module.clone();
        let (sender, receiver) = sync_channel(1);
        LEFT_BEHIND.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::Builder::new().name("module".into()).spawn(move || {
            let outcome = modules::run(&module, &parameters, &limits, &host);
            // Nobody waits any more where it took too long.
            let _ = sender.send(outcome);
            LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(error) = thread {
            LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
            return Outcome::Failed(format!("Cannot start a thread: {error}"));
        }
        match receiver.recv_timeout(self.module_most + GRACE) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                let message = format!("The module did not end within {} s", self.module_most.as_secs());
                Outcome::TimedOut(failed(message))
            }
            Err(RecvTimeoutError::Disconnected) => {
                LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
                Outcome::Failed("The module broke down; see the agent's log".to_owned())
            }
        }
    }

    /// The answer to a command that does not run: the reason for each of its operations.
    fn refusal(&self, id: i64, operations: usize, error: &Error) -> Reply {
        let mut results = Results::default();
        for _ in 0..operations.clamp(1, OPERATIONS_MAX) {
            results.push(failed(format!("Refused by the agent: {}", error.message())));
        }
        self.envelope(id, CommandStatus::Failed, results, false)
    }

    fn envelope(&self, id: i64, status: CommandStatus, results: Results, ends_agent: bool) -> Reply {
        let (word, finished) = (status.word(), Timestamp::utc(self.clock.now()));
        let json = format!(
            "{{\"id\":{id},\"status\":\"{word}\",\"results\":[{}],\"finishtime\":\"{finished}\"}}",
            results.json
        );
        Reply { command_id: id, json, ends_agent }
    }
}

/// The JSON of results, as far as there is room.
#[derive(Debug, Default)]
struct Results {
    json: String,
}

impl Results {
    /// Bytes for the next one.
    fn left(&self) -> usize {
        RESULTS_BYTES_MAX.saturating_sub(RESERVE_BYTES + self.json.len())
    }

    /// Adds one; where it is too large, an error stands for it.
    fn push(&mut self, result: OperationResult) {
        if !self.json.is_empty() {
            self.json.push(',');
        }
        let json = match result.to_json() {
            Ok(json) if json.len() <= self.left() => json,
            Ok(json) => cut(result, &format!("The result is left out: {} bytes are too many", json.len())),
            Err(error) => cut(result, &format!("The result cannot be written as JSON: {error}")),
        };
        // With a thousand errors even these are too many; the command has failed anyway.
        self.json.push_str(if json.len() <= RESERVE_BYTES.max(self.left()) { &json } else { "null" });
    }
}

/// The JSON of a result without what it found.
fn cut(result: OperationResult, why: &str) -> String {
    let cut = OperationResult {
        elements: Value::Null,
        statistics: Value::Null,
        errors: Some(vec![why.to_owned()]),
        ..result
    };
    cut.to_json().unwrap_or_else(|_| "null".to_owned())
}

/// A command is as bad as its worst operation; one that took too long counts most, as in MIG.
fn worse(status: CommandStatus, ended: Option<CommandStatus>) -> CommandStatus {
    match (status, ended) {
        (CommandStatus::Timeout, _) | (_, Some(CommandStatus::Timeout)) => CommandStatus::Timeout,
        (_, Some(ended)) => ended,
        (status, None) => status,
    }
}

fn failed(message: impl Into<String>) -> OperationResult {
    OperationResult { errors: Some(vec![message.into()]), ..OperationResult::default() }
}
