// SPDX-License-Identifier: Apache-2.0
//! What each field of a record may say, by format version.

use crate::ingest::encoding::Values;
use crate::ingest::{Outcome, Refusal};
use crate::model::filter::{BUILD_CHARS_MAX, MACHINE_ID_CHARS_MAX, SYSTEM_NAME_CHARS_MAX, shortened};
use crate::model::record::{CLASSIFICATION_CHARS_MAX, EventId, NewRecord, Severity};
use crate::model::time::TIME_MAX;

/// host_type has fewer characters than this.
const HOST_TYPE_CHARS_END: usize = 250;
/// board_name, cpu_model and bios_version have fewer characters than this.
const DMI_CHARS_END: usize = 200;
/// Most characters of kernel_version.
const KERNEL_VERSION_CHARS_MAX: usize = 256;
/// Most characters of arch.
const ARCH_CHARS_MAX: usize = 32;

/// Validates every field that the record's version has; those of later versions are dropped.
pub fn validate(mut values: Values, is_external: bool) -> Outcome<NewRecord> {
    let version = record_format_version(&values)?;
    let payload = std::mem::take(&mut values.payload);
    let since = |first: u8| version >= first;
    let classification = classification(&values)?;
    let severity = severity(&values)?;
    let machine_id = printable(&values, "machine_id", MACHINE_ID_CHARS_MAX)?;
    let captured_at = number(&values, "creation_timestamp", TIME_MAX)?;
    let arch = arch(&values)?;
    let host_type = host_type(&values)?;
    let system_name = since(2).then(|| system_name(&values)).transpose()?;
    let build = build(&values, system_name.as_deref())?;
    let kernel_version = kernel_version(&values)?;
    let payload_format_version =
        since(2).then(|| number(&values, "payload_format_version", i64::from(u32::MAX))).transpose()?;
    let dmi_of = |key| since(3).then(|| dmi(values.get(key).unwrap_or(""), key, DMI_CHARS_END)).transpose();
    Ok(NewRecord {
        record_format_version: version,
        classification,
        severity,
        machine_id,
        captured_at,
        arch,
        host_type,
        build,
        kernel_version,
        payload_format_version: payload_format_version.and_then(|number| u32::try_from(number).ok()),
        system_name,
        board_name: dmi_of("board_name")?,
        cpu_model: dmi_of("cpu_model")?,
        bios_version: dmi_of("bios_version")?,
        event_id: since(4).then(|| event_id(&values)).transpose()?,
        is_external,
        payload,
    })
}

fn required<'a>(values: &'a Values, key: &str) -> Outcome<&'a str> {
    values.get(key).ok_or_else(|| Refusal::rule(format!("{key} is missing or empty")))
}

fn broken(key: &str, rule: &str, value: &str) -> Refusal {
    Refusal::rule(format!("{key} must {rule}, not {}", shortened(value)))
}

fn at_most(key: &str, value: &str, chars_max: usize) -> Outcome<()> {
    match value.chars().count() {
        chars if chars > chars_max => {
            Err(Refusal::rule(format!("{key} must have at most {chars_max} characters, not {chars}")))
        }
        _ => Ok(()),
    }
}

fn without_control(key: &str, value: &str) -> Outcome<()> {
    if value.chars().any(char::is_control) {
        return Err(broken(key, "have no control characters", value));
    }
    Ok(())
}

fn printable(values: &Values, key: &str, chars_max: usize) -> Outcome<String> {
    let value = required(values, key)?;
    at_most(key, value, chars_max)?;
    without_control(key, value)?;
    Ok(value.to_owned())
}

fn number(values: &Values, key: &str, most: i64) -> Outcome<i64> {
    let value = required(values, key)?;
    let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_digits.then(|| value.parse().ok()).flatten().filter(|number| *number <= most);
    number.ok_or_else(|| broken(key, &format!("be a whole number from 0 to {most}"), value))
}

