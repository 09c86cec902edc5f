// SPDX-License-Identifier: Apache-2.0
//! The fleet's tables: endpoints, agents, investigators, actions, commands, the ACL.

mod acl;
mod actions;
mod agents;
mod commands;
mod enrolment;
mod heartbeats;
mod investigators;
mod load;
mod search;
mod statistics;
mod targets;
mod tokens;

pub use acl::{ACL_MODULES_MAX, ACL_WEIGHTS_MAX, AclModule, NewAclModule, WeightRow, to_acl};
pub use actions::{ActionCounters, ActionQuery, ActionRow, NewAction, NewSignature, Signer};
pub use load::{
    AgentIds, FleetLoad, LoadedAction, LoadedAgent, LoadedCommand, LoadedInvestigator, LoadedStatistics,
};
pub use targets::{AgentPage, Moment, TargetAgent};
