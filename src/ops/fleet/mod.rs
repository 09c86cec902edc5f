// SPDX-License-Identifier: Apache-2.0
//! The fleet's operations, one a file: heartbeats, agents, investigators, actions, commands, the ACL.

pub mod acl;
pub mod agent_search;
pub mod agents;
pub mod authenticate;
pub mod cancel;
pub mod commands;
pub mod compose;
pub mod dispatch;
pub mod enrolment;
pub mod heartbeat;
pub mod investigators;
pub mod preview;
pub mod retention;
pub mod search;
pub mod signatures;
pub mod spooling;
pub mod statistics;
pub mod submit;
