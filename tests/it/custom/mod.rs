// SPDX-License-Identifier: Apache-2.0
//! Custom views, through the real binary: files of a views directory become pages, whatever is in them.

mod command;
mod docs;
mod files;
mod hostile;
mod pages;

use crate::support::{Answer, Server};
use std::path::Path;
use std::process::{Command, Stdio};

/// A view with one panel.
fn view(show: &str, sql: &str) -> String {
    format!("tab = 'Tab'\ntitle = 'Title'\n{}", panel(show, sql))
}

/// A panel; its query begins on the fifth line after the line before it.
fn panel(show: &str, sql: &str) -> String {
    format!("[[panel]]\ntitle = 'Panel'\nshow = '{show}'\nsql = '''\n{sql}\n'''\n")
}

/// Puts a view into the server's directory.
fn put(server: &Server, name: &str, text: &str) {
    let dir = server.data_dir.join("views");
    std::fs::create_dir_all(&dir).unwrap();
    // Moved into its place, as a careful administrator does; nobody sees a half.
    let draft = dir.join("draft");
    std::fs::write(&draft, text).unwrap();
    std::fs::rename(draft, dir.join(format!("{name}.toml"))).unwrap();
}

fn page(server: &Server, name: &str) -> Answer {
    server.get(&format!("/views/{name}"))
}

/// The panels of a view as JSON.
fn panels(server: &Server, name: &str) -> Vec<serde_json::Value> {
    let answer = server.get(&format!("/api/views/{name}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["panels"].as_array().unwrap().clone()
}

/// The first panel of a view of one query.
fn ask(server: &Server, sql: &str) -> serde_json::Value {
    put(server, "asked", &view("table", sql));
    panels(server, "asked").remove(0)
}

/// Exit status, standard output, standard error of the program.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    let output = command.args(arguments).env_remove("STATE_DIRECTORY").stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}
