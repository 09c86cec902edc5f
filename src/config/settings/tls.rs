// SPDX-License-Identifier: Apache-2.0
//! `tls.…`: certificate and key.

use super::Setting;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[];
