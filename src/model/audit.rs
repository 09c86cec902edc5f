// SPDX-License-Identifier: Apache-2.0
//! Entries of the audit log: who changed what, from where, and how it was before and after.

use crate::error::Result;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::model::time::{DAY_SECS, utc_text};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Most bytes of how something was, and of how it is.
pub const VALUE_BYTES_MAX: usize = 16 << 10;
/// Most characters of a text that is searched for.
const FILTER_CHARS_MAX: usize = 200;

/// Who changes something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// An account's name; `investigator NAME`; `local` for somebody on this host while there are no accounts;
    /// `anybody` where `access.write` is open; `user NAME` for the command line; `job` for what runs by itself.
    pub name: String,
    /// The address, or the command: `muster purge`.
    pub origin: String,
}

impl Actor {
    /// What runs by itself, like `retention`.
    pub fn job(origin: &str) -> Actor {
        Actor { name: "job".to_owned(), origin: origin.to_owned() }
    }
}

/// An entry that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Who.
    pub actor: Actor,
    /// What was done: the noun and the verb, like `record.delete` or `account.add`.
    pub action: &'static str,
    /// To what: `record 17`, `account alice`.
    pub subject: String,
    /// How it was; [`Value::Null`] where there was nothing. Never a secret.
    pub before: Value,
    /// How it is; [`Value::Null`] where nothing is left. Never a secret.
    pub after: Value,
}

impl Audit {
    /// An entry without before and after.
    pub fn new(actor: &Actor, action: &'static str, subject: impl Into<String>) -> Audit {
        Audit {
            actor: actor.clone(),
            action,
            subject: subject.into(),
            before: Value::Null,
            after: Value::Null,
        }
    }

    /// The same with how it was.
    pub fn before(mut self, before: Value) -> Audit {
        self.before = before;
        self
    }

    /// The same with how it is.
    pub fn after(mut self, after: Value) -> Audit {
        self.after = after;
        self
    }
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its id; later entries have greater ones.
    pub id: i64,
    /// When, as Unix seconds inside the program and `YYYY-MM-DD HH:MM:SS UTC` as JSON.
    #[serde(rename = "time", serialize_with = "as_utc_text")]
    pub changed_at: i64,
    /// Who: [`Actor::name`].
    pub actor: String,
    /// From where: [`Actor::origin`].
    pub origin: String,
    /// What was done, like `record.delete`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// How it was; none where there was nothing.
    pub before: Option<Value>,
    /// How it is; none where nothing is left.
    pub after: Option<Value>,
}

/// A field of an entry that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name; empty where the entry's value has no fields.
    pub name: String,
    /// What it was; none where there was nothing.
    pub before: Option<String>,
    /// What it is; none where nothing is left.
    pub after: Option<String>,
}

impl AuditEntry {
    /// What changed, field by field: those before in their order, then those that came. Where there is both a before
    /// and an after, what is the same in both is left out.
    pub fn changes(&self) -> Vec<FieldChange> {
        let (before, after) = (fields_of(self.before.as_ref()), fields_of(self.after.as_ref()));
        let is_both = self.before.is_some() && self.after.is_some();
        let mut names: Vec<&String> = before.iter().map(|(name, _)| name).collect();
        for (name, _) in &after {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let of = |fields: &[(String, Option<String>)], name: &str| {
            fields.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.clone())
        };
        let changes = names.into_iter().map(|name| FieldChange {
            before: of(&before, name),
            after: of(&after, name),
            name: name.clone(),
        });
        changes.filter(|change| if is_both { change.before != change.after } else { true }).collect()
    }
}

/// The fields of a value as texts; one without a name where it has none.
fn fields_of(value: Option<&Value>) -> Vec<(String, Option<String>)> {
    match value {
        None => Vec::new(),
        Some(Value::Object(fields)) => {
            fields.iter().map(|(name, value)| (name.clone(), value_text(value))).collect()
        }
        Some(value) => vec![(String::new(), value_text(value))],
    }
}

/// A value as people read it; none where it says nothing.
fn value_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| value_text(item).unwrap_or_default()).collect::<Vec<_>>().join(", ")
        }
        Value::Object(fields) => {
            let told = |(name, value): (&String, &Value)| Some(format!("{name}: {}", value_text(value)?));
            fields.iter().filter_map(told).collect::<Vec<_>>().join("; ")
        }
        Value::Number(number) => number.to_string(),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn as_utc_text<S: Serializer>(at: &i64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&utc_text(*at))
}

/// Which entries are wanted; nothing is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The actor's name holds this, without regard to case.
    pub actor: Option<String>,
    /// The action is this, `acl.set`, or of this noun, `acl`.
    pub action: Option<String>,
    /// The subject holds this, without regard to case.
    pub subject: Option<String>,
    /// Not before this moment, in Unix seconds.
    pub from: Option<i64>,
    /// Before this moment, in Unix seconds.
    pub until: Option<i64>,
}

/// The parameters of [`AuditFilter::parse`].
pub const AUDIT_PARAMETERS: [&str; 5] = ["actor", "action", "subject", "from", "to"];

