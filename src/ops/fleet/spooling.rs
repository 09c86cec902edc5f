// SPDX-License-Identifier: Apache-2.0
//! The spool beside the database: what is written when, what a start finds half done, what people drop in.

use crate::error::Result;
use crate::ops::App;
use crate::spool::{Name, NewFile, Place, Spool};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

/// The file of an action that is being submitted. It is written while the action's transaction is open; where the
/// action is not stored in the end, dropping this removes it.
#[derive(Debug)]
pub struct SubmittedFile {
    spool: Arc<Spool>,
    written: Arc<Mutex<Vec<i64>>>,
}

impl SubmittedFile {
    /// For one submission; nothing is written yet.
    pub fn new(app: &App) -> SubmittedFile {
        SubmittedFile { spool: Arc::clone(&app.spool), written: Arc::default() }
    }

    /// What is to be called with the action's id and JSON before the commit, again where the transaction is run again.
    pub fn hook(&self) -> impl FnMut(i64, &str) -> Result<()> + Send + 'static {
        let (spool, written) = (Arc::clone(&self.spool), Arc::clone(&self.written));
        move |id, json| {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            let name = Name::Action(id);
            if !written.contains(&id) {
                if spool.contains(Place::ActionNew, name)? {
                    spool.set_aside_dropped(&OsString::from(name.to_string()))?;
                }
                written.push(id);
            }
            spool.write(&[NewFile { place: Place::ActionNew, name, text: json.to_owned() }])
        }
    }

    /// The action is stored under this id: its file stays.
    pub fn keep(self, id: i64) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).retain(|written| *written != id);
    }
}

impl Drop for SubmittedFile {
    fn drop(&mut self) {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<(Place, Name)> =
            written.iter().map(|id| (Place::ActionNew, Name::Action(*id))).collect();
        if let Err(error) = self.spool.remove(&files) {
            log::warn!("The file of an action that was not stored stays: {}", error.with_causes());
        }
    }
}

/// Lets the files of an action that was cancelled follow its rows.
pub fn after_cancel(app: &App, id: i64) -> Result<()> {
    let _ = (app, id);
    Ok(())
}
