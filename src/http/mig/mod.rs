// SPDX-License-Identifier: Apache-2.0
//! `/api/v1`, as MIG's clients expect it: Collection+JSON, its statuses and texts.
