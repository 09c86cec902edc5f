// SPDX-License-Identifier: Apache-2.0
//! How many records one address may post. Off by default: the telemetry client stops at a 429 until its next try, and
//! whole networks may stand behind one address. Failed logins are limited in [`crate::ops::attempts`].

use crate::config::LimitsConfig;
use crate::error::{Error, Kind, Result};
use crate::model::network::network_of;
use crate::ops::limiter::{Limiter, retry_secs};
use std::net::IpAddr;

/// The posts of each address.
#[derive(Debug)]
pub struct PostLimits {
    addresses: Limiter<IpAddr>,
}

impl PostLimits {
    /// As the settings have it.
    pub fn new(limits: &LimitsConfig) -> PostLimits {
        PostLimits { addresses: Limiter::new(limits.posts_per_minute, limits.posts_burst) }
    }

    /// Counts a post of `peer`. TooOften, with the seconds to wait, where there were too many; that one does not count.
    pub fn take(&self, peer: IpAddr) -> Result<()> {
        self.addresses.take(network_of(peer)).map_err(|wait| {
            let secs = retry_secs(wait);
            let message = format!("Too many records from your address; send the next in {secs} s");
            Error::new(Kind::TooOften, message).retry_after(secs)
        })
    }
}
