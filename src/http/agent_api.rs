// SPDX-License-Identifier: Apache-2.0
//! `/api/v1/agent/…`: agents with a bound key fetch commands, by long poll, and bring results.

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::fleet::commands::{
    self, Asker, ExportFormat, Fetched, LargeAnswer, Report, Results, answer, fetch, lease_of,
};
use crate::ops::fleet::dispatch::Woken;
use crate::ops::fleet::enrolment::{self, ShownToken};
use crate::store::fleet::Answered;
use rouille::{Response, ResponseBody};
use serde::{Deserialize, Serialize};
use std::io::{self, Cursor, Read};
use std::time::{Duration, Instant};

/// Body bytes of a wish for commands.
pub const FETCH_BYTES_MAX: usize = 64 << 10;
/// Body bytes of an answer.
pub const RESULTS_BYTES_MAX: usize = commands::RESULTS_BYTES_MAX;
/// The longest wait for commands, in seconds.
const WAIT_SECS_MAX: u64 = 60;

/// A wish for commands.
#[derive(Deserialize)]
struct Wish {
    queueloc: String,
    instance: String,
    #[serde(default)]
    wait: u64,
}

/// `{"commands":[],"poll_secs":N}`.
#[derive(Serialize)]
struct NoCommands {
    commands: [(); 0],
    poll_secs: u64,
}

#[derive(Serialize)]
struct Taken {
    error: Option<String>,
    is_late: bool,
    is_repeated: bool,
}

/// Gives an agent its commands, at once or when there are some.
pub fn give_commands(web: &Web, call: &Call) -> Result<Response> {
    let wish: Wish = serde_json::from_slice(&call.body).map_err(|error| {
        Error::invalid(format!("The body must be JSON of queueloc, instance and wait: {error}"))
    })?;
    let asker = Asker {
        authorization: call.head.field("authorization"),
        queueloc: &wish.queueloc,
        instance: &wish.instance,
    };
    let lease = limited(web, call, || lease_of(web.app(), asker))?;
    let until = Instant::now() + Duration::from_secs(wish.wait.min(WAIT_SECS_MAX));
    match fetch(web.app(), &lease)? {
        Fetched::Commands(text, right) => return Ok(commands_response(text, right)),
        Fetched::Later => return Ok(no_commands(web.app().config.fleet.poll_secs)),
        Fetched::Nothing if wish.wait == 0 => return Ok(no_commands(web.app().config.fleet.poll_secs)),
        Fetched::Nothing => {}
    }
    wait(web, call, asker, lease.endpoint_id, until)
}

fn limited<T>(web: &Web, call: &Call, look: impl FnOnce() -> Result<T>) -> Result<T> {
    let authorization = call.head.field("authorization");
    enrolment::limited(web.app(), call.head.peer.ip(), authorization, ShownToken::None, look)
}

/// The long poll. Who waits is woken; nobody looks into the database again and again.
fn wait(web: &Web, call: &Call, asker: Asker<'_>, endpoint_id: i64, until: Instant) -> Result<Response> {
    let app = web.app();
    let poll_secs = app.config.fleet.poll_secs;
    let Some(_slot) = web.slots().try_take() else { return Ok(no_commands(poll_secs)) };
    let waiting = app.dispatch.polls.begin(endpoint_id, asker.instance);
    // What was made before the waiting began wakes nobody: it is looked for first.
    let mut woken = Woken::Command;
    loop {
        // What is given to an agent that has gone would be leased to nobody.
        if woken == Woken::Superseded || woken == Woken::Stopping || call.caller.has_left() {
            return Ok(no_commands(poll_secs));
        }
        // The key may have been unbound meanwhile.
        match fetch(app, &lease_of(app, asker)?)? {
            Fetched::Commands(text, right) => return Ok(commands_response(text, right)),
            Fetched::Later => return Ok(no_commands(poll_secs)),
            Fetched::Nothing if woken == Woken::TimedOut => return Ok(no_commands(0)),
            Fetched::Nothing => woken = waiting.wait(until),
        }
    }
}

fn no_commands(poll_secs: u64) -> Response {
    respond::json(200, &NoCommands { commands: [], poll_secs })
}

fn commands_response(text: String, right: Option<LargeAnswer>) -> Response {
    Response {
        status_code: 200,
        headers: vec![("Content-Type".into(), "application/json".into())],
        data: match right {
            None => ResponseBody::from_data(text.into_bytes()),
            Some(right) => {
                ResponseBody::from_reader(Held { text: Cursor::new(text.into_bytes()), _right: right })
            }
        },
        upgrade: None,
    }
}

/// A large answer, which counts until it is sent.
struct Held {
    text: Cursor<Vec<u8>>,
    _right: LargeAnswer,
}

impl Read for Held {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.text.read(buffer)
    }
}

/// Takes the results of a command.
pub fn take_results(web: &Web, call: &Call) -> Result<Response> {
    let authorization = call.head.field("authorization");
    let answered =
        Report::read(&call.body, |report| limited(web, call, || answer(web.app(), authorization, report)))?;
    let taken = Taken {
        error: None,
        is_late: answered == Answered::Late,
        is_repeated: answered == Answered::Repeated,
    };
    Ok(respond::json(200, &taken))
}

/// The results of an action as a file: `?format=json` or `csv`.
pub fn export_results(web: &Web, call: &Call) -> Result<Response> {
    let (format, content_type, ending) = match call.query.first("format") {
        None | Some("json") => (ExportFormat::Json, "application/json", "json"),
        Some("csv") => (ExportFormat::Csv, "text/csv; charset=utf-8", "csv"),
        Some(_) => return Err(Error::invalid("format must be json or csv")),
    };
    let id = call.id()?;
    let results = Results::open(web.shared_app(), id, format)?;
    let name = format!("attachment; filename=\"action-{id}.{ending}\"");
    Ok(Response {
        status_code: 200,
        headers: vec![
            ("Content-Type".into(), content_type.into()),
            ("Content-Disposition".into(), name.into()),
            ("Cache-Control".into(), "no-store".into()),
        ],
        data: ResponseBody::from_reader(results),
        upgrade: None,
    })
}
