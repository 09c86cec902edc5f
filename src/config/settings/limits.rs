// SPDX-License-Identifier: Apache-2.0
//! `limits.…`: how often one address may do something.

use super::Setting;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[];
