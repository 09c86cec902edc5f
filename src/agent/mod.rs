// SPDX-License-Identifier: Apache-2.0
//! The reference agent, `muster agent run`: heartbeats, commands, results. It trusts nobody, the server included.
