// SPDX-License-Identifier: Apache-2.0
//! Taking a heartbeat: what it must hold, and what it changes.

mod fields;

use crate::config::Enrol;
use crate::error::{Error, Kind, Result};
use crate::ops::App;
use crate::ops::fleet::enrolment::{self, ShownToken};
use crate::store::fleet::{Admission, HeartbeatLimits, HeartbeatOutcome};
use std::net::IpAddr;

/// Bytes of a heartbeat's body; a larger one is refused unread.
pub const HEARTBEAT_BYTES_MAX: usize = 256 << 10;

/// A heartbeat as it came.
#[derive(Clone, Copy, Debug)]
pub struct Beat<'a> {
    /// Its body, JSON.
    pub body: &'a [u8],
    /// Its field `Authorization`.
    pub authorization: Option<&'a str>,
    /// Its field `X-Muster-Token`.
    pub token: Option<&'a str>,
    /// Who sent it. It is not believed for anything but the list of refusals.
    pub peer: IpAddr,
}

/// Stores a heartbeat durably. Kinds: Invalid naming every field that is missing or bad, Unauthorized where enrolment
/// forbids it, Busy where it cannot be stored now.
pub fn take(app: &App, beat: &Beat<'_>) -> Result<()> {
    let heartbeat = fields::read(beat.body, app.clock.now())?;
    let token = ShownToken::of(app, beat.token);
    let admission = Admission {
        enrol: app.config.fleet.enrol,
        key: enrolment::shown_key(beat.authorization),
        has_token: token == ShownToken::Right,
        peer: beat.peer.to_string(),
    };
    let limits = HeartbeatLimits {
        agents_max: app.config.fleet.agents_max,
        ended_within_secs: 2 * app.config.fleet.heartbeat_secs,
    };
    let take = || match app.store.insert_heartbeat(heartbeat, admission, limits)? {
        HeartbeatOutcome::Stored(_) | HeartbeatOutcome::Ended => Ok(()),
        HeartbeatOutcome::Refused(refusal) => Err(Error::new(
            Kind::Unauthorized,
            format!("Agent is not authorized to upload heartbeats: {}", refusal.message()),
        )),
        HeartbeatOutcome::Full => Err(Error::busy(format!(
            "There are {} agents, as many as fleet.agents_max allows; no further one is taken",
            limits.agents_max
        ))),
    };
    // Where everybody's first key binds, a fleet that starts at once would wait in line, ten at a time.
    match app.config.fleet.enrol {
        Enrol::Open => take(),
        _ => enrolment::limited(app, beat.peer, beat.authorization, token, take),
    }
}
