// SPDX-License-Identifier: Apache-2.0
//! Below a path: every link, form, file and redirect of every page stays there and leads to something.

use super::nginx::Nginx;
use super::{ADA, HTML, ask, pairs};
use crate::support::fleet::FleetFile;
use crate::support::server::Options;
use crate::support::{Server, client::Connection};
use crate::views::html::read_document;
use std::collections::BTreeSet;
use std::net::SocketAddr;

const BASE: &str = "/muster";
/// Pages that a crawl looks at; of one kind with other numbers a few are enough.
const PAGES_MAX: usize = 400;
/// Addresses of one shape (numbers and queries aside) that are followed.
const OF_A_SHAPE_MAX: usize = 2;

fn serve(file: &FleetFile, more: &str) -> Server {
    let config = format!("[http]\nbase_path = \"{BASE}\"\n{more}");
    let options = Options { data_dir: Some(file.data_dir()), config: Some(config), ..Options::default() };
    Server::start_with(options)
}

/// Every address that a page names: of links, forms, files, the stream.
fn addresses(page: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for element in read_document(page) {
        for name in ["href", "src", "action", "formaction", "data-url"] {
            if let Some(address) = element.attribute(name) {
                let is_post = name == "formaction"
                    || name == "action" && element.attribute("method").is_some_and(|m| m == "post");
                found.push((address.to_owned(), is_post));
            }
        }
    }
    found
}

/// The address without numbers and values, so that alike pages are known as such.
fn shape(address: &str) -> String {
    let path = address.split('?').next().unwrap();
    let shape =
        path.split('/').map(|segment| match segment.chars().any(|c| c.is_ascii_digit() || c == '%') {
            true => "N",
            false => segment,
        });
    shape.collect::<Vec<_>>().join("/")
}

/// Follows everything from the first page on; returns the shapes that were seen.
fn crawl(address: SocketAddr, fields: &[(&str, &str)]) -> BTreeSet<String> {
    let fields = pairs(&[fields, &[HTML]].concat());
    let mut open = vec![format!("{BASE}/")];
    let mut known: BTreeSet<String> = open.iter().cloned().collect();
    let mut shapes: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut connection = Connection::open(address).unwrap();
    let mut n_pages = 0;
    while let Some(path) = open.pop() {
        n_pages += 1;
        assert!(n_pages < PAGES_MAX, "the pages have no end: {shapes:?}");
        let answer = match connection.request("GET", &path, &fields, b"") {
            Ok(answer) => answer,
            // A proxy closes a connection after so many requests.
            Err(_) => {
                connection = Connection::open(address).unwrap();
                connection
                    .request("GET", &path, &fields, b"")
                    .unwrap_or_else(|error| panic!("{path}: {error}"))
            }
        };
        assert!(matches!(answer.status, 200 | 302 | 303), "{path}: {} {}", answer.status, answer.text());
        let mut named = Vec::new();
        if let Some(location) = answer.header("location") {
            named.push((location.to_owned(), false));
        }
        if answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")) {
            named.extend(addresses(&answer.text()));
        }
        for (named, is_post) in named {
            if named.starts_with('#') || named.starts_with("https://") {
                continue;
            }
            assert!(named.starts_with(&format!("{BASE}/")), "{path} leads to {named}");
            assert!(!named.starts_with(&format!("{BASE}{BASE}")), "{path} leads to {named}");
            let named = named.split('#').next().unwrap().to_owned();
            let of_shape = shapes.entry(shape(&named)).or_default();
            let is_followed = !is_post && !named.contains("/records/stream");
            if known.insert(named.clone()) && is_followed && *of_shape < OF_A_SHAPE_MAX {
                *of_shape += 1;
                open.push(named);
            }
        }
    }
    shapes.into_keys().collect()
}

