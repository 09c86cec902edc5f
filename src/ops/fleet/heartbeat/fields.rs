// SPDX-License-Identifier: Apache-2.0
//! The fields of a heartbeat: read as Go reads them, each checked, and every fault told at once.

use crate::error::{Error, Result};
use crate::model::agent::{Aws, Environment, NAME_BYTES_MAX, QUEUELOC_BYTES_MAX, VERSION_BYTES_MAX};
use crate::model::go_json::{go_struct, lenient_text};
use crate::model::timestamp::Timestamp;
use crate::store::fleet::NewHeartbeat;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Items of a list of a heartbeat: a machine has tens of addresses and modules.
const LIST_MAX: usize = 1_000;

/// A heartbeat whose agent began it longer ago was kept somewhere on its way.
const AGE_SECS_MAX: i64 = 300;
/// Largest process id that any system has.
const PID_MAX: i64 = u32::MAX as i64;
/// Objects and lists that stand in one another; a heartbeat has four.
const DEPTH_MAX: usize = 64;
/// Faults that are told; a heartbeat has about twenty fields.
const FAULTS_TOLD_MAX: usize = 40;

go_struct! {
    /// A heartbeat, each field of any type; unknown ones are passed over.
    pub struct Raw {
        /// The host's name.
        name: Value = "name",
        /// `daemon` or `checkin`.
        mode: Value = "mode",
        /// The agent's version.
        version: Value = "version",
        /// Its process id.
        pid: Value = "pid",
        /// Its endpoint.
        queueloc: Value = "queueloc",
        /// When the agent began this heartbeat, by its own clock.
        starttime: Value = "starttime",
        /// When it refreshed its environment.
        refreshtime: Value = "refreshtime",
        /// What it found out about its host.
        environment: Value = "environment",
        /// What its configuration calls it.
        tags: Value = "tags",
    }
}

go_struct! {
    /// An environment, each field of any type.
    pub struct RawEnvironment {
        /// The init system.
        init: Value = "init",
        /// The operating system in words.
        ident: Value = "ident",
        /// The operating system.
        os: Value = "os",
        /// The processor.
        arch: Value = "arch",
        /// It reaches the server through a proxy.
        isproxied: Value = "isproxied",
        /// That proxy.
        proxy: Value = "proxy",
        /// Addresses of its interfaces.
        addresses: Value = "addresses",
        /// Its address as the server sees it.
        publicip: Value = "publicip",
        /// What Amazon calls it.
        aws: Value = "aws",
        /// The modules that it has.
        modules: Value = "modules",
    }
}

go_struct! {
    /// A tag in a list.
    pub struct Tag {
        /// Its name.
        name: String = "name",
        /// Its value.
        value: String = "value",
    }
}

/// Reads a heartbeat that arrived at `now`. Invalid where it is no JSON or a field is missing or bad; then all of
/// these are named.
pub fn read(body: &[u8], now: i64) -> Result<NewHeartbeat> {
    // Go reads the first value and does not look further.
    let text = lenient_text(body);
    if depth(&text) > DEPTH_MAX {
        return Err(Error::invalid(format!(
            "Failed to decode request body: its values stand more than {DEPTH_MAX} deep in one another"
        )));
    }
    let raw = Raw::deserialize(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| {
        let said: String = error.to_string().chars().take(200).collect();
        Error::invalid(format!("Failed to decode request body: {said}"))
    })?;
    let mut faults = Faults::default();
    let heartbeat = NewHeartbeat {
        name: faults.name("name", raw.name, NAME_BYTES_MAX),
        mode: faults.name("mode", raw.mode, NAME_BYTES_MAX),
        version: faults.name("version", raw.version, VERSION_BYTES_MAX),
        pid: faults.pid(&raw.pid),
        queueloc: faults.name("queueLoc", raw.queueloc, QUEUELOC_BYTES_MAX),
        refreshed_at: None,
        environment: Environment::default(),
        tags: BTreeMap::new(),
    };
    if !matches!(heartbeat.mode.as_str(), "" | "daemon" | "checkin") {
        faults.bad("mode", "the agent reported an invalid mode, not daemon or checkin");
    }
    faults.start_time(&raw.starttime, now);
    let refreshed_at = faults.time("refreshTime", &raw.refreshtime).and_then(Timestamp::known_secs);
    let environment = faults.environment(raw.environment);
    let tags = faults.tags(raw.tags);
    faults.told()?;
    Ok(NewHeartbeat { refreshed_at, environment, tags, ..heartbeat })
}

