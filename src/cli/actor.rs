// SPDX-License-Identifier: Apache-2.0
//! Who runs a command, for the audit log.

use crate::model::audit::Actor;
use rustix::process::getuid;
use std::sync::OnceLock;

/// Longest name that is taken from the environment.
const NAME_CHARS_MAX: usize = 64;

static USER: OnceLock<String> = OnceLock::new();

/// Notes who runs the program; to be called before it becomes the owner of the data directory.
pub fn note_user() {
    USER.get_or_init(|| {
        let uid = getuid().as_raw();
        let name = name_of(uid).unwrap_or_else(|| format!("id {uid}"));
        match std::env::var("SUDO_USER") {
            Ok(behind) if uid == 0 => {
                let behind: String =
                    behind.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
                format!("user {behind} (as {name})")
            }
            _ => format!("user {name}"),
        }
    });
}

/// Who runs this command.
pub fn actor(command: &str) -> Actor {
    note_user();
    Actor { name: USER.get().cloned().unwrap_or_default(), origin: command.to_owned() }
}

/// The name of a user in the system's list; users of a directory service are known by their number.
fn name_of(uid: u32) -> Option<String> {
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse::<u32>().ok()? == uid).then(|| name.to_owned())
    })
}
