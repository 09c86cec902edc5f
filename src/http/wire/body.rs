// SPDX-License-Identifier: Apache-2.0
//! Reads a request body: of a given length or in chunks, never more than its policy allows, within one deadline.
//!
//! ```text
//! chunk size line ──size>0──> data ──all──> CR LF ──> chunk size line
//!        └──size=0──> trailer lines ──empty line──> end
//! ```
//!
//! A body that is longer than allowed is left where the limit is reached: the rest is never read into memory, and the
//! connection cannot be used again.

use super::budget::{Budget, Share};
use super::exchange::BodyPolicy;
use super::fault::Fault;
use super::framing::{BodyLength, Framing};
use super::input::Input;
use super::limits::Limits;
use std::io::ErrorKind;
use std::time::Instant;

/// Bytes of one chunk size line with its extension, and of one trailer line.
const LINE_BYTES_MAX: usize = 1024;

/// Bytes of all extensions and trailers of one body.
const EXTRA_BYTES_MAX: usize = 16 * 1024;

/// Room is made in steps of this size, so that memory follows what has really come.
const STEP_BYTES: usize = 64 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A body in memory.
#[derive(Debug)]
pub(super) struct Body {
    /// Its bytes, at most as many as the policy allows.
    pub(super) data: Vec<u8>,
    /// True where there were more.
    pub(super) is_cut: bool,
    /// Holds the body's part of the common memory as long as the data live.
    pub(super) share: Option<Share>,
}

/// What bounds the bodies of a server.
#[derive(Debug)]
pub(super) struct Bounds {
    /// The memory shared by large bodies.
    pub(super) budget: Budget,
    /// Bytes of each body that need no share of it.
    pub(super) bytes_free: usize,
}

/// Reads the body that `framing` announces.
pub(super) fn read(
    input: &mut Input,
    framing: &Framing,
    policy: BodyPolicy,
    limits: &Limits,
    bounds: &Bounds,
) -> Result<Body, Fault> {
    if framing.length == BodyLength::None {
        return Ok(Body { data: Vec::new(), is_cut: false, share: None });
    }
    if framing.expects_continue && input.is_empty() {
        input.transport.write_all(CONTINUE)?;
    }
    let deadline = Instant::now() + limits.body_timeout;
    let mut reader = Reader {
        input,
        deadline,
        data: Vec::new(),
        bytes_max: policy.bytes_max,
        share: bounds.budget.share(),
        limits,
        bounds,
    };
    let is_cut = match framing.length {
        BodyLength::None => false,
        BodyLength::Fixed(length) => reader.read_fixed(length)?,
        BodyLength::Chunked => reader.read_chunks()?,
    };
    Ok(Body { data: reader.data, is_cut, share: Some(reader.share) })
}

struct Reader<'a> {
    input: &'a mut Input,
    deadline: Instant,
    data: Vec<u8>,
    bytes_max: usize,
    share: Share,
    limits: &'a Limits,
    bounds: &'a Bounds,
}

