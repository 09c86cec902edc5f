// SPDX-License-Identifier: Apache-2.0
//! The fleet's tables: endpoints, agents, investigators, actions, commands, the ACL.

mod acl;
mod actions;
mod agents;
mod around;
mod commands;
mod enrolment;
mod figures;
mod heartbeats;
mod investigators;
mod load;
mod overview;
mod retention;
mod search;
mod states;
mod statistics;
mod sweep;
mod targets;
mod tokens;

pub use acl::{ACL_MODULES_MAX, ACL_WEIGHTS_MAX, AclModule, NewAclModule, WeightRow, to_acl};
pub use actions::{ActionCounters, ActionQuery, ActionRow, NewAction, NewSignature, Signer};
pub use agents::{AgentPast, AgentRow, HISTORY_PER_AGENT_MAX, mark_destroyed};
pub use around::AgentCommand;
pub use commands::{
    ActionMove, ActionState, Addressee, Answered, CommandOwner, CommandQuery, CommandRow, CommandState,
    DueAction, Fetchable, Lease, NewAnswer,
};
pub use enrolment::{Admission, EndpointRow, EnrolmentRefusal, KeyRefusal, ShownKey, is_same};
pub use figures::FleetFigures;
pub(super) use figures::fleet_figures;
pub use heartbeats::{HeartbeatLimits, HeartbeatOutcome, NewHeartbeat};
pub use investigators::{
    ApiKeyChange, ChangedInvestigator, InvestigatorChange, InvestigatorRow, NewInvestigator, NewKey,
};
pub use load::{
    AgentIds, FleetLoad, LoadedAction, LoadedAgent, LoadedCommand, LoadedInvestigator, LoadedStatistics,
};
pub use overview::{FleetOverview, OverviewQuery};
pub use retention::{FleetCounts, FleetDeletion};
pub(crate) use search::add_functions;
pub use search::{Criteria, Search, SearchType};
pub use statistics::{DoubleEndpoint, DoublePair, FleetNumbers, FleetSample, OfflineAgent};
pub use targets::{AgentPage, Moment, TargetAgent, TargetAgents};
pub use tokens::{SeenToken, TokenOutcome};
