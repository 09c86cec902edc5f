// SPDX-License-Identifier: Apache-2.0
//! The module `agentdestroy`: ends the agent that runs it, where it is the one that is meant. MIG's ends another one
//! on the same host and removes its program, which is not done here.

use crate::model::command::OperationResult;
use crate::modules::{Host, Outcome, failed};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Parameters {
    pid: f64,
    version: String,
}

/// Succeeds where process id and version are this agent's own.
pub(super) fn run(parameters: &Value, host: &Host) -> Outcome {
    let Value::Object(_) = parameters else {
        return failed("The parameters of agentdestroy must be an object with pid and version");
    };
    let wanted: Parameters = match serde_json::from_value(parameters.clone()) {
        Ok(wanted) => wanted,
        Err(error) => return failed(format!("The parameters of agentdestroy need pid and version: {error}")),
    };
    // Process ids are far below 2^53, so the comparison is exact.
    if wanted.pid != host.pid as f64 || wanted.version != host.version {
        return failed(format!(
            "This agent is {} with process id {}, another one is meant",
            host.version, host.pid
        ));
    }
    let said = format!("agent {} with process id {} ends", host.version, host.pid);
    Outcome::DoneAndEnd(OperationResult {
        success: true,
        elements: Value::String(said),
        ..OperationResult::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_agent_that_is_meant_ends() {
        let host = Host { pid: 4_001, version: "1.0".into(), now_secs: 0, now_nanos: 0 };
        for (parameters, ends) in [
            (json!({"pid": 4001, "version": "1.0"}), true),
            (json!({"pid": 4001.0, "version": "1.0", "more": []}), true),
            (json!({"pid": 4002, "version": "1.0"}), false),
            (json!({"pid": 4001, "version": "1.0 "}), false),
            (json!({"pid": 4001}), false),
            (json!({"version": "1.0"}), false),
            (json!({"pid": "4001", "version": "1.0"}), false),
            (json!({"pid": null, "version": null}), false),
            (json!([4001, "1.0"]), false),
            (json!(null), false),
        ] {
            match run(&parameters, &host) {
                Outcome::DoneAndEnd(result) => assert!(ends && result.success, "{parameters}"),
                Outcome::Done(result) => {
                    assert!(!ends && !result.success && result.errors.is_some(), "{parameters}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
