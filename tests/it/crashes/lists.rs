// SPDX-License-Identifier: Apache-2.0
//! Guilties and how they are counted: by kind, time, build, machine; a page at a time.

use super::*;

/// The samples that have a class with a backtrace: file, class, function and module with an empty list.
fn samples() -> Vec<[String; 4]> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads");
    let index = std::fs::read_to_string(directory.join("INDEX.tsv")).unwrap();
    index
        .lines()
        .skip(1)
        .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
        .filter(|row| row[1] == PROGRAM || row[1].starts_with("org.clearlinux/kernel/"))
        .map(|row| [row[0].clone(), row[1].clone(), row[4].clone(), row[5].clone()])
        .collect()
}

fn sample(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/payloads").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Posts each sample as a build of its own; returns what was posted and the address of each build's guilties.
fn post_samples(server: &Server) -> Vec<([String; 4], String)> {
    let mut posted = Vec::new();
    for (number, row) in samples().into_iter().enumerate() {
        let build = (100 + number).to_string();
        let crash = Crash {
            event: number as u64,
            classification: &row[1],
            build: &build,
            payload: &sample(&row[0]),
            ..Crash::default()
        };
        post(server, &crash);
        let kind = if row[1] == PROGRAM { "program" } else { "kernel" };
        posted.push((row, format!("/api/crashes/build/clear-linux-os/{build}?kind={kind}")));
    }
    posted
}

#[test]
fn the_samples_have_the_guilties_of_their_index_without_the_shipped_list() {
    let server = Server::start();
    change(&server, &[("defaults", "off")]);
    let posted = post_samples(&server);
    assert_eq!(posted.len(), 9);
    for ([file, _, function, module], url) in posted {
        let answer = server.get(&url);
        let found = guilties(&answer);
        let expected = match function.as_str() {
            "" => vec![],
            _ => vec![(function, module, 1)],
        };
        assert_eq!(found, expected, "{file}");
        let json = answer.json();
        assert_eq!(json["crashes"], 1, "{file}");
        assert_eq!(json["without_guilty"], i64::from(expected.is_empty()), "{file}");
    }
}

#[test]
fn the_shipped_list_finds_the_cause_and_not_the_messenger() {
    let server = Server::start();
    let posted = post_samples(&server);
    let expected = [
        ("crash-abort.txt", "release_buffer()", "/usr/bin/crash_abort"),
        ("crash-c.txt", "list_find()", "/usr/bin/crash_c"),
        ("klog-warn_on.txt", "dev_watchdog", "kernel"),
    ];
    for (file, function, module) in expected {
        let (_, url) = posted.iter().find(|(row, _)| row[0] == file).unwrap();
        assert_eq!(guilties(&server.get(url)), [(function.to_owned(), module.to_owned(), 1)], "{file}");
    }
    let (_, url) = posted.iter().find(|(row, _)| row[0] == "crash-cpp.txt").unwrap();
    let shown = server.get(url).json()["guilties"][0]["shown"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("render::SoftwarePainter<unsigned char>::fill("), "{shown}");
}

#[test]
fn each_kind_is_counted_apart_and_other_classes_not_at_all() {
    let server = Server::start();
    let frames = payload(&["f() - [m]"]);
    let classes = [PROGRAM, "org.clearlinux/kernel/bug", "org.clearlinux/kernel/warning"];
    let others =
        ["org.clearlinux/crash/unknown", "org.clearlinux/crash/clr-build", "org.clearlinux/crash/error"];
    for (event, classification) in classes.iter().chain(&others).enumerate() {
        post(&server, &Crash { event: event as u64, classification, payload: &frames, ..Crash::default() });
    }
    for (url, crashes) in [("/api/crashes", 1), ("/api/crashes?kind=kernel", 2), ("/api/crashes/overall", 1)]
    {
        let json = server.get(url).json();
        assert_eq!(json["crashes"], crashes, "{url}");
        assert_eq!(json["systems"][0]["crashes"], crashes, "{url}");
    }
    assert!(says(&page(&server, "/crashes?kind=kernel"), "2 kernel oopses"));
}

#[test]
fn ten_guilties_a_page_and_the_rest_by_a_link() {
    let server = Server::start();
    let mut event = 0;
    // The first function crashes 13 times, the last once.
    for function in 1..=13 {
        for _ in function..=13 {
            event += 1;
            post_frames(&server, event, &[&format!("f{function}() - [m]"), "main() - [m]"]);
        }
    }
    let first = page(&server, "/crashes");
    assert!(links(&first).contains(&"/crashes?skip=10"), "{:#?}", links(&first));
    assert_eq!(first.iter().filter(|e| e.name == "a" && e.has_class("guilty")).count(), 10);
    let second = page(&server, "/crashes?skip=10");
    assert_eq!(second.iter().filter(|e| e.name == "a" && e.has_class("guilty")).count(), 3);
    assert!(!links(&second).contains(&"/crashes?skip=20"));
    let json = server.get("/api/crashes?skip=10").json();
    assert_eq!(
        (&json["guilties"][0]["rank"], &json["guilties"][0]["function"]),
        (&11.into(), &"f11()".into())
    );
    assert_eq!(
        (&json["guilties_count"], &json["most"], &json["crashes"]),
        (&13.into(), &13.into(), &91.into())
    );
    assert!(json["next_skip"].is_null());
    assert!(says(&page(&server, "/crashes?skip=50"), "No more guilties"));
}

#[test]
fn a_guilty_is_shown_by_build_and_machine_and_its_backtraces_are_folded() {
    let server = Server::start();
    let crashes = [("41890", "a1", 3), ("41890", "b<2", 1), ("41900", "a1", 2)];
    let mut event = 0;
    for (build, machine_id, count) in crashes {
        for _ in 0..count {
            event += 1;
            let payload =
                payload(&["hot() - [m] - a.c:1", if event == 1 { "x() - [m]" } else { "y() - [m]" }]);
            post(&server, &Crash { event, build, machine_id, payload: &payload, ..Crash::default() });
        }
    }
    let id = guilty_id(&server, "hot()");
    let json = server.get(&format!("/api/crashes/guilty_details/{id}")).json();
    assert_eq!(json["crashes"], 6);
    let builds = json["by_build"].as_array().unwrap();
    assert_eq!((&builds[0]["build"], &builds[0]["crashes"]), (&"41900".into(), &2.into()));
    assert_eq!((&builds[1]["build"], &builds[1]["machines"]), (&"41890".into(), &2.into()));
    assert_eq!(builds[1]["top_machines"][1]["machine_id"], "b<2");
    let elements = page(&server, &format!("/crashes/guilty_details/{id}"));
    let backtraces = format!("/crashes/guilty_details/{id}/backtraces");
    for link in [
        "/records?machine_id=b%3C2".to_owned(),
        format!("{backtraces}?machine_id=a1&system_name=clear-linux-os&build=41900"),
        format!("{backtraces}?system_name=clear-linux-os&build=41890"),
    ] {
        assert!(links(&elements).contains(&link.as_str()), "{link} is not among {:#?}", links(&elements));
    }
    let cases = [
        ("", 6, 2, 5),
        ("?machine_id=a1&build=41890&system_name=clear-linux-os", 3, 2, 2),
        ("?build=41900", 2, 1, 2),
    ];
    for (query, all, different, first) in cases {
        let json = server.get(&format!("/api{backtraces}{query}")).json();
        assert_eq!(
            (&json["crashes"], &json["backtraces_count"]),
            (&all.into(), &different.into()),
            "{query}"
        );
        assert_eq!(json["backtraces"][0]["crashes"], first, "{query}");
        assert_eq!(json["backtraces"][0]["frames"][0]["is_guilty"], true, "{query}");
        assert_eq!(json["backtraces"][0]["frames"][1]["is_guilty"], false, "{query}");
        let elements = page(&server, &format!("{backtraces}{query}"));
        assert_eq!(elements.iter().filter(|e| e.name == "li" && e.has_class("guilty")).count(), different);
    }
    assert!(says(&page(&server, &format!("{backtraces}?machine_id=nobody")), "No crash of this guilty here"));
}

#[test]
fn a_build_is_found_by_its_form_whatever_it_is_called() {
    let server = Server::start();
    post_frames(&server, 1, &["f() - [m]"]);
    let mut fields = crate::support::record_fields(2);
    for (name, value) in [("classification", PROGRAM), ("system_name", "a/b c"), ("build", "1.2-x")] {
        fields = with(fields, name, Some(value));
    }
    assert_eq!(server.post(&fields, payload(&["g() - [m]"]).as_bytes()).status, 201);
    let elements = page(&server, "/crashes");
    let values: Vec<_> =
        elements.iter().filter(|e| e.name == "option").filter_map(|e| e.attribute("value")).collect();
    assert_eq!(values, ["", "a%2Fb%20c/1.2-x", "clear-linux-os/41890"]);
    for (value, path, function) in [
        (values[1], "/crashes/build/a%2Fb%20c/1.2-x", "g()"),
        (values[2], "/crashes/build/clear-linux-os/41890", "f()"),
    ] {
        let answer = server.get(&format!("/crashes/build?of={}", encoded(value)));
        assert_eq!((answer.status, answer.header("location")), (302, Some(path)));
        page(&server, path);
        assert_eq!(guilties(&server.get(&format!("/api{path}")))[0].0, function);
    }
    for (of, location) in [("", "/crashes/overall"), ("&kind=kernel", "/crashes/overall?kind=kernel")] {
        let answer = server.get(&format!("/crashes/build?of={of}"));
        assert_eq!((answer.status, answer.header("location")), (302, Some(location)));
    }
    for of in ["/evil.example/x", "x", "//evil/y"] {
        assert_eq!(server.get(&format!("/crashes/build?of={}", encoded(of))).status, 400, "{of}");
    }
    assert_eq!(server.get("/crashes/build/clear-linux-os/1").status, 404);
}

#[test]
fn what_is_not_understood_is_refused_with_its_name() {
    let server = Server::start();
    let cases = [
        ("/crashes?days=2", "days"),
        ("/crashes?kind=all", "kind"),
        ("/crashes?skip=-1", "skip"),
        ("/crashes?colour=red", "colour"),
        ("/crashes/overall?days=7", "days"),
        ("/crashes/blacklist?search=a&search=b", "search"),
    ];
    for (path, name) in cases {
        page_with(&server, path, &[("Accept".into(), "text/html".into())], 400);
        let answer = server.get(&format!("/api{path}"));
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.message().contains(name), "{}", answer.message());
    }
    for path in
        ["/crashes/guilty_details/999", "/crashes/guilty_details/x", "/crashes/guilty_details/9/backtraces"]
    {
        assert_eq!(server.get(path).status, 404, "{path}");
        assert_eq!(server.get(&format!("/api{path}")).status, 404, "{path}");
    }
}

