// SPDX-License-Identifier: Apache-2.0
//! `retention.…`: how long what is stored is kept.

use super::Setting;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[];
