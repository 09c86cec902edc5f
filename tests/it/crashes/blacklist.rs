// SPDX-License-Identifier: Apache-2.0
//! The blacklist: preview, apply, back again, the switch, reset, what is refused.

use super::*;
use muster::guilty::blacklist::ENTRY_CHARS_MAX;

const FRAMES: &[&str] = &["reporter() - [lib.so]", "culprit() - [app]", "main() - [app]"];

fn preview(server: &Server, query: &str) -> Vec<Element> {
    page(server, &format!("/crashes/blacklist/preview?{query}"))
}

/// What the form of a preview would send, without its token.
fn form_of(elements: &[Element]) -> Vec<(String, String)> {
    let is_field = |e: &&Element| e.name == "input" && e.attribute("type") == Some("hidden");
    let pair = |e: &Element| Some((e.attribute("name")?.to_owned(), e.attribute("value")?.to_owned()));
    let pairs = elements.iter().filter(is_field).filter_map(pair);
    pairs.filter(|(name, _)| name != "csrf_token").collect()
}

#[test]
fn an_entry_is_previewed_applied_and_taken_back() {
    let server = Server::start();
    (1..=4).for_each(|event| _ = post_frames(&server, event, FRAMES));
    post_frames(&server, 5, &["other() - [app]"]);
    assert_eq!(functions(&server), ["reporter()", "other()"]);

    let add = format!("add={}", encoded("reporter [lib.so]"));
    let elements = preview(&server, &add);
    assert!(says(&elements, "4 stored crashes would move"));
    let row = elements.iter().find(|e| e.name == "tr" && e.text.contains("culprit")).unwrap();
    assert!(row.text.starts_with('4') && row.text.contains("reporter"), "{}", row.text);
    assert_eq!(form_of(&elements), [("add".to_owned(), "reporter [lib.so]".to_owned())]);
    // A preview changes nothing.
    assert_eq!(functions(&server), ["reporter()", "other()"]);

    assert_eq!(change(&server, &[("add", "reporter [lib.so]")]), "/crashes/blacklist?done=changed");
    assert_eq!(functions(&server), ["culprit()", "other()"]);
    post_frames(&server, 6, FRAMES);
    assert_eq!(guilties(&server.get("/api/crashes"))[0].2, 5);
    let elements = page(&server, "/crashes/blacklist?done=changed");
    assert!(says(&elements, "The blacklist was changed") && says(&elements, "reporter [lib.so]"));
    let remove = format!("remove={}", encoded("reporter [lib.so]"));
    assert!(
        links(&elements).iter().any(|link| link.starts_with("/crashes/blacklist/preview?remove=reporter"))
    );

    assert!(says(&preview(&server, &remove), "5 stored crashes would move"));
    change(&server, &[("remove", "reporter [lib.so]")]);
    assert_eq!(functions(&server), ["reporter()", "other()"]);
    assert_eq!(server.get("/api/crashes/blacklist").json()["own"].as_array().unwrap().len(), 0);
}

