// SPDX-License-Identifier: Apache-2.0
//! Keys and signatures that gpg and MIG made (`tests/data/mig`), and hostile variants of them.

use super::*;
use crate::error::Kind;
use crate::model::action::Action;
use proptest::prelude::*;

/// A moment at which all keys exist and only the expired one has expired.
const NOW: i64 = 1_796_000_000;

/// When the signatures were made: 2025-06-01.
const SIGNED: i64 = 1_748_736_000;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/mig/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn key(name: &str) -> PublicKey {
    PublicKey::read(&data(&format!("pgp/{name}.asc"))).unwrap()
}

fn signature(name: &str) -> DetachedSignature {
    DetachedSignature::read(&data(&format!("pgp/{name}.sig"))).unwrap()
}

fn text() -> Vec<u8> {
    data("pgp/text")
}

#[test]
fn keys_tell_their_fingerprint_names_and_times() {
    let cases = [
        ("rsa2048", "RSA", 1, None),
        ("rsa3072", "RSA", 1, None),
        ("ed25519", "EdDSA", 1, None),
        ("nistp256", "ECDSA", 1, None),
        ("subkey", "EdDSA", 2, None),
        ("certonly", "EdDSA", 1, None),
        ("expired", "EdDSA", 1, Some(1_577_836_800 + 365 * 86_400)),
    ];
    for (name, algorithm, key_ids, expires_secs) in cases {
        let key = key(name);
        assert_eq!(key.fingerprint().len(), 40, "{name}");
        assert!(
            key.fingerprint().bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)),
            "{name}"
        );
        assert_eq!(key.algorithm(), algorithm, "{name}");
        assert_eq!(key.key_ids().len(), key_ids, "{name}");
        assert!(key.fingerprint().ends_with(&key.key_ids()[0]), "{name}");
        assert_eq!(key.expires_secs(), expires_secs, "{name}");
        assert!(!key.is_revoked(), "{name}");
    }
    let mut names = key("rsa2048").user_ids().to_vec();
    names.sort();
    assert_eq!(names, ["Second Name <second@example.net>", "rsa2048 <rsa2048@example.net>"]);
    assert_eq!(key("rsa2048").created_secs(), 1_735_689_600);
    let bob = PublicKey::read(&data("investigator.asc")).unwrap();
    assert!(bob.fingerprint().ends_with("3C86C0537B2BFBBA"), "{}", bob.fingerprint());
    assert_eq!(bob.check_usable(NOW), Ok(()));
}

#[test]
fn binary_and_armored_forms_are_the_same_key() {
    let binary = PublicKey::read(&data("pgp/rsa2048.key")).unwrap();
    assert_eq!(binary.fingerprint(), key("rsa2048").fingerprint());
    let again = PublicKey::read(binary.armored().as_bytes()).unwrap();
    assert_eq!(again.fingerprint(), binary.fingerprint());
    assert_eq!(again.armored(), binary.armored());
    let gpg = String::from_utf8(data("pgp/rsa2048.asc")).unwrap();
    assert_eq!(binary.armored(), gpg);
}

#[test]
fn keys_that_cannot_sign_now_are_refused() {
    let print = |name: &str| key(name).fingerprint().to_owned();
    let cases = [
        ("rsa2048", NOW, Ok(())),
        ("subkey", NOW, Ok(())),
        ("expired", NOW, Err(Refusal::KeyExpired(print("expired")))),
        ("expired", 1_600_000_000, Ok(())),
        ("revoked", NOW, Err(Refusal::KeyRevoked(print("revoked")))),
        ("before-revocation", NOW, Ok(())),
        ("certonly", NOW, Err(Refusal::CannotSign(print("certonly")))),
        ("subkey-revoked", NOW, Err(Refusal::CannotSign(print("subkey")))),
        ("rsa2048", 1_600_000_000, Err(Refusal::WrongTime)),
    ];
    for (name, now, expected) in cases {
        assert_eq!(key(name).check_usable(now), expected, "{name} at {now}");
    }
}

