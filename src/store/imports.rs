// SPDX-License-Identifier: Apache-2.0
//! Storing what a file brings, batch by batch, beside a running server: which records are known already, and how far
//! the file was read, in the transaction of each batch.
//!
//! A record is known where one that was stored before the import began is alike in every field, its reception time and
//! its payload included. Two that are alike within the file are two.

use crate::error::{Error, Result};
use crate::guilty::blacklist::Entry;
use crate::guilty::defaults::default_entries;
use crate::guilty::function_name;
use crate::model::audit::{Actor, Audit};
use crate::model::record::NewRecord;
use crate::store::audit::insert_audit;
use crate::store::blacklist::{
    BlacklistChange, BlacklistState, OWN_ENTRIES_MAX, load_blacklist, save_blacklist,
};
use crate::store::disk::Reserve;
use crate::store::record_insert::{InsertState, PreparedRecord, StoredMachineId, insert_record};
use crate::store::record_list::newest_id;
use crate::store::record_row::{PayloadPart, RECORD_COLUMNS, RECORD_JOINS, record_from_row};
use crate::store::{Store, open, recents};
use rusqlite::{Connection, OptionalExtension};
use std::time::{Duration, Instant};

/// Records that are copied to the list of known ones in one reading.
const KNOWN_IDS_PER_READ: i64 = 20_000;
/// Files that are remembered; the ones that were not touched for longest are forgotten.
const IMPORTS_MAX: i64 = 1_000;

/// What a row of a file brings.
#[derive(Clone, Debug)]
pub enum ImportItem {
    /// A record and when it was received.
    Record(Box<NewRecord>, i64),
    /// What an admin noted about a function that crashes are laid at the door of.
    Guilty {
        /// As sent.
        function: String,
        /// Without brackets, perhaps empty.
        module: String,
        /// One line, perhaps empty.
        comment: String,
        /// Taken out of the lists.
        is_hidden: bool,
    },
    /// A function that is never guilty.
    Blacklisted(Entry),
}

/// How far an import is. A row is a row of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// What is before it in the file (unpacked) is stored or rejected.
    pub offset_bytes: u64,
    /// Stored by this import.
    pub rows_stored: u64,
    /// Were stored before.
    pub rows_known: u64,
    /// Broke a rule.
    pub rows_rejected: u64,
    /// The length of the file of these with them; what is behind it came after the last batch and comes again.
    pub rejects_bytes: u64,
}

/// An import in progress, on a connection of its own.
#[derive(Debug)]
pub struct Import {
    connection: Connection,
    reserve: Reserve,
    /// What the file is known by; none where it cannot be read again.
    source_digest: Option<[u8; 32]>,
    name: String,
    actor: Actor,
    base_record_id: i64,
    progress: ImportProgress,
    rejects_path: String,
    is_begun: bool,
    /// The blacklist with what the file brought so far; none before it brought an entry.
    blacklist: Option<BlacklistState>,
}

impl Store {
    /// Begins to import, or goes on where the same file was cut off. `name` is for people; `reserve_bytes` of the disk
    /// stay free.
    pub fn begin_import(
        &self,
        source_digest: Option<[u8; 32]>,
        name: &str,
        reserve_bytes: u64,
        actor: &Actor,
    ) -> Result<Import> {
        let connection = open::open_writer(self.path())?;
        // What is known of a large database does not fit into memory.
        connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA wal_autocheckpoint = 4000")?;
        let found = match source_digest {
            Some(digest) => unfinished(&connection, digest)?,
            None => None,
        };
        let (base_record_id, rejects_path, progress) = match found {
            Some(found) => found,
            None => (newest_id(&connection)?, String::new(), ImportProgress::default()),
        };
        list_known(&connection, base_record_id)?;
        let data_dir = self.path().parent().unwrap_or(self.path());
        Ok(Import {
            connection,
            reserve: Reserve::new(data_dir, reserve_bytes),
            source_digest,
            name: name.to_owned(),
            actor: actor.clone(),
            base_record_id,
            is_begun: progress != ImportProgress::default(),
            progress,
            rejects_path,
            blacklist: None,
        })
    }
}

fn unfinished(connection: &Connection, digest: [u8; 32]) -> Result<Option<(i64, String, ImportProgress)>> {
    let mut statement = connection.prepare(
        "SELECT base_record_id, offset_bytes, rows_stored, rows_known, rows_rejected, rejects_bytes, rejects_path
         FROM imports WHERE source_digest = ?1 AND is_done = 0",
    )?;
    let row = statement.query_row([&digest[..]], |row| {
        let number = |index| row.get::<_, i64>(index).map(i64::unsigned_abs);
        Ok((
            row.get(0)?,
            row.get(6)?,
            ImportProgress {
                offset_bytes: number(1)?,
                rows_stored: number(2)?,
                rows_known: number(3)?,
                rows_rejected: number(4)?,
                rejects_bytes: number(5)?,
            },
        ))
    });
    Ok(row.optional()?)
}