impl AuditFilter {
    /// Reads the filter of a query: texts, and days `YYYY-MM-DD` of which `to` is the last. Empty values do not count.
    /// `others` may stand beside it. Invalid where a parameter is not known or a value is none.
    pub fn parse(query: &Pairs, others: &[&str]) -> Result<AuditFilter> {
        let known: Vec<&str> = AUDIT_PARAMETERS.iter().chain(others).copied().collect();
        let parameters = Parameters::new(query, &known)?;
        let text = |name: &str| -> Result<Option<String>> {
            Ok(parameters.text(name, FILTER_CHARS_MAX)?.map(str::to_owned))
        };
        Ok(AuditFilter {
            actor: text("actor")?,
            action: text("action")?,
            subject: text("subject")?,
            from: parameters.date("from")?,
            until: parameters.date("to")?.map(|start| start + DAY_SECS),
        })
    }
}

/// A value as it is stored: JSON of at most [`VALUE_BYTES_MAX`] bytes; none for null. What is longer is cut in its texts
/// and lists, and says so.
pub fn bounded(value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let whole = value.to_string();
    if whole.len() <= VALUE_BYTES_MAX {
        return Some(whole);
    }
    for (chars_max, items_max) in [(500, 100), (100, 20), (30, 5)] {
        let shorter = cut(value, chars_max, items_max).to_string();
        if shorter.len() <= VALUE_BYTES_MAX {
            return Some(shorter);
        }
    }
    Some("\"too long to be kept\"".to_owned())
}

fn cut(value: &Value, chars_max: usize, items_max: usize) -> Value {
    match value {
        Value::String(text) if text.chars().count() > chars_max => {
            Value::String(text.chars().take(chars_max).chain(['…']).collect())
        }
        Value::Array(items) => {
            let kept = items.iter().take(items_max).map(|item| cut(item, chars_max, items_max));
            let left_out = items.len().saturating_sub(items_max);
            let note = (left_out > 0).then(|| Value::String(format!("… and {left_out} more")));
            Value::Array(kept.chain(note).collect())
        }
        Value::Object(fields) => {
            let kept = fields.iter().take(items_max);
            let mut kept: serde_json::Map<String, Value> =
                kept.map(|(name, value)| (name.clone(), cut(value, chars_max, items_max))).collect();
            let left_out = fields.len().saturating_sub(items_max);
            if left_out > 0 {
                kept.insert("…".to_owned(), Value::String(format!("and {left_out} more")));
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_kept_is_json_and_has_a_bound() {
        assert_eq!(bounded(&Value::Null), None);
        assert_eq!(bounded(&json!({ "a": 1 })).as_deref(), Some(r#"{"a":1}"#));
        let many: Vec<String> = (0..10_000).map(|number| format!("entry {number}")).collect();
        let wide: serde_json::Map<String, Value> =
            (0..300).map(|number| (format!("module-{number}"), json!({ "weights": many }))).collect();
        for long in [json!({ "own": many }), json!("😀".repeat(50_000)), Value::Object(wide), json!([[many]])]
        {
            let kept = bounded(&long).unwrap();
            assert!(kept.len() <= VALUE_BYTES_MAX, "{}", kept.len());
            assert!(serde_json::from_str::<Value>(&kept).is_ok());
        }
        let cut: Value = serde_json::from_str(&bounded(&json!({ "own": many })).unwrap()).unwrap();
        assert_eq!(cut["own"][100], "… and 9900 more");
    }

    #[test]
    fn what_changed_is_told_field_by_field() {
        let changes = |before: Value, after: Value| -> Vec<String> {
            let entry = AuditEntry {
                id: 1,
                changed_at: 0,
                actor: String::new(),
                origin: String::new(),
                action: String::new(),
                subject: String::new(),
                before: Some(before).filter(|value| !value.is_null()),
                after: Some(after).filter(|value| !value.is_null()),
            };
            let show = |change: &FieldChange| {
                let (before, after) = (change.before.as_deref(), change.after.as_deref());
                format!("{}={}>{}", change.name, before.unwrap_or("-"), after.unwrap_or("-"))
            };
            entry.changes().iter().map(show).collect()
        };
        let cases: &[(Value, Value, &[&str])] = &[
            (Value::Null, Value::Null, &[]),
            (json!({ "a": 1, "b": "x" }), json!({ "a": 1, "b": "y" }), &["b=x>y"]),
            (Value::Null, json!({ "a": [1, "x"], "b": true }), &["a=->1, x", "b=->yes"]),
            (json!({ "a": "x", "b": null }), Value::Null, &["a=x>-", "b=->-"]),
            (json!({ "a": [] }), json!({ "c": { "d": 1, "e": null } }), &["c=->d: 1"]),
            (json!("x"), json!("y"), &["=x>y"]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(changes(before.clone(), after.clone()), *expected, "{before} {after}");
        }
    }

    #[test]
    fn a_filter_is_read_from_days_and_texts() {
        let parse = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            AuditFilter::parse(&Pairs(pairs.collect()), &["from_id"]).map_err(|error| error.to_string())
        };
        assert_eq!(parse(&[("actor", ""), ("from", ""), ("from_id", "7")]), Ok(AuditFilter::default()));
        let days = parse(&[("from", "1970-01-02"), ("to", "1970-01-02"), ("actor", "Kim")]).unwrap();
        assert_eq!(
            (days.from, days.until, days.actor.as_deref()),
            (Some(86_400), Some(172_800), Some("Kim"))
        );
        for bad in [("from", "yesterday"), ("to", "2026-02-30"), ("who", "x")] {
            assert!(parse(&[bad]).is_err(), "{bad:?}");
        }
    }
}
