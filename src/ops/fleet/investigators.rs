// SPDX-License-Identifier: Apache-2.0
//! Investigators: adding, changing, API keys.
