// SPDX-License-Identifier: Apache-2.0
//! The views render what outsiders send without being broken by it. No database, no server: data in, HTML out.

mod charts;
pub mod html;

use html::{Element, read, read_document};
use muster::model::account::Rights;
use muster::model::filter::ParameterError;
use muster::model::pairs::Pairs;
use muster::model::quarantine::{NewQuarantined, Quarantined};
use muster::model::record::{EventId, NewRecord, Record, Severity};
use muster::store::RecordChoices;
use muster::views::{self, Page, Viewer, error_page, layout, quarantine, record, records};

const NOW: i64 = 1_795_228_041;

/// Text that would break a page if anything let it.
const HOSTILE: [&str; 8] = [
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "</td></tr></table>",
    "<!-- & &amp; &#60;",
    "\u{202e}gpj.exe\u{200f}",
    "😀𝕏\u{1F469}\u{200D}\u{1F4BB}",
    "a\0b\u{1b}[31m\r\n\u{85}\u{feff}",
    "javascript:alert(1)//%00%zz?&#=+ ",
];

fn record(id: i64, text: &str) -> Record {
    let content = NewRecord {
        record_format_version: 4,
        classification: format!("{text}/{text}/{text}"),
        severity: Severity::ALL[usize::try_from(id).unwrap() % 4],
        machine_id: text.into(),
        captured_at: NOW - 100,
        arch: text.into(),
        host_type: text.into(),
        build: text.into(),
        kernel_version: text.into(),
        payload_format_version: Some(1),
        system_name: Some(text.into()),
        board_name: Some(text.into()),
        cpu_model: Some(String::new()),
        bios_version: None,
        event_id: Some(EventId([7; 16])),
        is_external: id % 2 == 0,
        payload: format!("\n{text}\n{text}"),
    };
    Record { id, received_at: NOW - id * 60, content }
}

fn list(text: &str, n_rows: i64) -> records::Data {
    records::Data {
        now: NOW,
        asked: Pairs::default(),
        error: None,
        choices: RecordChoices {
            classifications: vec![(format!("{text}/{text}/{text}"), 3), (text.into(), 2)],
            systems: vec![(text.into(), 5)],
            builds: vec![(text.into(), text.into(), 5)],
            external: 1,
        },
        records: (1..=n_rows).rev().map(|id| record(id, text)).collect(),
        from_id: None,
        next_below_id: (n_rows == 50).then_some(1),
        searched_back_to: None,
        newest_id: n_rows,
        n_records: n_rows,
        has_quarantined: true,
        may_delete: false,
        csrf_token: String::new(),
        n_deleted: None,
        size_warning: None,
        origin: "http://localhost:8080".into(),
        tid: "6907c830-eed9-4ce9-81ae-76daf8d88f0f".into(),
    }
}

fn document(page: &Page) -> Vec<Element> {
    let frame = layout::Frame { path: "/records", n_records: Some(1_234_567), tabs: &[], viewer: None };
    read_document(&layout::render(&frame, page).into_string())
}

