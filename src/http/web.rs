// SPDX-License-Identifier: Apache-2.0
//! The handler of all requests: the checks that every route shares, and the way to the route.

use crate::error::{Error, Kind, Result};
use crate::http::call::{Call, PAIRS_MAX, parse_pairs, query_of};
use crate::http::hosts::Hosts;
use crate::http::limits::PostLimits;
use crate::http::routes::{self, Body, Found};
use crate::http::wire::{BodyPolicy, Handler, Head, Incoming, Slots, Stats};
use crate::http::{access, base_path, compress, mig, pages, proxies, respond};
use crate::ingest::{self, Encoding};
use crate::model::account::{Need, Rights};
use crate::ops::App;
use crate::ops::metrics::Wire;
use crate::stop::Stop;
use rouille::Response;
use std::io::Read;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Body bytes that a route tolerates which takes none.
const BODY_BYTES_TOLERATED: usize = 64 << 10;

/// A body longer than this waits for its turn: what is made of it takes several times its bytes, and the wire bounds
/// only the bodies (measured: 200 MB for 200 records of 300 KiB at once).
const LARGE_BODY_BYTES: usize = 64 << 10;
/// So many of those are handled at once.
const LARGE_AT_ONCE: usize = 8;

/// Here agents wait for commands, which says nothing of how fast the server is.
const AGENT_POLL_PATH: &str = "/api/v1/agent/commands";

/// Answers every request of muster.
pub struct Web {
    app: Arc<App>,
    hosts: Hosts,
    slots: Slots,
    compressing: Slots,
    post_limits: PostLimits,
    stop: Stop,
    csrf_secret: [u8; 32],
    large: [Mutex<()>; LARGE_AT_ONCE],
    stats: OnceLock<Stats>,
}

impl Web {
    /// The handler over `app`. `slots`: how many streams may be open; `stop`: ends them.
    pub fn new(app: Arc<App>, slots: Slots, stop: Stop) -> Result<Web> {
        let mut csrf_secret = [0; 32];
        getrandom::fill(&mut csrf_secret).map_err(|error| {
            Error::internal("The system has no random numbers").because(error.to_string())
        })?;
        let hosts =
            Hosts::new(&app.config.hostnames, &[&app.config.listen[..], &app.config.tls.listen].concat());
        let compressing = Slots::new(compress::AT_ONCE_MAX);
        let post_limits = PostLimits::new(&app.config.limits);
        Ok(Web {
            app,
            hosts,
            slots,
            compressing,
            post_limits,
            stop,
            csrf_secret,
            large: Default::default(),
            stats: OnceLock::new(),
        })
    }

    /// The application.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The application, for a body that outlives the call.
    pub fn shared_app(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    /// The places for streams.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Takes the figures of the server that asks this handler; only the first are kept.
    pub fn set_stats(&self, stats: Stats) {
        // There is one server.
        let _ = self.stats.set(stats);
    }

    /// What the wire counts.
    pub fn wire_figures(&self) -> Wire {
        Wire {
            connections: self.stats.get().map_or(0, Stats::count_connections),
            turned_away: self.stats.get().map_or(0, Stats::count_turned_away),
            streams: self.slots.count_taken(),
            handshakes: self.stats.get().and_then(Stats::count_handshakes),
        }
    }

    /// The wish to stop.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// What the tokens of forms are made from; of this run of the program.
    pub fn csrf_secret(&self) -> &[u8; 32] {
        &self.csrf_secret
    }

    fn answer(&self, incoming: Incoming) -> (Head, Result<Response>) {
        let Incoming { head, request, is_body_cut, caller } = incoming;
        let mut body = Vec::new();
        if let Some(mut data) = request.data()
            && let Err(error) = data.read_to_end(&mut body)
        {
            return (head, Err(Error::internal("A body in memory cannot be read").because(error)));
        }
        // It still holds the body it was made from.
        drop(request);
        let query = parse_pairs(query_of(&head.target).as_bytes());
        let found = routes::find(&head.method, head.path());
        let rights = Rights::default();
        let mut call = Call { head, rights, parameters: Vec::new(), query, body, is_body_cut, caller };
        let response = match found {
            Found::Route(route, parameters) => {
                call.parameters = parameters;
                self.let_in(&mut call, route.need)
                    .and_then(|()| refuse_cut(route.body, &call))
                    .and_then(|()| (route.handle)(self, &call))
            }
            Found::View(view, parameters) => {
                self.let_in(&mut call, view.need).and_then(|()| pages::show(self, &call, view, &parameters))
            }
            Found::OtherMethods(_) | Found::Nothing => {
                Err(Error::internal("A request passed the gate unmatched"))
            }
        };
        (call.head, response)
    }

    /// An answer with its addresses as they are outside.
    fn outside(&self, response: Response) -> Response {
        base_path::apply(&self.app.config.base_path, response)
    }

    /// Finds out who asks, and refuses what they may not. What needs nothing does not ask.
    fn let_in(&self, call: &mut Call, need: Need) -> Result<()> {
        if need == Need::Nothing {
            return Ok(());
        }
        call.rights = access::rights(self, &call.head)?;
        access::require(self, call, need)
    }

    /// Decides from the head how much body a request may have.
    fn gate(&self, head: &Head) -> Result<BodyPolicy> {
        let bytes_max = match routes::find(&head.method, head.path()) {
            Found::Nothing => {
                self.hosts.check(head)?;
                return Err(Error::not_found(format!(
                    "There is nothing at {}",
                    crate::model::filter::shortened(head.path())
                )));
            }
            Found::OtherMethods(allowed) => {
                return Err(Error::new(
                    Kind::MethodNotAllowed,
                    format!(
                        "{} is not possible here, only {allowed}",
                        crate::model::filter::shortened(&head.method)
                    ),
                ));
            }
            Found::View(..) => {
                self.hosts.check(head)?;
                BODY_BYTES_TOLERATED
            }
            Found::Route(route, _) => {
                if !route.any_host {
                    self.hosts.check(head)?;
                }
                if route.body == Body::Record {
                    let taken = self.post_limits.take(head.peer.ip());
                    taken.inspect_err(|_| self.app.counters.note_post_refused())?;
                }
                if matches!(route.body, Body::Bytes(_)) && mig::is_for_clients(head) {
                    mig::require_shown(self, head)?;
                }
                self.body_bytes_max(route.body, head)
            }
        };
        Ok(BodyPolicy { bytes_max })
    }

    fn body_bytes_max(&self, body: Body, head: &Head) -> usize {
        let payload_bytes_max = self.app.config.payload_bytes_max;
        match body {
            Body::None => BODY_BYTES_TOLERATED,
            Body::Record => {
                let encoding = ingest::encoding_of(&head.fields).unwrap_or(Encoding::Header);
                ingest::body_bytes_max(encoding, payload_bytes_max)
            }
            // A form makes six bytes of a line end: CR LF, percent-encoded.
            Body::Form => payload_bytes_max * 6 + BODY_BYTES_TOLERATED,
            Body::Bytes(bytes_max) => bytes_max,
        }
    }
}

impl Handler for Web {
    fn admit(&self, head: &mut Head) -> std::result::Result<BodyPolicy, Response> {
        proxies::normalize(&self.app.config, head);
        let head = &*head;
        if head.method == "OPTIONS" && head.target == "*" {
            return Err(respond::data(204, "text/plain", "").with_unique_header("Allow", "GET, HEAD, POST"));
        }
        if let Some(path) = old_path(head) {
            return Err(self.outside(respond::redirect(302, &path)));
        }
        self.gate(head).map_err(|error| {
            self.app.counters.note_answer(error.kind().http_status());
            let response = self.outside(not_sniffed(respond::error(head, &error)));
            match routes::find(&head.method, head.path()) {
                Found::OtherMethods(allowed) => response.with_unique_header("Allow", allowed),
                _ => response,
            }
        })
    }

