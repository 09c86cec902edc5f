// SPDX-License-Identifier: Apache-2.0
//! Guesses at passwords, tokens and keys: how many of them may fail, for each address and for each account. A success
//! takes nothing back, so that who has one good key cannot guess at others.

use crate::config::LimitsConfig;
use crate::error::{Error, Kind, Result};
use crate::model::network::network_of;
use crate::ops::limiter::{Attempt, Limiter, retry_secs};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Characters of an account's name by which it is told from others.
const ACCOUNT_CHARS_MAX: usize = 100;

/// So many times as much as one address may fail for one account: an address runs dry before the account does, and cannot
/// by itself keep its owner out.
const ACCOUNT_SHARE: u32 = 5;

/// Who failed lately.
#[derive(Debug)]
pub struct Attempts {
    addresses: Limiter<IpAddr>,
    accounts: Limiter<String>,
    agents: Limiter<IpAddr>,
    n_failed: AtomicU64,
    n_refused: AtomicU64,
}

/// Credentials that are being looked at. Dropped, they were not found wrong.
#[derive(Debug)]
pub struct Trial<'a> {
    attempts: &'a Attempts,
    address: Attempt<'a, IpAddr>,
    account: Option<Attempt<'a, String>>,
}

impl Attempts {
    /// As the settings have it.
    pub fn new(limits: &LimitsConfig) -> Attempts {
        Attempts {
            addresses: Limiter::new(limits.logins_per_minute, limits.logins_burst),
            accounts: Limiter::new(
                limits.logins_per_minute.saturating_mul(ACCOUNT_SHARE),
                limits.logins_burst.saturating_mul(ACCOUNT_SHARE),
            ),
            agents: Limiter::new(limits.logins_per_minute, limits.logins_burst),
            n_failed: AtomicU64::new(0),
            n_refused: AtomicU64::new(0),
        }
    }

    /// To be called before credentials are looked at: those of a request from `peer`, where they name an account also
    /// for that account, whether there is such a one or not. TooOften, with the seconds to wait, where too many have
    /// failed; then nothing must be looked at.
    pub fn begin(&self, peer: IpAddr, account: Option<&str>) -> Result<Trial<'_>> {
        let refused = |wait| self.refuse(wait);
        let address = self.addresses.begin(network_of(peer)).map_err(refused)?;
        let name = account.map(|name| name.chars().take(ACCOUNT_CHARS_MAX).collect::<String>());
        let account = name.map(|name| self.accounts.begin(name)).transpose().map_err(refused)?;
        Ok(Trial { attempts: self, address, account })
    }

    /// The same for an agent's key or token, apart from people and programs: machines and people often share an address,
    /// and those must not be kept out for these.
    pub fn begin_agent(&self, peer: IpAddr) -> Result<Trial<'_>> {
        let address = self.agents.begin(network_of(peer)).map_err(|wait| self.refuse(wait))?;
        Ok(Trial { attempts: self, address, account: None })
    }

    fn refuse(&self, wait: Duration) -> Error {
        self.n_refused.fetch_add(1, Ordering::Relaxed);
        too_often(wait)
    }

    /// Counts a request without any credentials: nothing was guessed, so nobody is held up for it.
    pub fn note_bare(&self) {
        self.n_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// What failed since the start, with what showed no credentials.
    pub fn count_failed(&self) -> u64 {
        self.n_failed.load(Ordering::Relaxed)
    }

    /// What was refused since the start without a look at it.
    pub fn count_refused(&self) -> u64 {
        self.n_refused.load(Ordering::Relaxed)
    }
}

impl Trial<'_> {
    /// The credentials are wrong: it counts for the address and for the account.
    pub fn fail(self) {
        self.attempts.n_failed.fetch_add(1, Ordering::Relaxed);
        self.address.fail();
        if let Some(account) = self.account {
            account.fail();
        }
    }
}

fn too_often(wait: Duration) -> Error {
    let secs = retry_secs(wait);
    Error::new(Kind::TooOften, format!("Too many attempts have failed; try again in {secs} s"))
        .retry_after(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(per_minute: u32, burst: u32) -> Attempts {
        Attempts::new(&LimitsConfig {
            posts_per_minute: 0,
            posts_burst: 1,
            logins_per_minute: per_minute,
            logins_burst: burst,
        })
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn an_address_and_an_account_are_limited_each_for_itself() {
        let attempts = attempts(1, 2);
        for n in 0..10 {
            attempts.begin(ip(1 + n / 2), Some("ada")).unwrap().fail();
        }
        let error = attempts.begin(ip(6), Some("ada")).unwrap_err();
        assert_eq!((error.kind(), error.kind().http_status()), (Kind::TooOften, 429));
        assert!((8..=12).contains(&error.retry_after_secs().unwrap()), "{error}");
        let error = attempts.begin(ip(1), None).unwrap_err();
        assert!((56..=60).contains(&error.retry_after_secs().unwrap()), "{error}");
        assert!(attempts.begin(ip(6), Some("bob")).is_ok());
        assert_eq!((attempts.count_failed(), attempts.count_refused()), (10, 2));
    }

    #[test]
    fn one_address_cannot_keep_the_owner_of_an_account_out() {
        let attempts = attempts(1, 2);
        for _ in 0..50 {
            if let Ok(trial) = attempts.begin(ip(1), Some("ada")) {
                trial.fail();
            }
        }
        assert!(attempts.begin(ip(1), Some("ada")).is_err());
        assert!(attempts.begin(ip(2), Some("ada")).is_ok());
    }

    #[test]
    fn a_refusal_for_the_account_counts_for_nobody() {
        let attempts = attempts(1, 1);
        for n in 1..=5 {
            attempts.begin(ip(n), Some("ada")).unwrap().fail();
        }
        for _ in 0..5 {
            assert!(attempts.begin(ip(6), Some("ada")).is_err());
        }
        assert!(attempts.begin(ip(6), Some("bob")).is_ok());
        attempts.note_bare();
        assert!(attempts.begin(ip(7), None).is_ok());
        assert_eq!(attempts.count_failed(), 6);
    }
}
