// SPDX-License-Identifier: Apache-2.0
//! Agents as rows: one by one, by ids, with what they were before.
