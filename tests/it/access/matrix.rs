// SPDX-License-Identifier: Apache-2.0
//! Every route and every view against everybody who may ask.

use super::*;
use muster::http::routes::ROUTES;
use muster::model::account::Need;
use muster::views::VIEWS;

/// Open to anybody, by decision. What is below /api/v1 has its own way to tell who asks.
const NOTHING: [&str; 10] = [
    "GET /",
    "GET /assets/{name}",
    "GET /healthz",
    "GET /login",
    "GET /readyz",
    "POST /",
    "POST /login",
    "POST /v2/collector",
    "POST /v3/collector",
    "GET /api/v1/…",
];

/// Records and their views, open unless the configuration says otherwise, by decision.
const READING: &[&str] = &[
    "/api",
    "/api/openapi.json",
    "/api/builds",
    "/api/crashes",
    "/api/crashes/blacklist",
    "/api/crashes/build/{system}/{build}",
    "/api/crashes/guilty_details/{id}",
    "/api/crashes/guilty_details/{id}/backtraces",
    "/api/crashes/overall",
    "/api/mce",
    "/api/population",
    "/api/records",
    "/api/records/{id}",
    "/api/stats",
    "/api/thermal",
    "/api/views/{name}",
    "/metrics",
    "/builds",
    "/crashes",
    "/crashes/blacklist",
    "/crashes/blacklist/preview",
    "/crashes/build",
    "/crashes/build/{system}/{build}",
    "/crashes/guilty_details/{id}",
    "/crashes/guilty_details/{id}/backtraces",
    "/crashes/overall",
    "/mce",
    "/population",
    "/records",
    "/records/export/{name}",
    "/records/stream",
    "/records/{id}",
    "/records/{id}/payload",
    "/stats",
    "/thermal",
    "/views/{name}",
];

/// Method, path, need.
fn all() -> Vec<(&'static str, &'static str, Need)> {
    let routes = ROUTES.iter().map(|route| (route.method, route.path, route.need));
    routes.chain(VIEWS.iter().map(|view| ("GET", view.path, view.need))).collect()
}

#[test]
fn what_is_open_is_open_by_decision() {
    for (method, path, need) in all() {
        let name = format!("{method} {path}");
        match need {
            Need::Nothing => {
                assert!(
                    NOTHING.contains(&name.as_str()) || path.starts_with("/api/v1/"),
                    "{name} is open to anybody"
                )
            }
            Need::ReadRecords => {
                assert!(method == "GET" && READING.contains(&path), "{name} is open to who may read records")
            }
            Need::ChangeRecords => assert!(method == "POST" && path.starts_with("/crashes/"), "{name}"),
            Need::ReadFleet | Need::Operate | Need::Administer => {}
        }
        let is_of_admins =
            path.starts_with("/accounts") || path.starts_with("/audit") || path.ends_with("/unbind");
        assert!(!is_of_admins || need == Need::Administer, "{name}");
    }
    let is_there = |path: &&&str| all().iter().any(|(_, known, _)| *known == **path);
    assert_eq!(READING.iter().filter(|path| !is_there(path)).count(), 0);
}