#[test]
fn what_is_not_exactly_one_public_key_is_refused() {
    let two = data("pgp/two.asc");
    let twice = [data("pgp/ed25519.asc"), data("pgp/nistp256.asc")].concat();
    let both = [data("pgp/rsa2048.key"), data("pgp/rsa2048.key")].concat();
    let truncated = data("pgp/rsa2048.key")[..600].to_vec();
    let bare = data("pgp/rsa2048.key")[..272].to_vec();
    let large = vec![b'A'; KEY_BYTES_MAX + 1];
    let cases: [(&[u8], &str); 13] = [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"hello", "does not begin with -----BEGIN"),
        (
            b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAAAA\n-----END PGP PRIVATE KEY BLOCK-----",
            "private key",
        ),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA", "last line is missing"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----", "not base64"),
        (&data("pgp/rsa2048.sig"), "another kind"),
        (&data("pgp/rsa2048-binary.sig"), "does not begin with a public key"),
        (&two, "more than one key"),
        (&twice, "more than one block"),
        (&both, "more than one key"),
        (&truncated, "cannot be read"),
        (&large, "too large"),
    ];
    for (bytes, expected) in cases {
        let error = PublicKey::read(bytes).unwrap_err();
        assert!(error.message().contains(expected), "{expected}: {}", error.message());
    }
    let error = PublicKey::read(&bare).unwrap_err();
    assert!(error.message().contains("no valid signature of its own"), "{}", error.message());
    let dsa = PublicKey::read(&data("pgp/dsa.asc")).unwrap_err();
    assert!(dsa.message().contains("RSA, ECDSA and EdDSA"), "{}", dsa.message());
}

#[test]
fn a_damaged_checksum_is_noticed_in_both_forms() {
    let armored = String::from_utf8(data("pgp/rsa2048.sig")).unwrap();
    let line = signature("rsa2048").one_line();
    for text in [armored, line] {
        let at = text.rfind('=').unwrap() + 1;
        let other = if text.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let mut damaged = text.clone();
        damaged.replace_range(at..=at, &other.to_string());
        let refusal = DetachedSignature::read(damaged.as_bytes()).unwrap_err();
        assert_eq!(refusal, Refusal::Malformed("its checksum does not match"));
    }
}

#[test]
fn signatures_of_gpg_verify_and_give_the_primary_key() {
    let names =
        ["rsa2048", "rsa3072", "ed25519", "nistp256", "subkey", "expired", "revoked", "certonly", "dsa"];
    let keys: Vec<PublicKey> = names.iter().filter(|name| **name != "dsa").map(|name| key(name)).collect();
    for name in ["rsa2048", "rsa3072", "ed25519", "nistp256", "subkey"] {
        let verified = signature(name).verify(&text(), &keys, NOW).unwrap();
        assert_eq!(verified.fingerprint, key(name).fingerprint(), "{name}");
        // gpg's clock went on for a second or two.
        assert!((SIGNED..SIGNED + 60).contains(&verified.made_secs), "{name}: {}", verified.made_secs);
        assert_eq!(signature(name).verify(b"another text", &keys, NOW), Err(Refusal::Mismatch), "{name}");
        assert_eq!(signature(name).verify(&text(), &[], NOW), Err(Refusal::UnknownKey), "{name}");
        let is_named = signature(name).issuers().iter().any(|id| key(name).key_ids().contains(id));
        assert!(is_named, "{name}");
    }
    let print = |name: &str| key(name).fingerprint().to_owned();
    let refused = [
        ("expired", NOW, Refusal::KeyExpired(print("expired"))),
        ("revoked", NOW, Refusal::KeyRevoked(print("revoked"))),
        ("certonly", NOW, Refusal::CannotSign(print("certonly"))),
        ("rsa2048-short", NOW, Refusal::SignatureExpired),
        ("rsa2048", SIGNED - 2 * 86_400, Refusal::WrongTime),
    ];
    for (name, now, refusal) in refused {
        assert_eq!(signature(name).verify(&text(), &keys, now), Err(refusal), "{name}");
    }
    assert!(signature("expired").verify(&text(), &keys, 1_595_000_000).is_ok());
    assert!(signature("rsa2048-short").verify(&text(), &keys, SIGNED + 3_600).is_ok());
    assert!(signature("revoked").verify(&text(), &[key("before-revocation")], NOW).is_ok());
}