impl Reader<'_> {
    /// True where the body is longer than allowed.
    fn read_fixed(&mut self, length: u64) -> Result<bool, Fault> {
        let kept = usize::try_from(length).unwrap_or(usize::MAX).min(self.bytes_max);
        // The free part first: who declares much and sends nothing holds nothing.
        let first = kept.min(self.bounds.bytes_free);
        self.read_more(first)?;
        if kept > first {
            self.reserve(kept)?;
            self.read_more(kept - first)?;
        }
        Ok(length > kept as u64)
    }

    /// True where the body is longer than allowed.
    fn read_chunks(&mut self) -> Result<bool, Fault> {
        let mut extra_left = EXTRA_BYTES_MAX;
        loop {
            let size = self.read_line(&mut extra_left, parse_chunk_size)??;
            if size == 0 {
                // Trailers are dropped: nothing here reads them, and they must not overrule fields.
                while !self.read_line(&mut extra_left, <[u8]>::is_empty)? {}
                return Ok(false);
            }
            let room = self.bytes_max - self.data.len();
            let kept = usize::try_from(size).unwrap_or(usize::MAX).min(room);
            let wanted = self.data.len() + kept;
            if wanted > self.bounds.bytes_free {
                // Doubled, so that a million small chunks do not ask a million times.
                self.reserve(wanted.next_power_of_two().min(self.bytes_max))?;
            }
            self.read_more(kept)?;
            if size > kept as u64 {
                return Ok(true);
            }
            let mut end = [0; 2];
            self.read_exact(&mut end)?;
            if end != *b"\r\n" {
                return Err(Fault::refuse(400, "A chunk of the body is not as long as it says"));
            }
        }
    }

    /// Appends exactly `n` bytes to the data.
    fn read_more(&mut self, n: usize) -> Result<(), Fault> {
        let wanted = self.data.len() + n;
        let mut at = self.data.len();
        while at < wanted {
            if at == self.data.len() {
                let step = (wanted - at).min(STEP_BYTES.max(at));
                self.data.reserve_exact(step);
                self.data.resize(at + step, 0);
            }
            let target = self.data.get_mut(at..).unwrap_or_default();
            at += read_some(self.input, target, self.deadline)?;
        }
        Ok(())
    }

    fn read_exact(&mut self, mut target: &mut [u8]) -> Result<(), Fault> {
        while !target.is_empty() {
            let n = read_some(self.input, target, self.deadline)?;
            target = target.get_mut(n..).unwrap_or_default();
        }
        Ok(())
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.share.grow_to(bytes.saturating_sub(self.bounds.bytes_free), self.limits.bodies_wait) {
            return Ok(());
        }
        Err(Fault::refuse(503, "Too many large requests at once; try again later"))
    }

    /// What `parse` makes of the next line, without its CR LF. Bare LF is refused here: no client sends it in chunks.
    fn read_line<T>(&mut self, extra_left: &mut usize, parse: fn(&[u8]) -> T) -> Result<T, Fault> {
        loop {
            let filled = self.input.filled();
            if let Some(at) = filled.iter().take(LINE_BYTES_MAX).position(|b| *b == b'\n') {
                let Some((b'\r', line)) = filled.get(..at).and_then(<[u8]>::split_last) else {
                    return Err(Fault::refuse(400, "A chunk line of the body does not end in CR LF"));
                };
                if line.contains(&b'\r') {
                    return Err(Fault::refuse(400, "A chunk line of the body has a bare CR"));
                }
                // A bare size costs nothing: any number of chunks may come.
                let extra = line.len().saturating_sub(16);
                let value = parse(line);
                *extra_left = extra_left
                    .checked_sub(extra)
                    .ok_or_else(|| Fault::refuse(400, "The body has too much in extensions and trailers"))?;
                self.input.consume(at + 1);
                return Ok(value);
            }
            if filled.len() >= LINE_BYTES_MAX || self.input.is_full() {
                return Err(Fault::refuse(400, "A chunk line of the body is too long"));
            }
            match self.input.fill(self.deadline) {
                Ok(0) => return Err(ended_early()),
                Ok(_) => {}
                Err(error) => return Err(read_fault(error)),
            }
        }
    }
}

/// The size at the start of a chunk line: hexadecimal digits, then nothing or an extension.
fn parse_chunk_size(line: &[u8]) -> Result<u64, Fault> {
    let bad = || Fault::refuse(400, "A chunk of the body has no proper size");
    let n_digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (digits, rest) = line.split_at_checked(n_digits).ok_or_else(bad)?;
    let digits = std::str::from_utf8(digits).map_err(|_| bad())?;
    if digits.len() > 16 {
        return Err(bad());
    }
    let rest = rest.trim_ascii_start();
    if !(rest.is_empty() || rest.starts_with(b";")) || rest.contains(&0) {
        return Err(bad());
    }
    u64::from_str_radix(digits, 16).map_err(|_| bad())
}

/// At least one byte.
fn read_some(input: &mut Input, target: &mut [u8], deadline: Instant) -> Result<usize, Fault> {
    match input.read(target, deadline) {
        Ok(0) => Err(ended_early()),
        Ok(n) => Ok(n),
        Err(error) => Err(read_fault(error)),
    }
}

fn ended_early() -> Fault {
    Fault::refuse(400, "The body is shorter than declared")
}

fn read_fault(error: std::io::Error) -> Fault {
    if error.kind() == ErrorKind::TimedOut {
        return Fault::refuse(408, "The body did not arrive in time");
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_size_is_hexadecimal_with_at_most_an_extension_behind() {
        let check = |line: &[u8]| parse_chunk_size(line).ok();
        assert_eq!(check(b"1aF"), Some(0x1af));
        assert_eq!(check(b"0"), Some(0));
        assert_eq!(check(b"5;name=\"value\""), Some(5));
        assert_eq!(check(b"5 ; name"), Some(5));
        for bad in [&b""[..], b" 5", b"-5", b"+5", b"0x5", b"5 5", b"g", b"11112222333344445", b"5;\0"] {
            assert_eq!(check(bad), None, "{bad:?}");
        }
    }
}