/// How many objects and lists of a JSON text stand in one another at most.
fn depth(json: &str) -> usize {
    let (mut depth, mut most): (usize, usize) = (0, 0);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'[' | b'{' => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// What is wrong with a heartbeat.
#[derive(Default)]
struct Faults {
    missing: Vec<&'static str>,
    bad: Vec<String>,
}

impl Faults {
    fn bad(&mut self, field: &str, why: &str) {
        if self.bad.len() < FAULTS_TOLD_MAX {
            self.bad.push(format!("{field}: {why}"));
        }
    }

    /// A text; empty where it is none.
    fn text(&mut self, field: &'static str, value: Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => {
                self.check_text(field, &text);
                text
            }
            _ => {
                self.bad(field, "it is no text");
                String::new()
            }
        }
    }

    fn check_text(&mut self, field: &str, text: &str) {
        if text.contains('\0') {
            self.bad(field, "it contains a NUL");
        }
    }

    /// A text that must be there.
    fn required(&mut self, field: &'static str, value: Value) -> String {
        let is_missing = matches!(&value, Value::Null) || value.as_str().is_some_and(str::is_empty);
        if is_missing {
            self.missing.push(field);
        }
        self.text(field, value)
    }

    /// A text of one line that must be there, of at most so many bytes.
    fn name(&mut self, field: &'static str, value: Value, bytes_max: usize) -> String {
        let text = self.required(field, value);
        if text.len() > bytes_max {
            self.bad(field, &format!("it is too long; it may have {bytes_max} bytes"));
        } else if text.chars().any(|c| c.is_control() && c != '\0') {
            self.bad(field, "it contains control characters");
        }
        text
    }

    fn pid(&mut self, value: &Value) -> i64 {
        let is_missing = value.is_null() || value.as_i64() == Some(0);
        match value.as_i64() {
            _ if is_missing => self.missing.push("pid"),
            Some(pid) if (1..=PID_MAX).contains(&pid) => return pid,
            _ => self.bad("pid", &format!("it must be a whole number from 1 to {PID_MAX}")),
        }
        0
    }

    /// A time; none where there is none.
    fn time(&mut self, field: &'static str, value: &Value) -> Option<Timestamp> {
        let time = match value {
            Value::Null => return None,
            Value::String(text) => Timestamp::parse(text),
            _ => None,
        };
        if time.is_none() {
            self.bad(field, "it must be a time like 2006-01-02T15:04:05Z");
        }
        time
    }

    fn start_time(&mut self, value: &Value, now: i64) {
        if value.is_null() {
            self.missing.push("startTime");
            return;
        }
        if let Some(time) = self.time("startTime", value)
            && time.unix_secs < now - AGE_SECS_MAX
        {
            self.bad("startTime", "heartbeat expired; it is older than 5 minutes by the server's clock");
        }
    }

    fn environment(&mut self, value: Value) -> Environment {
        let raw = match value {
            Value::Null => RawEnvironment::default(),
            value => match serde_json::from_value(value) {
                Ok(raw) => raw,
                Err(_) => {
                    self.bad("environment", "it is no object");
                    return Environment::default();
                }
            },
        };
        let environment = Environment {
            init: self.required("environment.init", raw.init),
            ident: self.required("environment.ident", raw.ident),
            os: self.required("environment.os", raw.os),
            arch: self.required("environment.arch", raw.arch),
            isproxied: self.flag("environment.isProxied", &raw.isproxied),
            proxy: self.text("environment.proxy", raw.proxy),
            addresses: self.list("environment.addresses", raw.addresses),
            publicip: self.required("environment.publicIP", raw.publicip),
            aws: self.aws(raw.aws),
            modules: self.list("environment.modules", raw.modules),
        };
        if !environment.publicip.is_empty() && environment.publicip.parse::<IpAddr>().is_err() {
            self.bad("environment.publicIP", "it is no IP address");
        }
        environment
    }

    fn flag(&mut self, field: &'static str, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(flag) => *flag,
            _ => {
                self.bad(field, "it must be true or false");
                false
            }
        }
    }

    fn list(&mut self, field: &'static str, value: Value) -> Option<Vec<String>> {
        if value.is_null() {
            return None;
        }
        let texts: Option<Vec<String>> = match value {
            // Go reads a null in a list of strings as an empty one.
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Some(text),
                    Value::Null => Some(String::new()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        match &texts {
            None => self.bad(field, "it must be a list of texts"),
            Some(texts) if texts.len() > LIST_MAX => self.bad(field, "it has more than 1000 items"),
            Some(texts) => texts.iter().for_each(|text| self.check_text(field, text)),
        }
        texts.filter(|texts| !texts.is_empty())
    }

    fn aws(&mut self, value: Value) -> Aws {
        if value.is_null() {
            return Aws::default();
        }
        let Ok(aws) = serde_json::from_value::<Aws>(value) else {
            self.bad("environment.aws", "it must be an object of texts");
            return Aws::default();
        };
        for text in [&aws.instanceid, &aws.localipv4, &aws.amiid, &aws.instancetype] {
            self.check_text("environment.aws", text);
        }
        aws
    }

    /// A list of names and values, or an object; the last of several counts.
    fn tags(&mut self, value: Value) -> BTreeMap<String, String> {
        let tags: Option<Vec<(String, String)>> = match value {
            Value::Null => Some(Vec::new()),
            Value::Array(_) => serde_json::from_value::<Vec<Tag>>(value)
                .ok()
                .map(|tags| tags.into_iter().map(|tag| (tag.name, tag.value)).collect()),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| match value {
                    Value::String(value) => Some((name, value)),
                    Value::Null => Some((name, String::new())),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let Some(tags) = tags else {
            self.bad("tags", "they must be a list of {\"name\", \"value\"}, or an object, of texts");
            return BTreeMap::new();
        };
        for (name, value) in &tags {
            self.check_text("tags", name);
            self.check_text("tags", value);
        }
        // A tag without a name says nothing, and no target could ask for it.
        tags.into_iter().filter(|(name, _)| !name.is_empty()).collect()
    }

    /// All faults in one message that begins as MIG's, or none.
    fn told(&self) -> Result<()> {
        let missing = format!("missing field(s): {}", self.missing.join(", "));
        let bad = format!("bad field(s): {}", self.bad.join("; "));
        match (self.missing.is_empty(), self.bad.is_empty()) {
            (true, true) => Ok(()),
            (false, true) => Err(Error::invalid(format!("Missing fields in request body: {missing}"))),
            (false, false) => {
                Err(Error::invalid(format!("Missing fields in request body: {missing}; {bad}")))
            }
            (true, false) => Err(Error::invalid(format!("Bad fields in request body: {bad}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn good() -> Value {
        json!({
            "name": "host1.example.net", "mode": "daemon", "version": "20190913", "pid": 4711,
            "queueLoc": "linux.host1.abc", "startTime": "2027-01-15T08:00:00Z",
            "refreshTime": "2027-01-15T07:00:00.5+00:00",
            "environment": {
                "init": "systemd", "ident": "Debian 12 bookworm", "os": "linux", "arch": "amd64",
                "isProxied": true, "proxy": "p:3128", "addresses": ["10.0.0.1/8"], "publicIP": "192.0.2.7",
                "modules": ["file"],
            },
            "tags": [{"name": "", "value": "x"}, {"name": "operator", "value": "IT"}, {"name": "operator", "value": "OT"}],
        })
    }

    fn fault(change: impl FnOnce(&mut Value)) -> String {
        let mut beat = good();
        change(&mut beat);
        match read(beat.to_string().as_bytes(), NOW) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn a_good_heartbeat_is_read() {
        let beat = read(good().to_string().as_bytes(), NOW).unwrap();
        assert_eq!((beat.name.as_str(), beat.pid), ("host1.example.net", 4711));
        assert_eq!(beat.refreshed_at, Some(NOW - 3_600));
        assert!(beat.environment.isproxied);
        assert_eq!(beat.environment.publicip, "192.0.2.7");
        assert_eq!(beat.tags["operator"], "OT");
        assert_eq!(beat.tags.len(), 1);
    }

    #[test]
    fn keys_of_any_case_and_what_follows_are_read_as_by_go() {
        let text =
            good().to_string().replace("queueLoc", "QUEUELOC").replace("publicIP", "PublicIp") + "rest";
        let beat = read(text.as_bytes(), NOW).unwrap();
        assert_eq!(beat.queueloc, "linux.host1.abc");
        assert_eq!(fault(|beat| beat["tags"] = json!({"a": "b"})), "taken");
        assert_eq!(fault(|beat| beat["tags"] = Value::Null), "taken");
        assert_eq!(fault(|beat| beat["environment"]["addresses"] = Value::Null), "taken");
        assert_eq!(fault(|beat| beat["startTime"] = json!("2030-01-01T00:00:00Z")), "taken");
        assert_eq!(fault(|beat| beat["startTime"] = json!("2027-01-15T07:55:00Z")), "taken");
    }

    #[test]
    fn every_missing_field_is_named() {
        assert_eq!(
            read(b"{}", NOW).unwrap_err().message(),
            "Missing fields in request body: missing field(s): name, mode, version, pid, queueLoc, startTime, \
             environment.init, environment.ident, environment.os, environment.arch, environment.publicIP"
        );
        let said = fault(|beat| {
            beat["name"] = json!("");
            beat["pid"] = json!(0);
            beat["environment"]["os"] = Value::Null;
        });
        assert_eq!(said, "Missing fields in request body: missing field(s): name, pid, environment.os");
    }

    #[test]
    fn every_bad_field_is_named() {
        let cases: Vec<(&str, &str, Value, &str)> = vec![
            ("name", "", json!(7), "name: it is no text"),
            ("name", "", json!("a\0b"), "name: it contains a NUL"),
            ("name", "", json!("a\nb"), "name: it contains control characters"),
            ("name", "", json!("n".repeat(1_025)), "name: it is too long; it may have 1024 bytes"),
            ("version", "", json!("n".repeat(129)), "version: it is too long; it may have 128 bytes"),
            ("queueLoc", "", json!("n".repeat(2_049)), "queueLoc: it is too long; it may have 2048 bytes"),
            ("mode", "", json!("sleep"), "mode: the agent reported an invalid mode"),
            ("pid", "", json!(-1), "pid: it must be a whole number"),
            ("pid", "", json!(1.5), "pid: it must be a whole number"),
            ("pid", "", json!("1"), "pid: it must be a whole number"),
            ("pid", "", json!(4_294_967_296_i64), "pid: it must be a whole number"),
            ("startTime", "", json!("2027-01-15T07:54:59Z"), "startTime: heartbeat expired"),
            ("startTime", "", json!("0001-01-01T00:00:00Z"), "startTime: heartbeat expired"),
            ("startTime", "", json!("yesterday"), "startTime: it must be a time"),
            ("startTime", "", json!(5), "startTime: it must be a time"),
            ("refreshTime", "", json!(""), "refreshTime: it must be a time"),
            ("environment", "", json!([]), "environment: it is no object"),
            ("environment", "os", json!({}), "environment.os: it is no text"),
            ("environment", "ident", json!("\0"), "environment.ident: it contains a NUL"),
            ("environment", "isProxied", json!("true"), "environment.isProxied: it must be true or false"),
            ("environment", "publicIP", json!("localhost"), "environment.publicIP: it is no IP address"),
            ("environment", "modules", json!([1]), "environment.modules: it must be a list of texts"),
            ("environment", "modules", json!("file"), "environment.modules: it must be a list of texts"),
            ("environment", "addresses", json!(["\0"]), "environment.addresses: it contains a NUL"),
            ("environment", "aws", json!({"amiid": 1}), "environment.aws: it must be an object of texts"),
            ("tags", "", json!([1]), "tags: they must be a list"),
            ("tags", "", json!({"a": 1}), "tags: they must be a list"),
            ("tags", "", json!({"a\0": "1"}), "tags: it contains a NUL"),
            ("tags", "", json!("a"), "tags: they must be a list"),
        ];
        for (field, inner, value, expected) in cases {
            let said = fault(|beat| match inner {
                "" => beat[field] = value.clone(),
                inner => beat[field][inner] = value.clone(),
            });
            let expected = format!("Bad fields in request body: bad field(s): {expected}");
            assert!(said.starts_with(&expected), "{field} {inner}: {said}");
        }
        let said = fault(|beat| {
            beat["pid"] = json!(-1);
            beat["tags"] = json!(1);
            beat["version"] = json!("");
        });
        assert_eq!(
            said,
            "Missing fields in request body: missing field(s): version; bad field(s): \
             pid: it must be a whole number from 1 to 4294967295; \
             tags: they must be a list of {\"name\", \"value\"}, or an object, of texts"
        );
    }

    #[test]
    fn depth_is_that_of_brackets_outside_texts() {
        for (text, expected) in
            [("", 0), ("{}", 1), (r#"{"a":[[1],[2]]}"#, 3), (r#"["[[\"[["]"#, 1), ("]][", 1)]
        {
            assert_eq!(depth(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let half = "{\"name\":\"a";
        for body in ["", "x", "[]", "7", "\"text\"", half, deep.as_str()] {
            let error = read(body.as_bytes(), NOW).unwrap_err();
            let start: String = body.chars().take(20).collect();
            assert!(error.message().starts_with("Failed to decode request body: "), "{start}: {error}");
            assert!(error.message().len() < 300);
        }
    }
}