#[test]
fn no_page_leads_out_of_the_base_path_directly_or_through_a_proxy() {
    let file = FleetFile::new(60);
    file.make_hostile();
    // Text that looks like an address of ours changes nothing. Damaged results end an export in its middle.
    file.database()
        .execute_batch(
            "UPDATE commands SET results = NULL WHERE results LIKE '{%'; UPDATE builds SET build = ' href=\"/x' WHERE id = 1; UPDATE classifications SET name = '\" src=\"/x' WHERE id = 1;",
        )
        .unwrap();
    file.database()
        .execute_batch("INSERT INTO accounts (name, role, created_at, modified_at) VALUES ('ada', 3, 1, 1)")
        .unwrap();
    let more = "trusted_proxies = [\"127.0.0.1\"]\n[access]\nproxy_header = \"X-Remote-User\"\n\
                proxy_login_from = [\"127.0.0.1\"]\n";
    let server = serve(&file, more);
    let direct = crawl(server.address, &[("X-Remote-User", "ada")]);
    for expected in
        ["/muster/records", "/muster/assets/style.css", "/muster/records/N", "/muster/fleet/agents/N"]
    {
        assert!(direct.contains(expected), "{expected} is not among {direct:?}");
    }
    let nginx = Nginx::start(server.address, "/muster/");
    let through = crawl(nginx.address, &[ADA]);
    assert!(through.contains("/muster/audit") && through.len() + 3 >= direct.len(), "{through:?} {direct:?}");
    // A proxy that takes the path off itself.
    let stripped = Nginx::start_with(&[
        ("proxy_pass http://127.0.0.1:8080;", &format!("proxy_pass http://{}/;", server.address)),
        ("location / {", "location /muster/ {"),
    ]);
    assert_eq!(crawl(stripped.address, &[ADA]), through);
    let posted = crate::support::record_fields(424_242);
    let answer = Connection::open(nginx.address).unwrap();
    let mut connection = answer;
    let answer = connection.request("POST", "/muster/v2/collector", &posted, b"x").unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[test]
fn headers_and_answers_of_programs_are_below_the_path_too() {
    let file = FleetFile::new(5);
    let server = serve(&file, "");
    let get = |path: &str| ask(server.address, "GET", path, &[], b"");
    assert_eq!(get("/muster").header("location"), Some("/muster/records"));
    assert_eq!(get("/muster/telemetryui/records?x=1").header("location"), Some("/muster/records?x=1"));
    let link = get("/muster/api/records?limit=2").header("link").unwrap().to_owned();
    assert!(link.starts_with("</muster/api/records?limit=2&from_id="), "{link}");
    let next = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(get(&next).status, 200);
    let href = get("/muster/api/v1/nothing").json()["collection"]["href"].as_str().unwrap().to_owned();
    assert!(href.ends_with("/muster/api/v1/nothing"), "{href}");
    let alive = get("/muster/api/v1/heartbeat").json();
    assert_eq!(alive["collection"]["items"][0]["href"], "/muster/api/v1/heartbeat");
    // The page that says what is wrong, before anything was looked at.
    let page = ask(server.address, "GET", "/muster/nothing", &[HTML], b"");
    assert!(page.status == 404 && page.text().contains("href=\"/muster/assets/style.css"));
    assert!(!page.text().contains("\"/assets/"));
    // The stream brings rows as the page has them.
    let mut connection = server.connect();
    let fields = pairs(&[("Host", "localhost")]);
    connection
        .send(
            format!(
                "GET /muster/records/stream?after_id=0 HTTP/1.1\r\n{}: {}\r\n\r\n",
                fields[0].0, fields[0].1
            )
            .as_bytes(),
        )
        .unwrap();
    let rows = loop {
        let line = connection.body_line().unwrap();
        if let Some(rows) = line.strip_prefix("data: ") {
            break rows.to_owned();
        }
    };
    assert!(rows.contains("href=\"/muster/records/") && !rows.contains("href=\"/records/"), "{rows}");
}
