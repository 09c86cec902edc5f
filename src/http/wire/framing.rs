// SPDX-License-Identifier: Apache-2.0
//! What the fields say about the message itself: where its body ends, whether the connection stays, whether the
//! client waits for `100 Continue`. Whatever two readers could understand differently is refused.

use super::fault::Fault;

/// How the end of the body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// There is no body.
    None,
    /// So many bytes, at least one.
    Fixed(u64),
    /// Chunks.
    Chunked,
}

/// What the head says about the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    /// Where the body ends.
    pub(super) length: BodyLength,
    /// True where the client is ready for another request on this connection.
    pub(super) is_keep_alive: bool,
    /// True where the client sends the body only after `100 Continue`.
    pub(super) expects_continue: bool,
}

/// The framing that `fields` describe.
pub(super) fn frame(fields: &[(String, String)], minor_version: u8) -> Result<Framing, Fault> {
    let mut seen = Seen::default();
    for (name, value) in fields {
        seen.take(name, value)?;
    }
    if minor_version >= 1 && !seen.has_host {
        return Err(Fault::refuse(400, "The request has no Host"));
    }
    if seen.is_expectation_unknown && minor_version >= 1 {
        return Err(Fault::refuse(417, "The only expectation understood is 100-continue"));
    }
    let length = seen.body_length(minor_version)?;
    let is_keep_alive = !seen.is_close && (minor_version >= 1 || seen.is_keep_alive);
    Ok(Framing { length, is_keep_alive, expects_continue: seen.expects_continue && minor_version >= 1 })
}

#[derive(Default)]
struct Seen {
    has_host: bool,
    content_length: Option<u64>,
    has_transfer_encoding: bool,
    n_chunked: usize,
    has_other_coding: bool,
    is_close: bool,
    is_keep_alive: bool,
    expects_continue: bool,
    is_expectation_unknown: bool,
}

impl Seen {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        // By length first: this runs for every field of every request.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => self.take_host(value)?,
            6 if name.eq_ignore_ascii_case("expect") => {
                let is_known = value.eq_ignore_ascii_case("100-continue");
                self.expects_continue |= is_known;
                self.is_expectation_unknown |= !is_known;
                refuse_controls(name, value)?;
            }
            7 if name.eq_ignore_ascii_case("upgrade") => refuse_controls(name, value)?,
            10 if name.eq_ignore_ascii_case("connection") => {
                refuse_controls(name, value)?;
                for option in value.split(',').map(trim_blanks) {
                    self.is_close |= option.eq_ignore_ascii_case("close");
                    self.is_keep_alive |= option.eq_ignore_ascii_case("keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case("content-length") => self.take_length(value)?,
            17 if name.eq_ignore_ascii_case("transfer-encoding") => self.take_coding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn take_host(&mut self, value: &str) -> Result<(), Fault> {
        if self.has_host {
            return Err(Fault::refuse(400, "The request has more than one Host"));
        }
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Fault::refuse(400, "Host is not a host name"));
        }
        self.has_host = true;
        Ok(())
    }

    fn take_length(&mut self, value: &str) -> Result<(), Fault> {
        if self.content_length.is_some() {
            return Err(Fault::refuse(400, "The request has more than one Content-Length"));
        }
        // `parse` alone would take a plus sign.
        let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let length = if is_number { value.parse().ok() } else { None };
        let length = length.ok_or_else(|| Fault::refuse(400, "Content-Length is not a number of bytes"))?;
        self.content_length = Some(length);
        Ok(())
    }

    fn take_coding(&mut self, value: &str) -> Result<(), Fault> {
        refuse_controls("Transfer-Encoding", value)?;
        self.has_transfer_encoding = true;
        for coding in value.split(',').map(trim_blanks) {
            if coding.eq_ignore_ascii_case("chunked") {
                self.n_chunked += 1;
            } else {
                self.has_other_coding = true;
            }
        }
        Ok(())
    }

    fn body_length(&self, minor_version: u8) -> Result<BodyLength, Fault> {
        if !self.has_transfer_encoding {
            return Ok(match self.content_length {
                None | Some(0) => BodyLength::None,
                Some(length) => BodyLength::Fixed(length),
            });
        }
        if self.content_length.is_some() {
            return Err(Fault::refuse(400, "The request has both Content-Length and Transfer-Encoding"));
        }
        if minor_version == 0 {
            return Err(Fault::refuse(400, "HTTP/1.0 knows no Transfer-Encoding"));
        }
        if self.has_other_coding {
            return Err(Fault::refuse(501, "The only Transfer-Encoding understood is chunked"));
        }
        if self.n_chunked != 1 {
            return Err(Fault::refuse(400, "The Transfer-Encoding chunked is given more than once"));
        }
        Ok(BodyLength::Chunked)
    }
}

/// Without blanks at its ends. `str::trim` would also drop what is no blank in HTTP, such as U+00A0.
fn trim_blanks(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// In fields that frame the message nothing is tolerated that another reader might drop. TAB is white space.
fn refuse_controls(name: &str, value: &str) -> Result<(), Fault> {
    if value.bytes().all(|b| b == b'\t' || !b.is_ascii_control()) {
        return Ok(());
    }
    Err(Fault::refuse(400, format!("The field {name} has a control character")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fields: &[(&str, &str)], minor_version: u8) -> Result<BodyLength, u16> {
        let mut all = vec![("Host".to_owned(), "a".to_owned())];
        all.extend(fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        match frame(&all, minor_version) {
            Ok(framing) => Ok(framing.length),
            Err(Fault::Refuse(status, _)) => Err(status),
            Err(Fault::Gone(_)) => Err(0),
        }
    }

    #[test]
    fn a_length_is_strictly_digits_and_comes_once() {
        assert_eq!(check(&[("content-LENGTH", "12")], 1), Ok(BodyLength::Fixed(12)));
        assert_eq!(check(&[("Content-Length", "0")], 1), Ok(BodyLength::None));
        for bad in ["", "+1", "-1", "1 ", "0x1", "1,1", "1, 1", "18446744073709551616", "1.0", "\u{b2}"] {
            assert_eq!(check(&[("Content-Length", bad)], 1), Err(400), "{bad:?}");
        }
        assert_eq!(check(&[("Content-Length", "1"), ("content-length", "1")], 1), Err(400));
    }

    #[test]
    fn chunked_is_the_only_coding_and_never_beside_a_length() {
        assert_eq!(check(&[("Transfer-Encoding", "Chunked")], 1), Ok(BodyLength::Chunked));
        assert_eq!(check(&[("Transfer-Encoding", "chunked")], 0), Err(400));
        assert_eq!(check(&[("Transfer-Encoding", "gzip, chunked")], 1), Err(501));
        assert_eq!(check(&[("Transfer-Encoding", "chunked, identity")], 1), Err(501));
        assert_eq!(check(&[("Transfer-Encoding", "xchunked")], 1), Err(501));
        assert_eq!(check(&[("Transfer-Encoding", "")], 1), Err(501));
        assert_eq!(check(&[("Transfer-Encoding", "chunked, chunked")], 1), Err(400));
        assert_eq!(check(&[("Transfer-Encoding", "\u{b}chunked")], 1), Err(400));
        assert_eq!(check(&[("Transfer-Encoding", "\u{a0}chunked")], 1), Err(501));
        assert_eq!(check(&[("Transfer-Encoding", "chunked"), ("Content-Length", "0")], 1), Err(400));
    }
}