/// Lists the records up to `base_record_id` by what tells most of them apart, in a temporary table of the connection.
fn list_known(connection: &Connection, base_record_id: i64) -> Result<()> {
    connection.execute_batch(
        "CREATE TEMP TABLE known (
           received_at INTEGER, captured_at INTEGER, machine_id ANY, record_id INTEGER,
           PRIMARY KEY (received_at, captured_at, machine_id, record_id)
         ) STRICT, WITHOUT ROWID",
    )?;
    let mut insert = connection.prepare(
        "INSERT INTO temp.known SELECT received_at, captured_at, machine_id, id FROM records
         WHERE id > ?1 AND id <= min(?2, ?3)",
    )?;
    let mut after: i64 =
        connection
            .query_row("SELECT coalesce(min(id) - 1, ?1) FROM records", [base_record_id], |row| row.get(0))?;
    while after < base_record_id {
        let through = after + KNOWN_IDS_PER_READ;
        insert.execute([after, through, base_record_id])?;
        after = through;
    }
    Ok(())
}

impl Import {
    /// How far it is: more than nothing at the beginning where it goes on.
    pub fn progress(&self) -> ImportProgress {
        self.progress
    }

    /// Where the rejected rows are; empty where nothing was said.
    pub fn rejects_path(&self) -> &str {
        &self.rejects_path
    }

    /// Remembers where the rejected rows are, from the next batch on.
    pub fn set_rejects_path(&mut self, path: String) {
        self.rejects_path = path;
    }

    /// The blacklist with what the file brought so far.
    fn blacklist(&mut self) -> Result<&mut BlacklistState> {
        match &mut self.blacklist {
            Some(state) => Ok(state),
            empty => Ok(empty.insert(load_blacklist(&self.connection)?)),
        }
    }