#[test]
fn every_aggregate_is_answered_as_json_and_every_page_is_there_without_records() {
    let server = Server::start();
    for name in
        ["builds", "stats", "mce", "thermal", "population", "crashes", "crashes/overall", "crashes/blacklist"]
    {
        let answer = server.get(&format!("/api/{name}"));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{name}");
        assert!(answer.json().is_object(), "{name}");
        assert_eq!(server.get(&format!("/api/{name}?colour=red")).status, 400, "{name}");
        page(&server, &format!("/{name}"));
    }
    assert!(says(&page(&server, "/crashes"), "No crash here"));
}

#[test]
fn old_bookmarks_lead_to_the_new_place_and_never_away() {
    let server = Server::start();
    let cases = [
        ("/telemetryui", "/"),
        ("/telemetryui/", "/"),
        ("/telemetryui/crashes?days=30", "/crashes?days=30"),
        ("/telemetryui/crashes/guilty_details/3", "/crashes/guilty_details/3"),
        ("/telemetryui//evil.example/x", "/evil.example/x"),
        ("/telemetryui/\\evil.example", "/evil.example"),
        ("/telemetryui///\\/evil", "/evil"),
    ];
    for (old, new) in cases {
        let answer = server.get(old);
        assert_eq!((answer.status, answer.header("location")), (302, Some(new)), "{old}");
    }
    assert_eq!(server.get("/telemetryuix/crashes").status, 404);
}
