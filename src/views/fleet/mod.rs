// SPDX-License-Identifier: Apache-2.0
//! The fleet's pages: numbers, agents, one agent.
