// SPDX-License-Identifier: Apache-2.0
//! `muster agent`: the reference agent, and what an admin asks of agents.
