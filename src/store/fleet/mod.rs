// SPDX-License-Identifier: Apache-2.0
//! The fleet's tables: endpoints, agents, investigators, actions, commands, the ACL.

mod acl;
mod actions;
mod agents;
mod commands;
mod enrolment;
mod heartbeats;
mod investigators;
mod search;
mod statistics;
mod target_sql;
mod tokens;

pub use agents::{AgentPast, AgentRow, HISTORY_PER_AGENT_MAX, mark_destroyed};
pub use enrolment::{Admission, EndpointRow, EnrolmentRefusal, KeyRefusal, ShownKey, is_same};
pub use heartbeats::{HeartbeatLimits, HeartbeatOutcome, NewHeartbeat};
