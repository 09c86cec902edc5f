// SPDX-License-Identifier: Apache-2.0
//! muster behind a real nginx with the packaged example: what is open, who is who, and addresses below a path.

mod base_path;
mod nginx;

use crate::support::client::{Answer, Connection};
use crate::support::server::Options;
use crate::support::{Server, record_fields};
use muster::store::database_path;
use nginx::Nginx;
use std::net::SocketAddr;

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn ask(address: SocketAddr, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> Answer {
    Connection::open(address).unwrap().request(method, path, &pairs(fields), body).unwrap()
}

/// As docs/proxy.md has it.
const CONFIG: &str = "[http]\nhostnames = [\"muster.lan\"]\ntrusted_proxies = [\"127.0.0.1\"]\n\
    [access]\nread = \"login\"\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"127.0.0.1\"]\n";

/// `kim:secret`, an operator; `ada:secret`, an admin; `lee:secret` has no account.
const KIM: (&str, &str) = ("Authorization", "Basic a2ltOnNlY3JldA==");
const ADA: (&str, &str) = ("Authorization", "Basic YWRhOnNlY3JldA==");
const LEE: (&str, &str) = ("Authorization", "Basic bGVlOnNlY3JldA==");
/// Nobody looked at the password of this one: `ada:wrong`.
const FALSE_ADA: (&str, &str) = ("Authorization", "Basic YWRhOndyb25n");
const HTML: (&str, &str) = ("Accept", "text/html");

fn server(more: &str) -> Server {
    let server = Server::start_with(Options { config: Some(CONFIG.to_owned() + more), ..Options::default() });
    let database = rusqlite::Connection::open(database_path(&server.data_dir)).unwrap();
    database
        .execute_batch(
            "INSERT INTO accounts (name, role, created_at, modified_at) VALUES ('kim', 2, 1, 1), ('ada', 3, 1, 1)",
        )
        .unwrap();
    server
}

#[test]
fn the_collector_is_open_and_everything_else_asks_for_the_password() {
    let server = server("");
    let nginx = Nginx::start(server.address, "/");
    let mut n_records = 0;
    for entry in std::fs::read_dir(format!("{}/tests/data/wire", env!("CARGO_MANIFEST_DIR"))).unwrap() {
        let path = entry.unwrap().path();
        let mut connection = Connection::open(nginx.address).unwrap();
        connection.send(&std::fs::read(&path).unwrap()).unwrap();
        let answer = connection.answer(false).unwrap();
        assert_eq!(answer.status, 201, "{}: {}", path.display(), answer.text());
        n_records += 1;
    }
    assert!(n_records > 40, "{n_records}");
    let fields = record_fields(9_001);
    for path in ["/", "/v2/collector", "/v3/collector"] {
        let answer = Connection::open(nginx.address).unwrap().request("POST", path, &fields, b"x").unwrap();
        assert!(matches!(answer.status, 200 | 201), "{path}: {}", answer.text());
    }
    assert_eq!(ask(nginx.address, "GET", "/api/v1/ip", &[], b"").status, 200);
    // Open for agents, who are then asked for their keys by muster.
    for path in ["/api/v1/heartbeat", "/api/v1/agent/commands", "/api/v1/agent/results"] {
        let answer = ask(nginx.address, "POST", path, &[], b"{}");
        assert!(answer.header("www-authenticate").is_none(), "{path}");
    }
    let closed = [
        ("GET", "/"),
        ("HEAD", "/"),
        ("PUT", "/"),
        ("GET", "/records"),
        ("GET", "/api/records"),
        ("GET", "/v2/collector"),
        ("POST", "/v2/collector/x"),
        ("POST", "/acl"),
        ("POST", "/api/v1/investigator/create"),
        ("GET", "/api/v1/dashboard"),
        ("GET", "/audit"),
        ("GET", "/assets/style.css"),
        ("GET", "/healthz"),
        ("POST", "/v2/collector/../../acl"),
        ("POST", "/api/v1/agent/commands/..%2f..%2finvestigator/create"),
        ("GET", "/api/v1/ip/../dashboard"),
    ];
    for (method, path) in closed {
        for fields in [&[][..], &[FALSE_ADA], &[("X-Remote-User", "ada")]] {
            let answer = ask(nginx.address, method, path, fields, b"");
            assert_eq!(answer.status, 401, "{method} {path}: {}", answer.text());
            assert!(answer.header("www-authenticate").unwrap().starts_with("Basic"), "{method} {path}");
        }
    }
    // What nginx takes for open muster takes for nothing.
    for path in
        ["/acl/..", "/acl/%2e%2e/", "//", "/./", "/audit/../", "/api/v1/investigator/../agent/commands"]
    {
        let answer = ask(nginx.address, "POST", path, &[FALSE_ADA], b"");
        assert!(matches!(answer.status, 400 | 401 | 404), "{path}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn who_logs_in_at_the_proxy_has_the_role_of_the_account() {
    let server = server("");
    let nginx = Nginx::start(server.address, "/");
    let status = |path: &str, fields: &[(&str, &str)]| ask(nginx.address, "GET", path, fields, b"").status;
    assert_eq!(status("/records", &[KIM, HTML, ("Host", "muster.lan")]), 200);
    assert_eq!(status("/records", &[KIM, HTML, ("Host", "evil.example")]), 421);
    assert_eq!(status("/fleet", &[KIM, HTML]), 200);
    assert_eq!(status("/audit", &[KIM, HTML]), 403);
    assert_eq!(status("/audit", &[ADA, HTML]), 200);
    assert_eq!(status("/records", &[LEE, HTML]), 403);
    // A name that the client writes itself does not come through, in any spelling.
    for name in ["X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User"] {
        assert_eq!(status("/audit", &[KIM, HTML, (name, "ada")]), 403, "{name}");
        assert_eq!(status("/api/audit", &[KIM, (name, "ada")]), 403, "{name}");
    }
    // A false address neither: the log has the one that nginx saw.
    for forged in ["198.51.100.7", "127.0.0.1, 198.51.100.7", "198.51.100.7, 127.0.0.1"] {
        let fields = [KIM, HTML, ("X-Forwarded-For", forged), ("Forwarded", "for=198.51.100.7")];
        assert_eq!(status("/records", &fields), 200);
        let answer = ask(nginx.address, "GET", "/api/v1/ip", &[("X-Forwarded-For", forged)], b"");
        assert_eq!(answer.text(), "127.0.0.1", "{forged}");
    }
}

#[test]
fn a_change_through_the_proxy_is_logged_under_its_account() {
    let server = server("");
    let nginx = Nginx::start(server.address, "/");
    let page = ask(nginx.address, "GET", "/acl", &[ADA, HTML], b"").text();
    let token = page.split("name=\"csrf_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("csrf_token={token}&do=remove&module=file");
    let database = rusqlite::Connection::open(database_path(&server.data_dir)).unwrap();
    database.execute_batch("INSERT INTO acl_modules (module, minimum_weight) VALUES ('file', 1)").unwrap();
    let fields = [ADA, HTML, ("Content-Type", "application/x-www-form-urlencoded")];
    let host = nginx.address.to_string();
    let origin = format!("http://{host}");
    let foreign = [&fields[..], &[("Host", &host), ("Origin", "http://evil.example")]].concat();
    assert_eq!(ask(nginx.address, "POST", "/acl", &foreign, form.as_bytes()).status, 403);
    let own = [&fields[..], &[("Host", &host), ("Origin", &origin)]].concat();
    let answer = ask(nginx.address, "POST", "/acl", &own, form.as_bytes());
    assert_eq!((answer.status, answer.header("location")), (303, Some("/acl")), "{}", answer.text());
    let audit = ask(nginx.address, "GET", "/api/audit", &[ADA], b"").json()["audit"].clone();
    assert_eq!((&audit[0]["actor"], &audit[0]["origin"]), (&"ada".into(), &"127.0.0.1".into()), "{audit}");
    assert_eq!(audit.as_array().unwrap().len(), 1);
}

#[test]
fn who_goes_around_the_proxy_gains_nothing() {
    let server = server("");
    // From another address than the proxy's.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let from: SocketAddr = "127.0.0.9:0".parse().unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    let mut connection = Connection::over(socket.into()).unwrap();
    let mut ask =
        |path: &str, fields: &[(&str, &str)]| connection.request("GET", path, &pairs(fields), b"").unwrap();
    let claims = [("X-Remote-User", "ada"), ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Proto", "https")];
    for path in ["/api/audit", "/api/records"] {
        let answer = ask(path, &claims);
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
    assert_eq!(ask("/audit", &[claims[0], HTML]).status, 303);
    assert_eq!(ask("/api/v1/ip", &claims).text(), "127.0.0.9");
}
