// SPDX-License-Identifier: Apache-2.0
//! Which records a person or a program asks for: the parameters of `/api/records` and of the filter form.
//!
//! How the rows are found is `store`'s business.

use crate::error::Error;
use crate::model::pairs::Pairs;
use crate::model::record::{CLASSIFICATION_CHARS_MAX, ClassificationPattern};
use crate::model::time::{DAY_SECS, parse_date};

/// Most characters of a machine id.
pub const MACHINE_ID_CHARS_MAX: usize = 32;
/// Most characters of a build.
pub const BUILD_CHARS_MAX: usize = 256;
/// Most characters of a system name.
pub const SYSTEM_NAME_CHARS_MAX: usize = 64;
/// How the parameter `system_name` asks for records without a system, those of format version 1.
pub const NO_SYSTEM: &str = "\"\"";
/// Most characters of a platform.
pub const HOST_TYPE_CHARS_MAX: usize = 250;
/// Most characters of a regular expression; a longer one is refused before it is compiled.
pub const PATTERN_CHARS_MAX: usize = 1000;
/// Most classifications that `classification_in` names.
pub const CLASSIFICATIONS_MAX: usize = 20;

/// The parameters that choose records, in the order in which a form shows them and a link writes them.
pub const PARAMETERS: [&str; 17] = [
    "classification",
    "classification_in",
    "severity",
    "machine_id",
    "system_name",
    "build",
    "host_type",
    "data_source",
    "event_id",
    "payload",
    "not_payload",
    "from_date",
    "to_date",
    "captured_from",
    "captured_to",
    "created_in_days",
    "created_in_sec",
];

/// A choice of records; every condition given must hold. `RecordFilter::default()` chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Exact or by prefix.
    pub classification: Option<ClassificationPattern>,
    /// One of these, each exact; empty: any. At most [`CLASSIFICATIONS_MAX`].
    pub classification_in: Vec<String>,
    /// Any number: one that no record can have finds nothing.
    pub severity: Option<i64>,
    /// The sender's machine id.
    pub machine_id: Option<String>,
    /// OS build.
    pub build: Option<String>,
    /// ID of os-release.
    pub system_name: Option<String>,
    /// Platform, exactly as sent.
    pub host_type: Option<String>,
    /// True: external records only; false: internal only.
    pub is_external: Option<bool>,
    /// Event id as it was asked for; one that is no event id finds nothing.
    pub event_id: Option<String>,
    /// A regular expression (crate `regex`) that the payload matches.
    pub payload: Option<String>,
    /// A regular expression that the payload does not match.
    pub not_payload: Option<String>,
    /// Received at this time or later.
    pub received_from: Option<i64>,
    /// Received before this time.
    pub received_before: Option<i64>,
    /// Captured at this time or later. A capture time more than a day ahead of the reception counts as the reception.
    pub captured_from: Option<i64>,
    /// Captured before this time.
    pub captured_before: Option<i64>,
}

/// A parameter that breaks its rule: which one, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterError {
    /// The parameter's name.
    pub parameter: String,
    /// What its rule is, naming the parameter.
    pub message: String,
}

impl From<ParameterError> for Error {
    fn from(error: ParameterError) -> Error {
        Error::invalid(error.message)
    }
}

type Parsed<T> = std::result::Result<T, ParameterError>;

