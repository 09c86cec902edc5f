// SPDX-License-Identifier: Apache-2.0
//! What an agent remembers beyond its process, as files in its state directory:
//!
//! ```text
//! lock              held while an agent runs on this directory
//! key               64 hexadecimal digits that only this agent knows; the server has their digest
//! queueloc          under which the server knows the endpoint
//! ran/HASH          a signed text that ran, or began to: which command it was, and when it expires
//! answers/HASH      what was answered to it, JSON
//! ```
//!
//! HASH is the SHA-256 of the signed text. A text is written into `ran` durably before it runs, so that it never runs
//! twice, whatever the server sends and however the agent ends.

use crate::agent::pace::random_hex;
use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Signed texts that are remembered; with so many that have not expired, none runs any more.
const RAN_MAX: usize = 10_000;
/// Bytes of the answers that are kept together; the oldest go first.
const ANSWERS_BYTES_MAX: u64 = 64 << 20;
/// A text is forgotten only so long after it expired: a clock that is set back a little must not bring it to life.
const KEEP_SECS: i64 = 7 * 86_400;
/// Bytes of any file here but answers.
const SMALL_BYTES_MAX: u64 = 4_096;

/// The state directory, held by this process.
#[derive(Debug)]
pub struct State {
    dir: PathBuf,
    key: String,
    queueloc: String,
    _lock: File,
}

/// What a file of `ran` says.
#[derive(Debug, Serialize, Deserialize)]
struct Ran {
    command_id: i64,
    expires_at: i64,
}

/// What is known of a signed text.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// It never ran here.
    New,
    /// It ran for this command, and this was answered.
    Answered(String),
    /// It began to run for this command, but there is no answer: the agent was ended, or the answer is too old.
    Begun,
    /// It ran for another command.
    Replayed,
}

