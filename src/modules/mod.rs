// SPDX-License-Identifier: Apache-2.0
//! What an agent can do: each module takes parameters and gives results in MIG's form. Nothing here knows the
//! server, or who may ask for it; of the network only `timedrift` knows something, which asks time servers.

mod agentdestroy;
mod duration;
mod file;
mod timedrift;

use crate::error::{Error, Result};
use crate::model::command::OperationResult;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;
use std::time::Instant;

/// The modules that there are, in order.
pub const NAMES: &[&str] = &["agentdestroy", "file", "timedrift"];

/// Bytes of compressed parameters after they were unpacked.
const PARAMETERS_BYTES_MAX: u64 = 4 << 20;

/// How long a module may run, and how much it may say.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From then on it has taken too long. Modules end within a second of it.
    pub deadline: Instant,
    /// Bytes of the JSON of a result. What does not fit is left out, and an error says so.
    pub output_bytes_max: usize,
}

/// What a module has to know of the agent that runs it.
#[derive(Clone, Debug)]
pub struct Host {
    /// The agent's process id.
    pub pid: i64,
    /// The agent's version.
    pub version: String,
    /// The time at which the module starts, Unix seconds.
    pub now_secs: i64,
    /// The rest of that second, below 1,000,000,000.
    pub now_nanos: u32,
}

/// How a module ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ran to its end; its result says whether with success.
    Done(OperationResult),
    /// It ran, and the agent must end once it has sent the result.
    DoneAndEnd(OperationResult),
    /// Its time was over before it was done; what it had by then.
    TimedOut(OperationResult),
    /// It could not be run, or broke down; why.
    Failed(String),
    /// There is no such module.
    Unknown,
}

/// Runs a module on this host and waits for it. Faults of the parameters are told in the result. `parameters` are
/// plain: see [`plain_parameters`].
pub fn run(module: &str, parameters: &Value, limits: &Limits, host: &Host) -> Outcome {
    match module {
        "agentdestroy" => agentdestroy::run(parameters, host),
        "file" => file::run(parameters, limits, host),
        "timedrift" => timedrift::run(parameters, limits, host),
        _ => Outcome::Unknown,
    }
}

/// The parameters of an operation that says `is_compressed`: a string, base64 of gzipped JSON. Fails where it is not
/// that, or unpacks to more than 4 MiB.
pub fn plain_parameters(compressed: &Value) -> Result<Value> {
    let Value::String(text) = compressed else {
        return Err(Error::invalid("Compressed parameters must be a string"));
    };
    let packed = STANDARD
        .decode(text)
        .map_err(|error| Error::invalid("Compressed parameters are not base64").because(error))?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice())
        .take(PARAMETERS_BYTES_MAX + 1)
        .read_to_end(&mut json)
        .map_err(|error| Error::invalid("Compressed parameters are not gzipped").because(error))?;
    if json.len() as u64 > PARAMETERS_BYTES_MAX {
        return Err(Error::invalid("Compressed parameters unpack to more than 4 MiB"));
    }
    serde_json::from_slice(&json)
        .map_err(|error| Error::invalid("Compressed parameters are not JSON").because(error))
}

/// A result of a module that could not even begin.
fn failed(message: impl Into<String>) -> Outcome {
    Outcome::Done(OperationResult { errors: Some(vec![message.into()]), ..OperationResult::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;
    use std::io::Write;
    use std::time::Duration;

    fn packed(json: &[u8]) -> Value {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json).unwrap();
        Value::String(STANDARD.encode(encoder.finish().unwrap()))
    }

    #[test]
    fn every_name_is_a_module_and_no_other() {
        let limits = Limits { deadline: Instant::now() + Duration::from_secs(5), output_bytes_max: 1 << 20 };
        let host = Host { pid: 4_001, version: "1.0".into(), now_secs: 1_800_000_000, now_nanos: 0 };
        for name in NAMES {
            let Outcome::Done(result) = run(name, &json!([]), &limits, &host) else {
                panic!("{name} takes a list");
            };
            assert!(!result.success && result.errors.is_some(), "{name}");
        }
        for name in ["", "File", "ping", "file "] {
            assert_eq!(run(name, &json!({}), &limits, &host), Outcome::Unknown, "{name}");
        }
    }

    #[test]
    fn compressed_parameters_are_unpacked_within_bounds() {
        assert_eq!(plain_parameters(&packed(br#"{"a":[1]}"#)).unwrap(), json!({"a": [1]}));
        let large = format!("\"{}\"", " ".repeat(5 << 20));
        for (bad, part) in [
            (json!({"a": 1}), "must be a string"),
            (json!("a\u{e9}"), "not base64"),
            (json!("aGVsbG8="), "not gzipped"),
            (packed(b"{\"a\":"), "not JSON"),
            (packed(large.as_bytes()), "more than 4 MiB"),
        ] {
            let error = plain_parameters(&bad).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
