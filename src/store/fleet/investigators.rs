// SPDX-License-Identifier: Apache-2.0
//! Investigators: rows, keys, permissions, API keys.
