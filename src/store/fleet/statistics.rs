// SPDX-License-Identifier: Apache-2.0
//! Numbers of the fleet: who is online, idle, new, double, disappeared, flapping.
