// SPDX-License-Identifier: Apache-2.0
//! What an action must be before anybody looks at its signatures: the rules that need nothing but the action and the
//! time. Server and agent hold it against the same ones.

use super::Action;
use crate::error::{Error, Result};

/// Bytes of a name, of a target, and of each text of description and threat.
pub const TEXT_BYTES_MAX: usize = 2_048;
/// Operations of one action.
pub const OPERATIONS_MAX: usize = 100;
/// Signatures of one action; each costs a verification.
pub const SIGNATURES_MAX: usize = 16;
/// Characters of a module's name.
const MODULE_CHARS_MAX: usize = 64;

/// True for what may name a module: letters, digits, `_`, `-` and `.` of ASCII, at most 64.
pub fn is_module_name(name: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=MODULE_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_known)
}

/// A rule that an action breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field of MIG's JSON that breaks it; `description` and `threat` stand for all of theirs.
    pub field: &'static str,
    /// What is wrong, with MIG's text where MIG has one.
    pub message: String,
}

impl Action {
    /// Refuses an action that cannot be accepted whoever signed it: Invalid, with the first of its [`Action::problems`].
    pub fn check(&self, now: i64) -> Result<()> {
        match self.problems(now).into_iter().next() {
            None => Ok(()),
            Some(problem) => Err(Error::invalid(problem.message)),
        }
    }

    /// Every rule that it breaks, in the order in which MIG looks at them. Its target is only measured here, its
    /// signatures are only counted.
    pub fn problems(&self, now: i64) -> Vec<Problem> {
        let found = [
            signed_text_problem("name", &self.name, ";target="),
            signed_text_problem("target", &self.target, ";validfrom="),
            problem(
                "syntaxversion",
                (self.syntaxversion != 2).then(|| "wring syntax version, expected 2".into()),
            ),
            problem("expireafter", self.time_problem(now)),
            problem("operations", self.operations_problem()),
            problem("pgpsignatures", self.signatures_problem()),
            self.about_problem(),
        ];
        found.into_iter().flatten().collect()
    }

    fn time_problem(&self, now: i64) -> Option<String> {
        let (from, until) = (self.validfrom.unix_secs, self.expireafter.unix_secs);
        let message = match () {
            () if until <= from => "action expireafter is set before action validfrom",
            () if until <= now => "action expireafter is in the past",
            () => return None,
        };
        Some(message.to_owned())
    }

    fn operations_problem(&self) -> Option<String> {
        let operations = self.operations.as_deref().unwrap_or_default();
        match operations.len() {
            0 => return Some("action operations is empty".to_owned()),
            1..=OPERATIONS_MAX => {}
            n => return Some(format!("action has {n} operations; at most {OPERATIONS_MAX} are taken")),
        }
        let unnamed = operations.iter().position(|operation| !is_module_name(&operation.module))?;
        Some(format!(
            "operation {} of the action names no module; a name has up to {MODULE_CHARS_MAX} letters, digits, _, - or .",
            unnamed + 1
        ))
    }

    fn signatures_problem(&self) -> Option<String> {
        match self.pgpsignatures.as_deref().unwrap_or_default().len() {
            0 => Some("action pgpsignatures is empty".to_owned()),
            1..=SIGNATURES_MAX => None,
            n => Some(format!("action has {n} pgpsignatures; at most {SIGNATURES_MAX} are taken")),
        }
    }

    fn about_problem(&self) -> Option<Problem> {
        let (description, threat) = (&self.description, &self.threat);
        let texts = [
            ("description", "author", &description.author),
            ("description", "email", &description.email),
            ("description", "url", &description.url),
            ("threat", "ref", &threat.reference),
            ("threat", "level", &threat.level),
            ("threat", "family", &threat.family),
            ("threat", "type", &threat.kind),
        ];
        let is_bad = |text: &str| text.len() > TEXT_BYTES_MAX || text.contains('\0');
        let (field, part, _) = texts.into_iter().find(|(_, _, text)| is_bad(text))?;
        let message = format!(
            "action {field} {part} is longer than {TEXT_BYTES_MAX} bytes or contains a NUL character"
        );
        Some(Problem { field, message })
    }
}

