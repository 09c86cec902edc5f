// SPDX-License-Identifier: Apache-2.0
//! Submitting an action: every check, then the row.
