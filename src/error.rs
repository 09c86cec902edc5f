// SPDX-License-Identifier: Apache-2.0
//! The one error type. Its [`Kind`] alone decides HTTP status, exit code and log level, here and nowhere else.
//!
//! A message is for the person outside: it starts with a capital, has no final period, names the thing and the
//! remedy. What only we should see (an SQL error, a path inside a library) is the source: it is logged, never sent.

use std::fmt;
use std::num::NonZeroU32;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; who is to blame and what may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The input breaks a rule; sending it again will not help.
    Invalid,
    /// Who asks is not known.
    Unauthorized,
    /// Who asks may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// It did not arrive in time.
    Timeout,
    /// It contradicts what is there.
    Conflict,
    /// More than a limit allows.
    TooLarge,
    /// The head of a request is more than a limit allows.
    HeadTooLarge,
    /// The encoding of the body is not one that is known.
    UnsupportedMedia,
    /// The request was meant for another host.
    Misdirected,
    /// Too often from there; later it will do.
    TooOften,
    /// It cannot be done now, later it may: full disk, full queue, shutting down, a lock held by another.
    Busy,
    /// A configuration or command line that is refused.
    Usage,
    /// The database or a file of ours is damaged, or newer than this program.
    Corrupt,
    /// The protocol version or transfer coding is not implemented.
    NotImplemented,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// The HTTP status that answers this kind.
    pub fn http_status(self) -> u16 {
        match self {
            Kind::Invalid | Kind::Usage => 400,
            Kind::Unauthorized => 401,
            Kind::Forbidden => 403,
            Kind::NotFound => 404,
            Kind::MethodNotAllowed => 405,
            Kind::Timeout => 408,
            Kind::Conflict => 409,
            Kind::TooLarge => 413,
            Kind::UnsupportedMedia => 415,
            Kind::Misdirected => 421,
            Kind::TooOften => 429,
            Kind::HeadTooLarge => 431,
            Kind::Corrupt | Kind::Internal => 500,
            Kind::NotImplemented => 501,
            Kind::Busy => 503,
        }
    }

    /// The exit status of a command that ends with this kind: 2 where the input was refused (systemd does not
    /// restart on it), 1 for every other failure.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Invalid | Kind::Usage | Kind::NotFound | Kind::Corrupt => 2,
            _ => 1,
        }
    }

    /// The level at which a failed request is logged: faults of ours as errors, what others did wrong at debug.
    pub fn log_level(self) -> log::Level {
        match self {
            Kind::Internal | Kind::Corrupt => log::Level::Error,
            Kind::Busy => log::Level::Warn,
            _ => log::Level::Debug,
        }
    }

    /// True where the fault is ours, so that the message is not shown outside.
    pub fn is_our_fault(self) -> bool {
        matches!(self, Kind::Internal | Kind::Corrupt)
    }
}

/// What went wrong, for the person outside, and why, for the log.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    is_quiet: bool,
    // In one word with the two above: an error as large as this one still fits where a deep target is read.
    retry_after_secs: Option<NonZeroU32>,
}

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into(), source: None, is_quiet: false, retry_after_secs: None }
    }

    /// The input breaks a rule.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(Kind::NotFound, message)
    }

    /// Not now; perhaps later.
    pub fn busy(message: impl Into<String>) -> Error {
        Error::new(Kind::Busy, message)
    }

    /// The configuration or command line is refused.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// A fault of ours.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Kind::Internal, message)
    }

    /// The same error with its cause, which is logged and never sent.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    /// The same error, logged at debug: for what anybody brings about by asking often.
    pub fn quiet(mut self) -> Error {
        self.is_quiet = true;
        self
    }

    /// The same error, which passes in so many seconds, at least one: what Retry-After says.
    pub fn retry_after(mut self, secs: u64) -> Error {
        self.retry_after_secs = NonZeroU32::new(u32::try_from(secs).unwrap_or(u32::MAX).max(1));
        self
    }

    /// After so many seconds it may be tried again; none where that is not known.
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.retry_after_secs.map(|secs| u64::from(secs.get()))
    }

    /// The level at which it is logged: that of its kind, debug where it is quiet.
    pub fn log_level(&self) -> log::Level {
        if self.is_quiet { log::Level::Debug } else { self.kind.log_level() }
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message for the person outside.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The message and every cause behind it, for the log and for the terminal of the admin.
    pub fn with_causes(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_error_is_for_debugging_only() {
        assert_eq!(Error::busy("x").log_level(), log::Level::Warn);
        let quiet = Error::busy("x").quiet();
        assert_eq!((quiet.log_level(), quiet.kind()), (log::Level::Debug, Kind::Busy));
    }

    #[test]
    fn causes_are_listed_in_order_and_never_in_the_message() {
        let error = Error::internal("Cannot store the record").because(Error::busy("inner"));
        assert_eq!(error.to_string(), "Cannot store the record");
        assert_eq!(error.with_causes(), "Cannot store the record: inner");
    }

    #[test]
    fn a_refused_configuration_exits_with_2_and_a_failure_with_1() {
        assert_eq!(Kind::Usage.exit_code(), 2);
        assert_eq!(Kind::Internal.exit_code(), 1);
        assert_eq!(Kind::Busy.exit_code(), 1);
    }
}
