// SPDX-License-Identifier: Apache-2.0
//! `GET /records/stream`: new records as server-sent events, each with rows of the records page as HTML.

use crate::error::{Error, Kind, Result};
use crate::http::access;
use crate::http::base_path;
use crate::http::call::Call;
use crate::http::web::Web;
use crate::http::wire::{Head, Slot};
use crate::model::account::Need;
use crate::model::filter::{RecordFilter, count};
use crate::ops::App;
use crate::stop::Stop;
use crate::store::{PayloadPart, RecordQuery};
use crate::views::records;
use rouille::{Response, ResponseBody};
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the database is asked for something new.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How often a client hears something even if nothing is new, so that one that is gone is noticed.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// How often it is looked whether who listens still may, while nothing is new; records are not sent without a look.
const ASK_AGAIN_EVERY: Duration = Duration::from_secs(5);
/// Most rows of one event: of more, the newest. The page keeps as many.
const ROWS_MAX: usize = 500;
/// How long one look searches.
const SEARCH_MOST: Duration = Duration::from_millis(300);

/// Opens the stream. Busy where too many are open.
pub fn open(web: &Web, call: &Call) -> Result<Response> {
    let app = web.shared_app();
    let filter = RecordFilter::parse(&call.query, &["after_id", "from_id"], true, app.clock.now())?;
    // A browser that reconnects says what it saw last.
    let after = call.head.field("last-event-id").or_else(|| call.query.first("after_id"));
    let after_id = match after {
        Some(id) => count("after_id", id)?,
        None => app.store.newest_record_id()?,
    };
    let slot = web
        .slots()
        .try_take()
        .ok_or_else(|| Error::busy("Too many live streams are open; close one or look again later"))?;
    let events = Events {
        app,
        head: Head { raw: Vec::new(), ..call.head.clone() },
        asked_at: Instant::now(),
        filter,
        may_delete: call.rights.may(Need::Operate),
        after_id,
        stop: web.stop().clone(),
        bytes: b"retry: 2000\n\n".to_vec(),
        sent: 0,
        last_sent: Instant::now(),
        _slot: slot,
    };
    Ok(Response {
        status_code: 200,
        headers: vec![
            ("Content-Type".into(), "text/event-stream; charset=utf-8".into()),
            ("Cache-Control".into(), "no-store".into()),
            ("X-Accel-Buffering".into(), "no".into()),
        ],
        data: ResponseBody::from_reader(events),
        upgrade: None,
    })
}

struct Events {
    app: Arc<App>,
    head: Head,
    asked_at: Instant,
    filter: RecordFilter,
    may_delete: bool,
    after_id: i64,
    stop: Stop,
    bytes: Vec<u8>,
    sent: usize,
    last_sent: Instant,
    _slot: Slot,
}

/// Whether who listens may go on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    May,
    /// The store is busy, which says nothing about who listens.
    Unknown,
    Ended,
}

/// What a look for new records came to.
enum Look {
    /// There is something to send.
    Found,
    Nothing,
    /// There would be, and who listens may not have it.
    Ended,
}

impl Events {
    /// Whether who listens still may: no session, account or token has ended that it takes.
    fn ask(&mut self) -> Standing {
        self.asked_at = Instant::now();
        match access::rights_still(&self.app, &self.head) {
            Ok(rights) if rights.may(Need::ReadRecords) => {
                self.may_delete = rights.may(Need::Operate);
                Standing::May
            }
            Err(error) if error.kind() == Kind::Busy => Standing::Unknown,
            _ => Standing::Ended,
        }
    }

    /// Waits for something to say; false where the server stops, or who listens may no longer.
    fn wait(&mut self) -> Result<bool> {
        loop {
            if self.stop.wait(LOOK_EVERY) {
                return Ok(false);
            }
            if self.asked_at.elapsed() >= ASK_AGAIN_EVERY && self.ask() == Standing::Ended {
                return Ok(false);
            }
            match self.look()? {
                Look::Ended => return Ok(false),
                Look::Found => return Ok(true),
                Look::Nothing => {}
            }
            if self.last_sent.elapsed() >= HEARTBEAT_EVERY {
                self.bytes = b": alive\n\n".to_vec();
                return Ok(true);
            }
        }
    }

    fn look(&mut self) -> Result<Look> {
        let newest = self.app.store.newest_record_id()?;
        if newest <= self.after_id {
            return Ok(Look::Nothing);
        }
        let (mut found, mut below_id) = (Vec::new(), Some(newest + 1));
        while below_id.is_some() && found.len() < ROWS_MAX && !self.stop.is_set() {
            let page = self.app.store.list_records(&RecordQuery {
                filter: self.filter.clone(),
                below_id,
                above_id: Some(self.after_id),
                rows_max: ROWS_MAX - found.len(),
                payload: PayloadPart::Start(records::PAYLOAD_CHARS_MAX),
                search_most: SEARCH_MOST,
            })?;
            found.extend(page.records);
            below_id = page.next_below_id;
        }
        if !found.is_empty() {
            // After they were read: what came in since the right to see it ended is then not among them.
            match self.ask() {
                Standing::May => {}
                Standing::Unknown => return Ok(Look::Nothing),
                Standing::Ended => return Ok(Look::Ended),
            }
        }
        self.after_id = newest;
        if found.is_empty() {
            return Ok(Look::Nothing);
        }
        let rows = records::render_rows(&found, self.app.clock.now(), self.may_delete).into_string();
        let rows = base_path::html(&self.app.config.base_path, &rows);
        let data = rows.replace(['\r', '\n'], " ");
        self.bytes = format!("id: {newest}\ndata: {data}\n\n").into_bytes();
        Ok(Look::Found)
    }
}

impl Read for Events {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            if !self.wait().map_err(|error| io::Error::other(error.with_causes()))? {
                return Ok(0);
            }
            self.last_sent = Instant::now();
        }
        let count = buffer.len().min(self.bytes.len() - self.sent);
        buffer[..count].copy_from_slice(&self.bytes[self.sent..self.sent + count]);
        self.sent += count;
        Ok(count)
    }
}
