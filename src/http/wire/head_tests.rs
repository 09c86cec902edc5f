// SPDX-License-Identifier: Apache-2.0
//! Tests of the head parser on bytes alone.

use super::super::framing::BodyLength;
use super::*;
use std::net::{IpAddr, Ipv4Addr};

const ORIGIN: Origin =
    Origin { peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1), is_tls: false };

fn parse_text(text: &[u8]) -> Result<(Head, Framing), u16> {
    let start = count_empty_lines(text);
    let end = find_end(&text[start..], 0).expect("a whole head");
    parse(&text[start..start + end], ORIGIN, 64).map_err(|fault| match fault {
        Fault::Refuse(status, _) => status,
        Fault::Gone(_) => 0,
    })
}

#[test]
fn the_end_of_a_head_is_found_whatever_the_pieces() {
    for text in [&b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest"[..], b"GET / HTTP/1.1\nA: b\n\nrest", b"G\n\r\nrest"]
    {
        let expected = text.len() - 4;
        for cut in 0..text.len() {
            let first = find_end(&text[..cut], 0);
            assert_eq!(first, (cut >= expected).then_some(expected), "{cut}");
            if first.is_none() {
                assert_eq!(find_end(text, cut), Some(expected), "{cut}");
            }
        }
    }
}

#[test]
fn control_bytes_and_latin_1_are_kept_in_values() {
    let (head, _) = parse_text(b"GET / HTTP/1.1\r\nHost: a\r\nBoard: x\x1b[0m\x01\x7f\ty \r\nCpu: Core\xae\r\nBios: \xc2\xae\r\n\r\n")
        .unwrap();
    assert_eq!(head.field("board"), Some("x\u{1b}[0m\u{1}\u{7f}\ty"));
    assert_eq!(head.field("CPU"), Some("Core\u{ae}"));
    assert_eq!(head.field("Bios"), Some("\u{ae}"));
    assert!(head.raw.ends_with(b"Bios: \xc2\xae\r\n"));
}

#[test]
fn control_bytes_elsewhere_are_refused() {
    for bad in [
        &b"GET / HTTP/1.1\r\nHost: a\x1b\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x1b: b\r\n\r\n",
        b"GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /:\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\x0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\tX: b\x01\r\n\r\n",
    ] {
        assert_eq!(parse_text(bad).err(), Some(400), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn an_absolute_target_replaces_the_host() {
    let (head, _) = parse_text(b"GET http://b:1?q=1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!((head.target.as_str(), head.field("Host")), ("/?q=1", Some("b:1")));
    assert_eq!(head.path(), "/");
    let (head, _) = parse_text(b"GET HTTPS://b/x HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((head.target.as_str(), head.field("Host")), ("/x", Some("b")));
}

#[test]
fn the_connection_stays_as_the_version_and_the_field_say() {
    let check = |text: &[u8]| parse_text(text).unwrap().1;
    assert!(check(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_keep_alive);
    assert!(!check(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").is_keep_alive);
    assert!(!check(b"GET / HTTP/1.0\r\n\r\n").is_keep_alive);
    assert!(check(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").is_keep_alive);
    let framing = check(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(framing.length, BodyLength::Fixed(5));
    assert!(framing.expects_continue);
}

#[test]
fn a_field_too_many_is_431() {
    let head =
        |n: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(n - 1)).into_bytes();
    assert!(parse_text(&head(64)).is_ok());
    assert_eq!(parse_text(&head(65)).err(), Some(431));
}

/// Pieces from which hostile heads are put together.
fn any_piece() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let known: [&[u8]; 24] = [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b",",
        b"Content-Length",
        b"content-length",
        b"Transfer-Encoding",
        b"chunked",
        b"identity",
        b"5",
        b"+5",
        b"\x0b",
        b"\xa0",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\0",
        b"Connection: close\r\n",
        b"GET / HTTP/1.1\r\n",
        b"HTTP/1.0",
        b"\x1b",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ]
}

/// How often a line of the head, by the widest reading, is this field.
fn count_lines_of(text: &[u8], name: &str) -> usize {
    text.split(|b| matches!(b, b'\n' | b'\r'))
        .filter(|line| {
            let name_end = line.iter().position(|b| *b == b':').unwrap_or(0);
            line[..name_end].trim_ascii().eq_ignore_ascii_case(name.as_bytes())
        })
        .count()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, cases: 4000, ..Default::default() })]

    #[test]
    fn the_parser_never_panics_and_never_accepts_two_framings(
        pieces in proptest::collection::vec(any_piece(), 0..24)
    ) {
        let mut text = b"POST / HTTP/1.1\r\nHost: a\r\n".to_vec();
        text.extend(pieces.concat());
        text.extend(b"\r\n\r\n");
        if let Some(end) = find_end(&text, 0) {
            let head = &text[..end];
            if let Ok((_, framing)) = parse(head, ORIGIN, 64) {
                let n_lengths = count_lines_of(head, "content-length");
                let n_codings = count_lines_of(head, "transfer-encoding");
                proptest::prop_assert!(n_lengths <= 1);
                proptest::prop_assert!(n_lengths == 0 || n_codings == 0);
                proptest::prop_assert_eq!(framing.length == BodyLength::Chunked, n_codings > 0);
            }
        }
    }
}