fn asked(pairs: &[(&str, &str)]) -> Pairs {
    Pairs(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
}

fn links(elements: &[Element]) -> Vec<&str> {
    elements.iter().filter_map(|e| e.attribute("href")).collect()
}

fn post(text: &str) -> Quarantined {
    let content = NewQuarantined {
        reason: text.into(),
        peer: text.into(),
        head: format!("POST / HTTP/1.1\r\nX: {text}").into_bytes(),
        body: [text.as_bytes(), b"\xff\xfe"].concat(),
        is_body_cut: true,
    };
    Quarantined { id: 3, received_at: NOW, content }
}

#[test]
fn hostile_text_never_breaks_a_page() {
    for text in HOSTILE {
        let mut data = list(text, 50);
        data.asked = Pairs(records::FIELDS.iter().map(|f| (f.name.to_owned(), text.to_owned())).collect());
        document(&records::render(&data));
        data.error = Some(ParameterError { parameter: "payload".into(), message: text.into() });
        document(&records::render(&data));
        data.error = Some(ParameterError { parameter: text.into(), message: text.into() });
        document(&records::render(&data));
        let one = record::Data {
            now: NOW,
            record: record(1, text),
            newer_id: Some(2),
            older_id: None,
            crash: None,
            agent_ids: vec![1, 2],
            delete_token: None,
        };
        document(&record::render(&one));
        let posts = quarantine::Data { now: NOW, posts: vec![post(text)], next_below_id: Some(3) };
        document(&quarantine::render(&posts));
        let correction = quarantine::Correction {
            fields: vec![("severity".into(), text.into()), ("host_type".into(), text.into())],
            payload: text.into(),
            is_payload_as_sent: true,
            error: Some(ParameterError { parameter: "severity".into(), message: text.into() }),
        };
        let viewer = Viewer {
            rights: Rights::all(),
            has_accounts: false,
            csrf_token: text.into(),
            session_digest: None,
            origin: text.into(),
        };
        document(&quarantine::render_entry(&post(text), &viewer, &correction, NOW));
        let failure = error_page::Failure { status: 500, message: text, request_id: text };
        read_document(&views::error_document(text, &failure));
    }
}

#[test]
fn nothing_that_cannot_be_seen_reaches_a_page() {
    for text in HOSTILE {
        let one = record::Data {
            now: NOW,
            record: record(1, text),
            newer_id: None,
            older_id: None,
            crash: None,
            agent_ids: vec![],
            delete_token: None,
        };
        let page =
            record::render(&one).markup.into_string() + &records::render(&list(text, 1)).markup.into_string();
        let is_hidden =
            |c: char| c.is_control() && c != '\n' || matches!(c, '\u{200f}' | '\u{202e}' | '\u{feff}');
        let elements = read(&page);
        // The value of a choice is sent back as it is; what is seen of it is not.
        let is_seen = |name: &str| name == "title" || name == "label";
        for element in elements {
            assert!(!element.text.contains(is_hidden), "{:?}", element.text);
            for (_, value) in element.attributes.iter().filter(|(name, _)| is_seen(name)) {
                assert!(!value.contains(is_hidden), "{value:?}");
            }
        }
    }
}

#[test]
fn a_payload_is_shown_line_by_line_with_its_first_empty_line() {
    let one = record::Data {
        now: NOW,
        record: record(1, "a\0b\tc"),
        newer_id: None,
        older_id: None,
        crash: None,
        agent_ids: vec![],
        delete_token: None,
    };
    let elements = document(&record::render(&one));
    let pre = elements.iter().find(|e| e.name == "pre").unwrap();
    // The first line end is the one that HTML drops.
    assert_eq!(pre.text, "\n\na\\0b\tc\na\\0b\tc");
}

#[test]
fn rows_are_there_none_one_and_fifty() {
    for n_rows in [0, 1, 50] {
        let elements = document(&records::render(&list("a", n_rows)));
        let rows = elements.iter().filter(|e| e.attribute("id").is_some_and(|id| id.starts_with("record-")));
        assert_eq!(rows.count(), usize::try_from(n_rows).unwrap());
        let has_more = elements.iter().any(|e| e.has_class("more"));
        assert_eq!(has_more, n_rows == 50);
    }
}

#[test]
fn the_rows_of_an_event_are_one_line() {
    for text in HOSTILE {
        let rows = records::render_rows(&[record(1, text), record(2, text)], NOW, false).into_string();
        assert!(!rows.contains(['\n', '\r']), "{rows}");
        assert_eq!(read(&rows).iter().filter(|e| e.name == "tr").count(), 2);
    }
}

#[test]
fn an_empty_database_shows_how_to_post_a_first_record() {
    let elements = document(&records::render(&list("a", 0)));
    let command = &elements.iter().find(|e| e.name == "pre").unwrap().text;
    assert!(command.starts_with("curl 'http://localhost:8080/' \\\n"), "{command}");
    assert!(command.contains("-H 'X-Telemetry-TID: 6907c830-eed9-4ce9-81ae-76daf8d88f0f'"), "{command}");
    let mut data = list("a", 0);
    data.n_records = 5;
    data.asked = asked(&[("severity", "4")]);
    let elements = document(&records::render(&data));
    assert!(elements.iter().any(|e| e.text == "Nothing matches"));
}

#[test]
fn the_filter_is_in_every_link_that_keeps_it() {
    let mut data = list("a", 50);
    data.asked = asked(&[("classification", "org.clearlinux/*"), ("payload", "x&y=1 +")]);
    let elements = document(&records::render(&data));
    let query = "classification=org.clearlinux/*&payload=x%26y%3D1%20%2B";
    let expected = [
        format!("/records?{query}&from_id=1"),
        format!("/records/export/records-20261121-022721.csv?{query}"),
        "/records?classification=org.clearlinux/*".to_owned(),
        "/records?payload=x%26y%3D1%20%2B".to_owned(),
    ];
    for link in &expected {
        assert!(links(&elements).contains(&link.as_str()), "{link} is not among {:#?}", links(&elements));
    }
    let stream = elements.iter().find_map(|e| e.attribute("data-url")).unwrap();
    assert_eq!(stream, format!("/records/stream?{query}&after_id=50"));
}

#[test]
fn a_broken_condition_is_told_beside_its_field_and_the_form_is_kept() {
    let mut data = list("a", 0);
    data.asked = asked(&[("severity", "3"), ("payload", "(")]);
    data.error = Some(ParameterError { parameter: "payload".into(), message: "payload is wrong".into() });
    let page = records::render(&data);
    assert_eq!(page.status, 400);
    let elements = document(&page);
    let field = elements.iter().find(|e| e.attribute("name") == Some("payload")).unwrap();
    assert_eq!(field.attribute("value"), Some("("));
    assert_eq!(field.attribute("aria-invalid"), Some("true"));
    let message = field.attribute("aria-describedby").unwrap();
    let message = elements.iter().find(|e| e.attribute("id") == Some(message)).unwrap();
    assert_eq!(message.text, "payload is wrong");
    let details = elements.iter().find(|e| e.name == "details").unwrap();
    assert!(details.attribute("open").is_some());
    let chosen: Vec<_> = elements.iter().filter(|e| e.attribute("selected").is_some()).collect();
    assert_eq!(chosen[0].attribute("value"), Some("3"));
}

#[test]
fn a_value_that_is_not_offered_stays_chosen() {
    let mut data = list("a", 0);
    data.asked = asked(&[("classification", "b/*"), ("severity", "7"), ("system_name", "plan9")]);
    let elements = document(&records::render(&data));
    let chosen: Vec<_> = elements.iter().filter(|e| e.attribute("selected").is_some()).collect();
    let values: Vec<_> = chosen.iter().filter_map(|e| e.attribute("value")).collect();
    assert_eq!(values, ["b/*", "7", "plan9", ""]);
}

#[test]
fn classifications_are_offered_whole_and_by_domain_and_probe() {
    let mut data = list("a", 0);
    let names = ["a/b/c", "a/b/d", "a/e/f", "g/h/i"];
    data.choices.classifications = names.iter().map(|name| ((*name).to_owned(), 2)).collect();
    let elements = document(&records::render(&data));
    let at = elements.iter().position(|e| e.attribute("id") == Some("classification")).unwrap();
    let options = elements[at + 1..].iter().take_while(|e| e.name == "option" || e.name == "optgroup");
    let values: Vec<_> = options.filter_map(|e| e.attribute("value")).collect();
    assert_eq!(values, ["", "a/*", "a/b/*", "a/b/c", "a/b/d", "a/e/*", "a/e/f", "g/*", "g/h/*", "g/h/i"]);
    assert!(elements.iter().any(|e| e.text == "all of a (6)"));
}

#[test]
fn a_search_that_ran_out_of_time_says_how_far_it_got() {
    let mut data = list("a", 0);
    data.n_records = 1_000_000;
    data.next_below_id = Some(77);
    data.searched_back_to = Some(NOW);
    let elements = document(&records::render(&data));
    assert!(elements.iter().any(|e| e.name == "time" && e.text == "2026-11-21 02:27:21 UTC"));
    assert!(links(&elements).contains(&"/records?from_id=77"));
}

#[test]
fn a_record_links_to_those_that_share_a_value() {
    let mut one = record(5, "x");
    one.content.classification = "org.clearlinux/crash/clr".into();
    one.content.system_name = Some("clear-linux-os".into());
    one.content.build = "41890".into();
    let data = record::Data {
        now: NOW,
        record: one,
        newer_id: Some(6),
        older_id: Some(4),
        crash: None,
        agent_ids: vec![],
        delete_token: None,
    };
    let elements = document(&record::render(&data));
    for link in [
        "/records?classification=org.clearlinux/*",
        "/records?classification=org.clearlinux/crash/*",
        "/records?classification=org.clearlinux/crash/clr",
        "/records?severity=2",
        "/records?machine_id=x",
        "/records?system_name=clear-linux-os&build=41890",
        "/records?event_id=07070707070707070707070707070707",
        "/records/6",
        "/records/4",
        "/records/5/payload",
        "/api/records/5",
    ] {
        assert!(links(&elements).contains(&link), "{link} is not among {:#?}", links(&elements));
    }
}

#[test]
fn the_forms_that_change_something_carry_the_token() {
    let viewer = Viewer {
        rights: Rights::all(),
        has_accounts: false,
        csrf_token: "token".into(),
        session_digest: None,
        origin: String::new(),
    };
    let page = quarantine::render_entry(&post("x"), &viewer, &quarantine::Correction::default(), NOW);
    let elements = document(&page);
    let forms: Vec<_> = elements.iter().filter(|e| e.attribute("method") == Some("post")).collect();
    let actions: Vec<_> = forms.iter().filter_map(|e| e.attribute("action")).collect();
    assert_eq!(actions, ["/records/quarantine/3/admit", "/records/quarantine/3/drop"]);
    let tokens = elements.iter().filter(|e| e.attribute("name") == Some("csrf_token"));
    assert_eq!(tokens.filter(|e| e.attribute("value") == Some("token")).count(), 2);
}

#[test]
fn every_view_is_found_under_its_own_path() {
    for view in views::VIEWS {
        let path = view.path.replace("{id}", "17");
        let (found, _) = views::find(&path).unwrap();
        assert_eq!(found.path, view.path, "{path}");
        assert!(!view.help.is_empty() && !view.help.ends_with('.'));
    }
    assert!(views::find("/nothing").is_none());
}

#[test]
fn every_error_says_what_to_do() {
    for status in [400, 401, 403, 404, 405, 408, 409, 413, 415, 418, 421, 431, 500, 501, 503] {
        let failure = error_page::Failure { status, message: "Why", request_id: "7f-1" };
        let elements = read_document(&views::error_document("/x", &failure));
        assert!(elements.iter().any(|e| e.text == "Why") && elements.iter().any(|e| e.text == "7f-1"));
        assert!(links(&elements).contains(&"/records"));
    }
}
