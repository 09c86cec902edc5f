// SPDX-License-Identifier: Apache-2.0
//! Heartbeats: the one writing that happens thousands of times a second.