#[test]
fn a_revoked_or_unbound_subkey_signs_nothing() {
    let revoked = key("subkey-revoked");
    let refusal = signature("subkey").verify(&text(), std::slice::from_ref(&revoked), NOW).unwrap_err();
    assert_eq!(refusal, Refusal::KeyRevoked(revoked.fingerprint().to_owned()));
    // The same key without the signature that binds its subkey: its packets end before the subkey's.
    let packets = armor::packets(&data("pgp/subkey.asc"), armor::Block::PublicKey).unwrap();
    let mut starts = Vec::new();
    let mut at = 0;
    while at < packets.len() {
        starts.push(at);
        at += 2 + usize::from(packets[at + 1]);
    }
    let (subkey, binding) = (starts[3], starts[4]);
    let unbound = [&packets[..binding], &packets[starts[5]..]].concat();
    let unbound = PublicKey::read(&unbound).unwrap();
    assert_eq!(unbound.key_ids().len(), 1);
    assert_eq!(signature("subkey").verify(&text(), &[unbound], NOW), Err(Refusal::UnknownKey));
    // A subkey of one key below the primary of another, with its own binding.
    let other = armor::packets(&data("pgp/ed25519.asc"), armor::Block::PublicKey).unwrap();
    let stolen = [&other[..], &packets[subkey..starts[5]]].concat();
    let stolen = PublicKey::read(&stolen).unwrap();
    assert_eq!(stolen.key_ids().len(), 1);
    assert_eq!(signature("subkey").verify(&text(), &[stolen], NOW), Err(Refusal::UnknownKey));
}

#[test]
fn kinds_of_signatures_that_are_accepted_and_not() {
    let rsa = [key("rsa2048")];
    for name in ["rsa2048-sha512", "rsa2048-binary", "rsa2048-text"] {
        assert!(signature(name).verify(&text(), &rsa, NOW).is_ok(), "{name}");
    }
    let with_crlf = String::from_utf8(text()).unwrap().replace('\n', "\r\n");
    assert!(signature("rsa2048-text").verify(with_crlf.as_bytes(), &rsa, NOW).is_ok());
    assert_eq!(signature("rsa2048").verify(with_crlf.as_bytes(), &rsa, NOW), Err(Refusal::Mismatch));
    let read = |name: &str| DetachedSignature::read(&data(name)).unwrap_err();
    assert_eq!(read("pgp/rsa2048-sha1.sig"), Refusal::Unsupported("its digest is none of SHA-2 and SHA-3"));
    assert!(matches!(read("pgp/dsa.sig"), Refusal::Unsupported(_)));
    assert!(matches!(read("pgp/rsa2048.key"), Refusal::Malformed(_)));
    let two = [data("pgp/rsa2048-binary.sig"), data("pgp/rsa2048-binary.sig")].concat();
    let refusal = DetachedSignature::read(&two).unwrap_err();
    assert_eq!(refusal, Refusal::Malformed("something follows the signature"));
    for bad in [&b""[..], b"=", b"====", b"abc", b"A===", b"AAAA=AAA", b"\x80", b"\xc2\x00", b"\xff\xff"] {
        assert!(DetachedSignature::read(bad).is_err(), "{bad:?}");
    }
    assert!(DetachedSignature::read(&vec![b'A'; SIGNATURE_BYTES_MAX + 1]).is_err());
}

