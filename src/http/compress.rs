// SPDX-License-Identifier: Apache-2.0
//! gzip for clients that take it, while the answer streams.

use crate::http::respond;
use crate::http::wire::Head;
use flate2::Compression;
use flate2::read::GzEncoder;
use rouille::{Response, ResponseBody};

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

/// Compresses the answer where the client takes gzip and it is worth it.
pub fn apply(head: &Head, mut response: Response) -> Response {
    let content_type = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let is_worth_it = content_type.is_some_and(|(_, value)| TYPES.iter().any(|t| value.starts_with(t)));
    if !is_worth_it {
        return response;
    }
    response.headers.push(("Vary".into(), "Accept, Accept-Encoding".into()));
    let (reader, size) = response.data.into_reader_and_size();
    if !takes_gzip(head) || size.is_some_and(|size| size < LENGTH_LEAST) {
        response.data = match size {
            Some(size) => ResponseBody::from_reader_and_size(reader, size),
            None => ResponseBody::from_reader(reader),
        };
        return response;
    }
    response.headers.push(("Content-Encoding".into(), "gzip".into()));
    response.data = ResponseBody::from_reader(GzEncoder::new(reader, Compression::fast()));
    response
}

fn takes_gzip(head: &Head) -> bool {
    let Some(accepted) = head.field("accept-encoding") else { return false };
    let wanted = respond::accepted(accepted);
    let is_refused =
        accepted.split(',').any(|coding| coding.trim().to_ascii_lowercase().starts_with("gzip;"))
            && !wanted.iter().any(|coding| coding == "gzip");
    !is_refused && wanted.iter().any(|coding| coding == "gzip" || coding == "*")
}