/// Name and target stand in the signed text as they are. What could pass for the beginning of the next field is
/// refused, so that one signed text means one action.
fn signed_text_problem(field: &'static str, text: &str, next_field: &str) -> Option<Problem> {
    let message = match () {
        () if text.trim().is_empty() => format!("action {field} is empty"),
        () if text.len() > TEXT_BYTES_MAX => format!("action {field} is longer than {TEXT_BYTES_MAX} bytes"),
        () if text.contains(next_field) => {
            format!(
                "action {field} contains {next_field}, which looks like the next field of the signed text"
            )
        }
        // MIG's client makes the name of its arguments, line ends and tabs included.
        () if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) => {
            format!("action {field} contains a control character")
        }
        () => return None,
    };
    Some(Problem { field, message })
}

fn problem(field: &'static str, message: Option<String>) -> Option<Problem> {
    message.map(|message| Problem { field, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::Operation;
    use crate::model::timestamp::Timestamp;

    const NOW: i64 = 1_800_000_000;

    fn good() -> Action {
        Action {
            name: "ping all".to_owned(),
            target: "status='online'".to_owned(),
            validfrom: Timestamp::utc(NOW - 60),
            expireafter: Timestamp::utc(NOW + 60),
            operations: Some(vec![Operation { module: "ping".to_owned(), ..Operation::default() }]),
            pgpsignatures: Some(vec!["wsBc".to_owned()]),
            syntaxversion: 2,
            ..Action::default()
        }
    }

    #[test]
    fn each_rule_has_its_text() {
        type Change = fn(&mut Action);
        let cases: &[(Change, &str)] = &[
            (|_| {}, ""),
            (|a| a.name.clear(), "action name is empty"),
            (|a| a.name = " ".to_owned(), "action name is empty"),
            (|a| a.target.clear(), "action target is empty"),
            (|a| a.name = "é".repeat(1_024), ""),
            (|a| a.name = "é".repeat(1_025), "action name is longer than 2048 bytes"),
            (|a| a.target = "x".repeat(2_049), "action target is longer than 2048 bytes"),
            (|a| a.name = "a\u{1b}b".to_owned(), "action name contains a control character"),
            (|a| a.target = "a\0".to_owned(), "action target contains a control character"),
            (
                |a| a.name = "a;target=b".to_owned(),
                "action name contains ;target=, which looks like the next field of the signed text",
            ),
            (
                |a| a.target = "name='a;validfrom=1'".to_owned(),
                "action target contains ;validfrom=, which looks like the next field of the signed text",
            ),
            (|a| a.syntaxversion = 1, "wring syntax version, expected 2"),
            (|a| a.validfrom = a.expireafter, "action expireafter is set before action validfrom"),
            (|a| a.expireafter = Timestamp::utc(NOW), "action expireafter is in the past"),
            (|a| a.expireafter = Timestamp::parse("9999-12-31T23:59:59Z").unwrap(), ""),
            (|a| a.operations = None, "action operations is empty"),
            (|a| a.operations = Some(Vec::new()), "action operations is empty"),
            (
                |a| a.operations = Some(vec![a.operations.clone().unwrap()[0].clone(); 101]),
                "action has 101 operations; at most 100 are taken",
            ),
            (
                |a| a.operations.as_mut().unwrap().push(Operation::default()),
                "operation 2 of the action names no module; a name has up to 64 letters, digits, _, - or .",
            ),
            (|a| a.pgpsignatures = None, "action pgpsignatures is empty"),
            (|a| a.pgpsignatures = Some(Vec::new()), "action pgpsignatures is empty"),
            (
                |a| a.pgpsignatures = Some(vec![String::new(); 17]),
                "action has 17 pgpsignatures; at most 16 are taken",
            ),
            (
                |a| a.threat.family = "x".repeat(2_049),
                "action threat family is longer than 2048 bytes or contains a NUL character",
            ),
            (
                |a| a.description.url = "\0".to_owned(),
                "action description url is longer than 2048 bytes or contains a NUL character",
            ),
        ];
        for (index, (change, expected)) in cases.iter().enumerate() {
            let mut action = good();
            change(&mut action);
            let said = action.check(NOW).err().map(|error| error.message().to_owned()).unwrap_or_default();
            assert_eq!(said, *expected, "case {index}");
        }
    }

    #[test]
    fn a_module_name_is_plain() {
        let long = "m".repeat(65);
        let cases = [
            ("ping", true),
            ("agent_destroy-2.x", true),
            ("default", true),
            ("", false),
            ("a b", false),
            ("é", false),
            (&long, false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_module_name(name), expected, "{name}");
        }
    }
}
