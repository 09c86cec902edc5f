// SPDX-License-Identifier: Apache-2.0
//! Composing, launching and cancelling in forms.

use super::*;
use crate::crashes::{page, proxied, send, send_form};
use crate::support::{Answer, Server};
use crate::views::html::{Element, read_document};

fn server(config: &str) -> Server {
    let config = Some(config.to_owned());
    let server = Server::start_with(crate::support::server::Options { config, ..Default::default() });
    add_investigator(&server.data_dir, "Bob Kelso", &keys().gpg.public_key(&keys().bob));
    let connection = Connection::open(database_path(&server.data_dir)).unwrap();
    connection.execute_batch(&super::stored::agents_sql(3, now())).unwrap();
    server
}

/// A good form; far ahead, so that the scheduler leaves the action alone.
fn fields(name: &str) -> Vec<(&'static str, String)> {
    let time = |secs| muster::model::time::rfc3339(now() + secs);
    vec![
        ("name", name.to_owned()),
        ("target", "name = 'host0001'\r\nOR name LIKE 'host%'".to_owned()),
        ("valid_from", time(3_000)),
        ("expire_after", time(6_000)),
        (
            "operations",
            "[{\"module\": \"ping\",\r\n \"parameters\": {\"z\": 1.0, \"a\": \"it's <b>\"}}]".to_owned(),
        ),
        ("family", "compliance".to_owned()),
    ]
}

fn post(server: &Server, fields: &[(&'static str, String)], more: &[(&str, &str)]) -> Answer {
    let values: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect();
    send(server, "/actions/new", &values)
}

/// The message beside a field.
fn wrong(elements: &[Element], field: &str) -> String {
    let id = format!("wrong-{field}");
    let found = elements.iter().find(|element| element.attribute("id") == Some(&id));
    found.unwrap_or_else(|| panic!("nothing is wrong with {field}")).text.clone()
}

fn text_of<'a>(elements: &'a [Element], id: &str) -> &'a str {
    &elements.iter().find(|element| element.attribute("id") == Some(id)).unwrap().text
}

#[test]
fn an_action_is_composed_signed_and_launched() {
    let server = server("[fleet]\nconfirm_above = 2\n");
    page(&server, "/actions/new");
    let fields = fields("from a page");
    let answer = post(&server, &fields, &[("do", "check")]);
    assert_eq!(answer.status, 200);
    let elements = read_document(&answer.text());
    let heading = elements.iter().find(|element| element.text == "The target matches 3 agents now");
    assert!(heading.is_some(), "{}", answer.text());
    // What is shown, what is saved, and what the command prints is the same.
    let text = text_of(&elements, "text").trim_start().to_owned();
    assert!(text.contains("OR name LIKE") && text.contains(r#"{"a":"it's \u003cb\u003e","z":1}"#), "{text}");
    let saved = post(&server, &fields, &[("do", "text")]);
    assert_eq!(saved.text(), text);
    assert!(saved.header("content-disposition").unwrap().contains("action.txt"));
    let command = text_of(&elements, "command").replace("gpg --armor --detach-sign", "cat");
    let printed = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), text);

    let refused = post(&server, &fields, &[("do", "launch")]);
    assert_eq!(refused.status, 400);
    assert!(wrong(&read_document(&refused.text()), "signatures").contains("Sign the text"));
    let signature = keys().gpg.sign(&keys().bob, &text).replace('\n', "\r\n");
    let refused = post(&server, &fields, &[("do", "launch"), ("signatures", &signature)]);
    assert_eq!(refused.status, 400);
    assert!(wrong(&read_document(&refused.text()), "confirmed").contains("More than 2 agents"));
    let stranger = keys().gpg.sign(&keys().stranger, &text);
    let refused = post(&server, &fields, &[("do", "launch"), ("signatures", &stranger), ("confirmed", "1")]);
    assert_eq!(refused.status, 400);
    assert!(wrong(&read_document(&refused.text()), "signatures").contains("made by unknown entity"));

    let launch = [("do", "launch"), ("signatures", signature.as_str()), ("confirmed", "1")];
    let launched = post(&server, &fields, &launch);
    assert_eq!(
        (launched.status, launched.header("location")),
        (303, Some("/actions/1")),
        "{}",
        launched.text()
    );
    let again = post(&server, &fields, &launch);
    assert!(
        again.status == 400 && again.text().contains("was accepted before, as action 1"),
        "{}",
        again.text()
    );
    page(&server, "/actions/1");
    // The same once more, with new times.
    let elements = page(&server, "/actions/new?from=1");
    let name = elements.iter().find(|element| element.attribute("id") == Some("name")).unwrap();
    assert_eq!(name.attribute("value"), Some("from a page"));
    assert!(text_of(&elements, "operations").contains("\"module\": \"ping\""));
    assert_eq!(server.get("/actions/new?from=2").status, 404);

    let answer = send(&server, "/actions/1/cancel", &[("reason", " ")]);
    assert_eq!(answer.status, 400);
    let answer = send(&server, "/actions/1/cancel", &[("reason", "a mistake")]);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/actions/1")));
    assert!(server.request("GET", "/actions/1", &[], b"").text().contains("a mistake"));
    assert_eq!(send(&server, "/actions/1/cancel", &[("reason", "again")]).status, 409);
    assert_eq!(send(&server, "/actions/7/cancel", &[("reason", "none")]).status, 404);
}

