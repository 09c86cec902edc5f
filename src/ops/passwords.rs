// SPDX-License-Identifier: Apache-2.0
//! Passwords as they are stored: argon2id, in the PHC string format. At most two are hashed at a time, because each
//! takes 19 MiB while it is.
//!
//! Whoever asks for an account that is not there, or that has no password, waits as long as for one that is.

use crate::error::{Error, Result};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// KiB, passes and lanes of new hashes: the first choice of RFC 9106 for who has little memory, and OWASP's.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// A stored hash that asks for more than this is not one of ours.
const MEMORY_KIB_MAX: u32 = 64 << 10;
const PASSES_MAX: u32 = 16;
/// So much is asked of the system for each, though less is touched: from 32 MiB on glibc gives memory back the moment
/// it is free. Smaller blocks it would keep, one for each thread that ever hashed.
const BLOCKS_RESERVED: usize = 33 << 10;

/// So many are hashed at once.
const AT_ONCE_MAX: usize = 2;
/// So many wait for it; beyond that they are told to come again.
const WAITING_MAX: usize = 32;
/// So long does one wait.
const WAIT_MOST: Duration = Duration::from_secs(5);
/// And comes again after so long.
const RETRY_AFTER_SECS: u64 = 5;

/// Digits of a secret that muster makes: those that are not mixed up when they are typed.
const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The places where passwords are hashed.
#[derive(Debug, Default)]
pub struct Hashing {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    n_running: usize,
    n_waiting: usize,
}

/// A place; left when dropped.
struct Turn<'a>(&'a Hashing);

impl Hashing {
    /// The hash under which a password is stored. Busy where too many are hashed at the moment.
    pub fn hash(&self, password: &str) -> Result<String> {
        let mut salt = [0; 16];
        random(&mut salt)?;
        let salt = Salt::new(&salt).map_err(fault)?;
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(fault)?;
        let output = self.output(password, &salt, &params, Params::DEFAULT_OUTPUT_LEN)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(fault)?,
            salt: Some(salt),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    /// True where the password is that of the hash; false where there is no hash, after the same time. Busy where too
    /// many are hashed at the moment.
    pub fn is_right(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let Some(hash) = hash else {
            self.hash(password)?;
            return Ok(false);
        };
        let stored = PasswordHash::new(hash).map_err(fault)?;
        let params = Params::try_from(&stored).map_err(fault)?;
        let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
            return Err(Error::internal("A stored password has no salt or no hash"));
        };
        let is_ours = stored.algorithm == Algorithm::Argon2id.ident()
            && stored.version == Some(Version::V0x13.into())
            && params.m_cost() <= MEMORY_KIB_MAX
            && params.t_cost() <= PASSES_MAX;
        if !is_ours {
            return Err(Error::internal("A stored password is hashed in a way that is not ours"));
        }
        // Compared in constant time.
        Ok(self.output(password, salt, &params, expected.as_ref().len())? == *expected)
    }

    fn output(&self, password: &str, salt: &Salt, params: &Params, len_bytes: usize) -> Result<Output> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut output = vec![0; len_bytes];
        let _turn = self.turn()?;
        let n_blocks = params.block_count();
        let mut blocks: Vec<Block> = Vec::with_capacity(n_blocks.max(BLOCKS_RESERVED));
        blocks.resize(n_blocks, Block::new());
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut blocks)
            .map_err(fault)?;
        Output::new(&output).map_err(fault)
    }

    fn turn(&self) -> Result<Turn<'_>> {
        let busy = || {
            Error::busy("Too many log in at the moment; try it again in a few seconds")
                .retry_after(RETRY_AFTER_SECS)
                .quiet()
        };
        let until = Instant::now() + WAIT_MOST;
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.n_running >= AT_ONCE_MAX && queue.n_waiting >= WAITING_MAX {
            return Err(busy());
        }
        queue.n_waiting += 1;
        while queue.n_running >= AT_ONCE_MAX {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                queue.n_waiting -= 1;
                return Err(busy());
            }
            queue = self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        queue.n_waiting -= 1;
        queue.n_running += 1;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).n_running -= 1;
        self.0.changed.notify_one();
    }
}

/// A fault of the hashing, which says nothing of the password.
fn fault(error: impl std::fmt::Display) -> Error {
    Error::internal("A password cannot be hashed").because(error.to_string())
}

/// Fills with random bytes.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))
}

/// A password that nobody thought of: five groups of four, 100 bits.
pub fn made_up() -> Result<String> {
    let mut chance = [0; 20];
    random(&mut chance)?;
    let groups = chance.chunks(4).map(|group| {
        group
            .iter()
            .filter_map(|byte| DIGITS.get(usize::from(byte % 32)))
            .map(|digit| char::from(*digit))
            .collect()
    });
    Ok(groups.collect::<Vec<String>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let hashing = Hashing::default();
        let hash = hashing.hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hashing.hash("correct horse").unwrap(), "each has a salt of its own");
        assert!(hashing.is_right("correct horse", Some(&hash)).unwrap());
        assert!(!hashing.is_right("correct horsf", Some(&hash)).unwrap());
        assert!(!hashing.is_right("", Some(&hash)).unwrap());
        assert!(!hashing.is_right("correct horse", None).unwrap());
        // Hashed by the reference program: echo -n password | argon2 somesalt -id -k 65536 -t 2 -p 1
        let known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(hashing.is_right("password", Some(known)).unwrap());
    }

    #[test]
    fn a_stored_hash_that_is_not_ours_is_a_fault() {
        let salt_and_hash = "c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for hash in [
            "".to_owned(),
            "plain".to_owned(),
            "$argon2id$v=19$m=19456,t=2,p=1".to_owned(),
            format!("$argon2i$v=19$m=19456,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=16$m=19456,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=4194304,t=2,p=1${salt_and_hash}"),
            format!("$argon2id$v=19$m=19456,t=4000,p=1${salt_and_hash}"),
        ] {
            assert!(Hashing::default().is_right("password", Some(&hash)).is_err(), "{hash}");
        }
    }

    #[test]
    fn two_are_hashed_at_a_time_and_too_many_are_sent_away() {
        let hashing = Hashing::default();
        let (n_running, n_most, n_refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..60 {
                scope.spawn(|| match hashing.turn() {
                    Ok(_turn) => {
                        let n = n_running.fetch_add(1, Ordering::SeqCst) + 1;
                        n_most.fetch_max(n, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(30));
                        n_running.fetch_sub(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        assert_eq!(error.retry_after_secs(), Some(RETRY_AFTER_SECS));
                        n_refused.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(n_most.into_inner(), AT_ONCE_MAX);
        assert!((1..=60 - AT_ONCE_MAX).contains(&n_refused.into_inner()));
        assert_eq!(hashing.queue.lock().unwrap().n_waiting, 0);
    }

    #[test]
    fn made_up_passwords_differ_and_fit() {
        let made: std::collections::BTreeSet<String> = (0..100).map(|_| made_up().unwrap()).collect();
        assert_eq!(made.len(), 100);
        assert!(made.iter().all(|password| password.len() == 24));
    }
}
