// SPDX-License-Identifier: Apache-2.0
//! Hostile text shown, hostile paths asked for, hostile pages that make a browser send something.

use super::{exchange, pairs, status_of};
use crate::support::{Answer, Server, TID, record_fields, with};
use serde_json::{Value, json};

const SCRIPT: &str = "<script>alert(1)</script>";

/// A record whose every text is an attack on whoever shows it.
fn hostile_record() -> Value {
    json!({
        "record_format_version": 4,
        "classification": "\"><img src=x onerror=alert(1)>/<b>/'x",
        "severity": 4,
        "machine_id": "=cmd|' /C calc'!A0<script>",
        "creation_timestamp": 1_795_228_041,
        "arch": "x86_64",
        "host_type": format!("{SCRIPT}|\"' onmouseover=alert(1) x='|&amp;"),
        "build": "-2-3.x",
        "kernel_version": format!("6.1{SCRIPT}"),
        "payload_format_version": 1,
        "system_name": "<i>debian</i>",
        "board_name": "</td></tr></table><h1>owned</h1>",
        "cpu_model": "{{7*7}}${7*7}<%= 7*7 %>",
        "bios_version": "javascript:alert(1)",
        "event_id": "00000000000000000000000000000001",
        "payload": format!("=HYPERLINK(\"http://evil.example\"),\r\n{SCRIPT}\u{0}</pre></html><!-- \u{202e}\u{1b}[31m"),
    })
}

fn post_json(server: &Server, object: &Value) -> Answer {
    let fields =
        pairs(&[("Content-Type", "application/json"), ("X-Telemetry-TID", TID), ("User-Agent", "x")]);
    server.post(&fields, object.to_string().as_bytes())
}

/// Nothing of the hostile texts is markup on this page.
fn assert_escaped(page: &str, path: &str) {
    for markup in
        ["<script>", "<img", "<b>", "<i>", "<h1>owned", "</pre></html>", "<!-- ", " onmouseover=alert(1) x='"]
    {
        let is_inside_attribute = markup.starts_with(' ');
        let n = page.matches(markup).count();
        assert!(
            n == 0 || is_inside_attribute && !page.contains("\"' onmouseover"),
            "{path} shows {markup} as it came"
        );
    }
    for pair in page.split('<').skip(1) {
        let tag = pair.split('>').next().unwrap_or("");
        assert!(
            !tag.contains("javascript:") && !tag.contains("onerror=alert(1)&gt;\" onerror"),
            "{path}: <{tag}>"
        );
    }
}

