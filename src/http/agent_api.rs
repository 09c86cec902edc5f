// SPDX-License-Identifier: Apache-2.0
//! `/api/v1/agent/…`: agents with a bound key fetch commands, by long poll, and bring results.