impl RecordFilter {
    /// Reads the parameters of [`PARAMETERS`] out of `pairs`; the names in `others` are allowed and left to the caller.
    ///
    /// An unknown or repeated parameter is an error; an empty value of a form field means no condition where
    /// `is_form` is set, and is an error where it is not. `created_in_…` count back from `now`.
    pub fn parse(pairs: &Pairs, others: &[&str], is_form: bool, now: i64) -> Parsed<RecordFilter> {
        refuse_unknown_and_repeated(pairs, others)?;
        let value = |name: &'static str| {
            let value = pairs.first(name)?;
            if is_form { Some(value.trim()).filter(|v| !v.is_empty()) } else { Some(value) }
        };
        let mut filter = RecordFilter {
            classification: value("classification").map(classification).transpose()?,
            classification_in: value("classification_in")
                .map(classification_in)
                .transpose()?
                .unwrap_or_default(),
            severity: value("severity").map(|v| integer("severity", v)).transpose()?,
            machine_id: value("machine_id")
                .map(|v| text("machine_id", v, MACHINE_ID_CHARS_MAX))
                .transpose()?,
            build: value("build").map(|v| text("build", v, BUILD_CHARS_MAX)).transpose()?,
            system_name: value("system_name").map(system_name).transpose()?,
            is_external: value("data_source").map(data_source).transpose()?,
            event_id: value("event_id").map(|v| text("event_id", v, 32)).transpose()?,
            payload: value("payload").map(|v| pattern("payload", v)).transpose()?,
            not_payload: value("not_payload").map(|v| pattern("not_payload", v)).transpose()?,
            host_type: value("host_type").map(|v| text("host_type", v, HOST_TYPE_CHARS_MAX)).transpose()?,
            captured_from: value("captured_from").map(|v| date("captured_from", v)).transpose()?,
            captured_before: value("captured_to")
                .map(|v| date("captured_to", v))
                .transpose()?
                .map(|at| at + DAY_SECS),
            received_from: value("from_date").map(|v| date("from_date", v)).transpose()?,
            received_before: value("to_date")
                .map(|v| date("to_date", v))
                .transpose()?
                .map(|at| at + DAY_SECS),
        };
        let days = value("created_in_days").map(|v| count("created_in_days", v)).transpose()?;
        let secs = value("created_in_sec").map(|v| count("created_in_sec", v)).transpose()?;
        if let Some(back_secs) = days.map(|days| days.saturating_mul(DAY_SECS)).or(secs) {
            // "In the last N seconds" includes the second that began N seconds ago.
            let from = now.saturating_sub(back_secs);
            filter.received_from = Some(filter.received_from.map_or(from, |at| at.max(from)));
        }
        Ok(filter)
    }

    /// True where a condition needs the payload.
    pub fn looks_into_payload(&self) -> bool {
        self.payload.is_some() || self.not_payload.is_some()
    }

    /// True where every record is chosen.
    pub fn is_all(&self) -> bool {
        *self == RecordFilter::default()
    }
}

fn refuse_unknown_and_repeated(pairs: &Pairs, others: &[&str]) -> Parsed<()> {
    for (index, (name, _)) in pairs.0.iter().enumerate() {
        if !PARAMETERS.contains(&name.as_str()) && !others.contains(&name.as_str()) {
            let known = PARAMETERS.iter().chain(others).copied().collect::<Vec<_>>().join(", ");
            let message = format!("Unknown parameter {}; known are {known}", shortened(name));
            return Err(ParameterError { parameter: name.clone(), message });
        }
        if pairs.0[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(broken(name, "must be given once"));
        }
    }
    Ok(())
}

fn classification(value: &str) -> Parsed<ClassificationPattern> {
    if value.is_empty() {
        return Err(broken("classification", "must not be empty"));
    }
    ClassificationPattern::parse(value).map_err(|error| ParameterError {
        parameter: "classification".into(),
        message: error.message().into(),
    })
}

/// Names between commas; white space around them does not count. A name that has a comma cannot be asked for here.
fn classification_in(value: &str) -> Parsed<Vec<String>> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    let rule =
        match names.iter().map(|name| name.chars().count()).find(|chars| *chars > CLASSIFICATION_CHARS_MAX) {
            Some(chars) => {
                format!("must have at most {CLASSIFICATION_CHARS_MAX} characters in each, not {chars}")
            }
            None if names.len() > CLASSIFICATIONS_MAX => {
                format!("must name at most {CLASSIFICATIONS_MAX}, not {}", names.len())
            }
            None if names.iter().any(String::is_empty) => "must not have an empty name".to_owned(),
            None => return Ok(names),
        };
    Err(broken("classification_in", &rule))
}

/// Reads a whole number that may be negative.
pub fn integer(name: &str, value: &str) -> Parsed<i64> {
    value.parse().map_err(|_| broken(name, &format!("must be a whole number, not {}", shortened(value))))
}

/// Reads a whole number from 0 on.
pub fn count(name: &str, value: &str) -> Parsed<i64> {
    match integer(name, value)? {
        number if number >= 0 => Ok(number),
        number => Err(broken(name, &format!("must be 0 or more, not {number}"))),
    }
}

/// Reads a whole number within bounds, both included.
pub fn bounded(name: &str, value: &str, least: i64, most: i64) -> Parsed<i64> {
    match integer(name, value)? {
        number if (least..=most).contains(&number) => Ok(number),
        number => Err(broken(name, &format!("must be from {least} to {most}, not {number}"))),
    }
}

fn text(name: &str, value: &str, chars_max: usize) -> Parsed<String> {
    match value.chars().count() {
        0 => Err(broken(name, "must not be empty")),
        chars if chars > chars_max => {
            Err(broken(name, &format!("must have at most {chars_max} characters, not {chars}")))
        }
        _ => Ok(value.to_owned()),
    }
}

