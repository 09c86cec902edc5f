// SPDX-License-Identifier: Apache-2.0
//! How long to wait after a failure.

use crate::error::{Error, Result};
use std::time::Duration;

/// The shortest and the longest pause after a failure.
const PAUSE_LEAST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(60);

/// Pauses that double with each failure, up to a minute, with a random part: a thousand agents whose server comes back
/// shall not all come in the same second.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure: half of it is certain, half is random.
    pub fn next_pause(&mut self) -> Duration {
        let full = PAUSE_LEAST.saturating_mul(1 << self.failures.min(10)).min(PAUSE_MOST);
        self.failures = self.failures.saturating_add(1);
        full / 2 + scaled(full / 2)
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random part of `most`.
fn scaled(most: Duration) -> Duration {
    let mut byte = [0];
    // Without random numbers the pauses are only less spread.
    if getrandom::fill(&mut byte).is_err() {
        return most / 2;
    }
    most * u32::from(byte[0]) / 255
}

/// So many random bytes as hexadecimal digits, two for each.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut all = vec![0; bytes];
    getrandom::fill(&mut all)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))?;
    Ok(crate::model::record::hex(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew() {
        let mut backoff = Backoff::default();
        for full_secs in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            let pause = backoff.next_pause().as_secs_f64();
            assert!(pause >= full_secs / 2.0 - 0.01 && pause <= full_secs + 0.01, "{pause} of {full_secs}");
        }
        backoff.failures = u32::MAX;
        assert!(backoff.next_pause() <= PAUSE_MOST);
        backoff.reset();
        assert!(backoff.next_pause() <= PAUSE_LEAST);
    }
}
