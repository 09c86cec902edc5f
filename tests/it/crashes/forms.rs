// SPDX-License-Identifier: Apache-2.0
//! Comments and hiding, and who may do it.

use super::*;

#[test]
fn a_guilty_is_hidden_and_shown_again() {
    let server = Server::start();
    post_frames(&server, 1, &["noise() - [m]"]);
    post_frames(&server, 2, &["other() - [m]"]);
    let id = guilty_id(&server, "noise()");
    let path = format!("/crashes/guilty_details/{id}");
    let answer = send(&server, &format!("{path}/hide"), &[("hidden", "1")]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some(format!("{path}?done=hidden").as_str()))
    );
    assert_eq!(functions(&server), ["other()"]);
    let json = server.get("/api/crashes").json();
    assert_eq!((&json["crashes"], &json["hidden"]), (&2.into(), &1.into()));
    let elements = page(&server, &format!("{path}?done=hidden"));
    assert!(says(&elements, "hidden from the lists now") && says(&elements, "Show in the lists again"));
    assert!(says(&page(&server, "/crashes/blacklist"), "noise"));

    let answer = send(&server, &format!("{path}/hide"), &[("hidden", "0"), ("from", "blacklist")]);
    assert_eq!(answer.header("location"), Some("/crashes/blacklist?done=shown"));
    assert_eq!(functions(&server), ["noise()", "other()"]);
    for (form, status) in [([("hidden", "2")], 400), ([("hidden", "")], 400)] {
        assert_eq!(send(&server, &format!("{path}/hide"), &form).status, status);
    }
    assert_eq!(send(&server, "/crashes/guilty_details/999/hide", &[("hidden", "1")]).status, 404);
}

#[test]
fn a_comment_has_at_most_80_characters_and_one_line() {
    let server = Server::start();
    post_frames(&server, 1, &["f() - [m]"]);
    let id = guilty_id(&server, "f()");
    let path = format!("/crashes/guilty_details/{id}");
    let of_80 = "é".repeat(80);
    for (comment, kept) in
        [(of_80.as_str(), of_80.as_str()), (" <b>&\"' ", "<b>&\"'"), ("", ""), ("bug 7", "bug 7")]
    {
        let answer = send(&server, &format!("{path}/comment"), &[("comment", comment)]);
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, Some(format!("{path}?done=comment").as_str()))
        );
        assert_eq!(server.get("/api/crashes").json()["guilties"][0]["comment"], kept);
        page(&server, &path);
        page(&server, "/crashes");
    }
    for comment in [format!("{of_80}x"), "two\nlines".to_owned(), "a\0b".to_owned()] {
        let answer = send(&server, &format!("{path}/comment"), &[("comment", &comment)]);
        assert_eq!(answer.status, 400);
        let elements = read_document(&answer.text());
        let field = elements.iter().find(|e| e.attribute("name") == Some("comment")).unwrap();
        assert_eq!(field.attribute("aria-invalid"), Some("true"));
        let message = field.attribute("aria-describedby").unwrap();
        assert!(
            elements.iter().any(|e| e.attribute("id") == Some(message) && e.text.starts_with("A comment"))
        );
        assert_eq!(server.get("/api/crashes").json()["guilties"][0]["comment"], "bug 7");
    }
    assert_eq!(send(&server, "/crashes/guilty_details/999/comment", &[("comment", "x")]).status, 404);
}

#[test]
fn a_form_without_its_token_or_from_elsewhere_changes_nothing() {
    let server = Server::start();
    post_frames(&server, 1, &["f() - [m]"]);
    let token = token(&server);
    let details = format!("/crashes/guilty_details/{}", guilty_id(&server, "f()"));
    let forms = [
        (format!("{details}/comment"), ("comment", "x")),
        (format!("{details}/hide"), ("hidden", "1")),
        ("/crashes/blacklist".to_owned(), ("add", "f")),
    ];
    let foreign = vec![("Origin".to_owned(), "http://evil.example".to_owned())];
    for (path, value) in &forms {
        for (given, fields) in
            [("", vec![]), ("wrong", vec![]), (token.as_str(), foreign.clone()), (token.as_str(), proxied())]
        {
            let answer = send_form(&server, path, &[*value, ("csrf_token", given)], &fields);
            assert_eq!(answer.status, 403, "{path} {fields:?}");
            // A person reads this one.
            read_document(&answer.text());
        }
        assert_eq!(server.get(path).status, if path == "/crashes/blacklist" { 200 } else { 405 });
    }
    let json = server.get("/api/crashes").json();
    assert_eq!(
        (&json["guilties"][0]["function"], &json["guilties"][0]["comment"]),
        (&"f()".into(), &"".into())
    );
    assert_eq!(server.get("/api/crashes/blacklist").json()["own"].as_array().unwrap().len(), 0);
}

#[test]
fn who_is_not_local_sees_the_pages_without_their_forms() {
    let server = Server::start();
    let record = post_frames(&server, 1, &["f() - [m]", "main() - [m]"]);
    let id = guilty_id(&server, "f()");
    let paths = [
        ("/crashes".to_owned(), false),
        (format!("/crashes/guilty_details/{id}"), true),
        (format!("/crashes/guilty_details/{id}/backtraces"), false),
        ("/crashes/blacklist".to_owned(), true),
        ("/crashes/blacklist/preview?add=f".to_owned(), true),
        (format!("/records/{record}?tried=1&never=0"), false),
    ];
    for (path, is_told) in paths {
        let elements = page_with(&server, &path, &proxied(), 200);
        let forms: Vec<_> = elements.iter().filter(|e| e.name == "form" && !e.has_class("switch")).collect();
        assert!(forms.is_empty(), "{path}: {forms:?}");
        assert!(elements.iter().all(|e| e.attribute("name") != Some("csrf_token")), "{path}");
        assert_eq!(
            says(&elements, "Comments, hiding and the blacklist are open to operators"),
            is_told,
            "{path}"
        );
    }
}
