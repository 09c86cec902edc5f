// SPDX-License-Identifier: Apache-2.0
//! A post as the real client's header encoding has it, made once and changed in place; and just enough of HTTP to read
//! its answer.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const EVENT_ID: &str = "00000000000000000000000000000000";
const TIMESTAMP: &str = "0000000000";
const PAYLOAD_BYTES: usize = 600;

/// Numbers that no two requests of this process share.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// The bytes of a request.
pub struct Request {
    bytes: Vec<u8>,
    event_id_at: usize,
    timestamp_at: usize,
    salt: u64,
}

impl Request {
    /// A request of a machine whose number is `machine`.
    pub fn new(machine: usize, keeps_connection: bool) -> Request {
        let connection = if keeps_connection { "" } else { "Connection: close\r\n" };
        let payload = "list_find() - [/usr/bin/crash_c] - crash_c.c:8\n".repeat(20);
        let text = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{connection}record_format_version: 4\r\n\
             classification: org.clearlinux/crash/unknown\r\nseverity: 2\r\nmachine_id: {machine:032x}\r\n\
             creation_timestamp: {TIMESTAMP}\r\narch: x86_64\r\nhost_type: Intel Corporation|NUC7i5BNH|J31169-311\r\n\
             build: 41890\r\nkernel_version: 6.8.9-1425.native\r\npayload_format_version: 1\r\n\
             system_name: clear-linux-os\r\nboard_name: NUC7i5BNB|Intel Corporation\r\n\
             cpu_model: Intel(R) Core(TM) i5-7260U CPU @ 2.20GHz\r\n\
             bios_version: BNKBL357.86A.0085.2020.1007.1917\r\nevent_id: {EVENT_ID}\r\n\
             X-Telemetry-TID: 6907c830-eed9-4ce9-81ae-76daf8d88f0f\r\nContent-Type: application/text\r\n\
             Content-Length: {PAYLOAD_BYTES}\r\n\r\n{}",
            &payload[..PAYLOAD_BYTES]
        );
        Request {
            event_id_at: text.find(&format!("event_id: {EVENT_ID}")).unwrap() + "event_id: ".len(),
            timestamp_at: text.find(TIMESTAMP).unwrap(),
            bytes: text.into_bytes(),
            salt: now().subsec_nanos().into(),
        }
    }

    /// The bytes of the next record: another event id, the time of now.
    pub fn next(&mut self) -> &[u8] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Event ids are random: neighbours in time must not be neighbours in the index.
        let mixed = number.wrapping_add(self.salt << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = u128::from(mixed ^ mixed >> 29) << 64 | u128::from(number) << 32 | u128::from(self.salt);
        for (place, digit) in self.bytes[self.event_id_at..][..32].iter_mut().enumerate() {
            *digit = DIGITS[(id >> (124 - place * 4) & 15) as usize];
        }
        let mut secs = now().as_secs();
        for digit in self.bytes[self.timestamp_at..][..10].iter_mut().rev() {
            *digit = b'0' + (secs % 10) as u8;
            secs /= 10;
        }
        &self.bytes
    }
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Reads answers from a connection.
#[derive(Default)]
pub struct Answers {
    buffer: Vec<u8>,
    filled: usize,
}

impl Answers {
    /// Forgets what is left of a connection that is over.
    pub fn reset(&mut self) {
        self.filled = 0;
    }

    /// The status of the next answer, whose body is read and forgotten.
    pub fn read(&mut self, stream: &mut impl Read) -> io::Result<u16> {
        self.buffer.resize(16 << 10, 0);
        let head_end = loop {
            if let Some(at) = self.buffer[..self.filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill(stream)?;
        };
        let head =
            std::str::from_utf8(&self.buffer[..head_end]).map_err(|_| broken("a head that is no text"))?;
        let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(broken("no status"))?;
        let mut length = None;
        for line in head.split("\r\n") {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse::<usize>().ok();
            }
        }
        let end = head_end + length.ok_or(broken("no Content-Length"))?;
        while self.filled < end {
            self.fill(stream)?;
        }
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        Ok(status)
    }

    fn fill(&mut self, stream: &mut impl Read) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            return Err(broken("an answer over 16 KiB"));
        }
        match stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(broken("the connection ended early")),
            n => {
                self.filled += n;
                Ok(())
            }
        }
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
