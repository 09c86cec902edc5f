// SPDX-License-Identifier: Apache-2.0
//! The fields of the form, as entered, and the action that they make.

use super::Problem;
use crate::error::Result;
use crate::model::action::{Action, Description, Operation, Threat};
use crate::model::pairs::Pairs;
use crate::model::time;
use crate::model::timestamp::Timestamp;

/// How long before now a new action is valid: clocks of agents differ.
const VALID_BEFORE_SECS: i64 = 60;
/// How long a new action is valid where nothing else is said.
const VALID_SECS: i64 = 3_600;

/// A form as entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// `name`.
    pub name: String,
    /// `target`.
    pub target: String,
    /// `valid_from`, RFC 3339.
    pub valid_from: String,
    /// `expire_after`, RFC 3339.
    pub expire_after: String,
    /// `operations`, a JSON array.
    pub operations: String,
    /// `author` of the description.
    pub author: String,
    /// `email` of the description.
    pub email: String,
    /// `url` of the description.
    pub url: String,
    /// `ref` of the threat.
    pub threat_reference: String,
    /// `level` of the threat.
    pub threat_level: String,
    /// `family` of the threat.
    pub threat_family: String,
    /// `type` of the threat.
    pub threat_kind: String,
    /// `signatures`: one or several, in armor or one a line.
    pub signatures: String,
    /// `confirmed`: as many agents as it matches are meant.
    pub is_confirmed: bool,
}

impl Draft {
    /// An empty form, valid from now on for an hour.
    pub fn new(now: i64) -> Draft {
        Draft {
            valid_from: time::rfc3339(now - VALID_BEFORE_SECS),
            expire_after: time::rfc3339(now + VALID_SECS),
            operations: "[\n  {\"module\": \"\", \"parameters\": {}}\n]".to_owned(),
            ..Draft::default()
        }
    }

    /// A form that does once more what an action did, for as long, from now on.
    pub fn like(action: &Action, now: i64) -> Result<Draft> {
        let lasts_secs = action.expireafter.unix_secs.saturating_sub(action.validfrom.unix_secs);
        let from = now - VALID_BEFORE_SECS;
        let (description, threat) = (&action.description, &action.threat);
        Ok(Draft {
            name: action.name.clone(),
            target: action.target.clone(),
            valid_from: time::rfc3339(from),
            expire_after: time::rfc3339(from.saturating_add(lasts_secs)),
            operations: indented(&action.operations_json()?),
            author: description.author.clone(),
            email: description.email.clone(),
            url: description.url.clone(),
            threat_reference: threat.reference.clone(),
            threat_level: threat.level.clone(),
            threat_family: threat.family.clone(),
            threat_kind: threat.kind.clone(),
            signatures: String::new(),
            is_confirmed: false,
        })
    }

    /// The same with the fields that a form or query names.
    pub fn with(mut self, fields: &Pairs) -> Draft {
        let texts = [
            ("name", &mut self.name),
            ("target", &mut self.target),
            ("valid_from", &mut self.valid_from),
            ("expire_after", &mut self.expire_after),
            ("operations", &mut self.operations),
            ("author", &mut self.author),
            ("email", &mut self.email),
            ("url", &mut self.url),
            ("ref", &mut self.threat_reference),
            ("level", &mut self.threat_level),
            ("family", &mut self.threat_family),
            ("type", &mut self.threat_kind),
            ("signatures", &mut self.signatures),
        ];
        for (name, text) in texts {
            if let Some(value) = fields.first(name) {
                // A browser sends the line ends of a text area as CR LF.
                *text = value.replace("\r\n", "\n");
            }
        }
        self.is_confirmed = fields.first("confirmed") == Some("1");
        self
    }

    /// The action without signatures, as far as it can be read, and what is wrong with it; a bad target is not found
    /// here.
    pub fn to_action(&self, now: i64) -> (Action, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut time_of = |field: &'static str, text: &str| match Timestamp::parse(text.trim()) {
            Some(time) => Timestamp::utc(time.unix_secs),
            None => {
                let message = "This is no time like 2006-01-02T15:04:05Z".to_owned();
                problems.push(Problem { field, message });
                Timestamp::ZERO
            }
        };
        let validfrom = time_of("valid_from", &self.valid_from);
        let expireafter = time_of("expire_after", &self.expire_after);
        let mut action = Action {
            name: self.name.trim().to_owned(),
            // A line end in a condition means no more than a space, and a text area makes it another one.
            target: self.target.trim().replace('\n', " "),
            validfrom,
            expireafter,
            description: Description {
                author: self.author.trim().to_owned(),
                email: self.email.trim().to_owned(),
                url: self.url.trim().to_owned(),
                ..Description::default()
            },
            threat: Threat {
                reference: self.threat_reference.trim().to_owned(),
                level: self.threat_level.trim().to_owned(),
                family: self.threat_family.trim().to_owned(),
                kind: self.threat_kind.trim().to_owned(),
            },
            syntaxversion: 2,
            ..Action::default()
        };
        match operations_of(&self.operations) {
            Ok(operations) => action.operations = Some(operations),
            Err(message) => problems.push(Problem { field: "operations", message }),
        }
        for broken in action.problems(now) {
            let field = field_of(broken.field);
            let is_told = problems.iter().any(|problem| problem.field == field)
                || field == "expire_after" && problems.iter().any(|problem| problem.field == "valid_from");
            if field != "signatures" && !is_told {
                problems.push(Problem { field, message: broken.message });
            }
        }
        (action, problems)
    }

    /// The signatures that were entered: blocks of armor, or one in each line.
    pub fn signature_texts(&self) -> Vec<String> {
        const END: &str = "-----END PGP SIGNATURE-----";
        let parts: Vec<&str> = match self.signatures.contains("-----BEGIN") {
            true => self.signatures.split_inclusive(END).collect(),
            false => self.signatures.lines().collect(),
        };
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }
}

