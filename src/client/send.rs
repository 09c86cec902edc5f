// SPDX-License-Identifier: Apache-2.0
//! Posts one record as a telemetry client does: to see whether a server takes records, and what it says if not.
//!
//! Nothing is validated here: what the server says to a broken field is worth seeing.

use crate::client::base_url::BaseUrl;
use crate::client::exchange::{Answer, EXCHANGE_MOST, RECORD_BYTES_MAX, agent_with, answer, tls_of};
use crate::client::facts::Facts;
use crate::error::{Error, Kind, Result};
use crate::model::record::hex;
use serde_json::Value;

/// The organisation of the Clear Linux client.
pub const DEFAULT_TID: &str = "6907c830-eed9-4ce9-81ae-76daf8d88f0f";

/// How the record is put into the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Each field a header with underscores in its name, the payload as body: the client up to 2.3.
    Header,
    /// One JSON object, all values strings: the current client.
    Json,
}

/// What is sent, and where to.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// The server.
    pub url: BaseUrl,
    /// The certificates that the server's is checked by; the public authorities where none are given.
    pub ca_pem: Option<String>,
    /// How the record is encoded.
    pub encoding: Encoding,
    /// `X-Telemetry-TID`.
    pub tid: String,
    /// Sends `X-CLR-External: true`.
    pub is_external: bool,
    /// The record's fields by name, in the order in which the client sends them.
    fields: Vec<(&'static str, String)>,
    /// The payload.
    pub payload: String,
}

impl SendOptions {
    /// The test record of this machine, as the client's `hprobe` makes it, captured at `now`.
    pub fn new(url: BaseUrl, now: i64) -> Result<SendOptions> {
        let facts = Facts::of_this_machine();
        Ok(SendOptions {
            url,
            ca_pem: None,
            encoding: Encoding::Header,
            tid: DEFAULT_TID.to_owned(),
            is_external: false,
            fields: vec![
                ("record_format_version", "4".to_owned()),
                ("classification", "org.clearlinux/hello/world".to_owned()),
                ("severity", "1".to_owned()),
                ("machine_id", facts.machine_id),
                ("creation_timestamp", now.to_string()),
                ("arch", facts.arch),
                ("host_type", facts.host_type),
                ("build", facts.build),
                ("kernel_version", facts.kernel_version),
                ("payload_format_version", "1".to_owned()),
                ("system_name", facts.system_name),
                ("board_name", facts.board_name),
                ("cpu_model", facts.cpu_model),
                ("bios_version", facts.bios_version),
                ("event_id", random_event_id()?),
            ],
            payload: "hello\n".to_owned(),
        })
    }

    /// The fields that will be sent.
    pub fn fields(&self) -> &[(&'static str, String)] {
        &self.fields
    }

    /// Sends `value` in place of this machine's; `-` in the name is `_`. An empty value leaves the field out, as the
    /// client does. Usage where there is no such field.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let known = name.replace('-', "_").to_ascii_lowercase();
        match self.fields.iter_mut().find(|(field, _)| *field == known) {
            Some((_, old)) => {
                value.clone_into(old);
                Ok(())
            }
            None => {
                let names: Vec<&str> = self.fields.iter().map(|(field, _)| *field).collect();
                Err(Error::usage(format!("A record has no field {name:?}; it has {}", names.join(", "))))
            }
        }
    }
}

/// What the server made of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The stored record's id.
    pub id: i64,
    /// The answer's body.
    pub answer: String,
}

