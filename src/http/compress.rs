// SPDX-License-Identifier: Apache-2.0
//! gzip for clients that take it, while the answer streams.

use crate::http::respond;
use crate::http::wire::{Head, Slot, Slots};
use flate2::Compression;
use flate2::read::GzEncoder;
use rouille::{Response, ResponseBody};
use std::io::Read;

/// So many answers are compressed at once; further ones go as they are. The tables of each take a third of a MiB for
/// as long as its client takes to read.
pub const AT_ONCE_MAX: usize = 32;

/// Answers shorter than this go as they are: they fit into one packet anyway.
const LENGTH_LEAST: usize = 1_024;
/// What is worth compressing.
const TYPES: [&str; 7] = [
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/html",
    "text/css",
    "text/javascript",
    "image/svg+xml",
];

/// Compresses the answer where the client takes gzip, it is worth it, and one of `slots` is free.
pub fn apply(head: &Head, mut response: Response, slots: &Slots) -> Response {
    let content_type = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let is_worth_it = content_type.is_some_and(|(_, value)| TYPES.iter().any(|t| value.starts_with(t)));
    if !is_worth_it {
        return response;
    }
    response.headers.push(("Vary".into(), "Accept, Accept-Encoding".into()));
    let (reader, size) = response.data.into_reader_and_size();
    let is_wanted = takes_gzip(head) && size.is_none_or(|size| size >= LENGTH_LEAST);
    let Some(slot) = is_wanted.then(|| slots.try_take()).flatten() else {
        response.data = match size {
            Some(size) => ResponseBody::from_reader_and_size(reader, size),
            None => ResponseBody::from_reader(reader),
        };
        return response;
    };
    response.headers.push(("Content-Encoding".into(), "gzip".into()));
    let encoder = GzEncoder::new(reader, Compression::fast());
    response.data = ResponseBody::from_reader(Compressed { encoder, _slot: slot });
    response
}

/// A body that is compressed while it is read.
struct Compressed<R: Read> {
    encoder: GzEncoder<R>,
    _slot: Slot,
}

impl<R: Read> Read for Compressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.encoder.read(buffer)
    }
}

fn takes_gzip(head: &Head) -> bool {
    let Some(accepted) = head.field("accept-encoding") else { return false };
    let wanted = respond::accepted(accepted);
    let is_refused =
        accepted.split(',').any(|coding| coding.trim().to_ascii_lowercase().starts_with("gzip;"))
            && !wanted.iter().any(|coding| coding == "gzip");
    !is_refused && wanted.iter().any(|coding| coding == "gzip" || coding == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_slot_goes_as_it_is() {
        let head = Head {
            method: "GET".into(),
            target: "/".into(),
            minor_version: 1,
            fields: vec![("Accept-Encoding".into(), "gzip".into())],
            peer: ([127, 0, 0, 1], 1).into(),
            proxy: None,
            is_tls: false,
            base_path: String::new(),
            raw: Vec::new(),
        };
        let slots = Slots::new(1);
        let page = || Response::html("frame ".repeat(10_000));
        let is_gzip =
            |response: &Response| response.headers.iter().any(|(name, _)| name == "Content-Encoding");
        let first = apply(&head, page(), &slots);
        let second = apply(&head, page(), &slots);
        assert!(is_gzip(&first) && !is_gzip(&second));
        let (mut reader, size) = second.data.into_reader_and_size();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.len(), size), (60_000, Some(60_000)));
        drop(first);
        assert!(is_gzip(&apply(&head, page(), &slots)));
    }
}