#[test]
fn the_shipped_list_is_switched_as_a_whole_and_entry_by_entry() {
    let server = Server::start();
    let frames = ["raise() - [libc.so.6]", "abort() - [libc.so.6]", "culprit() - [app]"];
    post_frames(&server, 1, &frames);
    assert_eq!(functions(&server), ["culprit()"]);
    let json = server.get("/api/crashes/blacklist").json();
    let shipped: Vec<String> = json["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["entries"].as_array().unwrap())
        .map(|entry| entry["entry"].as_str().unwrap().to_owned())
        .collect();
    let of_abort: Vec<&str> = shipped
        .iter()
        .map(String::as_str)
        .filter(|entry| entry.split(" [").next() == Some("abort"))
        .collect();
    assert!(!of_abort.is_empty());
    let off: Vec<_> = of_abort.iter().map(|entry| ("remove", *entry)).collect();
    change(&server, &off);
    assert_eq!(functions(&server), ["abort()"]);
    let json = server.get("/api/crashes/blacklist").json();
    let is_off = |entry: &serde_json::Value| entry["is_on"] == false;
    let switched_off =
        json["groups"].as_array().unwrap().iter().flat_map(|g| g["entries"].as_array().unwrap());
    assert_eq!(switched_off.filter(|entry| is_off(entry)).count(), of_abort.len());
    assert!(says(&page(&server, "/crashes/blacklist"), "Switch on"));

    let elements = preview(&server, "defaults=off");
    assert!(says(&elements, "The whole shipped list is switched off") && says(&elements, "1 stored crash"));
    change(&server, &[("defaults", "off")]);
    assert_eq!(functions(&server), ["raise()"]);
    assert!(says(&page(&server, "/crashes/blacklist"), "off as a whole"));

    change(&server, &[("add", "raise")]);
    assert_eq!(functions(&server), ["abort()"]);
    let elements = preview(&server, "reset=1");
    assert!(says(&elements, "The list is reset") && elements.iter().any(|e| e.has_class("danger")));
    assert_eq!(change(&server, &[("reset", "1")]), "/crashes/blacklist?done=reset");
    assert_eq!(functions(&server), ["culprit()"]);
    assert_eq!(server.get("/api/crashes/blacklist").json()["own"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_no_entry_or_not_there_is_told_and_changes_nothing() {
    let server = Server::start();
    post_frames(&server, 1, FRAMES);
    let long = "f".repeat(ENTRY_CHARS_MAX + 1);
    for bad in ["[lib.so]", "a\nb", long.as_str()] {
        let path = format!("/crashes/blacklist/preview?add=good&add={}", encoded(bad));
        let elements = page_with(&server, &path, &[], 400);
        let field = elements.iter().find(|e| e.attribute("aria-invalid").is_some()).unwrap();
        let message = field.attribute("aria-describedby").unwrap();
        let message = elements.iter().find(|e| e.attribute("id") == Some(message)).unwrap();
        assert!(message.text.contains("entry"), "{}", message.text);
        assert_eq!(form_of(&elements), [("add".to_owned(), "good".to_owned())]);
        let answer = send(&server, "/crashes/blacklist", &[("add", "good"), ("remove", bad)]);
        assert_eq!(answer.status, 400);
        read_document(&answer.text());
    }
    let json = server.get("/api/crashes/blacklist").json();
    assert_eq!(json["own"].as_array().unwrap().len(), 0, "{json}");

    let elements = preview(&server, "remove=never_added");
    assert!(says(&elements, "Not in the list") && says(&elements, "Nothing would change"));
    assert!(!elements.iter().any(|e| e.attribute("method") == Some("post")));
    assert_eq!(change(&server, &[("remove", "never_added")]), "/crashes/blacklist?done=unchanged");
    change(&server, &[("add", "twice")]);
    assert!(says(&preview(&server, "add=twice"), "In the list already"));
    for query in ["defaults=maybe", "reset=2", "colour=red"] {
        assert_eq!(server.get(&format!("/crashes/blacklist/preview?{query}")).status, 400, "{query}");
        let (name, value) = query.split_once('=').unwrap();
        assert_eq!(send(&server, "/crashes/blacklist", &[(name, value)]).status, 400, "{query}");
    }
    let many: Vec<_> = (0..150).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = many.iter().map(|name| ("add", name.as_str())).collect();
    assert_eq!(send(&server, "/crashes/blacklist", &many).status, 400);
    assert_eq!(server.get("/api/crashes/blacklist").json()["own"], serde_json::json!(["twice"]));
}

#[test]
fn functions_that_were_seen_are_found_by_a_part_of_their_name_or_module() {
    let server = Server::start();
    post_frames(&server, 1, &["_ZN3abc3defEv() - [/usr/lib/libabc.so]", "main() - [app]"]);
    for (part, expected) in [("ABC3D", 1), ("libabc", 1), ("nothing_of_this_name", 0), ("%", 0), ("'\"<", 0)]
    {
        let path = format!("/crashes/blacklist?search={}", encoded(part));
        let json = server.get(&format!("/api{path}")).json();
        assert_eq!(json["functions"].as_array().unwrap().len(), expected, "{part}");
        let elements = page(&server, &path);
        let in_module = "/crashes/blacklist/preview?add=_ZN3abc3defEv%20%5B/usr/lib/libabc.so%5D";
        assert_eq!(links(&elements).contains(&in_module), expected == 1, "{:#?}", links(&elements));
        assert_eq!(links(&elements).contains(&"/crashes/blacklist/preview?add=_ZN3abc3defEv"), expected == 1);
    }
}

#[test]
fn the_list_is_the_same_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let mut server = Server::start_on(&data);
    post_frames(&server, 1, FRAMES);
    change(&server, &[("add", "reporter"), ("add", "odd name [m [x] y]")]);
    assert_eq!(server.stop(), Some(0));
    let server = Server::start_on(&data);
    assert_eq!(functions(&server), ["culprit()"]);
    let own = server.get("/api/crashes/blacklist").json()["own"].clone();
    assert_eq!(own, serde_json::json!(["odd name [m [x] y]", "reporter"]));
}