#[test]
fn hostile_texts_are_shown_as_text() {
    let server = Server::start();
    let answer = post_json(&server, &hostile_record());
    assert_eq!(answer.status, 201, "{}", answer.text());
    for (name, value) in hostile_record().as_object().unwrap() {
        let shown = if name == "host_type" { "machine_type" } else { name };
        if name != "creation_timestamp" {
            assert_eq!(&answer.json()[shown], value, "{name}");
        }
    }
    let class = "%22%3E%3Cimg+src%3Dx+onerror%3Dalert(1)%3E%2F%3Cb%3E%2F%27x";
    let paths = [
        "/records",
        "/records/1",
        &format!("/records?classification={class}"),
        "/records?machine_id=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/records?payload=(%3Cscript%3E",
        "/records?payload=%3Cscript%3E&severity=%3Cb%3E",
        "/records?%3Cscript%3E=%3Cscript%3E",
        "/records?from_date=%22%3E%3Cscript%3E",
        "/%3Cscript%3E",
        "/records/%3Cscript%3E",
    ];
    for path in paths {
        for accept in ["text/html", "*/*"] {
            let answer = server.request("GET", path, &pairs(&[("Accept", accept)]), b"");
            let kind = answer.header("content-type").unwrap_or("").to_owned();
            assert!(answer.status < 500, "{path}: {}", answer.status);
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            if kind.starts_with("text/html") {
                assert_escaped(&answer.text(), path);
                let policy = answer.header("content-security-policy").unwrap_or("");
                assert!(
                    policy.contains("default-src 'none'") && !policy.contains("unsafe"),
                    "{path}: {policy}"
                );
            } else {
                assert!(kind.starts_with("application/json"), "{path}: {kind}");
            }
        }
    }
    let page = server.get("/records/1").text();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(!page.contains('\0') && !page.contains('\u{1b}'), "control characters reach the page");
    let file = server.get("/records/1/payload");
    assert_eq!(file.body, hostile_record()["payload"].as_str().unwrap().as_bytes());
    assert!(file.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
}

/// The rows of a CSV, read by the rules of RFC 4180.
fn csv_rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn the_export_starts_no_formula_and_the_api_changes_nothing() {
    let server = Server::start();
    let starts =
        ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "plain", "\"quoted\", with\r\nlines"];
    for (n, start) in starts.into_iter().enumerate() {
        let mut record = hostile_record();
        record["payload"] = start.into();
        record["event_id"] = format!("{n:032x}").into();
        assert_eq!(post_json(&server, &record).status, 201);
    }
    let export = csv_rows(&server.get("/records/export/records-1.csv").body);
    let api = csv_rows(&server.request("GET", "/api/records", &pairs(&[("Accept", "text/csv")]), b"").body);
    let column = |rows: &[Vec<String>], name: &str| rows[0].iter().position(|cell| cell == name).unwrap();
    assert_eq!((export.len(), api.len()), (starts.len() + 1, starts.len() + 1));
    for (n, start) in starts.iter().rev().enumerate() {
        let (export_row, api_row) = (&export[n + 1], &api[n + 1]);
        assert_eq!(&api_row[column(&api, "payload")], start);
        assert_eq!(export_row[column(&export, "machine_id")], "'=cmd|' /C calc'!A0<script>");
        assert_eq!(export_row[column(&export, "build")], "'-2-3.x");
        let payload = &export_row[column(&export, "payload")];
        let is_formula = payload.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        assert!(!is_formula && payload.trim_start_matches('\'') == *start, "{payload:?}");
    }
}

/// Paths that lead nowhere.
const NOWHERE: &[&str] = &[
    "/assets/../../etc/passwd",
    "/assets/..%2f..%2fetc%2fpasswd",
    "/assets/%2e%2e/%2e%2e/etc/passwd",
    "/assets/%2e%2e",
    "/assets/..",
    "/assets/.",
    "/assets/",
    "/assets",
    "/assets//style.css",
    "//assets/style.css",
    "//",
    "///",
    "//etc/passwd",
    "/assets/style.css%00.png",
    "/assets/%00",
    "/assets/\\..\\..\\etc\\passwd",
    "/../etc/passwd",
    "/./records",
    "/records/../records",
    "/records/1%00",
    "/records/-1",
    "/records/0",
    "/records/1/",
    "/records/1.0",
    "/records/+1",
    "/records/0x1",
    "/records/9223372036854775807",
    "/records/9223372036854775808",
    "/records/99999999999999999999999999",
    "/api/records/1;2",
    "/api/records/%EF%BC%91",
    "/api/../records/1",
    "/Records",
    "/records%2f1",
    "/records/export/..",
    "/records/export/records-%0d%0aX:1.csv",
    "/records/export/..%2f..%2fmuster.db",
    "/records/export/records-..%2f..%2fmuster.csv",
    "/records/export/records-%00.csv",
    "/records/export/%2fetc%2fpasswd",
    "/audit/..%2fmuster.db",
    "/audit/export.csv%00",
    "/audit/export.csv%0d%0aX:1",
    "/views/..",
    "/views/..%2f..%2fetc%2fpasswd",
    "/views/%2fetc%2fpasswd",
    "/views/a%00",
    "/api/views/..%2fmuster",
    "/records/quarantine/..",
    "/records/quarantine/99",
    "/records/1/payload/..",
    "/.git/config",
    "/muster.db",
    "/%",
    "/%zz",
    "/%c0%ae%c0%ae/",
];

