// SPDX-License-Identifier: Apache-2.0
//! Numbers as the bench prints them.

use std::time::Duration;

/// The value that a part of them does not exceed; none where there are none. They are sorted.
pub fn at<T>(sorted: &[T], part: f64) -> Option<&T> {
    let index = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(index.clamp(1, sorted.len().max(1)) - 1)
}

/// Milliseconds.
pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