/// Two quotes ask for the records without a system: no system's name has quotes.
fn system_name(value: &str) -> Parsed<String> {
    match value {
        NO_SYSTEM => Ok(String::new()),
        value => text("system_name", value, SYSTEM_NAME_CHARS_MAX),
    }
}

fn data_source(value: &str) -> Parsed<bool> {
    match value {
        "external" => Ok(true),
        "internal" => Ok(false),
        _ => Err(broken("data_source", &format!("must be internal or external, not {}", shortened(value)))),
    }
}

fn pattern(name: &str, value: &str) -> Parsed<String> {
    let value = text(name, value, PATTERN_CHARS_MAX)?;
    match payload_regex(&value) {
        Ok(_) => Ok(value),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            Err(broken(name, &format!("is not a regular expression: {why}")))
        }
    }
}

/// Compiles an expression over payloads. Time is linear in the payload; a program over 1 MiB is refused.
pub fn payload_regex(pattern: &str) -> std::result::Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build()
}

fn date(name: &str, value: &str) -> Parsed<i64> {
    parse_date(value)
        .ok_or_else(|| broken(name, &format!("must be a day as YYYY-MM-DD, not {}", shortened(value))))
}

fn broken(name: &str, rule: &str) -> ParameterError {
    ParameterError { parameter: name.to_owned(), message: format!("{} {rule}", shortened(name)) }
}

/// A value as a message shows it: at most 60 characters, control characters escaped, in quotes where needed.
pub fn shortened(value: &str) -> String {
    let mut text: String = value.chars().take(60).flat_map(char::escape_debug).collect();
    if value.chars().count() > 60 {
        text.push('…');
    }
    if value.is_empty() || value.contains(|c: char| !c.is_alphanumeric() && !"_-./".contains(c)) {
        text = format!("'{text}'");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)], is_form: bool) -> Parsed<RecordFilter> {
        let pairs = Pairs(query.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect());
        RecordFilter::parse(&pairs, &["limit"], is_form, 1_000_000)
    }

    #[test]
    fn every_broken_parameter_is_named() {
        let long = "x".repeat(300);
        let many = vec!["a/b/c"; CLASSIFICATIONS_MAX + 1].join(",");
        let cases: &[(&str, &str)] = &[
            ("classification", &long),
            ("classification_in", ""),
            ("classification_in", "a/b/c,,d/e/f"),
            ("classification_in", &long[..141]),
            ("classification_in", &many),
            ("severity", "high"),
            ("machine_id", &long[..33]),
            ("build", &long[..257]),
            ("system_name", ""),
            ("data_source", "both"),
            ("event_id", &long),
            ("payload", "("),
            ("not_payload", "a{99999}{99999}"),
            ("from_date", "yesterday"),
            ("to_date", "2020-13-01"),
            ("captured_from", "2020"),
            ("captured_to", "x"),
            ("host_type", &long),
            ("created_in_days", "-1"),
            ("created_in_sec", "1.5"),
        ];
        for case in cases {
            let error = parse(&[*case], false).unwrap_err();
            assert_eq!(error.parameter, case.0);
            assert!(error.message.contains(case.0), "{}", error.message);
        }
        assert!(parse(&[("colour", "red")], false).unwrap_err().message.contains("colour"));
        assert!(parse(&[("severity", "1"), ("severity", "1")], false).is_err());
    }

    #[test]
    fn some_classifications_stand_between_commas() {
        let longest = "x".repeat(CLASSIFICATION_CHARS_MAX);
        let most = vec![longest.as_str(); CLASSIFICATIONS_MAX];
        let cases: [(&str, &[&str]); 3] =
            [("a/b/c", &["a/b/c"]), ("a/b/c, d/e/*", &["a/b/c", "d/e/*"]), (&most.join(","), &most)];
        for (value, names) in cases {
            assert_eq!(parse(&[("classification_in", value)], false).unwrap().classification_in, names);
        }
    }

    #[test]
    fn an_empty_field_of_a_form_is_no_condition() {
        let filter = parse(&[("classification", ""), ("severity", " "), ("limit", "3")], true).unwrap();
        assert!(filter.is_all());
    }

    #[test]
    fn days_win_over_seconds_and_the_last_day_is_included() {
        let filter = parse(&[("created_in_days", "1"), ("created_in_sec", "5")], false).unwrap();
        assert_eq!(filter.received_from, Some(1_000_000 - DAY_SECS));
        let filter = parse(&[("to_date", "1970-01-02")], false).unwrap();
        assert_eq!(filter.received_before, Some(2 * DAY_SECS));
    }
}
