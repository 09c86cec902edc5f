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
/// An action ends at most so many seconds from now; so long its signed text is remembered.
pub const VALIDITY_SECS_MAX: i64 = 366 * 86_400;

/// Characters of a module's name.
const MODULE_CHARS_MAX: usize = 64;

/// True for what may name a module: letters, digits, `_`, `-` and `.` of ASCII, at most 64.
pub fn is_module_name(name: &str) -> bool {
    let is_known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=MODULE_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_known)
}

impl Action {
    /// Refuses an action that cannot be accepted whoever signed it: Invalid, with MIG's text where MIG has one. Its
    /// target is only measured here, its signatures are only counted.
    pub fn check(&self, now: i64) -> Result<()> {
        self.check_signed_texts()?;
        if self.syntaxversion != 2 {
            return refuse("wring syntax version, expected 2");
        }
        let (from, until) = (self.validfrom.unix_secs, self.expireafter.unix_secs);
        if until <= from {
            return refuse("action expireafter is set before action validfrom");
        }
        if until <= now {
            return refuse("action expireafter is in the past");
        }
        if until - now > VALIDITY_SECS_MAX {
            return refuse("action expireafter is more than 366 days away");
        }
        self.check_operations()?;
        match self.pgpsignatures.as_deref().unwrap_or_default().len() {
            0 => return refuse("action pgpsignatures is empty"),
            1..=SIGNATURES_MAX => {}
            n => return refuse(format!("action has {n} pgpsignatures; at most {SIGNATURES_MAX} are taken")),
        }
        self.check_about()
    }

    /// Name and target stand in the signed text as they are. What could pass for the beginning of the next field is
    /// refused, so that one signed text means one action.
    fn check_signed_texts(&self) -> Result<()> {
        let texts = [("name", &self.name, ";target="), ("target", &self.target, ";validfrom=")];
        for (what, text, next_field) in texts {
            if text.trim().is_empty() {
                return refuse(format!("action {what} is empty"));
            }
            if text.len() > TEXT_BYTES_MAX {
                return refuse(format!("action {what} is longer than {TEXT_BYTES_MAX} bytes"));
            }
            if text.contains(next_field) {
                let message =
                    format!("action {what} contains {next_field:?}, which its signature cannot tell");
                return refuse(format!("{message} from the next field"));
            }
        }
        match self.name.chars().any(char::is_control) || self.target.contains('\0') {
            true => refuse("action name or target contains a control character"),
            false => Ok(()),
        }
    }

    fn check_operations(&self) -> Result<()> {
        let operations = self.operations.as_deref().unwrap_or_default();
        if operations.is_empty() {
            return refuse("action operations is empty");
        }
        if operations.len() > OPERATIONS_MAX {
            return refuse(format!(
                "action has {} operations; at most {OPERATIONS_MAX} are taken",
                operations.len()
            ));
        }
        let unnamed = operations.iter().position(|operation| !is_module_name(&operation.module));
        match unnamed {
            None => Ok(()),
            Some(index) => refuse(format!(
                "operation {} of the action names no module; a name has up to {MODULE_CHARS_MAX} letters, digits, _, - or .",
                index + 1
            )),
        }
    }

    fn check_about(&self) -> Result<()> {
        let (description, threat) = (&self.description, &self.threat);
        let texts = [
            ("description author", &description.author),
            ("description email", &description.email),
            ("description url", &description.url),
            ("threat ref", &threat.reference),
            ("threat level", &threat.level),
            ("threat family", &threat.family),
            ("threat type", &threat.kind),
        ];
        for (what, text) in texts {
            if text.len() > TEXT_BYTES_MAX || text.contains('\0') {
                return refuse(format!(
                    "action {what} is longer than {TEXT_BYTES_MAX} bytes or contains NUL"
                ));
            }
        }
        Ok(())
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::invalid(message))
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
            (|a| a.name = "a\nb".to_owned(), "action name or target contains a control character"),
            (|a| a.target = "a\0".to_owned(), "action name or target contains a control character"),
            (
                |a| a.name = "a;target=b".to_owned(),
                "action name contains \";target=\", which its signature cannot tell from the next field",
            ),
            (
                |a| a.target = "name='a;validfrom=1'".to_owned(),
                "action target contains \";validfrom=\", which its signature cannot tell from the next field",
            ),
            (|a| a.syntaxversion = 1, "wring syntax version, expected 2"),
            (|a| a.validfrom = a.expireafter, "action expireafter is set before action validfrom"),
            (|a| a.expireafter = Timestamp::utc(NOW), "action expireafter is in the past"),
            (
                |a| a.expireafter = Timestamp::utc(NOW + VALIDITY_SECS_MAX + 1),
                "action expireafter is more than 366 days away",
            ),
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
                "action threat family is longer than 2048 bytes or contains NUL",
            ),
            (
                |a| a.description.url = "\0".to_owned(),
                "action description url is longer than 2048 bytes or contains NUL",
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
