// SPDX-License-Identifier: Apache-2.0
//! Heartbeats, statuses, offline and double agents, enrolment.
