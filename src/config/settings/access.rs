// SPDX-License-Identifier: Apache-2.0
//! `access.…`: who may read and change.

use super::Setting;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[];
