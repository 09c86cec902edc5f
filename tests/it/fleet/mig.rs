// SPDX-License-Identifier: Apache-2.0
//! The API as MIG's clients use it: the real binary, tokens made by gpg, the clients' own sequences of requests.

mod access;
mod clients;
mod entities;
mod investigators;
mod search;
mod speed;

use crate::support::{Answer, Gpg, Server};
use muster::clock::Clock;
use muster::model::time::rfc3339;
use muster::store::database_path;
use rusqlite::Connection;
use serde_json::Value;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Keys that all tests share: making them is slow.
pub struct Keys {
    pub gpg: Gpg,
    pub ada: String,
    pub bob: String,
    pub stranger: String,
}

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let gpg = Gpg::new();
        let ada = gpg.key("Ada Admin", "rsa2048");
        let bob = gpg.key("Bob Kelso", "ed25519");
        let stranger = gpg.key("A Stranger", "rsa2048");
        Keys { gpg, ada, bob, stranger }
    })
}

/// A token of now with a nonce of its own.
pub fn token(fingerprint: &str) -> String {
    token_of(fingerprint, &rfc3339(Clock::system().now()), "1")
}

/// A token of any time and version, with a nonce of its own.
pub fn token_of(fingerprint: &str, time: &str, version: &str) -> String {
    static NONCE: AtomicU64 = AtomicU64::new(28_047_263_268_867);
    let text = format!("{version};{time};{}", NONCE.fetch_add(1, Ordering::Relaxed));
    let signature = keys().gpg.sign_one_line(fingerprint, &format!("{text}\n"));
    format!("{text};{signature}")
}

/// Runs `muster investigator …` on the data directory of a running server.
pub fn muster(server: &Server, words: &[&str]) -> Output {
    muster_with(server, words, b"")
}

/// The same with standard input.
pub fn muster_with(server: &Server, words: &[&str], input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_muster"))
        .arg("investigator")
        .args(words)
        .arg("--data")
        .arg(&server.data_dir)
        .env_remove("STATE_DIRECTORY")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What it printed; it must have succeeded.
pub fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Adds an investigator with one of the shared keys; returns its id.
pub fn add(server: &Server, name: &str, fingerprint: &str, permissions: &str) -> i64 {
    let key = keys().gpg.public_key(fingerprint);
    let words = ["add", "--name", name, "--permissions", permissions, "--key", "-"];
    let said = printed(&muster_with(server, &words, key.as_bytes()));
    said.split([' ', ',']).nth(2).unwrap().parse().unwrap()
}

/// Adds an investigator without a key and gives an API key for it.
pub fn add_with_api_key(server: &Server, name: &str, permissions: &str) -> (i64, String) {
    let said = printed(&muster(server, &["add", "--name", name, "--permissions", permissions]));
    let id: i64 = said.split([' ', ',']).nth(2).unwrap().parse().unwrap();
    let key = printed(&muster(server, &["apikey", &id.to_string()])).trim().to_owned();
    assert_eq!(key.len(), 32);
    (id, key)
}

/// A server with one investigator who may do everything, and that one's API key.
pub struct Api {
    pub server: Server,
    pub key: String,
}

impl Api {
    pub fn start() -> Api {
        let server = Server::start();
        let (id, key) = add_with_api_key(&server, "Root", "all");
        assert_eq!(id, 1);
        Api { server, key }
    }

    pub fn get(&self, path: &str) -> Answer {
        get_with_key(&self.server, path, &self.key)
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        post_with_key(&self.server, path, form, &self.key)
    }

    /// The database, to put rows into it and to look at them.
    pub fn database(&self) -> Connection {
        database(&self.server)
    }
}

pub fn database(server: &Server) -> Connection {
    let connection = Connection::open(database_path(&server.data_dir)).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection
}

/// True where the description of the API has this answer to a post, in Collection+JSON.
pub fn is_described(server: &Server, path: &str, status: u16) -> bool {
    let document = server.get("/api/openapi.json").json();
    let answer = &document["paths"][path]["post"]["responses"][status.to_string()];
    answer["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Collection"
}

pub fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

pub fn get_with_key(server: &Server, path: &str, key: &str) -> Answer {
    server.request("GET", path, &[field("X-MIGAPIKEY", key)], b"")
}

pub fn get_with_token(server: &Server, path: &str, token: &str) -> Answer {
    server.request("GET", path, &[field("X-PGPAUTHORIZATION", token)], b"")
}

pub fn post_with_key(server: &Server, path: &str, form: &[(&str, &str)], key: &str) -> Answer {
    let body = encoded(form);
    let fields = [field("X-MIGAPIKEY", key), field("Content-Type", "application/x-www-form-urlencoded")];
    server.request("POST", path, &fields, body.as_bytes())
}

/// A form as Go's `url.Values.Encode` writes it: sorted by name.
pub fn encoded(form: &[(&str, &str)]) -> String {
    let mut form = form.to_vec();
    form.sort_unstable();
    rouille::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// The multipart body of Go's `mime/multipart`: fields, then files.
pub fn multipart(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "3a1e2d4c5b6a798897a6b5c4d3e2f1003a1e2d4c5b6a798897a6b5c4d3e2";
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    for (name, file, bytes) in files {
        body.extend(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            )
            .bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// The `collection` of an answer; what every answer of the API must have is looked at.
pub fn collection(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let collection = answer.json()["collection"].clone();
    assert_eq!(collection["version"], "1.0");
    assert!(collection["href"].as_str().unwrap().starts_with("http://localhost/api/v1/"), "{collection}");
    assert!(collection["template"].is_object() && collection["error"].is_object(), "{collection}");
    collection
}

/// The message of a failure.
pub fn message(answer: &Answer) -> String {
    let collection = collection(answer);
    assert!(!collection["error"]["code"].as_str().unwrap().is_empty());
    collection["error"]["message"].as_str().unwrap().to_owned()
}

/// Name and value of the first data of the first item.
pub fn first(answer: &Answer) -> (String, Value) {
    let data = &collection(answer)["items"][0]["data"][0];
    (data["name"].as_str().unwrap().to_owned(), data["value"].clone())
}

/// The values of all items of this name, in order.
pub fn values(answer: &Answer, name: &str) -> Vec<Value> {
    let items = collection(answer)["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .flat_map(|item| item["data"].as_array().unwrap())
        .filter(|data| data["name"] == name)
        .map(|data| data["value"].clone())
        .collect()
}

pub fn ids(answer: &Answer, name: &str) -> Vec<i64> {
    values(answer, name).iter().map(|value| value["id"].as_i64().unwrap()).collect()
}
