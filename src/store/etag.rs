// SPDX-License-Identifier: Apache-2.0
//! Entity tags of record lists: the same as long as nothing new has matched and nothing was deleted.

use crate::error::Result;
use crate::model::filter::RecordFilter;
use crate::store::record_list::{RecordQuery, newest_id};
use crate::store::time_index::id_range;
use crate::store::{PayloadPart, READ_MOST, Store};
use rusqlite::OptionalExtension;
use std::time::Duration;

impl Store {
    /// A tag of the records that a filter chooses: which file it is, the newest that matches, the oldest by the
    /// filter's time, and how many deletions there were. Searching for the newest match ends after `search_most`;
    /// then the newest record of all stands in, and the tag changes more often than it had to.
    pub fn records_etag(
        &self,
        filter: &RecordFilter,
        below_id: Option<i64>,
        search_most: Duration,
    ) -> Result<String> {
        let newest = if filter.is_all() && below_id.is_none() {
            self.newest_record_id()?
        } else {
            let query = RecordQuery {
                filter: filter.clone(),
                below_id,
                above_id: None,
                rows_max: 1,
                payload: PayloadPart::Start(0),
                search_most,
            };
            let page = self.list_records(&query)?;
            match (page.records.first(), page.searched_back_to) {
                (Some(record), _) => record.id,
                (None, None) => 0,
                (None, Some(_)) => self.newest_record_id()?,
            }
        };
        self.read(READ_MOST, |connection| {
            let meta = |name: &str| {
                connection
                    .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
                    .query_row([name], |row| row.get::<_, String>(0))
                    .optional()
            };
            let file = meta("file_id")?.unwrap_or_default();
            let deletions = meta("deletions")?.unwrap_or_default();
            let oldest = match filter.received_from {
                Some(_) => id_range(connection, filter.received_from, None)?.map_or(0, |(first, _)| first),
                None => 0,
            };
            // An empty stretch begins where the next record will: the same for all of them.
            let oldest = oldest.min(newest_id(connection)?);
            Ok(format!("{}-{deletions}-{newest}-{oldest}", file.get(..8).unwrap_or("")))
        })
    }
}
