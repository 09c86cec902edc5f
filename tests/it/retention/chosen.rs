// SPDX-License-Identifier: Apache-2.0
//! `muster delete`, and the button on the pages.

use super::{Place, aged, assert_all_exact};
use crate::support::server::Options;
use crate::support::{Answer, Server, record_fields};

#[test]
fn what_is_deleted_is_gone_from_the_file() {
    let place = Place::new("[retention]\ndays = 0\n");
    let now = muster::clock::Clock::system().now();
    let private = |number: u64| muster::model::record::NewRecord {
        payload: format!("Jane Doe private {number}"),
        ..crate::store::record(number)
    };
    place.load((0..50).map(|number| (private(number), now - 100 + number as i64)));
    let holds = || {
        let files = ["muster.db", "muster.db-wal"].map(|name| place.data_dir().join(name));
        files.iter().any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(8).any(|window| window == b"Jane Doe")
        })
    };
    assert!(holds());
    place.run_well(&["delete", "--all", "--yes"]);
    assert!(place.ids().is_empty() && !holds());
    // Whoever may look into the data directory may not read the database for that.
    use std::os::unix::fs::PermissionsExt;
    let mode = place.data_dir().join("muster.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_filter_deletes_what_it_chooses_and_no_more() {
    let place = Place::new("[retention]\ndays = 0\n");
    place.load(aged(30, 24));
    let machine = "00000000000000000000000000000004";
    let filter = format!("severity=1&machine_id={machine}");
    let chosen = format!("severity = 1 AND machine_id = x'{machine}'");
    let n = place.number(&format!("SELECT count(*) FROM records WHERE {chosen}"));
    assert!(n > 3);
    for (words, message) in [
        (vec!["delete"], "--all"),
        (vec!["delete", "--filter", ""], "--all"),
        (vec!["delete", "--filter", "&", "--yes"], "--all"),
        (vec!["delete", "--filter", "?&&", "--yes"], "--all"),
        (vec!["delete", "--all", "--filter", "severity=1"], "--all"),
        (vec!["delete", "--filter", "colour=red", "--yes"], "colour"),
        (vec!["delete", "--filter", "severity", "--yes"], "name=value"),
        // Nobody is there to be asked.
        (vec!["delete", "--filter", &filter], "--yes"),
    ] {
        let (code, out, err) = place.run(&words);
        assert!(code == 2 && err.contains(message), "{words:?}: {code} {out}{err}");
    }
    assert_eq!(
        place.run_well(&["delete", "--filter", &filter, "--dry-run"]),
        format!("{n} records would be deleted\n")
    );
    assert_eq!((place.ids().len(), place.audit().len()), (720, 0));
    assert_eq!(place.run_well(&["delete", "--filter", &filter, "--yes"]), format!("Deleted {n} records\n"));
    assert_eq!(place.ids().len() as i64, 720 - n);
    assert_eq!(place.number(&format!("SELECT count(*) FROM records WHERE {chosen}")), 0);
    let entry =
        ("record.delete".to_owned(), format!("records with {filter}"), format!("{{\"records\":{n}}}"));
    assert_eq!(place.audit(), [entry]);
    assert_all_exact(&place.data_dir());
    // By what is in the payload, with everything that a crash leaves behind.
    let n = place.number(
        "SELECT count(*) FROM crashes c JOIN payloads p USING (record_id) WHERE p.payload LIKE '%list_find%'",
    );
    let out = place.run_well(&[
        "delete",
        "--filter",
        "classification=org.clearlinux/crash/*&payload=list_find",
        "--yes",
    ]);
    assert!(n > 0 || out.starts_with("Deleted"), "{out}");
    assert_all_exact(&place.data_dir());
    let left = place.ids().len();
    assert_eq!(place.run_well(&["delete", "--all", "--yes"]), format!("Deleted {left} records\n"));
    assert!(place.ids().is_empty());
    assert_all_exact(&place.data_dir());
}

fn send(server: &Server, form: &str) -> Answer {
    let fields = [("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    server.request("POST", "/records/delete", &fields, form.as_bytes())
}

fn token(page: &str) -> String {
    page.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[test]
fn chosen_records_are_deleted_after_a_question() {
    let place = Place::new("");
    let server = Server::start_with(Options { data_dir: Some(place.data_dir()), ..Options::default() });
    let ids: Vec<i64> = (0..5).map(|event| server.post_record(event, "to be removed")).collect();
    let page = server.get("/records").text();
    assert_eq!(page.matches("type=\"checkbox\" name=\"id\"").count(), 5);
    let token = token(&page);
    for (form, status, message) in [
        (format!("id={}&confirmed=1", ids[0]), 403, "form"),
        (format!("csrf_token=wrong&id={}&confirmed=1", ids[0]), 403, "form"),
        (format!("csrf_token={token}"), 400, "No record was chosen"),
        (format!("csrf_token={token}&id=x"), 400, "number of a record"),
        (format!("csrf_token={token}{}", "&id=1".repeat(5_001)), 400, "5000"),
    ] {
        let answer = send(&server, &form);
        assert_eq!(answer.status, status, "{form:.60}: {}", answer.text());
        assert!(answer.text().contains(message), "{form:.60}: {}", answer.text());
    }
    let asked = send(&server, &format!("csrf_token={token}&id={}&id={}&id={}", ids[0], ids[2], ids[2]));
    assert_eq!(asked.status, 200);
    assert!(asked.text().contains("Delete 2 records?") && asked.text().contains("name=\"confirmed\""));
    assert_eq!(server.count_records(), 5);
    let done = send(&server, &format!("csrf_token={token}&id={}&id={}&confirmed=1", ids[0], ids[2]));
    assert_eq!((done.status, done.header("Location")), (303, Some("/records?deleted=2")));
    assert!(server.get("/records?deleted=2").text().contains("2 records deleted."));
    assert_eq!(place.ids(), [ids[1], ids[3], ids[4]]);
    let audit = place.audit();
    assert_eq!((audit.len(), audit[0].1.as_str()), (1, format!("records {}, {}", ids[0], ids[2]).as_str()));
    // One record from its own page; sent again, it is stored anew.
    let page = server.get(&format!("/records/{}", ids[1])).text();
    assert!(page.contains("Delete this record…"));
    assert_eq!(send(&server, &format!("csrf_token={token}&id={}&confirmed=1", ids[1])).status, 303);
    assert_eq!(server.get(&format!("/records/{}", ids[1])).status, 404);
    let answer = server.post(&record_fields(1), b"to be removed");
    assert_eq!(answer.status, 201);
    assert!(answer.json()["id"].as_i64().unwrap() > ids[4]);
}