#[test]
fn a_form_that_is_refused_is_answered_with_a_page() {
    let server = start("");
    let browser = vec![field("Accept", "text/html,application/xhtml+xml;q=0.9")];
    let forms = ROUTES.iter().filter(|route| route.is_form());
    let mut n_forms = 0;
    for route in forms {
        let path = route.path.replace("{id}", "1");
        let answer = send(&server, &path, &browser, &[("csrf_token", "x")]);
        let kind = answer.header("content-type").unwrap();
        assert!(answer.status >= 400 && kind.starts_with("text/html"), "{path}: {} {kind}", answer.status);
        n_forms += 1;
    }
    assert!(n_forms > 25, "{n_forms}");
    // A program that happens to take pages is still told in JSON.
    for path in ["/", "/v3/collector", "/api/v1/heartbeat", "/api/v1/action/create"] {
        let answer = send(&server, path, &browser, &[]);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
}

/// Who asks, and what they may have.
struct Person {
    name: &'static str,
    fields: Fields,
    may: &'static [Need],
    /// The status of what they may not have.
    denied: u16,
}

const READ: &[Need] = &[Need::ReadRecords];
const LOOK: &[Need] = &[Need::ReadRecords, Need::ReadFleet];
const CHANGE: &[Need] = &[Need::ReadRecords, Need::ReadFleet, Need::ChangeRecords, Need::Operate];
const ALL: &[Need] =
    &[Need::ReadRecords, Need::ReadFleet, Need::ChangeRecords, Need::Operate, Need::Administer];

/// Asks for everything; `is_open`: reading needs nobody.
fn ask_for_all(server: &Server, people: &[Person]) {
    let mut connection = server.connect();
    let mut wrong = Vec::new();
    for (method, path, need) in all() {
        if need == Need::Nothing {
            continue;
        }
        let segments = path.split('/').map(|segment| match segment.strip_prefix('{') {
            Some(_) if method == "GET" => "1",
            Some(_) => "999999",
            None => segment,
        });
        let target = segments.collect::<Vec<_>>().join("/");
        for person in people {
            // The body of a page does not matter, and that of a stream does not end.
            let sent = if method == "GET" { "HEAD" } else { method };
            let answer = connection.request(sent, &target, &person.fields, b"").unwrap();
            let is_let_in = match answer.status {
                401 => false,
                403 if sent == "POST" => {
                    let text = answer.text();
                    text.contains("not from a page of this server")
                        || text.contains("An API token cannot do this")
                }
                403 => false,
                500.. => panic!("{} {method} {target}: {}", person.name, answer.text()),
                _ => true,
            };
            // One's own page is a person's.
            let is_program = person.fields.iter().any(|(name, _)| name == "Authorization");
            let expected = person.may.contains(&need) && !(target == "/account" && is_program);
            if is_let_in != expected || !expected && answer.status != person.denied {
                wrong.push(format!("{} {method} {target} ({need:?}): {}", person.name, answer.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn person(name: &'static str, fields: Fields, may: &'static [Need], denied: u16) -> Person {
    Person { name, fields, may, denied }
}

#[test]
fn before_there_is_an_account_this_host_may_do_everything() {
    let server = start("");
    assert!(server.log().contains("No account yet"), "{}", server.log());
    let remote = vec![field("X-Forwarded-For", "192.0.2.7")];
    ask_for_all(&server, &[person("local", vec![], ALL, 0), person("remote", remote, READ, 403)]);
    // Who is not local sees what to do.
    let page = server.get("/login").text();
    assert!(page.contains("muster account add NAME"), "{page}");
    assert_eq!(try_login(&server, "alice", PASSWORD).status, 409);
}

#[test]
fn behind_a_proxy_nobody_is_local() {
    for config in [
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n",
        "[access]\nproxy_header = \"X-Remote-User\"\nproxy_login_from = [\"127.0.0.1\"]\n",
        "[http]\nbase_path = \"/muster\"\n",
    ] {
        let server = start(config);
        assert_eq!(server.get("/fleet").status, 403, "{config}");
        assert_eq!(server.get("/records").status, 200, "{config}");
    }
    // What nginx speaks to what is behind it, if nobody tells it otherwise.
    let server = start("");
    for (version, status) in [("1.0", "403"), ("1.1", "200")] {
        let mut connection = server.connect();
        let head = format!("GET /fleet HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        connection.send(head.as_bytes()).unwrap();
        let line = connection.body_line().unwrap();
        assert!(line.contains(&format!(" {status} ")), "{version}: {line}");
    }
}

#[test]
fn with_accounts_each_may_what_the_role_and_the_scope_say() {
    let server = start("[http]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    for (name, role) in
        [("ada", "admin"), ("ole", "operator"), ("vic", "viewer"), ("eve", "admin"), ("dis", "admin")]
    {
        add(&server, name, role);
    }
    let [admin, operator, viewer, expired, disabled] =
        ["ada", "ole", "vic", "eve", "dis"].map(|name| cookie(&login(&server, name)));
    database(&server)
        .execute("UPDATE sessions SET until_at = 1 WHERE account_id = (SELECT id FROM accounts WHERE name = 'eve')", [])
        .unwrap();
    let dead = token(&server, "dis", "admin");
    printed(&run(&server.data_dir, &["disable", "dis"]));
    let mut people = vec![
        person("local", vec![], READ, 401),
        person("remote", vec![field("X-Forwarded-For", "192.0.2.7")], READ, 401),
        person("viewer", viewer, LOOK, 403),
        person("operator", operator, CHANGE, 403),
        person("admin", admin, ALL, 403),
        person("expired", expired, READ, 401),
        person("disabled", disabled, READ, 401),
        person("dead token", bearer(&dead), &[], 401),
        person("made-up token", bearer("mst_0000"), &[], 401),
        person("viewer's token", bearer(&token(&server, "vic", "admin")), LOOK, 403),
    ];
    for (name, scope, may) in [
        ("records", "records", READ),
        ("read", "read", LOOK),
        ("write", "write", CHANGE),
        ("admin token", "admin", ALL),
    ] {
        people.push(person(name, bearer(&token(&server, "ada", scope)), may, 403));
    }
    for forged in ["", "0", "x'--", &"a".repeat(64), &"f".repeat(5_000), "%00", "\u{1}", "é"] {
        people.push(person("forged", cookie(forged), READ, 401));
    }
    ask_for_all(&server, &people);
    // All accounts are as they were.
    assert_eq!(count(&server, "SELECT count(*) FROM accounts WHERE is_active"), 4);
}

#[test]
fn reading_can_take_a_login_and_changing_can_be_open() {
    let server = start("[access]\nread = \"login\"\nwrite = \"open\"\n");
    add(&server, "vic", "viewer");
    let viewer = cookie(&login(&server, "vic"));
    let records = bearer(&token(&server, "vic", "records"));
    let people = [
        person("nobody", vec![], &[Need::ChangeRecords], 401),
        person("viewer", viewer.clone(), &[Need::ReadRecords, Need::ReadFleet, Need::ChangeRecords], 403),
        person("token", records, &[Need::ReadRecords, Need::ChangeRecords], 403),
    ];
    ask_for_all(&server, &people);
    for path in ["/healthz", "/readyz", "/login", "/assets/style.css"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    server.post_record(1, "x");
    // The form to log in says nothing of the records: not how many there are, not what views are made of them.
    std::fs::create_dir_all(server.data_dir.join("views")).unwrap();
    let view = "tab = \"Kernels by board\"\ntitle = \"Kernels by board\"\nabout = \"Which they are.\"\n\
                [[panel]]\ntitle = \"All\"\nshow = \"table\"\nsql = \"SELECT build FROM export_records LIMIT 5\"\n";
    std::fs::write(server.data_dir.join("views/boards.toml"), view).unwrap();
    let shows = |text: &str| (text.contains("Kernels by board"), text.contains("1 record"));
    let page = |path: &str| server.request("GET", path, &viewer, b"").text();
    assert_eq!(shows(&page("/records")), (true, true), "{}", page("/records"));
    assert_eq!(shows(&page("/login")), (true, true));
    assert_eq!(shows(&server.get("/login").text()), (false, false));
    assert_eq!(shows(&try_login(&server, "vic", "wrong").text()), (false, false));
    // A browser is led to the form, a program is told.
    let browser = vec![field("Accept", "text/html")];
    let answer = server.request("GET", "/records?severity=3", &browser, b"");
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, Some("/login?next=%2Frecords%3Fseverity%3D3"))
    );
    let answer = server.get("/api/records");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert!(answer.message().contains("/login"), "{}", answer.text());
    assert_eq!(server.request("GET", "/api/records", &viewer, b"").status, 200);
}
