// SPDX-License-Identifier: Apache-2.0
//! Removed files of a running server: out of their place at once, gone a little later. Unlinking a file that was synced
//! a moment ago takes milliseconds where the disk is busy, renaming it does not; agents wait for the one, not for the
//! other.

use crate::error::{Error, Result};
use crate::spool::Spool;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

/// Files that wait to be unlinked; of more, each is unlinked at once.
const SWEPT_MAX: usize = 10_000;

/// Where removed files are sent, while there is somebody to unlink them.
#[derive(Debug, Default)]
pub struct Bin(RwLock<Option<SyncSender<PathBuf>>>);

impl Bin {
    /// True where somebody will unlink it.
    pub fn takes(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Has a file unlinked, at once where nobody else does it. What stays is removed by the next start.
    pub fn throw(&self, path: PathBuf) {
        let bin = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let back = match bin.as_ref().map(|bin| bin.try_send(path.clone())) {
            Some(Ok(())) => return,
            _ => path,
        };
        unlink(back);
    }

    fn set(&self, sender: Option<SyncSender<PathBuf>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = sender;
    }
}

fn unlink(path: PathBuf) {
    if let Err(error) = fs::remove_file(&path) {
        log::debug!("Cannot remove {}: {error}", path.display());
    }
}

/// The running thread; stopped when dropped.
#[derive(Debug)]
pub struct Sweeping {
    spool: Arc<Spool>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeping {
    /// Starts it.
    pub fn start(spool: Arc<Spool>) -> Result<Sweeping> {
        let (sender, files): (_, Receiver<PathBuf>) = sync_channel(SWEPT_MAX);
        let thread = std::thread::Builder::new()
            .name("sweeper".into())
            .spawn(move || files.into_iter().for_each(unlink))
            .map_err(|error| Error::internal("Cannot start the thread that removes files").because(error))?;
        spool.bin().set(Some(sender));
        Ok(Sweeping { spool, thread: Some(thread) })
    }
}

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.spool.bin().set(None);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("The thread that removes files panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{Name, NewFile, Place};

    #[test]
    fn a_removed_file_is_out_of_its_place_at_once_and_gone_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::new(parent.path().join("spool")));
        let (place, name) = (Place::CommandReady, Name::Command { action_id: 1, id: 2 });
        let sweeping = Sweeping::start(Arc::clone(&spool)).unwrap();
        for _ in 0..2 {
            spool.write(&[NewFile { place, name, text: "x".to_owned() }]).unwrap();
            spool.remove(&[(place, name), (place, name)]).unwrap();
            assert!(!spool.contains(place, name).unwrap());
        }
        drop(sweeping);
        assert_eq!(fs::read_dir(parent.path().join("spool/tmp")).unwrap().count(), 0);
        spool.write(&[NewFile { place, name, text: "x".to_owned() }]).unwrap();
        spool.remove(&[(place, name)]).unwrap();
        assert!(!spool.contains(place, name).unwrap());
    }
}
