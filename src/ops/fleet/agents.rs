// SPDX-License-Identifier: Apache-2.0
//! Agents: one, searched, offline, double.
