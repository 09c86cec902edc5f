// SPDX-License-Identifier: Apache-2.0
//! Records by classification and by platform: `/stats` and `/api/stats`.

use crate::error::Result;
use crate::model::pairs::Pairs;
use crate::model::parameters::Parameters;
use crate::ops::App;
use serde::Serialize;

/// Most rows of each list where not all are asked for.
pub const ROWS_MAX: usize = 100;

/// Most rows of each list where all are asked for.
pub const ALL_ROWS_MAX: usize = 5_000;

/// What `/stats` shows and `/api/stats` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// All records.
    pub records: i64,
    /// How many classifications have records, also those that are not listed.
    pub classifications_total: usize,
    /// The classifications with most records, most first.
    pub classifications: Vec<ClassificationRecords>,
    /// How many platforms have records, also those that are not listed.
    pub platforms_total: usize,
    /// The platforms with most records, most first.
    pub platforms: Vec<PlatformRecords>,
}

/// A classification and its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassificationRecords {
    /// `DOMAIN/PROBE/REST`.
    pub classification: String,
    /// How many records have it.
    pub records: i64,
}

/// A platform and its records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlatformRecords {
    /// `VENDOR|PRODUCT|VERSION`, as the client sends it.
    pub host_type: String,
    /// How many records are from it.
    pub records: i64,
}

/// The parameters of the address: `all`, `1` for lists of up to [`ALL_ROWS_MAX`] rows instead of
/// [`ROWS_MAX`].
pub const PARAMETERS: &[&str] = &["all"];

/// Reads the counts that `query` asks for; Invalid where a parameter breaks its rule.
pub fn load(app: &App, query: &Pairs) -> Result<Stats> {
    let rows_max = if Parameters::new(query, PARAMETERS)?.flag("all")? { ALL_ROWS_MAX } else { ROWS_MAX };
    let classifications = app.store.count_by_classification()?;
    let platforms = app.store.count_by_host_type()?;
    let classified = classifications.iter().map(|(_, records)| records).sum();
    Ok(Stats {
        records: classified,
        classifications_total: classifications.len(),
        classifications: classifications
            .into_iter()
            .take(rows_max)
            .map(|(classification, records)| ClassificationRecords { classification, records })
            .collect(),
        platforms_total: platforms.len(),
        platforms: platforms
            .into_iter()
            .take(rows_max)
            .map(|(host_type, records)| PlatformRecords { host_type, records })
            .collect(),
    })
}