#[test]
fn the_one_line_form_comes_and_goes_with_and_without_its_checksum() {
    for name in ["rsa2048", "rsa3072", "ed25519", "nistp256", "rsa2048-sha512", "token"] {
        let line = signature(name).one_line();
        assert!(!line.contains('\n'), "{line}");
        let again = DetachedSignature::read(line.as_bytes()).unwrap();
        assert_eq!(again.one_line(), line);
        let without = &line[..line.rfind('=').unwrap()];
        assert_eq!(DetachedSignature::read(without.as_bytes()).unwrap().one_line(), line, "{name}");
        let gpg: String = String::from_utf8(data(&format!("pgp/{name}.sig"))).unwrap();
        let body: String = gpg.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(line, body, "{name}");
    }
}

#[test]
fn actions_of_mig_verify_against_their_investigator() {
    let keys = [PublicKey::read(&data("investigator.asc")).unwrap()];
    for name in ["v1-escapes.signed.json", "v2-simple.signed.json", "v4-generator-signed.json"] {
        let action = Action::from_json(&data(name)).unwrap();
        let line = &action.pgpsignatures.as_ref().unwrap()[0];
        let signature = DetachedSignature::read(line.as_bytes()).unwrap();
        let verified = signature.verify(action.signed_text().unwrap().as_bytes(), &keys, NOW).unwrap();
        assert_eq!(verified.fingerprint, keys[0].fingerprint(), "{name}");
        assert_eq!(&signature.one_line(), line, "{name}");
        let mut other = action.clone();
        other.target.push(' ');
        let refusal = signature.verify(other.signed_text().unwrap().as_bytes(), &keys, NOW).unwrap_err();
        assert_eq!(refusal, Refusal::Mismatch, "{name}");
    }
}

fn token_of(time: &str, nonce: &str) -> String {
    format!("1;{time};{nonce};{}", signature("token").one_line())
}

#[test]
fn a_token_is_accepted_within_its_window() {
    let keys = [key("rsa2048"), key("ed25519")];
    let header = token_of("2025-06-01T00:00:00Z", "28047263268867");
    for now in [SIGNED - 600, SIGNED, SIGNED + 600] {
        let token = Token::read(&header, now, 600).unwrap();
        assert_eq!(token.made_secs(), SIGNED);
        assert_eq!(token.verify(&keys, now).unwrap().fingerprint, keys[0].fingerprint());
    }
    let token = Token::read(&header, SIGNED, 600).unwrap();
    let signer = token.verify(&keys, SIGNED).unwrap();
    // The same token in another spelling is the same token.
    let bare = header.rsplit_once('=').unwrap().0;
    let respelled = Token::read(bare, SIGNED, 600).unwrap();
    assert_eq!(respelled.digest(&signer), token.digest(&signer));
}

#[test]
fn tokens_are_refused_with_the_texts_of_mig() {
    let keys = [key("rsa2048")];
    let good = token_of("2025-06-01T00:00:00Z", "28047263268867");
    let start = "Authorization verification failed with error 'verifySignedToken() -> ";
    let line = signature("token").one_line();
    let cases = [
        (String::new(), "invalid token format"),
        ("1;2;3".to_owned(), "invalid token format"),
        (format!("{good};"), "invalid token format"),
        ("x".repeat(TOKEN_BYTES_MAX + 1), "invalid token format"),
        (good.replacen("1;", "2;", 1), "invalid token version, must be 1"),
        (format!("1;2025-06-01T00:00:00+00:00;n;{line}"), "parsing time"),
        (format!("1;2025-06-01 00:00:00Z;n;{line}"), "parsing time"),
        (format!("1;2025-06-01T00:00:60Z;n;{line}"), "parsing time"),
        (format!("1;2025-05-31T23:49:59Z;n;{line}"), "token timestamp is not within acceptable time limits"),
        (format!("1;2025-06-01T00:10:01Z;n;{line}"), "token timestamp is not within acceptable time limits"),
        ("1;2025-06-01T00:00:00Z;n;".to_owned(), "GetFingerprintFromSignature() -> EOF"),
        ("1;2025-06-01T00:00:00Z;n;AAAA".to_owned(), "GetFingerprintFromSignature() -> EOF"),
        (
            format!("1;2025-06-01T00:00:00Z;other;{line}"),
            "GetFingerprintFromSignature() -> openpgp: invalid signature: hash tag doesn't match",
        ),
        (
            format!("1;2025-06-01T00:00:00.5Z;28047263268867;{line}"),
            "GetFingerprintFromSignature() -> openpgp: invalid signature: hash tag doesn't match",
        ),
    ];
    for (header, expected) in cases {
        let error =
            Token::read(&header, SIGNED, 600).and_then(|token| token.verify(&keys, SIGNED)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unauthorized, "{header}");
        assert!(error.message().starts_with(&format!("{start}{expected}")), "{}", error.message());
    }
    let error = Token::read(&good, SIGNED, 600).unwrap().verify(&[key("ed25519")], SIGNED).unwrap_err();
    let unknown = "GetFingerprintFromSignature() -> openpgp: signature made by unknown entity'";
    assert_eq!(error.message(), format!("{start}{unknown}"));
}

