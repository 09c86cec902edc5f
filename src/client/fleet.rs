// SPDX-License-Identifier: Apache-2.0
//! What an agent says to its server: heartbeats, long polls for commands, results. An answer is only read here; whether
//! to believe a word of it is the agent's business.

use crate::client::base_url::BaseUrl;
use crate::client::exchange::{Answer, EXCHANGE_MOST, agent_with, answer, tls_of};
use crate::error::{Error, Kind, Result};
use crate::model::filter::shortened;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use ureq::Agent;

/// Most bytes of an answer with commands: each may have an action of 4 MiB.
const COMMANDS_BYTES_MAX: u64 = 32 << 20;
/// Most values in them: each takes a hundred bytes of memory, however short it is.
const COMMANDS_VALUES_MAX: usize = 1_000_000;
/// Most bytes of any other answer.
const SHORT_BYTES_MAX: u64 = 64 << 10;
/// A long poll may take so much longer than it was asked to wait.
const POLL_MARGIN: Duration = Duration::from_secs(15);
/// Results may take longer to send than a heartbeat.
const RESULTS_MOST: Duration = Duration::from_secs(60);

/// The calls of one agent on one server.
#[derive(Debug)]
pub struct FleetClient {
    agent: Agent,
    server: BaseUrl,
    authorization: String,
    token: Option<String>,
}

/// What a poll for commands brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// The commands as they came, in order; each has an `id`, an `action` and an `agent` if the server is a good one.
    pub commands: Vec<Value>,
    /// The server wants to be asked again only after so long.
    pub pause: Duration,
}

impl FleetClient {
    /// For an agent with `key`. `token`: what lets the key bind, where the server asks for one. `ca_pem`: the
    /// certificates that the server's is checked by; the public ones where none are given. Usage where there is no
    /// certificate in it, or the token is no word.
    pub fn new(
        server: BaseUrl,
        key: &str,
        token: Option<String>,
        ca_pem: Option<&str>,
    ) -> Result<FleetClient> {
        if token
            .as_deref()
            .is_some_and(|token| token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()))
        {
            return Err(Error::usage("The token is no word of ASCII characters; see `muster agent token`"));
        }
        Ok(FleetClient {
            agent: agent_with(tls_of(ca_pem)?),
            server,
            authorization: format!("Bearer {key}"),
            token,
        })
    }

    /// Tells the server that the agent lives. Kinds: Unauthorized where it is not to be enrolled or the key is another
    /// one, Invalid where a field is refused, and those of every exchange.
    pub fn beat(&self, heartbeat: &Value) -> Result<()> {
        self.post("/api/v1/heartbeat", &heartbeat.to_string(), EXCHANGE_MOST, SHORT_BYTES_MAX).map(drop)
    }

    /// The address that the server sees this agent at.
    pub fn public_ip(&self) -> Result<IpAddr> {
        let url = self.server.join("/api/v1/ip");
        let found = answer(&url, self.agent.get(&url).call(), EXCHANGE_MOST, SHORT_BYTES_MAX)?;
        let text = found.text.trim();
        text.parse().map_err(|_| Error::invalid(format!("{url} told no address: {}", shortened(text))))
    }

    /// Waits at most `wait` for commands. `instance` tells this process from those before it.
    pub fn fetch(&self, queueloc: &str, instance: &str, wait: Duration) -> Result<Fetched> {
        let body = json!({"queueloc": queueloc, "instance": instance, "wait": wait.as_secs()});
        let most = wait + POLL_MARGIN;
        let path = "/api/v1/agent/commands";
        let text = self.post(path, &body.to_string(), most, COMMANDS_BYTES_MAX)?;
        // Those within texts are counted too, which errs on the safe side.
        if text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count() > COMMANDS_VALUES_MAX {
            let message = format!("The server sent commands of more than {COMMANDS_VALUES_MAX} values");
            return Err(Error::new(Kind::TooLarge, message));
        }
        read_fetched(&text).ok_or_else(|| self.not_understood(path))
    }

    /// Brings the answer to a command, JSON. True where the server had one already.
    pub fn deliver(&self, results: &str) -> Result<bool> {
        let path = "/api/v1/agent/results";
        let text = self.post(path, results, RESULTS_MOST, SHORT_BYTES_MAX)?;
        let json: Value = serde_json::from_str(&text).map_err(|_| self.not_understood(path))?;
        Ok(json.get("is_repeated").and_then(Value::as_bool) == Some(true))
    }

    fn post(&self, path: &str, body: &str, most: Duration, bytes_max: u64) -> Result<String> {
        let url = self.server.join(path);
        let mut request = self
            .agent
            .post(&url)
            .config()
            .timeout_global(Some(most))
            .build()
            .header("Content-Type", "application/json")
            .header("Authorization", &self.authorization);
        if let Some(token) = &self.token {
            request = request.header("X-Muster-Token", token);
        }
        read_answer(&url, answer(&url, request.send(body.as_bytes()), most, bytes_max)?)
    }

    fn not_understood(&self, path: &str) -> Error {
        Error::new(Kind::Busy, format!("{} gave an answer that is not understood", self.server.join(path)))
    }
}