#[test]
fn what_is_wrong_with_a_form_is_told_at_its_fields() {
    let server = server("");
    let good = fields("bad");
    let cases = [
        ("name", "", "action name is empty"),
        ("target", "1=1; DROP TABLE actions", "character 4"),
        ("target", "id IN (SELECT 1)", "the only subquery is"),
        ("valid_from", "<b>", "This is no time like"),
        ("expire_after", "2001-01-01T00:00:00Z", "set before action validfrom"),
        ("operations", "[{]", "This is not JSON"),
        ("family", &"x".repeat(3_000), "longer than 2048 bytes"),
    ];
    for (field, value, message) in cases {
        let mut fields = good.clone();
        fields.iter_mut().find(|(name, _)| *name == field).unwrap().1 = value.to_owned();
        let answer = post(&server, &fields, &[("do", "check")]);
        assert_eq!(answer.status, 400, "{field}");
        let elements = read_document(&answer.text());
        let told = if field == "family" { "ref" } else { field };
        let said = wrong(&elements, told);
        assert!(said.contains(message), "{field}: {said}");
    }
    assert_eq!(post(&server, &good, &[("do", "else")]).status, 400);
    // Nothing is said before something was entered.
    let elements = page(&server, "/actions/new?name=%3Cb%3E&target=name%3D%27a%27");
    assert!(elements.iter().all(|element| !element.has_class("wrong")));
}

#[test]
fn only_a_local_viewer_composes_and_only_with_a_form_of_this_server() {
    let server = server("");
    assert_eq!(server.request("GET", "/actions/new", &proxied(), b"").status, 403);
    for path in ["/actions/new", "/actions/1/cancel"] {
        for (values, more) in
            [(&[("do", "check")][..], Vec::new()), (&[("csrf_token", "guessed")], Vec::new())]
        {
            assert_eq!(send_form(&server, path, values, &more).status, 403, "{path}");
        }
        assert_eq!(send_form(&server, path, &[("do", "check")], &proxied()).status, 403);
    }
    let huge = "x".repeat(3 << 20);
    assert_eq!(post(&server, &[("operations", huge)], &[("do", "check")]).status, 413);
}

#[test]
fn the_acl_is_set_and_removed_on_its_page() {
    let server = server("");
    assert!(says(&page(&server, "/acl"), "No ACL is configured"));
    let set = |module: &str, minimum: &str, weights: &str| {
        let values = [("do", "set"), ("module", module), ("minimum", minimum), ("weights", weights)];
        send(&server, "/acl", &values)
    };
    let answer = set("file", "1", "Bob Kelso=1\r\n");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/acl")), "{}", answer.text());
    let elements = page(&server, "/acl?module=file");
    assert!(says(&elements, "needs weight 1"));
    assert_eq!(text_of(&elements, "weights").trim(), format!("{}=1", keys().bob));
    for (module, minimum, weights, message) in [
        ("file", "x", "1=1", "must be a whole number"),
        ("file", "1", "Nobody=1", "There is no investigator"),
        ("file", "1", "1", "is no weight WHO=N"),
        ("<b>", "1", "1=1", "names no module"),
    ] {
        let answer = set(module, minimum, weights);
        assert_eq!(answer.status, 400);
        assert!(says(&read_document(&answer.text()), message), "{}", answer.text());
    }
    let answer = send(&server, "/acl", &[("do", "remove"), ("module", "file")]);
    assert_eq!(answer.status, 303);
    assert!(says(&page(&server, "/acl"), "No ACL is configured"));
    assert_eq!(send(&server, "/acl", &[("do", "remove"), ("module", "file")]).status, 400);
    assert_eq!(server.request("GET", "/acl", &proxied(), b"").status, 403);
    assert_eq!(send_form(&server, "/acl", &[("do", "remove")], &[]).status, 403);
}

fn says(elements: &[Element], text: &str) -> bool {
    elements.iter().any(|element| element.text.contains(text))
}
