// SPDX-License-Identifier: Apache-2.0
//! A progress bar on a terminal; elsewhere nothing is shown.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Cells of the bar itself.
const CELLS: u64 = 30;

/// The bar, on stderr.
pub struct Bar {
    is_shown: bool,
    began: Instant,
    drawn: Option<Instant>,
    what: String,
}

impl Bar {
    /// A bar that begins now.
    pub fn new() -> Bar {
        Bar {
            is_shown: std::io::stderr().is_terminal(),
            began: Instant::now(),
            drawn: None,
            what: String::new(),
        }
    }

    /// Shows how far it is; seldom enough to cost nothing, at once where `what` is another.
    pub fn show(&mut self, done: u64, total: u64, what: &str) {
        let is_recent = self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_EVERY);
        if !self.is_shown || (is_recent && what == self.what) {
            return;
        }
        self.drawn = Some(Instant::now());
        what.clone_into(&mut self.what);
        draw(&format!("\r{}\x1b[K", line(done, total, what, self.began.elapsed())));
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            draw("\r\x1b[K");
        }
    }
}

/// A terminal that is gone is no reason to stop the work.
fn draw(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn line(done: u64, total: u64, what: &str, elapsed: Duration) -> String {
    let part = if total == 0 { 1.0 } else { (done as f64 / total as f64).min(1.0) };
    let full = (part * CELLS as f64) as u64;
    let cells: String = (0..CELLS).map(|i| if i < full { '#' } else { '.' }).collect();
    let seconds = elapsed.as_secs_f64();
    let rate = if seconds > 0.0 { done as f64 / seconds } else { 0.0 };
    let left = if done > 0 && done < total {
        format!(", {} s left", (seconds / part - seconds).ceil())
    } else {
        String::new()
    };
    format!("[{cells}] {:3.0} % {done} of {total}, {rate:.0}/s{left}: {what}", part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        assert_eq!(
            line(50, 200, "storing", Duration::from_secs(5)),
            "[#######.......................]  25 % 50 of 200, 10/s, 15 s left: storing"
        );
        assert!(
            line(0, 0, "x", Duration::ZERO)
                .starts_with("[##############################] 100 % 0 of 0, 0/s: x")
        );
    }
}
