// SPDX-License-Identifier: Apache-2.0
//! Commands: made by the thousand, fetched, answered, ended; the counters of their actions move with them.