impl State {
    /// Takes the directory, making it and what belongs into it where it is missing. `host_name` goes into a new
    /// queueloc. Busy where another agent runs on it, Usage where it cannot be used, Corrupt where a file in it is
    /// damaged.
    pub fn open(dir: &Path, host_name: &str) -> Result<State> {
        let cannot = |error: std::io::Error| {
            Error::usage(format!("Cannot use {} as the agent's state directory", dir.display()))
                .because(error)
        };
        for directory in [dir.to_owned(), dir.join("ran"), dir.join("answers")] {
            DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(cannot)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join("lock"))
            .map_err(cannot)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Error::busy(format!(
                "Another agent runs with the state directory {}",
                dir.display()
            )));
        }
        let is_key = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = kept(&dir.join("key"), is_key, || random_hex(32))?;
        let is_queueloc = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let new_queueloc = || Ok(format!("linux.{}.{}", clean(host_name), random_hex(10)?));
        let queueloc = kept(&dir.join("queueloc"), is_queueloc, new_queueloc)?;
        Ok(State { dir: dir.to_owned(), key, queueloc, _lock: lock })
    }

    /// The key that the agent shows to its server.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Under which the server knows this endpoint.
    pub fn queueloc(&self) -> &str {
        &self.queueloc
    }

    /// What is known of the signed text with this hash, asked for by this command.
    pub fn look_up(&self, hash: &str, command_id: i64) -> Result<Known> {
        let Some(text) = read(&self.ran(hash), SMALL_BYTES_MAX)? else { return Ok(Known::New) };
        // A damaged file still says that it ran.
        match serde_json::from_str::<Ran>(&text) {
            Ok(ran) if ran.command_id == command_id => {}
            _ => return Ok(Known::Replayed),
        }
        Ok(read(&self.answer(hash), ANSWERS_BYTES_MAX)?.map_or(Known::Begun, Known::Answered))
    }

    /// Remembers that a signed text begins to run; from the return on that survives everything. Busy where it cannot be
    /// written or too many are remembered; then it must not run.
    pub fn begin(&self, hash: &str, command_id: i64, expires_at: i64) -> Result<()> {
        let count = list(&self.dir.join("ran"))?.len();
        if count >= RAN_MAX {
            let message =
                format!("The agent remembers {count} actions that have not expired; it takes no more");
            return Err(Error::busy(message));
        }
        let ran = serde_json::to_string(&Ran { command_id, expires_at })
            .map_err(|error| Error::internal("Cannot write what ran as JSON").because(error))?;
        write_durably(&self.ran(hash), ran.as_bytes())
    }

    /// Keeps the answer to a text that [`State::begin`] wrote.
    pub fn finish(&self, hash: &str, answer: &str) -> Result<()> {
        self.make_room(answer.len() as u64)?;
        write_durably(&self.answer(hash), answer.as_bytes())
    }

    /// Forgets what has expired long enough ago.
    pub fn prune(&self, now: i64) -> Result<()> {
        for path in list(&self.dir.join("ran"))? {
            let Some(text) = read(&path, SMALL_BYTES_MAX)? else { continue };
            let ran: Option<Ran> = serde_json::from_str(&text).ok();
            let is_over = ran.is_some_and(|ran| ran.expires_at.saturating_add(KEEP_SECS) < now);
            if let (true, Some(name)) = (is_over, path.file_name()) {
                remove(&self.dir.join("answers").join(name))?;
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes the oldest answers until `bytes` more are within the bound.
    fn make_room(&self, bytes: u64) -> Result<()> {
        let mut answers = Vec::new();
        for path in list(&self.dir.join("answers"))? {
            let cannot = |error| cannot("look at", &path, error);
            let found = fs::metadata(&path).map_err(cannot)?;
            answers.push((found.modified().map_err(cannot)?, found.len(), path.clone()));
        }
        answers.sort();
        let mut together: u64 = answers.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in answers {
            if together + bytes <= ANSWERS_BYTES_MAX {
                break;
            }
            remove(&path)?;
            together -= len;
        }
        Ok(())
    }

    fn ran(&self, hash: &str) -> PathBuf {
        self.dir.join("ran").join(hash)
    }

    fn answer(&self, hash: &str) -> PathBuf {
        self.dir.join("answers").join(hash)
    }
}

/// A host's name as part of a queueloc.
fn clean(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain: String = name.chars().take(253).map(|c| if is_plain(c) { c } else { '_' }).collect();
    if plain.is_empty() { "unnamed".to_owned() } else { plain }
}

/// The one line of a file; where there is no file, `make` says what it shall be.
fn kept(path: &Path, is_good: impl Fn(&str) -> bool, make: impl Fn() -> Result<String>) -> Result<String> {
    if let Some(text) = read(path, SMALL_BYTES_MAX)? {
        let line = text.trim();
        if !is_good(line) {
            let message = format!(
                "{} is damaged; remove it, then the agent makes a new one and must be bound anew",
                path.display()
            );
            return Err(Error::new(Kind::Corrupt, message));
        }
        return Ok(line.to_owned());
    }
    let made = make()?;
    write_durably(path, format!("{made}\n").as_bytes())?;
    Ok(made)
}

/// The files of a directory that are whole.
fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| cannot("list", dir, error))? {
        let path = entry.map_err(|error| cannot("list", dir, error))?.path();
        if path.extension().is_none() {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The text of a file; none where it is not there.
fn read(path: &Path, bytes_max: u64) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, error)),
    };
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes).map_err(|error| cannot("read", path, error))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    // What a crash leaves under this name is written over the next time.
    let part = path.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(|error| cannot("write", path, error))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", path, error)),
        _ => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::busy(format!("Cannot {what} {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const HASH: &str = "aa";

    fn opened(dir: &Path) -> State {
        State::open(dir, "host.example").unwrap()
    }

    #[test]
    fn key_and_queueloc_stay_and_only_one_agent_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("state");
        let state = opened(&dir);
        assert!(state.queueloc().starts_with("linux.host.example."), "{}", state.queueloc());
        let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("key"), mode("."), mode("ran")), (0o600, 0o700, 0o700));
        assert_eq!(State::open(&dir, "x").unwrap_err().kind(), Kind::Busy);
        let before = (state.key().to_owned(), state.queueloc().to_owned());
        drop(state);
        let state = opened(&dir);
        assert_eq!((state.key().to_owned(), state.queueloc().to_owned()), before);
        drop(state);
        fs::write(dir.join("key"), "short\n").unwrap();
        assert_eq!(State::open(&dir, "x").unwrap_err().kind(), Kind::Corrupt);
    }

    #[test]
    fn a_text_that_began_is_known_until_long_after_it_expired() {
        let dir = tempfile::tempdir().unwrap();
        let state = opened(dir.path());
        assert_eq!(state.look_up(HASH, 7).unwrap(), Known::New);
        state.begin(HASH, 7, 1_000).unwrap();
        drop(state);
        let state = opened(dir.path());
        assert_eq!(state.look_up(HASH, 7).unwrap(), Known::Begun);
        assert_eq!(state.look_up(HASH, 8).unwrap(), Known::Replayed);
        state.finish(HASH, "{}").unwrap();
        assert_eq!(state.look_up(HASH, 7).unwrap(), Known::Answered("{}".into()));
        assert_eq!(state.look_up(HASH, 8).unwrap(), Known::Replayed);
        state.prune(1_000 + KEEP_SECS).unwrap();
        assert_eq!(state.look_up(HASH, 8).unwrap(), Known::Replayed);
        state.prune(1_001 + KEEP_SECS).unwrap();
        assert_eq!(state.look_up(HASH, 7).unwrap(), Known::New);
        assert!(list(&dir.path().join("answers")).unwrap().is_empty());
    }

    #[test]
    fn what_is_damaged_counts_as_ran_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = opened(dir.path());
        fs::write(dir.path().join("ran").join(HASH), "{\"comm").unwrap();
        state.prune(i64::MAX).unwrap();
        assert_eq!(state.look_up(HASH, 7).unwrap(), Known::Replayed);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let state = opened(dir.path());
        for n in 0..RAN_MAX {
            fs::write(dir.path().join("ran").join(n.to_string()), "").unwrap();
        }
        assert_eq!(state.begin(HASH, 7, 1_000).unwrap_err().kind(), Kind::Busy);
        let large = " ".repeat(20 << 20);
        for hash in ["a", "b", "c", "d"] {
            state.finish(hash, &large).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let kept: Vec<PathBuf> = list(&dir.path().join("answers")).unwrap();
        assert!(kept.len() == 3 && !kept.iter().any(|path| path.ends_with("a")), "{kept:?}");
    }
}