/// Sends the record once. Kinds: Invalid with the server's message where it refuses the record (also where it keeps it
/// in quarantine), Busy where it cannot store it now, the connection fails or nobody listens, Timeout after 10 s, Usage
/// where a value cannot be sent.
pub fn run(options: &SendOptions) -> Result<Sent> {
    let url = options.url.join("/");
    let agent = agent_with(tls_of(options.ca_pem.as_deref())?);
    let mut request = agent.post(&url).header("X-Telemetry-TID", header_value("tid", &options.tid)?);
    if options.is_external {
        request = request.header("X-CLR-External", "true");
    }
    let sent = |field: &&(&'static str, String)| !field.1.is_empty();
    let outcome = match options.encoding {
        Encoding::Header => {
            for (name, value) in options.fields.iter().filter(sent) {
                request = request.header(*name, header_value(name, value)?);
            }
            request.header("Content-Type", "application/text").send(options.payload.as_bytes())
        }
        Encoding::Json => {
            let fields = options.fields.iter().filter(sent).map(|(name, value)| (*name, value.as_str()));
            let members = fields.chain([("payload", options.payload.as_str())]);
            let object: serde_json::Map<String, Value> =
                members.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
            request
                .header("Content-Type", "application/json")
                .send(Value::Object(object).to_string().as_bytes())
        }
    };
    read_answer(&url, answer(&url, outcome, EXCHANGE_MOST, RECORD_BYTES_MAX)?)
}

/// A header's value in UTF-8, which the collector reads; http's own type would take ASCII only from text.
fn header_value(name: &str, value: &str) -> Result<ureq::http::HeaderValue> {
    ureq::http::HeaderValue::from_bytes(value.as_bytes()).map_err(|error| {
        Error::usage(format!(
            "{name} cannot be sent as a header: it has a control character; send it as JSON"
        ))
        .because(error)
    })
}

fn read_answer(url: &str, answer: Answer) -> Result<Sent> {
    let json: Option<Value> = serde_json::from_str(&answer.text).ok();
    let member = |name: &str| json.as_ref().and_then(|object| object.get(name));
    let id = member("id").and_then(Value::as_i64);
    if let (200 | 201, Some(id)) = (answer.status, id) {
        return Ok(Sent { id, answer: answer.text });
    }
    let message = match member("message").and_then(Value::as_str) {
        Some(message) => message.to_owned(),
        None => first_line(&answer.text),
    };
    let is_quarantined = member("quarantined").and_then(Value::as_bool) == Some(true);
    Err(match answer.status {
        200 if is_quarantined => Error::invalid(format!("Kept in quarantine: {message}")),
        503 => Error::busy(format!("{url} cannot store the record now: {message}")),
        400..=499 => Error::invalid(format!("{url} refused the record ({}): {message}", answer.status)),
        500..=599 => Error::new(Kind::Busy, format!("{url} failed ({}): {message}", answer.status)),
        status => {
            Error::invalid(format!("{url} is no collector of records: it answered {status}: {message}"))
        }
    })
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing");
    line.trim().chars().take(200).collect()
}

fn random_event_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::internal("The system has no random numbers").because(error.to_string()))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn of(status: u16, text: &str) -> Result<Sent> {
        read_answer("http://a/", Answer { status, text: text.to_owned() })
    }

    #[test]
    fn an_answer_with_an_id_is_a_stored_record() {
        assert_eq!(of(201, "{\"id\": 7, \"x\": 1}").unwrap().id, 7);
        assert_eq!(of(200, "{\"id\": 7}").unwrap().answer, "{\"id\": 7}");
    }

    #[test]
    fn every_other_answer_is_an_error_with_the_server_s_message() {
        for (status, text, kind, expected) in [
            (
                400,
                "{\"message\": \"severity must be 1\"}",
                Kind::Invalid,
                "refused the record (400): severity must be 1",
            ),
            (503, "{\"message\": \"The disk is full\"}", Kind::Busy, "The disk is full"),
            (200, "{\"message\": \"m\", \"quarantined\": true}", Kind::Invalid, "quarantine: m"),
            (200, "<html>\nhi", Kind::Invalid, "is no collector"),
            (302, "", Kind::Invalid, "answered 302: nothing"),
            (500, "\n oops ", Kind::Busy, "failed (500): oops"),
        ] {
            let error = of(status, text).unwrap_err();
            assert!(error.kind() == kind && error.message().contains(expected), "{error}");
        }
    }

    #[test]
    fn fields_are_named_with_either_stroke() {
        let mut options = SendOptions::new(BaseUrl::parse("a").unwrap(), 5).unwrap();
        options.set("Machine-Id", "x").unwrap();
        assert_eq!(options.fields()[3], ("machine_id", "x".to_owned()));
        assert!(options.set("machineid", "x").unwrap_err().message().contains("kernel_version"));
    }

    /// Takes one request, answers it with a record's id, and returns the request.
    fn received(encoding: Encoding) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = BaseUrl::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4_096];
            while !String::from_utf8_lossy(&request).contains("hello\n") && !request.ends_with(b"}") {
                let n = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..n]);
            }
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\n\r\n{\"id\":5}").unwrap();
            String::from_utf8(request).unwrap()
        });
        let mut options = SendOptions { encoding, ..SendOptions::new(url, 1_795_228_041).unwrap() };
        options.set("host_type", "München|a|b").unwrap();
        options.set("bios_version", "").unwrap();
        assert_eq!(run(&options).unwrap().id, 5);
        server.join().unwrap()
    }

    #[test]
    fn a_header_encoded_record_is_as_the_real_client_sends_it() {
        let request = received(Encoding::Header);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let lines: Vec<&str> = head.split("\r\n").collect();
        assert_eq!((lines[0], body), ("POST / HTTP/1.1", "hello\n"));
        let has = |line: &str| lines.iter().any(|sent| sent.eq_ignore_ascii_case(line));
        for line in [
            "record_format_version: 4",
            "classification: org.clearlinux/hello/world",
            "severity: 1",
            "creation_timestamp: 1795228041",
            "host_type: München|a|b",
            "Content-Type: application/text",
            "Content-Length: 6",
            "X-Telemetry-TID: 6907c830-eed9-4ce9-81ae-76daf8d88f0f",
        ] {
            assert!(has(line), "{line}\n{head}");
        }
        assert!(!head.contains("bios_version") && !head.to_lowercase().contains("x-clr-external"));
    }

    #[test]
    fn a_json_encoded_record_has_texts_only() {
        let request = received(Encoding::Json);
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
        let object: serde_json::Map<String, Value> = serde_json::from_str(body).unwrap();
        assert_eq!(object["payload"], "hello\n");
        assert_eq!(object.len(), 15);
        assert!(object.values().all(Value::is_string));
    }

    #[test]
    fn where_nobody_listens_the_error_names_the_address_and_the_remedy() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let error = run(&SendOptions::new(BaseUrl::parse(&address).unwrap(), 5).unwrap()).unwrap_err();
        assert_eq!(error.kind(), Kind::Busy);
        assert!(error.message().contains(&address) && error.message().contains("muster serve"), "{error}");
    }
}