fn read_answer(url: &str, answer: Answer) -> Result<String> {
    let kind = match answer.status {
        200 => return Ok(answer.text),
        401 => Kind::Unauthorized,
        403 => Kind::Forbidden,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        413 => Kind::TooLarge,
        400..=499 => Kind::Invalid,
        _ => Kind::Busy,
    };
    let json: Option<Value> = serde_json::from_str(&answer.text).ok();
    let said = json.as_ref().and_then(|json| json.get("error")?.as_str()).unwrap_or(&answer.text);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing more");
    let line: String = line.trim().chars().take(300).collect();
    Err(Error::new(kind, format!("{url} answered {}: {line}", answer.status)))
}

fn read_fetched(text: &str) -> Option<Fetched> {
    let mut json: Value = serde_json::from_str(text).ok()?;
    let pause = Duration::from_secs(json.get("poll_secs").and_then(Value::as_u64).unwrap_or(0));
    let Value::Array(entries) = json.get_mut("commands")?.take() else { return None };
    let commands = entries
        .into_iter()
        .map(|mut entry| entry.get_mut("command").map(Value::take).unwrap_or(Value::Null))
        .collect();
    Some(Fetched { commands, pause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_not_200_is_an_error_with_the_server_s_words() {
        for (status, text, kind, part) in [
            (401, "{\"error\":\"another key\"}", Kind::Unauthorized, "401: another key"),
            (403, "{\"error\":\"not yours\"}", Kind::Forbidden, "not yours"),
            (404, "404 page not found\n", Kind::NotFound, "404 page not found"),
            (400, "{\"error\":null}", Kind::Invalid, "{\"error\":null}"),
            (503, "", Kind::Busy, "nothing more"),
            (302, "<html>", Kind::Busy, "<html>"),
        ] {
            let error = read_answer("http://a", Answer { status, text: text.to_owned() }).unwrap_err();
            assert!(error.kind() == kind && error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn commands_come_one_by_one_whatever_they_are() {
        let text = r#"{"commands":[{"attempt":1,"command":{"id":7}},{"x":1},5],"poll_secs":3}"#;
        let fetched = read_fetched(text).unwrap();
        assert_eq!(fetched.pause, Duration::from_secs(3));
        assert_eq!(fetched.commands, [json!({"id": 7}), Value::Null, Value::Null]);
        for text in ["", "{}", "[]", "{\"commands\":null}", "{\"commands\":{}}"] {
            assert_eq!(read_fetched(text), None, "{text}");
        }
    }

    #[test]
    fn certificates_must_be_certificates() {
        let connect = |pem| FleetClient::new(BaseUrl::parse("a").unwrap(), "k", None, Some(pem));
        assert!(connect("").is_err());
        assert!(connect("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err());
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(connect(&pem.repeat(2)).is_ok());
        let server = || BaseUrl::parse("a").unwrap();
        assert!(FleetClient::new(server(), "k", Some("two words".into()), None).is_err());
        assert!(FleetClient::new(server(), "k", Some("word".into()), Some(pem)).is_ok());
    }
}