fn record_format_version(values: &Values) -> Outcome<u8> {
    let value = required(values, "record_format_version")?;
    match value {
        "1" => Ok(1),
        "2" => Ok(2),
        "3" => Ok(3),
        "4" => Ok(4),
        _ => Err(broken("record_format_version", "be 1, 2, 3 or 4", value)),
    }
}

fn severity(values: &Values) -> Outcome<Severity> {
    let value = required(values, "severity")?;
    let digit = match value.as_bytes() {
        [digit @ b'1'..=b'4'] => Severity::from_number(i64::from(digit - b'0')),
        _ => None,
    };
    digit.ok_or_else(|| broken("severity", "be 1 (low), 2 (medium), 3 (high) or 4 (critical)", value))
}

fn classification(values: &Values) -> Outcome<String> {
    let value = printable(values, "classification", CLASSIFICATION_CHARS_MAX)?;
    let parts: Vec<&str> = value.split('/').collect();
    if parts.len() != 3 || parts.iter().any(|part| part.is_empty()) {
        return Err(broken("classification", "be three non-empty parts DOMAIN/PROBE/REST", &value));
    }
    Ok(value)
}

fn arch(values: &Values) -> Outcome<String> {
    let value = required(values, "arch")?;
    let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word || value.len() > ARCH_CHARS_MAX {
        return Err(broken("arch", "be 1 to 32 letters, digits or _", value));
    }
    Ok(value.to_owned())
}

/// A string of the firmware: whatever it holds, control characters become spaces.
fn dmi(value: &str, key: &str, chars_end: usize) -> Outcome<String> {
    let text: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match text.chars().count() {
        chars if chars >= chars_end => {
            Err(Refusal::rule(format!("{key} must have fewer than {chars_end} characters, not {chars}")))
        }
        _ => Ok(text.trim().to_owned()),
    }
}

fn host_type(values: &Values) -> Outcome<String> {
    let text = dmi(required(values, "host_type")?, "host_type", HOST_TYPE_CHARS_END)?;
    if text.is_empty() {
        return Err(Refusal::rule("host_type is missing or empty".to_owned()));
    }
    Ok(text)
}

/// os-release writes values in quotes, and the client that cuts at a space may leave one of them.
fn unquoted(value: &str) -> &str {
    value.trim_matches(|c: char| matches!(c, '"' | '\'') || c.is_whitespace())
}

fn system_name(values: &Values) -> Outcome<String> {
    let value = unquoted(required(values, "system_name")?);
    if value.is_empty() {
        return Err(Refusal::rule("system_name is missing or empty".to_owned()));
    }
    at_most("system_name", value, SYSTEM_NAME_CHARS_MAX)?;
    without_control("system_name", value)?;
    Ok(value.to_owned())
}

fn build(values: &Values, system_name: Option<&str>) -> Outcome<String> {
    let value = unquoted(required(values, "build")?);
    if value.is_empty() {
        return Err(Refusal::rule("build is missing or empty".to_owned()));
    }
    at_most("build", value, BUILD_CHARS_MAX)?;
    if system_name == Some("clear-linux-os") {
        if !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(broken("build", "be digits only where system_name is clear-linux-os", value));
        }
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(broken("build", "be letters, digits, -, _ or . only", value));
    }
    Ok(value.to_owned())
}

fn kernel_version(values: &Values) -> Outcome<String> {
    let value = printable(values, "kernel_version", KERNEL_VERSION_CHARS_MAX)?;
    let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let rest = value.trim_start_matches(|c: char| c.is_ascii_digit());
    if !is_number(&value) || !rest.strip_prefix('.').is_some_and(is_number) {
        return Err(broken("kernel_version", "start with MAJOR.MINOR in digits", &value));
    }
    Ok(value)
}

fn event_id(values: &Values) -> Outcome<EventId> {
    let value = required(values, "event_id")?;
    EventId::parse(value).ok_or_else(|| broken("event_id", "be 32 lower-case hexadecimal digits", value))
}
