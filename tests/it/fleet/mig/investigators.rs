// SPDX-License-Identifier: Apache-2.0
//! Investigators over the API: created, read, changed, as the console does it.

use super::*;
use base64::Engine;
use serde_json::json;

const CREATE: &str = "/api/v1/investigator/create/";
const UPDATE: &str = "/api/v1/investigator/update/";

fn create(api: &Api, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Answer {
    let (content_type, body) = multipart(fields, files);
    let head = [field("X-MIGAPIKEY", &api.key), field("Content-Type", &content_type)];
    api.server.request("POST", CREATE, &head, &body)
}

#[test]
fn the_console_creates_reads_disables_and_keys_an_investigator() {
    let api = Api::start();
    let key = keys().gpg.public_key(&keys().ada);
    let permissions = r#"{"search":true,"action":true,"action_create":true,"command":true,"agent":true,"dashboard":true,"loader":false,"investigator":false}"#;
    let answer = create(
        &api,
        &[("name", "Ada \"the\" Admin"), ("permissions", permissions)],
        &[("publickey", "pubkey", key.as_bytes())],
    );
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (name, created) = first(&answer);
    assert_eq!((name.as_str(), &created["id"]), ("Investigator ID 2", &json!(2)));
    assert_eq!((&created["status"], &created["name"]), (&json!("active"), &json!("Ada \"the\" Admin")));

    let read = api.get("/api/v1/investigator?investigatorid=2");
    assert_eq!(read.status, 200);
    let (name, value) = first(&read);
    assert_eq!(name, "investigator");
    assert_eq!(value["pgpfingerprint"], keys().ada.as_str());
    assert_eq!(
        (&value["permissions"]["search"], &value["permissions"]["loader"]),
        (&json!(true), &json!(false))
    );
    assert!(value.get("apikey").is_none());
    let armored =
        base64::engine::general_purpose::STANDARD.decode(value["publickey"].as_str().unwrap()).unwrap();
    assert_eq!(muster::pgp::PublicKey::read(&armored).unwrap().fingerprint(), keys().ada);
    let link = &collection(&read)["items"][0]["links"][0];
    assert_eq!(link["rel"], "investigator history");
    let history = "http://localhost/api/v1/search?type=action&investigatorid=2&limit=100";
    assert_eq!(link["href"], history);

    let answer = api.post(UPDATE, &[("id", "2"), ("apikey", "active")]);
    assert_eq!(answer.status, 200);
    let (name, value) = first(&answer);
    assert_eq!(name, "Investigator ID 2");
    let second_key = value["apikey"].as_str().unwrap().to_owned();
    assert_eq!(second_key.len(), 32);
    assert_eq!(get_with_key(&api.server, "/api/v1/dashboard", &second_key).status, 200);
    assert_eq!(first(&api.get("/api/v1/investigator?investigatorid=2")).1["apikey"], "set");

    let answer = api.post(UPDATE, &[("id", "2"), ("status", "disabled")]);
    assert_eq!((answer.status, &first(&answer).1["status"]), (200, &json!("disabled")));
    assert_eq!(get_with_key(&api.server, "/api/v1/dashboard", &second_key).status, 401);
    let answer =
        api.post(UPDATE, &[("id", "2"), ("status", "active"), ("permissions", r#"{"search":true}"#)]);
    let value = first(&answer).1;
    assert_eq!(
        (&value["permissions"]["search"], &value["permissions"]["action"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(get_with_key(&api.server, "/api/v1/dashboard", &second_key).status, 401);
    let answer = api.post(UPDATE, &[("id", "2"), ("apikey", "disabled")]);
    assert!(first(&answer).1.get("apikey").is_none());
    assert_eq!(get_with_key(&api.server, "/api/v1/search", &second_key).status, 401);
}

#[test]
fn what_cannot_be_created_is_refused_with_migs_words() {
    let api = Api::start();
    let ada = keys().gpg.public_key(&keys().ada);
    let both = format!("{ada}{}", keys().gpg.public_key(&keys().bob));
    add(&api.server, "Bob", &keys().bob, "default");
    let bob = keys().gpg.public_key(&keys().bob);
    let data = |name: &str| {
        std::fs::read(format!("{}/tests/data/mig/pgp/{name}.asc", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    let long = "n".repeat(201);
    let all = "{}";
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("", all, ada.clone().into(), 400, "Investigator name must not be empty"),
        ("a\u{7}b", all, ada.clone().into(), 400, "Investigator name must not have control characters"),
        (&long, all, ada.clone().into(), 400, "Investigator name must have at most 200 bytes"),
        ("Ada", "", ada.clone().into(), 400, "permissions: unexpected end of JSON input"),
        ("Ada", "[]", ada.clone().into(), 400, "permissions are not an object of permissions"),
        ("Ada", all, Vec::new(), 400, "Investigator Public Key must not be empty"),
        ("Ada", all, b"not a key".to_vec(), 400, "This is not a public key that can be used"),
        ("Ada", all, both.into(), 400, "This is not a public key that can be used"),
        ("Ada", all, vec![b'x'; 70_000], 413, "The public key has more than 65536 bytes"),
        ("Ada", all, data("expired"), 400, "The key"),
        ("Ada", all, data("revoked"), 400, "The key"),
        ("Ada", all, data("dsa"), 400, "This is not a public key that can be used: its algorithm"),
        ("Ada", all, data("certonly"), 400, "The key"),
        ("Bob", all, bob.into(), 409, "Investigator's PGP Fingerprint already exists in database"),
    ];
    for (name, permissions, key, status, expected) in cases {
        let answer =
            create(&api, &[("name", name), ("permissions", permissions)], &[("publickey", "f", &key)]);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(message(&answer).starts_with(expected), "{expected}: {}", message(&answer));
    }
    let form = api.post(CREATE, &[("name", "Ada"), ("permissions", "{}")]);
    assert_eq!(
        (form.status, message(&form).as_str()),
        (400, "request Content-Type isn't multipart/form-data")
    );
    let head = [field("X-MIGAPIKEY", &api.key), field("Content-Type", "multipart/form-data")];
    assert_eq!(api.server.request("POST", CREATE, &head, b"x").status, 400);
    let large = create(&api, &[("name", &"n".repeat(300_000)), ("permissions", "{}")], &[]);
    assert_eq!((large.status, collection(&large)["items"].clone()), (413, Value::Null));
    // Only Root and Bob are there, and the next id is not one that was taken.
    let (id, _) = add_with_api_key(&api.server, "Kim", "none");
    assert_eq!(ids(&api.get("/api/v1/search?type=investigator"), "investigator"), [1, 2, id]);
}

#[test]
fn a_damaged_form_is_refused_and_never_half_taken() {
    let api = Api::start();
    let ada = keys().gpg.public_key(&keys().ada);
    let (content_type, body) =
        multipart(&[("name", "Ada"), ("permissions", "{}")], &[("publickey", "f", ada.as_bytes())]);
    let head = [field("X-MIGAPIKEY", &api.key), field("Content-Type", &content_type)];
    for end in [0, 10, 70, 100, 200, 330, body.len() / 2, body.len() - 70] {
        let answer = api.server.request("POST", CREATE, &head, &body[..end]);
        assert_eq!(answer.status, 400, "{end}: {}", answer.text());
    }
    let quoted = content_type.replace("boundary=", "boundary=\"") + "\"";
    let head = [field("X-MIGAPIKEY", &api.key), field("Content-Type", &quoted)];
    assert_eq!(api.server.request("POST", CREATE, &head, &body).status, 201);
}

#[test]
fn what_cannot_be_changed_is_refused_with_migs_words() {
    let api = Api::start();
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);
    let cases: &[Case<'_>] = &[
        (&[("status", "active")], 400, "Investigator ID must not be empty"),
        (&[("id", ""), ("status", "active")], 400, "Investigator ID must not be empty"),
        (&[("id", "x"), ("status", "active")], 400, "Wrong parameters 'id'"),
        (&[("id", "1")], 400, "No updates to the investigator were specified"),
        (&[("id", "1"), ("status", "gone")], 400, "Invalid investigator status 'gone'"),
        (&[("id", "1"), ("apikey", "new")], 400, "Invalid value for apikey parameter"),
        (&[("id", "1"), ("permissions", "{")], 400, "permissions are not"),
        (&[("id", "99"), ("status", "active")], 404, "Investigator ID '99' not found"),
        (&[("id", "0"), ("status", "active")], 404, "Investigator ID '0' not found"),
        (&[("id", "1.5"), ("status", "active")], 404, "Investigator ID '2' not found"),
    ];
    for (form, status, expected) in cases {
        let answer = api.post(UPDATE, form);
        assert_eq!(answer.status, *status, "{form:?}: {}", answer.text());
        assert!(message(&answer).starts_with(expected), "{expected}: {}", message(&answer));
    }
}

#[test]
fn the_last_who_administrates_stays() {
    let api = Api::start();
    let guard = "Failed to update investigator: 'will not remove last admin'";
    let refused = |form: &[(&str, &str)]| {
        let answer = api.post(UPDATE, form);
        assert_eq!((answer.status, message(&answer).as_str()), (409, guard), "{form:?}");
    };
    let default = r#"{"search":true,"investigator":true}"#;
    refused(&[("id", "1"), ("status", "disabled")]);
    for path in ["/api/v1/investigator/update", "/api/v1/investigator/create"] {
        assert!(is_described(&api.server, path, 409), "{path}");
    }
    refused(&[("id", "1"), ("permissions", default)]);
    // Without API key and without public key nobody can come in.
    refused(&[("id", "1"), ("apikey", "disabled")]);
    // One who is disabled, or has half the permissions, is no other.
    let (half, _) = add_with_api_key(&api.server, "Half", "default,investigator_update");
    refused(&[("id", "1"), ("status", "disabled")]);
    let (other, other_key) = add_with_api_key(&api.server, "Other", "admin");
    printed(&muster(&api.server, &["disable", "Other"]));
    refused(&[("id", "1"), ("status", "disabled")]);
    printed(&muster(&api.server, &["enable", "Other"]));
    assert_eq!(api.post(UPDATE, &[("id", "1"), ("permissions", default)]).status, 200);
    let id = other.to_string();
    let answer = post_with_key(&api.server, UPDATE, &[("id", &id), ("status", "disabled")], &other_key);
    assert_eq!((answer.status, message(&answer).as_str()), (409, guard));
    // The guard says nothing about others, and the command line may do everything.
    let half = half.to_string();
    assert_eq!(
        post_with_key(&api.server, UPDATE, &[("id", &half), ("status", "disabled")], &other_key).status,
        200
    );
    printed(&muster(&api.server, &["disable", "Other"]));
}
