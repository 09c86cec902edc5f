// SPDX-License-Identifier: Apache-2.0
//! The fleet bench: heartbeats, queries over many agents, an action to many agents.

fn main() {}