    fn handle(&self, incoming: Incoming) -> Response {
        let began = Instant::now();
        let is_poll = incoming.head.path() == AGENT_POLL_PATH;
        let turn = &self.large[usize::from(incoming.head.peer.port()) % LARGE_AT_ONCE];
        let held = is_large(&incoming.head).then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
        let (head, outcome) = self.answer(incoming);
        let response = outcome.unwrap_or_else(|error| match error.kind() {
            Kind::Unauthorized if respond::leads_to_login(&head) => access::to_login(&head),
            _ => respond::error(&head, &error),
        });
        drop(held);
        self.app.counters.note_answer(response.status_code);
        if !is_poll {
            self.app.counters.note_duration(began.elapsed());
        }
        not_sniffed(compress::apply(&head, self.outside(response), &self.compressing))
    }

    fn refuse(&self, status: u16, message: &str) -> Response {
        self.app.counters.note_answer(status);
        let refused = not_sniffed(respond::json(status, &respond::Message { message, request_id: None }));
        if status == 503 { refused.with_unique_header("Retry-After", "5") } else { refused }
    }
}

/// A form that was cut must not be taken for the whole, nor a query for its beginning.
fn refuse_cut(body: Body, call: &Call) -> Result<()> {
    match body {
        Body::Form if call.is_body_cut => return Err(Error::new(Kind::TooLarge, "The form is too large")),
        Body::Bytes(bytes_max) if call.is_body_cut => {
            return Err(Error::new(
                Kind::TooLarge,
                format!("The body is too large; it may have {bytes_max} bytes"),
            ));
        }
        _ => {}
    }
    if call.query.0.len() > PAIRS_MAX {
        return Err(Error::invalid(format!("A query has at most {PAIRS_MAX} parameters")));
    }
    Ok(())
}

/// True where a large body has come, or one of a length that was not told.
fn is_large(head: &Head) -> bool {
    let length = head.field("content-length").and_then(|length| length.parse::<usize>().ok());
    length.is_some_and(|length| length > LARGE_BODY_BYTES) || head.field("transfer-encoding").is_some()
}

/// Every answer with a body tells browsers to believe its content type.
fn not_sniffed(response: Response) -> Response {
    response.with_unique_header("X-Content-Type-Options", "nosniff")
}

/// Where an old bookmark of the original's web UI leads: `/telemetryui/…` is `/…` here.
fn old_path(head: &Head) -> Option<String> {
    let is_read = matches!(head.method.as_str(), "GET" | "HEAD");
    let rest = head.target.strip_prefix("/telemetryui").filter(|_| is_read)?;
    match rest.as_bytes().first() {
        None => Some("/".to_owned()),
        Some(b'?') => Some(format!("/{rest}")),
        // "//host" would lead away from here.
        Some(b'/') => Some(format!("/{}", rest.trim_start_matches(['/', '\\'])).replace('<', "%3C")),
        _ => None,
    }
}
