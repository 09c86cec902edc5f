// SPDX-License-Identifier: Apache-2.0
//! Taking a heartbeat: what it must hold, and what it changes.