/// The field of the form for one of MIG's JSON.
fn field_of(field: &'static str) -> &'static str {
    match field {
        "expireafter" => "expire_after",
        "pgpsignatures" => "signatures",
        "description" => "author",
        "threat" => "ref",
        other => other,
    }
}

/// Fails with what is wrong, for the person.
fn operations_of(text: &str) -> Result<Vec<Operation>, String> {
    // Read as a part of an action, because that is how everybody else will read it.
    serde_json::from_str::<serde_json::Value>(text).map_err(|error| format!("This is not JSON: {error}"))?;
    let json = format!("{{\"operations\":{text}}}");
    let action = Action::from_json(json.as_bytes()).map_err(|error| error.message().to_owned())?;
    Ok(action.operations.unwrap_or_default())
}

/// JSON for people; the same text where it cannot be read.
fn indented(json: &str) -> String {
    let read = serde_json::from_str::<serde_json::Value>(json);
    read.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn good() -> Draft {
        Draft {
            name: " ping ".to_owned(),
            target: "name = 'a'\nOR name = 'b'".to_owned(),
            operations: "[{\"module\": \"ping\", \"parameters\": {\"b\": 1, \"a\": 2.0}}]".to_owned(),
            ..Draft::new(NOW)
        }
    }

    #[test]
    fn a_form_makes_the_action_that_is_signed() {
        let (action, problems) = good().to_action(NOW);
        assert_eq!(problems, []);
        assert_eq!(
            action.signed_text().unwrap(),
            "name=ping;target=name = 'a' OR name = 'b';validfrom=1799999940;expireafter=%!s(int64=1800003600);\
             operations=[{\"module\":\"ping\",\"parameters\":{\"a\":2,\"b\":1}}];"
        );
        let again = Draft::like(&action, NOW + 500).unwrap();
        assert_eq!(again.expire_after, "2027-01-15T09:08:20Z");
        let (again, problems) = again.to_action(NOW + 500);
        assert_eq!(problems, []);
        assert_eq!(again.operations_json().unwrap(), action.operations_json().unwrap());
        assert_eq!(again.expireafter.unix_secs - again.validfrom.unix_secs, 3_660);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field() {
        type Change = fn(&mut Draft);
        let cases: &[(Change, &str, &str)] = &[
            (|d| d.name.clear(), "name", "action name is empty"),
            (|d| d.target = " \n ".to_owned(), "target", "action target is empty"),
            (|d| d.valid_from = "soon".to_owned(), "valid_from", "This is no time like"),
            (|d| d.expire_after = "2027-01-15".to_owned(), "expire_after", "This is no time like"),
            (|d| d.expire_after = d.valid_from.clone(), "expire_after", "set before action validfrom"),
            (|d| d.operations = "[".to_owned(), "operations", "This is not JSON"),
            (|d| d.operations = "[]".to_owned(), "operations", "action operations is empty"),
            (|d| d.operations = "{}".to_owned(), "operations", "invalid type"),
            (|d| d.operations = "[], \"name\": \"x\"".to_owned(), "operations", "This is not JSON"),
            (
                |d| d.operations = Draft::new(NOW).operations,
                "operations",
                "operation 1 of the action names no",
            ),
            (|d| d.url = "x".repeat(3_000), "author", "action description url is longer"),
            (|d| d.threat_level = "x".repeat(3_000), "ref", "action threat level is longer"),
        ];
        for (index, (change, field, text)) in cases.iter().enumerate() {
            let mut draft = good();
            change(&mut draft);
            let (_, problems) = draft.to_action(NOW);
            assert_eq!(problems.len(), 1, "{index}: {problems:?}");
            assert!(problems[0].field == *field && problems[0].message.contains(text), "{problems:?}");
        }
    }

    #[test]
    fn signatures_come_in_blocks_or_lines() {
        let block =
            |n: u32| format!("-----BEGIN PGP SIGNATURE-----\n\nwsB{n}\n=abcd\n-----END PGP SIGNATURE-----");
        let cases = [
            (String::new(), Vec::new()),
            (format!("\n{}\n\n{}\n", block(1), block(2)), vec![block(1), block(2)]),
            ("wsB=abcd\n\n  wsC=efgh \n".to_owned(), vec!["wsB=abcd".to_owned(), "wsC=efgh".to_owned()]),
            ("-----BEGIN x".to_owned(), vec!["-----BEGIN x".to_owned()]),
        ];
        for (signatures, expected) in cases {
            assert_eq!(Draft { signatures, ..Draft::default() }.signature_texts(), expected);
        }
    }
}
