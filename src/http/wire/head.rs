// SPDX-License-Identifier: Apache-2.0
//! Reads a request head: httparse, with these rules around it.
//!
//! - Control bytes other than NUL, CR, LF are tolerated in the values of fields (real clients send ESC), except in those
//!   that frame the message or name the host. httparse refuses them, and its lenient mode would also take `Host : a`;
//!   so it is shown a copy in which they are masked, and the values are then taken from the original.
//! - Lines may end in a bare LF, as httparse has it; the end of the head is looked for by the same rule.
//! - Values that are not UTF-8 are read as Latin-1, each as a whole.

use super::exchange::Head;
use super::fault::Fault;
use super::framing::{Framing, frame};
use std::mem::MaybeUninit;
use std::net::SocketAddr;

/// Fields beyond this are refused whatever the limits say: their places are on the stack.
const FIELDS_MOST: usize = 128;

/// What stands for a tolerated control byte while httparse looks.
const MASK: u8 = b'x';

/// The length of the head at the start of `bytes`, its final empty line included; none where it has not all come.
/// Bytes before `seen` were looked at by an earlier call.
pub(super) fn find_end(bytes: &[u8], seen: usize) -> Option<usize> {
    // The last two bytes may be the start of an ending.
    let mut at = seen.saturating_sub(2);
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|b| *b == b'\n')? + 1;
        match bytes.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// The number of bytes in empty lines at the start of `bytes`.
pub(super) fn count_empty_lines(bytes: &[u8]) -> usize {
    let mut n = 0;
    loop {
        match bytes.get(n..) {
            Some([b'\n', ..]) => n += 1,
            Some([b'\r', b'\n', ..]) => n += 2,
            _ => return n,
        }
    }
}

/// Where a head came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) peer: SocketAddr,
    pub(super) is_tls: bool,
}

/// Parses a whole head, as delimited by [`find_end`], with no empty lines before it.
pub(super) fn parse(bytes: &[u8], origin: Origin, fields_max: usize) -> Result<(Head, Framing), Fault> {
    let masked = mask_controls(bytes);
    let shown = masked.as_deref().unwrap_or(bytes);
    let mut places = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; FIELDS_MOST];
    let places = places.get_mut(..fields_max.min(FIELDS_MOST)).unwrap_or_default();
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(shown, places) {
        Ok(httparse::Status::Complete(n)) if n == bytes.len() => {}
        Ok(_) => return Err(Fault::refuse(400, "The request head has a line that does not end properly")),
        Err(error) => return Err(refusal(error, bytes)),
    }
    let (Some(method), Some(target), Some(minor_version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Fault::refuse(400, "The request line is incomplete"));
    };
    let mut fields = Vec::with_capacity(parsed.headers.len() + 1);
    for header in parsed.headers.iter() {
        // The masked copy has the same offsets as the original.
        let offset = header.value.as_ptr() as usize - shown.as_ptr() as usize;
        let value = bytes.get(offset..offset + header.value.len()).unwrap_or_default();
        fields.push((header.name.to_owned(), text(trim(value))));
    }
    let framing = frame(&fields, minor_version)?;
    let (target, authority) = split_target(method, target)?;
    if let Some(authority) = authority {
        set_host(&mut fields, authority);
    }
    let raw_end = bytes.len() - if bytes.ends_with(b"\r\n") { 2 } else { 1 };
    let head = Head {
        method: method.to_owned(),
        target,
        minor_version,
        fields,
        peer: origin.peer,
        proxy: None,
        is_tls: origin.is_tls,
        base_path: String::new(),
        raw: bytes.get(..raw_end).unwrap_or_default().to_vec(),
    };
    Ok((head, framing))
}

fn is_tolerated_control(byte: u8) -> bool {
    byte == 0x7f || (byte < 0x20 && !matches!(byte, 0 | b'\t' | b'\r' | b'\n'))
}

/// A copy in which the tolerated control bytes of values are masked; none where there are none.
fn mask_controls(bytes: &[u8]) -> Option<Vec<u8>> {
    // One pass that the compiler can vectorize; nearly every request ends here.
    if !bytes.iter().fold(false, |any, b| any | is_tolerated_control(*b)) {
        return None;
    }
    let mut copy = bytes.to_vec();
    let mut lines = copy.split_mut(|b| *b == b'\n');
    // Not in the request line.
    lines.next();
    for line in lines {
        if let Some(colon) = line.iter().position(|b| *b == b':') {
            for byte in line.iter_mut().skip(colon) {
                if is_tolerated_control(*byte) {
                    *byte = MASK;
                }
            }
        }
    }
    Some(copy)
}

fn trim(value: &[u8]) -> &[u8] {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t');
    let start = value.iter().position(|b| !is_space(b)).unwrap_or(value.len());
    let end = value.iter().rposition(|b| !is_space(b)).map_or(start, |i| i + 1);
    value.get(start..end).unwrap_or_default()
}

/// UTF-8 if it decodes, else Latin-1.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|b| char::from(*b)).collect(),
    }
}

fn refusal(error: httparse::Error, bytes: &[u8]) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::refuse(431, "The request has too many header fields"),
        httparse::Error::Version if has_other_version(bytes) => {
            Fault::refuse(505, "Only HTTP/1.0 and HTTP/1.1 are spoken here")
        }
        httparse::Error::HeaderName => Fault::refuse(400, "A header field has a name that is not allowed"),
        httparse::Error::HeaderValue => Fault::refuse(400, "A header field has a value that is not allowed"),
        _ => Fault::refuse(400, "The request line is not METHOD TARGET HTTP/1.1"),
    }
}

/// True where the request line ends in a well-formed version.
fn has_other_version(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| matches!(b, b'\r' | b'\n')).next().unwrap_or_default();
    let version = line.rsplit(|b| *b == b' ').next().unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// Path and query of a target, and its authority where it is absolute.
fn split_target<'a>(method: &str, target: &'a str) -> Result<(String, Option<&'a str>), Fault> {
    let bad = |message: &'static str| Err(Fault::refuse(400, message));
    if target.contains('#') {
        return bad("The request target has a fragment");
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok((target.to_owned(), None));
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        return bad("The request target is neither a path nor an absolute URL");
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return bad("The request target has a scheme other than http and https");
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || authority.contains('@') || !authority.bytes().all(|b| b.is_ascii_graphic()) {
        return bad("The request target names no proper host");
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((path, Some(authority)))
}

fn set_host(fields: &mut Vec<(String, String)>, authority: &str) {
    match fields.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("host")) {
        Some((_, value)) => authority.clone_into(value),
        None => fields.push(("Host".to_owned(), authority.to_owned())),
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
