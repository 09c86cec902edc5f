// SPDX-License-Identifier: Apache-2.0
//! `muster spool`: files against the database.