#[test]
fn paths_lead_nowhere_but_to_what_is_served() {
    let server = Server::start();
    server.post_record(1, "x");
    let mut connection = server.connect();
    for path in NOWHERE {
        for accept in ["text/html", "application/json"] {
            let answer = connection.request("GET", path, &pairs(&[("Accept", accept)]), b"").unwrap();
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
            let text = answer.text();
            assert!(!text.contains("root:") && !text.contains("SQLite format"), "{path}: {text}");
        }
    }
    for target in
        ["/\0", "records", "", "#", "/#x", "ftp://localhost/", "\\", "http://", "http://a@b/", "//\r"]
    {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let received = exchange(server.address, bytes.as_bytes());
        assert_eq!(status_of(&received), 400, "{target:?}: {:?}", String::from_utf8_lossy(&received));
    }
    let received = exchange(server.address, b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(matches!(status_of(&received), 400 | 505), "{:?}", String::from_utf8_lossy(&received));
}

#[test]
fn no_value_of_a_request_becomes_a_header_of_the_answer() {
    let server = Server::start();
    let injected = "%0d%0aX-Injected:%201%0d%0a%0d%0a<script>";
    let targets = [
        format!("/crashes/build?of={injected}/1"),
        format!("/crashes/build?of=a/{injected}"),
        format!("/crashes/build/{injected}/1"),
        format!("/records?classification={injected}"),
        format!("/records?from_id={injected}"),
        format!("/records/export/records-{injected}.csv"),
        format!("/records/export/records-1.csv?payload={injected}"),
        format!("/api/records?limit=1&payload={injected}"),
        format!("/api/v1/publickey/{injected}"),
        format!("/api/v1/search?type={injected}"),
        format!("/audit/{injected}"),
        format!("/audit?actor={injected}"),
        format!("/views/{injected}"),
        format!("/assets/{injected}"),
        format!("/telemetryui/{injected}"),
        format!("/login?next={injected}"),
    ];
    for target in targets {
        for accept in ["text/html", "application/json"] {
            let answer = server.request("GET", &target, &pairs(&[("Accept", accept)]), b"");
            assert!(answer.status >= 200, "{target}");
            assert_eq!(answer.header("x-injected"), None, "{target}");
            for (name, value) in &answer.headers {
                assert!(!value.contains("<script"), "{target}: {name}: {value}");
            }
        }
    }
}

#[test]
fn old_bookmarks_redirect_within_this_server_alone() {
    let server = Server::start();
    let tails = [
        "//evil.example/",
        "/\\evil.example",
        "/%2fevil.example",
        "/%0d%0aSet-Cookie:x=1",
        "///\\/evil.example",
        "@evil.example",
        ".evil.example",
        "/http://evil.example",
    ];
    for tail in tails {
        let answer = server.get(&format!("/telemetryui{tail}"));
        let to = answer.header("location").unwrap_or("/");
        assert!(matches!(answer.status, 302 | 404), "{tail}: {}", answer.status);
        assert!(
            to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\"),
            "{tail} leads to {to}"
        );
        assert_eq!(answer.header("set-cookie"), None, "{tail}");
    }
}

#[test]
fn pages_answer_to_their_own_names_and_the_collector_to_any() {
    let server = Server::start();
    let port = server.address.port();
    for host in [
        "evil.example",
        &format!("evil.example:{port}"),
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "a, localhost",
    ] {
        for path in [
            "/records",
            "/api/records",
            "/api/records/1",
            "/",
            "/records/stream",
            "/records/export/records-1.csv",
            "/healthz",
            "/nowhere",
            "/assets/style.css",
        ] {
            let answer = server.request("GET", path, &pairs(&[("Host", host)]), b"");
            assert!(matches!(answer.status, 421 | 400), "{host}{path}: {}", answer.status);
        }
        let form =
            server.request("POST", "/records/quarantine/1/drop", &pairs(&[("Host", host)]), b"csrf_token=x");
        assert!(matches!(form.status, 421 | 400), "{host}: {}", form.status);
    }
    for host in ["localhost", "127.0.0.1", &format!("127.0.0.1:{port}"), "[::1]:80", "LocalHost:1"] {
        assert_eq!(server.request("GET", "/records", &pairs(&[("Host", host)]), b"").status, 200, "{host}");
    }
    for (event, host) in ["evil.example", "telemetry.lan:443", "localhost", ""].into_iter().enumerate() {
        let mut fields = record_fields(event as u64);
        fields.push(("Host".into(), host.into()));
        for path in ["/", "/v2/collector", "/v3/collector"] {
            assert_eq!(server.request("POST", path, &fields, b"x").status, 201, "{host}{path}");
        }
    }
    let received =
        exchange(server.address, b"GET http://evil.example/records HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status_of(&received), 421, "the authority of the target counts");
    assert_eq!(status_of(&exchange(server.address, b"GET /records HTTP/1.1\r\n\r\n")), 400);
    let twice = b"GET /records HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert_eq!(status_of(&exchange(server.address, twice)), 400);
}

/// The token in the forms of a page.
fn token_in(page: &str) -> String {
    let rest =
        page.split("name=\"csrf_token\" value=\"").nth(1).unwrap_or_else(|| panic!("no token in {page}"));
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_form_is_taken_from_a_page_of_this_server_on_this_machine_alone() {
    let server = Server::start();
    let bad = with(with(record_fields(1), "User-Agent", None), "arch", Some(SCRIPT));
    let answer = server.post(&bad, format!("{SCRIPT}\0</textarea>{SCRIPT}").as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = server.get("/records/quarantine/1").text();
    assert_escaped(&page, "/records/quarantine/1");
    assert_escaped(&server.get("/records/quarantine").text(), "/records/quarantine");
    let token = token_in(&page);
    let good = format!("csrf_token={token}");
    let host = format!("127.0.0.1:{}", server.address.port());
    let own_origin = format!("http://{host}");
    let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("", vec![]),
        ("csrf_token=", vec![]),
        ("csrf_token=00000000000000000000000000000000", vec![]),
        ("csrf_token[]=x", vec![]),
        (&good, vec![("Origin", "http://evil.example")]),
        (&good, vec![("Origin", "null")]),
        (&good, vec![("Origin", "http://localhost.evil.example")]),
        (&good, vec![("X-Forwarded-For", "127.0.0.1")]),
        (&good, vec![("Forwarded", "for=127.0.0.1")]),
        (&good, vec![("X-Real-IP", "127.0.0.1")]),
        (&good, vec![("Via", "1.1 proxy")]),
    ];
    for (body, extra) in &cases {
        for action in ["drop", "admit"] {
            let mut fields = pairs(&[("Host", &host), ("Content-Type", "application/x-www-form-urlencoded")]);
            fields.extend(pairs(extra));
            let path = format!("/records/quarantine/1/{action}");
            let answer = server.request("POST", &path, &fields, body.as_bytes());
            assert_eq!(answer.status, 403, "{action} with {body:?} and {extra:?}: {}", answer.text());
        }
    }
    for action in ["drop", "admit"] {
        assert_eq!(server.get(&format!("/records/quarantine/1/{action}?{good}")).status, 405);
    }
    let after = server.get("/records/quarantine/1");
    assert_eq!((after.status, server.count_records()), (200, 0), "nothing has changed");
    let through_proxy =
        server.request("GET", "/records/quarantine/1", &pairs(&[("X-Forwarded-For", "192.0.2.1")]), b"");
    assert!(!through_proxy.text().contains(&token), "the token is given to who may not use it");
    let fields = pairs(&[("Host", &host), ("Origin", &own_origin)]);
    let answer = server.request("POST", "/records/quarantine/1/drop", &fields, good.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(server.get("/records/quarantine/1").status, 404);
}
