// SPDX-License-Identifier: Apache-2.0
//! The input of a connection: a buffer of bytes read ahead over the transport. It is kept from request to request, so
//! that pipelined requests are not lost and a request costs one read.
//!
//! ```text
//! bytes:  | consumed | filled: read, not yet used | free |
//!         0        start                         end   len (grows up to bytes_max)
//! ```

use super::transport::Transport;
use std::io;
use std::time::Instant;

/// Most requests fit; a larger head makes the buffer grow.
const FIRST_BYTES: usize = 4096;

/// A buffered reader over the transport, which stays reachable for writing.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) transport: Transport,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    bytes_max: usize,
}

impl Input {
    /// An empty buffer that grows up to `bytes_max`.
    pub(super) fn new(transport: Transport, bytes_max: usize) -> Input {
        let first = FIRST_BYTES.min(bytes_max);
        Input { transport, bytes: vec![0; first], start: 0, end: 0, bytes_max }
    }

    /// What was read and not yet consumed.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// True where nothing is read ahead.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// True where [`Input::fill`] cannot read more before something is consumed.
    pub(super) fn is_full(&self) -> bool {
        self.end - self.start >= self.bytes_max
    }

    /// Marks the first `n` filled bytes as used.
    pub(super) fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Reads more behind what is filled. 0 is the end of input; a full buffer is an error.
    pub(super) fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            let longer = (self.bytes.len() * 2).min(self.bytes_max);
            self.bytes.resize(longer, 0);
        }
        let free = self.bytes.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Err(io::Error::other("the input buffer is full"));
        }
        let n = self.transport.read(free, deadline)?;
        self.end += n;
        Ok(n)
    }

    /// Reads into `target`: what is filled first, else straight from the transport. 0 is the end of input.
    pub(super) fn read(&mut self, target: &mut [u8], deadline: Instant) -> io::Result<usize> {
        if self.is_empty() {
            return self.transport.read(target, deadline);
        }
        let n = target.len().min(self.end - self.start);
        if let (Some(to), Some(from)) = (target.get_mut(..n), self.filled().get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}