/// Files to be damaged: keys and signatures of every kind, as packets.
fn packets_of(name: &str) -> Vec<u8> {
    let block = if name.ends_with(".asc") { armor::Block::PublicKey } else { armor::Block::Signature };
    armor::packets(&data(&format!("pgp/{name}")), block).unwrap()
}

const KEYS: [&str; 7] = [
    "rsa2048.asc",
    "ed25519.asc",
    "nistp256.asc",
    "subkey.asc",
    "revoked.asc",
    "subkey-revoked.asc",
    "dsa.asc",
];
const SIGNATURES: [&str; 7] = [
    "rsa2048.sig",
    "rsa3072.sig",
    "ed25519.sig",
    "nistp256.sig",
    "subkey.sig",
    "rsa2048-short.sig",
    "rsa2048-text.sig",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_keys_neither_panic_nor_verify_more(
        which in 0..KEYS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = packets_of(KEYS[which]);
        let mut bytes = whole.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(key) = PublicKey::read(&bytes) {
            let _ = key.check_usable(NOW);
            for name in ["rsa2048", "ed25519", "nistp256", "subkey"] {
                if let Ok(verified) = signature(name).verify(&text(), std::slice::from_ref(&key), NOW) {
                    // Only the true key verifies; its fingerprint covers the key itself.
                    let true_key = super::tests::key(name);
                    prop_assert_eq!(&verified.fingerprint, true_key.fingerprint());
                }
            }
        }
    }

    #[test]
    fn damaged_signatures_neither_panic_nor_verify(
        which in 0..SIGNATURES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = packets_of(SIGNATURES[which]);
        let mut bytes = whole.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let keys = ["rsa2048", "rsa3072", "ed25519", "nistp256", "subkey"].map(key);
        if let Ok(damaged) = DetachedSignature::read(&bytes) {
            let _ = damaged.issuers();
            let _ = damaged.verify(b"another text", &keys, NOW).unwrap_err();
            let _ = damaged.verify(&text(), &keys, NOW);
        }
    }

    #[test]
    fn any_bytes_are_no_key_and_no_signature(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(PublicKey::read(&bytes).is_err());
        prop_assert!(DetachedSignature::read(&bytes).is_err());
        let text = String::from_utf8_lossy(&bytes);
        let _ = Token::read(&text, SIGNED, 600);
        let _ = Token::read(&format!("1;2025-06-01T00:00:00Z;{text}"), SIGNED, 600);
    }

    #[test]
    fn any_bytes_survive_armor(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
        let line = armor::one_line(&bytes);
        prop_assert_eq!(&armor::packets(line.as_bytes(), armor::Block::Signature).unwrap(), &bytes);
        let armored = armor::armored(&bytes, armor::Block::PublicKey);
        prop_assert_eq!(&armor::packets(armored.as_bytes(), armor::Block::PublicKey).unwrap(), &bytes);
    }
}
