// SPDX-License-Identifier: Apache-2.0
//! What the names of accounts, passwords and the names of API tokens may be. How they are hashed is in
//! `ops::passwords`.

use crate::error::{Error, Result};

/// Longest name of an account.
pub const NAME_BYTES_MAX: usize = 64;
/// Shortest password.
pub const PASSWORD_BYTES_MIN: usize = 10;
/// Longest password.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Longest text that says what an API token is for.
pub const TOKEN_NAME_CHARS_MAX: usize = 100;
/// Most days that an API token counts; without days it counts for ever.
pub const TOKEN_DAYS_MAX: i64 = 36_500;

/// Who acts in the audit log without being an account.
const RESERVED: [&str; 4] = ["local", "anybody", "job", "spool"];

/// Refuses a name that no account may have: letters and digits of ASCII and `.` `_` `@` `-` alone, so that no two names
/// look alike and none moves a terminal's cursor.
pub fn check_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let problem = if name.is_empty() {
        "must not be empty"
    } else if name.len() > NAME_BYTES_MAX {
        "has at most 64 characters"
    } else if !name.bytes().all(is_plain) {
        "has letters a-z and A-Z, digits and . _ @ - alone"
    } else if name.starts_with(['-', '.']) {
        "must not begin with - or ."
    } else if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        "must not be local, anybody, job or spool: the audit log means others by them"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("The name of an account {problem}")))
}

/// Refuses a password that is too short, too long, or the name of its account.
pub fn check_password(name: &str, password: &str) -> Result<()> {
    let problem = if password.len() < PASSWORD_BYTES_MIN {
        format!("must have at least {PASSWORD_BYTES_MIN} characters")
    } else if password.len() > PASSWORD_BYTES_MAX {
        format!("must have at most {PASSWORD_BYTES_MAX} bytes")
    } else if password.eq_ignore_ascii_case(name) {
        "must not be the name of its account".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("The password {problem}")))
}

/// What an API token is for, without spaces around it. Invalid where it is empty, too long or has control characters.
pub fn checked_token_name(name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid("Say what the API token is for"));
    }
    if name.chars().count() > TOKEN_NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "What an API token is for has at most {TOKEN_NAME_CHARS_MAX} characters, and no control characters"
        )));
    }
    Ok(name.to_owned())
}

/// Refuses a number of days for which no API token counts.
pub fn check_token_days(days: i64) -> Result<()> {
    if (1..=TOKEN_DAYS_MAX).contains(&days) {
        return Ok(());
    }
    Err(Error::invalid(format!("The days of an API token are a number from 1 to {TOKEN_DAYS_MAX}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_short_and_nobody_elses() {
        let (longest, too_long) = ("a".repeat(64), "a".repeat(65));
        for name in ["a", "alice", "Bob-2", "ops@example.org", "_x", "9", "jobs", longest.as_str()] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let refused = [
            "",
            " ",
            "a b",
            "a\n",
            "\u{1b}[2J",
            "a\0",
            "аlice",
            "zoë",
            "-rf",
            ".hidden",
            "a/b",
            "a'b",
            "local",
            "Job",
            "ANYBODY",
            "Spool",
            "a\u{202e}b",
            "<b>",
            "a:b",
            too_long.as_str(),
        ];
        for name in refused {
            let error = check_name(name).unwrap_err();
            assert!(error.message().starts_with("The name of an account "), "{name:?}: {error}");
            assert!(!error.message().chars().any(char::is_control), "{name:?}");
        }
    }

    #[test]
    fn passwords_are_not_short_not_huge_and_not_the_name() {
        let (longest, too_long) = ("x".repeat(1_024), "x".repeat(1_025));
        let cases = [
            ("alice", "1234567890", true),
            ("alice", "123456789", false),
            ("alice", "", false),
            ("alice", "äöüäö", true),
            ("administrator", "Administrator", false),
            ("alice", longest.as_str(), true),
            ("alice", too_long.as_str(), false),
        ];
        for (name, password, is_taken) in cases {
            assert_eq!(check_password(name, password).is_ok(), is_taken, "{name} {}", password.len());
        }
    }

    #[test]
    fn tokens_say_what_they_are_for_and_how_long() {
        assert_eq!(checked_token_name("  nightly export ").unwrap(), "nightly export");
        assert_eq!(checked_token_name(&"é".repeat(100)).unwrap().chars().count(), 100);
        for name in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(checked_token_name(name).is_err(), "{name:?}");
        }
        assert!(check_token_days(1).is_ok() && check_token_days(36_500).is_ok());
        assert!(
            check_token_days(0).is_err()
                && check_token_days(-1).is_err()
                && check_token_days(36_501).is_err()
        );
    }
}
