// SPDX-License-Identifier: Apache-2.0
//! Answers: JSON, HTML, and errors in whichever of the two was asked for.

use crate::error::{Error, Kind};
use crate::http::mig;
use crate::http::routes;
use crate::http::wire::Head;
use crate::views::{self, error_page};
use rouille::{Response, ResponseBody};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who waits for a 503 to pass waits this long.
const RETRY_AFTER_SECS: u64 = 5;

/// What pages may load and do: nothing but our own files.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
  img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// An answer with a body of a content type.
pub fn data(status: u16, content_type: &'static str, bytes: impl Into<Vec<u8>>) -> Response {
    Response {
        status_code: status,
        headers: vec![("Content-Type".into(), content_type.into())],
        data: ResponseBody::from_data(bytes.into()),
        upgrade: None,
    }
}

/// An answer as JSON.
pub fn json<T: Serialize>(status: u16, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => data(status, "application/json", bytes),
        Err(error) => {
            log::error!("Cannot write an answer as JSON: {error}");
            data(500, "application/json", "{\"message\":\"The answer cannot be written\"}")
        }
    }
}

/// An HTML page.
pub fn html(status: u16, document: String) -> Response {
    data(status, "text/html; charset=utf-8", document)
        .with_unique_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        .with_unique_header("X-Frame-Options", "DENY")
        .with_unique_header("Referrer-Policy", "same-origin")
        .with_unique_header("Cache-Control", "no-cache")
}

/// `{"message": …}`.
#[derive(Serialize)]
pub struct Message<'a> {
    /// What is wrong.
    pub message: &'a str,
    /// Under which the log knows it, where it is a fault of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
}

/// `{"error": …}`, which agents of MIG know.
#[derive(Serialize)]
struct AgentMessage<'a> {
    error: &'a str,
}

/// True for the routes that agents use; those of MIG's clients are told apart before.
fn is_for_agents(path: &str) -> bool {
    path.starts_with("/api/v1/")
}

/// True where an error is told in HTML: browsers ask for it, programs do not, and the API and the collector always
/// answer in JSON.
fn wants_html(head: &Head) -> bool {
    let is_api = head.path().starts_with("/api/") || head.method == "POST" && !routes::is_form(head.path());
    !is_api && accepted(head.field("accept").unwrap_or("")).iter().any(|kind| kind == "text/html")
}

/// True where a browser asks for a page, which it can come back to once it is logged in.
pub fn leads_to_login(head: &Head) -> bool {
    matches!(head.method.as_str(), "GET" | "HEAD") && wants_html(head)
}

/// The values of an `Accept…` field in lower case, the most wanted first; those that are not wanted (`q=0`) left out.
pub fn accepted(field: &str) -> Vec<String> {
    let mut kinds: Vec<(f32, String)> = field
        .split(',')
        .map(|kind| {
            let mut parts = kind.split(';').map(|part| part.trim().to_ascii_lowercase());
            let name = parts.next().unwrap_or_default();
            let weight =
                parts.find_map(|part| part.strip_prefix("q=").map(|q| q.trim().parse().unwrap_or(0.0)));
            (weight.unwrap_or(1.0), name)
        })
        .filter(|(weight, name)| *weight > 0.0 && !name.is_empty())
        .collect();
    // Stable: among equals the order sent decides.
    kinds.sort_by(|a, b| b.0.total_cmp(&a.0));
    kinds.into_iter().map(|(_, name)| name).collect()
}

/// The answer to a request that failed; logs it once, under an id where the fault is ours.
pub fn error(head: &Head, error: &Error) -> Response {
    let kind = error.kind();
    let id = next_id();
    log::log!(
        error.log_level(),
        "Request {id}: {} {}: {}",
        head.method,
        head.target.chars().take(200).collect::<String>().escape_debug(),
        error.with_causes()
    );
    let message = match kind {
        kind if kind.is_our_fault() => {
            format!("Something is wrong on the server; its log says more under {id}")
        }
        _ => error.message().to_owned(),
    };
    let status = kind.http_status();
    let response = if wants_html(head) {
        let failure = error_page::Failure { status, message: &message, request_id: &id };
        html(status, views::error_document(head.path(), &failure))
    } else if mig::is_for_clients(head) {
        mig::failure(head, status, &id, &message)
    } else if is_for_agents(head.path()) {
        json(status, &AgentMessage { error: &message })
    } else {
        let request_id = kind.is_our_fault().then_some(id.as_str());
        json(status, &Message { message: &message, request_id })
    };
    let response = match status {
        401 if !mig::is_for_clients(head) => response.with_unique_header("WWW-Authenticate", "Bearer"),
        _ => response,
    };
    match error.retry_after_secs().or((kind == Kind::Busy).then_some(RETRY_AFTER_SECS)) {
        Some(secs) => response.with_unique_header("Retry-After", secs.to_string()),
        None => response,
    }
}

/// An id that is unique within this run of the program.
pub fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A redirect within this server.
pub fn redirect(status: u16, to: &str) -> Response {
    Response {
        status_code: status,
        headers: vec![("Location".into(), to.to_owned().into())],
        data: ResponseBody::empty(),
        upgrade: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_is_ordered_by_weight_and_then_as_sent() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("Text/CSV", &["text/csv"]),
            ("text/csv, application/x-ndjson;q=0.5", &["text/csv", "application/x-ndjson"]),
            ("application/json;q=0.1, text/csv", &["text/csv", "application/json"]),
            ("text/csv;q=0, */*", &["*/*"]),
            ("gzip; q=0.000, *;q=x", &[]),
        ];
        for (field, expected) in cases {
            assert_eq!(accepted(field), *expected, "{field}");
        }
    }
}
