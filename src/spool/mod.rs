// SPDX-License-Identifier: Apache-2.0
//! The spool: actions and commands as files that people and scripts can read, moved between directories as their
//! state changes. The database is authoritative; nothing here knows it.
