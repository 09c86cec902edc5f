// SPDX-License-Identifier: Apache-2.0
//! Accounts, sessions and API tokens: who may ask for what, over the wire and on the command line.

mod accounts;
mod command;
mod login;
mod matrix;
mod sessions;

use crate::support::server::Options;
use crate::support::{Answer, Server};
use crate::views::html::read_document;
use rusqlite::Connection;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The password of every account of the tests.
pub const PASSWORD: &str = "correct horse battery staple";

pub type Fields = Vec<(String, String)>;

/// A field of a request.
pub fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Runs `muster account …` on a data directory; its standard input is the usual password.
pub fn run(data: &Path, words: &[&str]) -> Output {
    run_with(data, words, format!("{PASSWORD}\n").as_bytes())
}

pub fn run_with(data: &Path, words: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.arg("account").args(words).arg("--data").arg(data).env_remove("STATE_DIRECTORY");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who needs no password reads none.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// What a command printed that went well.
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Adds an account with the usual password.
pub fn add(server: &Server, name: &str, role: &str) {
    printed(&run(&server.data_dir, &["add", name, "--role", role]));
}

/// Makes an API token.
pub fn token(server: &Server, name: &str, scope: &str) -> String {
    let words = ["token", name, "--for", "a test", "--scope", scope];
    printed(&run(&server.data_dir, &words)).trim().to_owned()
}

pub fn bearer(token: &str) -> Fields {
    vec![field("Authorization", &format!("Bearer {token}"))]
}

pub fn cookie(secret: &str) -> Fields {
    vec![field("Cookie", &format!("muster_session={secret}"))]
}

/// Sends a form with these fields of the head.
pub fn send(server: &Server, path: &str, head: &[(String, String)], form: &[(&str, &str)]) -> Answer {
    crate::crashes::send_form(server, path, form, head)
}

/// Tries to log in.
pub fn try_login(server: &Server, name: &str, password: &str) -> Answer {
    send(server, "/login", &[], &[("name", name), ("password", password)])
}

/// Logs in; the cookie's value.
pub fn login(server: &Server, name: &str) -> String {
    let answer = try_login(server, name, PASSWORD);
    assert_eq!(answer.status, 303, "{}", answer.text());
    secret_of(&answer)
}

/// The value of the session cookie that an answer sets.
pub fn secret_of(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap();
    cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned()
}

/// What a form for this session sends back.
pub fn csrf(server: &Server, secret: &str) -> String {
    let answer = server.request("GET", "/account", &cookie(secret), b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let elements = read_document(&answer.text());
    let token = elements.iter().find(|e| e.attribute("name") == Some("csrf_token")).unwrap();
    token.attribute("value").unwrap().to_owned()
}

/// Sends a form of the session with its token.
pub fn send_own(server: &Server, path: &str, secret: &str, form: &[(&str, &str)]) -> Answer {
    let token = csrf(server, secret);
    let form: Vec<_> = [("csrf_token", token.as_str())].iter().chain(form).copied().collect();
    send(server, path, &cookie(secret), &form)
}

/// True where the session counts.
pub fn counts(server: &Server, secret: &str) -> bool {
    server.request("GET", "/fleet", &cookie(secret), b"").status == 200
}

pub fn database(server: &Server) -> Connection {
    let connection = Connection::open(muster::store::database_path(&server.data_dir)).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    connection
}

pub fn count(server: &Server, sql: &str) -> i64 {
    database(server).query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A server with lines of configuration; failed logins without a limit.
pub fn start(config: &str) -> Server {
    let config = format!("[limits]\nlogins_per_minute = 0\n{config}");
    Server::start_with(Options { config: Some(config), ..Options::default() })
}
