// SPDX-License-Identifier: Apache-2.0
//! The forms in which keys and signatures come: binary packets, armor, and MIG's one line, which is armor
//! without its head, foot and line ends. What is in the packets is not known here.

/// Bytes of a public key in any form; MIG's own keys have one or two thousand.
pub const KEY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a detached signature in any form; that of an RSA key of 4096 bits has nine hundred.
pub const SIGNATURE_BYTES_MAX: usize = 8 * 1024;

/// Characters of a line of armor.
const LINE_CHARS: usize = 64;

/// The 64 digits.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a block of armor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A public key.
    PublicKey,
    /// A detached signature.
    Signature,
}

impl Block {
    /// The words between `BEGIN` and the dashes.
    fn label(self) -> &'static str {
        match self {
            Block::PublicKey => "PGP PUBLIC KEY BLOCK",
            Block::Signature => "PGP SIGNATURE",
        }
    }

    fn bytes_max(self) -> usize {
        match self {
            Block::PublicKey => KEY_BYTES_MAX,
            Block::Signature => SIGNATURE_BYTES_MAX,
        }
    }
}

/// The packets of a key or a signature in any of its forms. Fails with what is wrong, to stand after a colon.
pub(super) fn packets(input: &[u8], block: Block) -> Result<Vec<u8>, &'static str> {
    if input.len() > block.bytes_max() {
        return Err("it is too large");
    }
    // Every packet begins with a byte above ASCII.
    if input.first().is_some_and(|first| first & 0x80 != 0) {
        return Ok(input.to_vec());
    }
    let text = std::str::from_utf8(input).map_err(|_| "it is neither text nor OpenPGP packets")?.trim();
    if text.is_empty() {
        return Err("it is empty");
    }
    if !text.starts_with("-----") {
        return match block {
            Block::Signature => decode_one_line(text),
            Block::PublicKey => Err("it does not begin with -----BEGIN PGP PUBLIC KEY BLOCK-----"),
        };
    }
    decode_armor(text, block)
}

fn decode_armor(text: &str, block: Block) -> Result<Vec<u8>, &'static str> {
    if text.starts_with("-----BEGIN PGP PRIVATE KEY") {
        return Err("it is a private key, which should never leave its owner");
    }
    let begin = format!("-----BEGIN {}-----", block.label());
    let end = format!("-----END {}-----", block.label());
    let rest = text.strip_prefix(begin.as_str()).ok_or("it is another kind of OpenPGP block")?;
    let inside = rest.strip_suffix(end.as_str()).ok_or("its last line is missing, or more follows it")?;
    if inside.contains("-----") {
        return Err("there is more than one block");
    }
    // Lines like `Version: x` end at the first empty line; some writers have neither.
    let mut lines = inside.lines().map(str::trim).skip(1).peekable();
    while lines.next_if(|line| line.contains(':')).is_some() {}
    decode_one_line(&lines.collect::<String>())
}

/// Base64 with or without `=` and the checksum's four digits. The base64 itself may end in `=`, so the last
/// one counts.
fn decode_one_line(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let (body, checksum) = match digits.rsplit_once('=') {
        Some((body, tail)) if !tail.is_empty() => (body, Some(tail)),
        _ => (digits.as_str(), None),
    };
    let bytes = decode_base64(body).ok_or("it is not base64")?;
    if let Some(checksum) = checksum {
        let found =
            decode_base64(checksum).filter(|sum| sum.len() == 3).ok_or("its checksum is malformed")?;
        if found != crc24(&bytes).to_be_bytes()[1..] {
            return Err("its checksum does not match");
        }
    }
    match bytes.is_empty() {
        true => Err("it is empty"),
        false => Ok(bytes),
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(((bits >> count) & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// The checksum of armor.
fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce_u32;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

/// The packets in MIG's one line form, with the checksum.
pub(super) fn one_line(packets: &[u8]) -> String {
    format!("{}={}", encode_base64(packets), encode_base64(&crc24(packets).to_be_bytes()[1..]))
}

/// The packets in armor, with a line end after the last line.
pub(super) fn armored(packets: &[u8], block: Block) -> String {
    let label = block.label();
    let mut text = format!("-----BEGIN {label}-----\n\n");
    let digits = encode_base64(packets);
    for line in digits.as_bytes().chunks(LINE_CHARS) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    let checksum = encode_base64(&crc24(packets).to_be_bytes()[1..]);
    text + &format!("={checksum}\n-----END {label}-----\n")
}
