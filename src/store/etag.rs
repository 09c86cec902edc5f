// SPDX-License-Identifier: Apache-2.0
//! Entity tags of record lists: the same as long as nothing new has matched and nothing was deleted.

use crate::error::Result;
use crate::model::filter::RecordFilter;
use crate::store::meta::meta;
use crate::store::record_list::{RecordQuery, newest_id};
use crate::store::time_index::id_range;
use crate::store::{PayloadPart, READ_MOST, Store};
use std::time::Duration;

impl Store {
    /// The id of the newest record that a filter chooses, 0 where it chooses none; not known where the search does not
    /// end within `search_most`.
    pub fn newest_match(
        &self,
        filter: &RecordFilter,
        below_id: Option<i64>,
        search_most: Duration,
    ) -> Result<Option<i64>> {
        if filter.is_all() && below_id.is_none() {
            return Ok(Some(self.newest_record_id()?));
        }
        let query = RecordQuery {
            filter: filter.clone(),
            below_id,
            above_id: None,
            rows_max: 1,
            payload: PayloadPart::Start(0),
            search_most,
        };
        let page = self.list_records(&query)?;
        Ok(match (page.records.first(), page.searched_back_to) {
            (Some(record), _) => Some(record.id),
            (None, None) => Some(0),
            (None, Some(_)) => None,
        })
    }

    /// A tag of the records that a filter chooses, the newest of which is `newest_match` (0: none): which file it is,
    /// that record, the oldest by the filter's time, and how many deletions there were.
    pub fn records_etag(&self, filter: &RecordFilter, newest_match: i64) -> Result<String> {
        self.read(READ_MOST, |connection| {
            let file = meta(connection, "file_id")?.unwrap_or_default();
            let deletions = meta(connection, "deletions")?.unwrap_or_default();
            let oldest = match filter.received_from {
                Some(_) => id_range(connection, filter.received_from, None)?.map_or(0, |(first, _)| first),
                None => 0,
            };
            // An empty stretch begins where the next record will: the same for all of them.
            let oldest = oldest.min(newest_id(connection)?);
            Ok(format!("{}-{deletions}-{newest_match}-{oldest}", file.get(..8).unwrap_or("")))
        })
    }
}