    /// True where an entry of the blacklist, or a note about a function, would change nothing; for a record see
    /// [`Import::is_known`].
    pub fn is_held(&mut self, item: &ImportItem) -> Result<bool> {
        match item {
            ImportItem::Record(..) => Ok(false),
            ImportItem::Blacklisted(entry) => Ok(self.blacklist()?.entries().contains(entry)),
            ImportItem::Guilty { function, module, comment, is_hidden } => {
                let mut find = self.connection.prepare_cached(
                    "SELECT comment, is_hidden FROM functions WHERE name = ?1 AND module = ?2",
                )?;
                let held = find.query_row(rusqlite::params![function_name(function), module], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?))
                });
                Ok(held.optional()?.is_some_and(|(held, is_held_hidden)| {
                    (comment.is_empty() || !held.is_empty()) && (is_held_hidden || !is_hidden)
                }))
            }
        }
    }

    /// True where the blacklist has room for an entry, which then counts as being in it.
    pub fn takes_entry(&mut self, entry: &Entry) -> Result<bool> {
        let state = self.blacklist()?;
        let is_shipped = state.is_default_on && default_entries().any(|shipped| shipped == entry);
        if is_shipped || state.own.contains(entry) {
            return Ok(true);
        }
        let has_room = state.own.len() < OWN_ENTRIES_MAX;
        if has_room {
            state.own.insert(entry.clone());
        }
        Ok(has_room)
    }

    /// True where the very same record was stored before the import began, and no row before was that one.
    pub fn is_known(&self, record: &NewRecord, received_at: i64) -> Result<bool> {
        let mut find = self.connection.prepare_cached(
            "SELECT record_id FROM temp.known WHERE received_at = ?1 AND captured_at = ?2 AND machine_id = ?3",
        )?;
        let machine_id = StoredMachineId::encode(&record.machine_id);
        let mut rows = find.query(rusqlite::params![received_at, record.captured_at, machine_id])?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            if self.is_alike(id, record, received_at)? {
                found = Some(id);
                break;
            }
        }
        drop(rows);
        let Some(id) = found else { return Ok(false) };
        // One that is stored answers for one row: two that are alike in the file are two.
        self.connection
            .prepare_cached(
                "DELETE FROM temp.known
                 WHERE received_at = ?1 AND captured_at = ?2 AND machine_id = ?3 AND record_id = ?4",
            )?
            .execute(rusqlite::params![received_at, record.captured_at, machine_id, id])?;
        Ok(true)
    }

    fn is_alike(&self, id: i64, record: &NewRecord, received_at: i64) -> Result<bool> {
        let sql = format!("SELECT {RECORD_COLUMNS} FROM records r {RECORD_JOINS} WHERE r.id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let stored = record_from_row(row, PayloadPart::Whole)?;
        Ok(stored.received_at == received_at && stored.content == *record)
    }

    /// Stores a batch durably, in the order given; `rows` is how far the file is with it, without what this batch
    /// stores. `is_done` ends the import. Returns how long the writing took, without the commit. Busy where the disk is full: nothing of
    /// the batch is stored then, and the import goes on later.
    pub fn store(
        &mut self,
        items: &[ImportItem],
        rows: ImportProgress,
        is_done: bool,
        now: i64,
    ) -> Result<Duration> {
        if !self.reserve.has_room() {
            return Err(Error::busy(
                "The disk is full; free some space and run the import again, it goes on where it stopped",
            ));
        }
        let prepared = items
            .iter()
            .map(|item| match item {
                ImportItem::Record(record, at) => Ok(Some((PreparedRecord::new(record)?, *at))),
                _ => Ok(None),
            })
            .collect::<Result<Vec<_>>>()?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let began = Instant::now();
        match self.write(items, &prepared, rows, is_done, now) {
            Ok(progress) => {
                let took = began.elapsed();
                self.connection.execute_batch("COMMIT")?;
                self.progress = progress;
                self.is_begun = true;
                Ok(took)
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    self.connection.execute_batch("ROLLBACK")?;
                }
                Err(error)
            }
        }
    }

    fn write(
        &self,
        items: &[ImportItem],
        prepared: &[Option<(PreparedRecord, i64)>],
        rows: ImportProgress,
        is_done: bool,
        now: i64,
    ) -> Result<ImportProgress> {
        let connection = &self.connection;
        // Another process may have written since the last transaction.
        let mut state = InsertState { keeps_times: true, ..InsertState::default() };
        recents::begin_load(connection)?;
        let mut progress = rows;
        let mut count = |is_new: bool| match is_new {
            true => progress.rows_stored += 1,
            false => progress.rows_known += 1,
        };
        let entries = items.iter().filter_map(|item| match item {
            ImportItem::Blacklisted(entry) => Some(entry.clone()),
            _ => None,
        });
        // First, because the crashes of the batch are judged by it.
        blacklist(connection, entries.collect(), &mut count)?;
        for (item, record) in items.iter().zip(prepared) {
            match (item, record) {
                (ImportItem::Guilty { function, module, comment, is_hidden }, _) => {
                    count(note_guilty(connection, function, module, comment, *is_hidden)?);
                }
                (ImportItem::Blacklisted(_), _) => {}
                (ImportItem::Record(..), Some((record, received_at))) => {
                    insert_record(connection, &mut state, record, *received_at)?;
                    count(true);
                }
                (ImportItem::Record(..), None) => return Err(Error::internal("A record was not prepared")),
            }
        }
        state.flush(connection)?;
        recents::end_load(connection)?;
        self.note(progress, is_done, now)?;
        Ok(progress)
    }

    /// Writes how far it is, and its beginning and end into the audit log.
    fn note(&self, progress: ImportProgress, is_done: bool, now: i64) -> Result<()> {
        if let Some(digest) = self.source_digest {
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO imports (source_digest, name, base_record_id, offset_bytes, rows_stored,
                       rows_known, rows_rejected, rejects_path, rejects_bytes, moved_at, is_done)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                )?
                .execute(rusqlite::params![
                    &digest[..],
                    self.name,
                    self.base_record_id,
                    progress.offset_bytes as i64,
                    progress.rows_stored as i64,
                    progress.rows_known as i64,
                    progress.rows_rejected as i64,
                    self.rejects_path,
                    progress.rejects_bytes as i64,
                    now,
                    is_done
                ])?;
        }
        let changes_nothing = is_done && !self.is_begun && progress.rows_stored == 0;
        if (self.is_begun && !is_done) || changes_nothing {
            return Ok(());
        }
        self.connection.execute(
            "DELETE FROM imports WHERE source_digest IN
               (SELECT source_digest FROM imports ORDER BY moved_at DESC LIMIT -1 OFFSET ?1)",
            [IMPORTS_MAX],
        )?;
        let audit = Audit::new(&self.actor, "record.import", format!("file {}", self.name)).after(
            serde_json::json!({
                "is_done": is_done,
                "rows_stored": progress.rows_stored,
                "rows_known": progress.rows_known,
                "rows_rejected": progress.rows_rejected,
            }),
        );
        insert_audit(&self.connection, now, &audit)
    }
}

/// Notes a comment where there is none, and hides where it is not hidden; true where that changed something.
fn note_guilty(
    connection: &Connection,
    function: &str,
    module: &str,
    comment: &str,
    is_hidden: bool,
) -> Result<bool> {
    let changed = connection
        .prepare_cached(
            "INSERT INTO functions (function, name, module, comment, is_hidden) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (name, module) DO UPDATE SET
               comment = iif(functions.comment = '', excluded.comment, functions.comment),
               is_hidden = max(functions.is_hidden, excluded.is_hidden)
             WHERE (functions.comment = '' AND excluded.comment <> '')
                OR functions.is_hidden < excluded.is_hidden",
        )?
        .execute(rusqlite::params![function, function_name(function), module, comment, is_hidden])?;
    Ok(changed > 0)
}

fn blacklist(connection: &Connection, entries: Vec<Entry>, count: &mut dyn FnMut(bool)) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let before = load_blacklist(connection)?;
    let mut held = before.entries();
    for entry in &entries {
        count(held.insert(entry.clone()));
    }
    let state = before.changed(&BlacklistChange { add: entries, ..BlacklistChange::default() });
    if state.own.len() > OWN_ENTRIES_MAX && state.own.len() > before.own.len() {
        return Err(Error::invalid(format!(
            "The blacklist would have more than {OWN_ENTRIES_MAX} entries of your own; remove some first"
        )));
    }
    match state == before {
        true => Ok(()),
        false => save_blacklist(connection, &state),
    }
}
