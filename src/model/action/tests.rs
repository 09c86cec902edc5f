// SPDX-License-Identifier: Apache-2.0
//! The vectors of `tests/data/mig`, and rules of Go's encoder one by one.

use super::*;
use proptest::prelude::*;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/mig/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(name: &str) -> String {
    String::from_utf8(data(name)).unwrap()
}

/// The parameters, as they are signed.
fn signed(parameters: &str) -> String {
    let json = format!(r#"{{"operations":[{{"module":"m","parameters":{parameters}}}]}}"#);
    let operations = Action::from_json(json.as_bytes()).unwrap().operations_json().unwrap();
    let start = r#"[{"module":"m","parameters":"#;
    operations.strip_prefix(start).unwrap().strip_suffix("}]").unwrap().to_owned()
}

#[test]
fn the_vectors_of_mig_come_out_byte_for_byte() {
    for name in ["v1-escapes", "v2-simple"] {
        let action = Action::from_json(&data(&format!("{name}.json"))).unwrap();
        assert_eq!(action.signed_text().unwrap(), text(&format!("{name}.string")), "{name}");
        assert_eq!(action.to_json().unwrap(), text(&format!("{name}.gojson")), "{name}");

        let signed_json = text(&format!("{name}.signed.json"));
        let signed_action = Action::from_json(signed_json.as_bytes()).unwrap();
        assert_eq!(signed_action.signed_text().unwrap(), text(&format!("{name}.string")), "{name}");
        assert_eq!(signed_action.to_json().unwrap(), signed_json.trim_end(), "{name}");
    }
}

#[test]
fn files_of_the_spool_come_out_byte_for_byte() {
    let names =
        ["28047392506076.json", "action-done-28047392506029.json", "action-inflight-28047392505999.json"];
    for name in names {
        let json = text(&format!("spool/{name}"));
        let action = Action::from_json(json.as_bytes()).unwrap();
        assert_eq!(action.to_json().unwrap(), json.trim_end(), "{name}");
    }
}

#[test]
fn an_indented_action_is_written_compact_with_its_nanoseconds() {
    let action = Action::from_json(&data("v4-generator-signed.json")).unwrap();
    assert_eq!(action.validfrom.to_string(), "2026-11-21T01:57:05.806659495Z");
    assert_eq!(
        action.signed_text().unwrap(),
        "name=expire me;target=queueloc='linux.edge1';validfrom=1795226225;expireafter=%!s(int64=1795228025);\
         operations=[{\"module\":\"ping\",\"parameters\":{\"count\":1,\"destination\":\"127.0.0.1\",\
         \"destinationport\":17664,\"protocol\":\"tcp\",\"timeout\":1}}];"
    );
}

#[test]
fn numbers_are_written_as_go_writes_a_float64() {
    let cases = [
        ("0", "0"),
        ("-0", "-0"),
        ("0.0", "0"),
        ("-0.0e9", "-0"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("2.50", "2.5"),
        ("-1.50", "-1.5"),
        ("0.1", "0.1"),
        ("0.000001", "0.000001"),
        ("0.00000123", "0.00000123"),
        ("0.0000001", "1e-7"),
        ("0.00000099", "9.9e-7"),
        ("-1.5e-7", "-1.5e-7"),
        ("1e-10", "1e-10"),
        ("1.25e-100", "1.25e-100"),
        ("5e-324", "5e-324"),
        ("1e-400", "0"),
        ("-1e-400", "-0"),
        ("1e20", "100000000000000000000"),
        ("999999999999999999999", "1e+21"),
        ("123456789012345678901", "123456789012345680000"),
        ("1e21", "1e+21"),
        ("-1e21", "-1e+21"),
        ("1.5e300", "1.5e+300"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("12345678901234567890", "12345678901234567000"),
        ("9007199254740993", "9007199254740992"),
        ("9223372036854775807", "9223372036854776000"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("201412311300", "201412311300"),
    ];
    for (number, expected) in cases {
        assert_eq!(signed(number), expected, "{number}");
    }
}

#[test]
fn a_number_that_float64_cannot_hold_is_refused() {
    for number in ["1e400", "-1e400", "1.8e308"] {
        let json = format!(r#"{{"operations":[{{"module":"m","parameters":[{number}]}}]}}"#);
        let error = Action::from_json(json.as_bytes()).unwrap_err();
        assert!(error.message().contains("too large"), "{number}: {}", error.message());
    }
    assert!(Action::from_json(br#"{"id":1e400}"#).is_err());
    assert!(Action::from_json(br#"{"description":{"revision":1e999}}"#).is_err());
}

#[test]
fn strings_are_escaped_as_by_go() {
    let cases = [
        (r#""\"\\\/""#, r#""\"\\/""#),
        (r#""\n\r\t\b\f""#, r#""\n\r\t\u0008\u000c""#),
        (r#""\u0000\u001F\u007f""#, "\"\\u0000\\u001f\u{7f}\""),
        (r#""<script>&amp;""#, r#""\u003cscript\u003e\u0026amp;""#),
        ("\"\u{2028}\u{2029}\"", r#""\u2028\u2029""#),
        (r#""\u00e9\u20ac""#, "\"é€\""),
        (r#""\ud83d\ude00""#, "\"😀\""),
        (r#""\ud83d""#, "\"\u{fffd}\""),
        (r#""\ude00x""#, "\"\u{fffd}x\""),
        (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#""\ud83d\u0041""#, "\"\u{fffd}A\""),
        (r#""\\ud83d""#, r#""\\ud83d""#),
        ("\"\u{feff}\u{e000}\u{10ffff}\"", "\"\u{feff}\u{e000}\u{10ffff}\""),
    ];
    for (written, expected) in cases {
        assert_eq!(signed(written), expected, "{written}");
    }
}

#[test]
fn each_byte_that_is_not_utf_8_becomes_one_replacement() {
    let cases: [(&[u8], &str); 5] = [
        (b"\xff", "\u{fffd}"),
        (b"a\xe2\x82z", "a\u{fffd}\u{fffd}z"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xc0\xaf", "\u{fffd}\u{fffd}"),
        (b"\xf0\x9f\x98", "\u{fffd}\u{fffd}\u{fffd}"),
    ];
    for (bytes, expected) in cases {
        let json = [b"{\"name\":\"".as_slice(), bytes, b"\"}"].concat();
        assert_eq!(Action::from_json(&json).unwrap().name, expected, "{bytes:?}");
    }
    assert!(Action::from_json(b"{\"name\":\"x\"\xff}").is_err());
}

#[test]
fn keys_of_parameters_are_sorted_by_bytes_and_the_last_of_two_wins() {
    assert_eq!(
        signed(r#"{"b":1,"a":2,"B":3,"é":4,"":5,"a<":6,"ｚ":7,"😀":8,"a":9}"#),
        r#"{"":5,"B":3,"a":9,"a\u003c":6,"b":1,"é":4,"ｚ":7,"😀":8}"#
    );
    assert_eq!(signed(r#"[ {"z" : [ ] , "y" : { } } , null , true , false ]"#), {
        r#"[{"y":{},"z":[]},null,true,false]"#
    });
}

#[test]
fn keys_of_the_action_are_read_in_any_case_and_unknown_ones_ignored() {
    let json = r#"{"NAME":"a","Target":"b","name":"c","extra":{"x":[1]},
        "OperationS":[{"MODULE":"p","Is_Compressed":
        true,"want_compressed":false,"nonsense":1e999}],"ValidFrom":"2026-11-21T02:20:53+02:00","id":null,
        "\u017fyntaxver\u017fion":2,"description":null,"threat":{"REF":"r","type":"t"},"status":"x"}"#;
    let action = Action::from_json(json.as_bytes()).unwrap();
    assert_eq!((action.name.as_str(), action.target.as_str()), ("c", "b"));
    assert_eq!(action.syntaxversion, 2);
    assert_eq!(action.validfrom.unix_secs, 1_795_220_453);
    assert_eq!(
        action.to_json().unwrap(),
        "{\"id\":0,\"name\":\"c\",\"target\":\"b\",\"description\":{},\
         \"threat\":{\"ref\":\"r\",\"type\":\"t\"},\
         \"validfrom\":\"2026-11-21T02:20:53+02:00\",\"expireafter\":\"0001-01-01T00:00:00Z\",\
         \"operations\":[{\"module\":\"p\",\"parameters\":null,\"is_compressed\":true}],\
         \"pgpsignatures\":null,\
         \"status\":\"x\",\"starttime\":\"0001-01-01T00:00:00Z\",\"finishtime\":\"0001-01-01T00:00:00Z\",\
         \"lastupdatetime\":\"0001-01-01T00:00:00Z\",\"counters\":{},\"syntaxversion\":2}"
    );
}

#[test]
fn no_operations_and_a_list_of_none_are_signed_differently() {
    for (json, expected) in
        [("{}", "null"), (r#"{"operations":null}"#, "null"), (r#"{"operations":[]}"#, "[]")]
    {
        let text = Action::from_json(json.as_bytes()).unwrap().signed_text().unwrap();
        assert!(text.ends_with(&format!(";operations={expected};")), "{text}");
    }
}

#[test]
fn what_is_no_action_is_refused() {
    let cases: [&[u8]; 16] = [
        b"",
        b"[]",
        b"\"x\"",
        b"{} x",
        b"{",
        b"{\"name\":1}",
        b"{\"operations\":{}}",
        b"{\"operations\":[1]}",
        b"{\"pgpsignatures\":\"x\"}",
        b"{\"syntaxversion\":65536}",
        b"{\"syntaxversion\":-1}",
        b"{\"counters\":{\"sent\":1.5}}",
        b"{\"validfrom\":\"yesterday\"}",
        b"{\"validfrom\":5}",
        b"{\"name\":\"a\nb\"}",
        b"{\"operations\":[{\"module\":\"m\",\"parameters\":{\"$serde_json::private::Number\":\"1\"}}]}",
    ];
    for json in cases {
        assert!(Action::from_json(json).is_err(), "{}", String::from_utf8_lossy(json));
    }
    let deep = format!("{{\"operations\":[{{\"parameters\":{}1{}}}]}}", "[".repeat(9_999), "]".repeat(9_999));
    assert!(Action::from_json(deep.as_bytes()).is_err());
    assert!(Action::from_json(&vec![b' '; ACTION_BYTES_MAX + 1]).is_err());
}

#[test]
fn ids_are_whole_numbers_below_2_to_the_53rd() {
    let cases = [
        ("28047263268867", Some(28_047_263_268_867)),
        ("2.8047263268867e13", Some(28_047_263_268_867)),
        ("1e0", Some(1)),
        ("5.0", Some(5)),
        ("9007199254740991", Some(9_007_199_254_740_991)),
        ("9007199254740992", None),
        ("6.115472790658567e+18", None),
        ("0", None),
        ("-0", None),
        ("-1", None),
        ("1.5", None),
        ("1e300", None),
    ];
    for (id, expected) in cases {
        let action = Action::from_json(format!(r#"{{"id":{id}}}"#).as_bytes()).unwrap();
        assert_eq!(action.known_id(), expected, "{id}");
    }
}

#[test]
fn times_keep_their_offset_and_their_digits() {
    let same = [
        "0001-01-01T00:00:00Z",
        "0009-01-11T11:11:11.000000011Z",
        "9998-01-11T11:11:11.000000011Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-11-21T02:21:01.32238Z",
        "2026-11-21T02:21:01.5+05:30",
        "2024-02-29T23:59:59-11:00",
        "0000-01-01T00:00:00Z",
    ];
    for text in same {
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
    }
    let others = [
        ("2026-11-21T02:21:01.500Z", "2026-11-21T02:21:01.5Z"),
        ("2026-11-21T02:21:01.000Z", "2026-11-21T02:21:01Z"),
        ("2026-11-21T02:21:01+00:00", "2026-11-21T02:21:01Z"),
        ("2026-11-21T02:21:01-00:00", "2026-11-21T02:21:01Z"),
        ("2026-11-21T02:21:01.1234567899Z", "2026-11-21T02:21:01.123456789Z"),
    ];
    for (text, expected) in others {
        assert_eq!(Timestamp::parse(text).unwrap().to_string(), expected, "{text}");
    }
    let bad = [
        "",
        "2026-11-21",
        "2026-11-21T02:21:01",
        "2026-11-21 02:21:01Z",
        "2026-11-21t02:21:01z",
        "2026-02-29T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T02:21:60Z",
        "2026-11-21T02:21:01.Z",
        "2026-11-21T02:21:01+24:00",
        "2026-11-21T02:21:01+0100",
        "2026-11-21T02:21:01Zx",
        "2026-11-21T02:21:01é",
        "+026-11-21T02:21:01Z",
    ];
    for text in bad {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
}

#[test]
fn stand_ins_of_mig_are_no_times() {
    for (text, known) in [
        ("0001-01-01T00:00:00Z", None),
        ("0009-01-11T11:11:11.000000011Z", None),
        ("9998-01-11T11:11:11.000000011Z", None),
        ("9998-01-11T11:11:11Z", None),
        ("2026-11-21T02:20:53.443946Z", Some(1_795_227_653)),
        ("1969-12-31T23:59:59.5Z", Some(-1)),
    ] {
        assert_eq!(Timestamp::parse(text).unwrap().known_secs(), known, "{text}");
    }
    assert_eq!(Timestamp::ZERO.to_string(), "0001-01-01T00:00:00Z");
    assert_eq!(Timestamp::NOT_STARTED.to_string(), "0009-01-11T11:11:11Z");
    assert_eq!(Timestamp::NOT_FINISHED.to_string(), "9998-01-11T11:11:11Z");
}

#[test]
fn a_year_past_9999_is_not_written() {
    let at = Timestamp { unix_secs: 253_402_300_799, nanos: 0, offset_secs: 3_600 };
    for validfrom in [at, Timestamp::utc(i64::MAX), Timestamp::utc(i64::MIN)] {
        let action = Action { validfrom, ..Action::default() };
        assert!(action.to_json().is_err());
        // The number alone is signed.
        assert!(action.signed_text().is_ok());
    }
}

/// JSON of any shape, as text.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
        any::<i64>().prop_map(|x| x.to_string()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        Just(r#""\ud800\udc00\ud800""#.to_owned()),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((any::<String>(), inner), 0..5).prop_map(|entries| {
                let fields: Vec<String> =
                    entries.into_iter().map(|(key, value)| format!("{}:{value}", Value::from(key))).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Action::from_json(&bytes);
    }

    #[test]
    fn mutated_actions_are_read_or_refused(at in 0..1_400_usize, byte in any::<u8>()) {
        let mut bytes = data("v1-escapes.signed.json");
        let len = bytes.len();
        bytes[at % len] = byte;
        if let Ok(action) = Action::from_json(&bytes) {
            let once = action.to_json().unwrap();
            prop_assert_eq!(Action::from_json(once.as_bytes()).unwrap().to_json().unwrap(), once);
        }
    }

    #[test]
    fn writing_what_was_written_changes_nothing(
        name in any::<String>(), target in any::<String>(), parameters in any_json(), secs in any::<i32>()
    ) {
        let json = format!(
            r#"{{"name":{},"target":{},"validfrom":"{}",
                "operations":[{{"module":"m","parameters":{parameters}}}]}}"#,
            Value::from(name.clone()), Value::from(target), Timestamp::utc(i64::from(secs)),
        );
        let action = Action::from_json(json.as_bytes()).unwrap();
        prop_assert_eq!(&action.name, &name);
        let once = action.to_json().unwrap();
        let again = Action::from_json(once.as_bytes()).unwrap();
        prop_assert_eq!(again.to_json().unwrap(), once);
        prop_assert_eq!(again.signed_text().unwrap(), action.signed_text().unwrap());
    }

    #[test]
    fn floats_survive_being_written(number in any::<f64>().prop_filter("finite", |x| x.is_finite())) {
        let mut text = String::new();
        go_json::push_float(&mut text, number).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), number.to_bits());
    }
}
