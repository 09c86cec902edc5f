// SPDX-License-Identifier: Apache-2.0
//! An agent's answer as JSON: read within bounds, because an agent may be anybody who got hold of a key.

use crate::error::{Error, Kind, Result};
use crate::model::command::{CommandStatus, OperationResult};
use crate::model::filter::shortened;
use crate::model::go_json::{GoJson, lenient_text};
use crate::model::timestamp::Timestamp;
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};

/// Bytes of an answer.
pub const RESULTS_BYTES_MAX: usize = 8 << 20;
/// Arrays and objects in one another.
const DEPTH_MAX: usize = 64;
/// Values of an answer. Each takes a hundred bytes and more while it is read.
const VALUES_MAX: usize = 500_000;
/// A longer answer is read while no other of this sort is: it takes many times its bytes.
const LARGE_BYTES: usize = 256 << 10;

static LARGE: Mutex<()> = Mutex::new(());

/// An answer, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The command.
    pub id: i64,
    /// success, failed or timeout.
    pub status: CommandStatus,
    /// What its operations gave.
    pub results: Option<Vec<OperationResult>>,
}

/// As it comes; `finishtime` is by a clock that nobody knows, so it is only looked at whether it is a time.
#[derive(Deserialize)]
struct Body {
    id: serde_json::Number,
    status: String,
    results: Option<Vec<OperationResult>>,
    finishtime: Option<String>,
}

impl Report {
    /// Reads an answer and hands it to `with`. Invalid where it is no answer, TooLarge where it holds too much.
    pub fn read<T>(bytes: &[u8], with: impl FnOnce(Report) -> Result<T>) -> Result<T> {
        let _turn = (bytes.len() > LARGE_BYTES).then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
        with(read(bytes)?)
    }
}

fn read(bytes: &[u8]) -> Result<Report> {
    check_bounds(bytes)?;
    let text = lenient_text(bytes);
    // serde_json's own mark of a number: as a key it would turn the object into one.
    if text.contains("$serde_json::private") {
        return Err(Error::invalid("The answer has a key that is not allowed"));
    }
    let body: Body = serde_json::from_str(&text).map_err(|error| {
        Error::invalid(format!("The answer is not JSON of id, status and results: {error}"))
    })?;
    let id = body.id.as_i64().or_else(|| whole(body.id.as_f64()?)).filter(|id| *id > 0);
    let id = id.ok_or_else(|| Error::invalid("id must be the whole number of a command"))?;
    let status = [CommandStatus::Success, CommandStatus::Failed, CommandStatus::Timeout]
        .into_iter()
        .find(|status| status.word() == body.status)
        .ok_or_else(|| {
            let status = shortened(&body.status);
            Error::invalid(format!("status must be success, failed or timeout, not {status:?}"))
        })?;
    if let Some(text) = body.finishtime.as_deref().filter(|text| Timestamp::parse(text).is_none()) {
        let text = shortened(text);
        return Err(Error::invalid(format!(
            "finishtime must be a time like 2026-01-31T23:59:59Z, not {text:?}"
        )));
    }
    Ok(Report { id, status, results: body.results })
}

/// A float64 that is a whole number, as Go's clients write ids.
fn whole(number: f64) -> Option<i64> {
    // The cast is exact for these.
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// Counts values and depth before anything is made of them.
fn check_bounds(bytes: &[u8]) -> Result<()> {
    let (mut depth, mut n_values) = (0_usize, 0_usize);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                n_values += 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => n_values += 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Error::invalid(format!("The answer is nested more than {DEPTH_MAX} deep")));
        }
        if n_values > VALUES_MAX {
            let message = format!("The answer holds more than {VALUES_MAX} values");
            return Err(Error::new(Kind::TooLarge, message));
        }
    }
    Ok(())
}

/// The results as they are stored, MIG's JSON.
pub fn results_json(results: &[OperationResult]) -> Result<String> {
    let mut text = String::from("[");
    for (n, result) in results.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        result.encode(&mut text)?;
    }
    text.push(']');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_comes_out_as_migs_json() {
        let json = r#"{"id": 7.0, "status": "success", "finishtime": "2026-01-01T00:00:00Z", "more": 1, "results":
            [{"foundanything": true, "success": true, "elements": {"b": "a\u0000b", "a": ["\ud800"]}, "errors": ["<x>"]}]}"#;
        let report = read(json.as_bytes()).unwrap();
        assert_eq!((report.id, report.status), (7, CommandStatus::Success));
        assert_eq!(
            results_json(&report.results.unwrap()).unwrap(),
            "[{\"foundanything\":true,\"success\":true,\"elements\":{\"a\":[\"\u{fffd}\"],\"b\":\"a\\u0000b\"},\
             \"statistics\":null,\"errors\":[\"\\u003cx\\u003e\"]}]"
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let nested = |n: usize| {
            format!(
                "{{\"id\":1,\"status\":\"success\",\"results\":[{{\"elements\":{}{}}}]}}",
                "[".repeat(n),
                "]".repeat(n)
            )
        };
        assert!(read(nested(DEPTH_MAX - 3).as_bytes()).is_ok());
        let many = format!(
            "{{\"id\":1,\"status\":\"failed\",\"results\":[{{\"elements\":[0{}]}}]}}",
            ",0".repeat(VALUES_MAX)
        );
        let cases = [
            (nested(DEPTH_MAX), "nested"),
            (many, "more than 500000 values"),
            ("".to_owned(), "not JSON"),
            ("[]".to_owned(), "not JSON"),
            ("{\"id\":1,\"status\":\"success\"".to_owned(), "not JSON"),
            ("{\"id\":\"1\",\"status\":\"success\"}".to_owned(), "not JSON"),
            ("{\"id\":1.5,\"status\":\"success\"}".to_owned(), "whole number"),
            ("{\"id\":0,\"status\":\"success\"}".to_owned(), "whole number"),
            ("{\"id\":-1,\"status\":\"success\"}".to_owned(), "whole number"),
            ("{\"id\":1e300,\"status\":\"success\"}".to_owned(), "whole number"),
            ("{\"id\":1,\"status\":\"cancelled\"}".to_owned(), "status must be"),
            ("{\"id\":1,\"status\":\"Success\"}".to_owned(), "status must be"),
            ("{\"id\":1,\"status\":\"success\",\"results\":{}}".to_owned(), "not JSON"),
            ("{\"id\":1,\"status\":\"success\",\"results\":[1]}".to_owned(), "not JSON"),
            ("{\"$serde_json::private::Number\":\"1\"}".to_owned(), "not allowed"),
        ];
        for (json, part) in cases {
            let error = read(json.as_bytes()).unwrap_err();
            assert!(error.message().contains(part), "{json:.80}: {error}");
        }
        assert!(
            read("{\"id\":1,\"status\":\"timeout\",\"results\":null}".as_bytes()).unwrap().results.is_none()
        );
    }
}
