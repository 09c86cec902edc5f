// SPDX-License-Identifier: Apache-2.0
//! The clauses of a search: fixed fragments of SQL, each with its values beside it.

use super::{Criteria, Search, SearchType};
use crate::model::agent::{AgentStatus, Thresholds};
use crate::model::command::{ActionStatus, CommandStatus};
use crate::target::is_like;
use rusqlite::types::Value;

/// Actions that wait for their start. The first condition is that of the index.
pub const WAITING_ACTIONS: &str =
    "SELECT id FROM actions WHERE status <= 4 AND status <= 3 ORDER BY id DESC LIMIT ?1";
/// Those that started or ended without; the newest ids are looked at, because a start follows soon.
pub const STARTED_ACTIONS: &str = "SELECT id FROM (
    SELECT id, started_at, created_at, status FROM actions ORDER BY id DESC LIMIT 50)
  WHERE status > 3 ORDER BY coalesce(started_at, created_at) DESC, id DESC LIMIT ?1";

/// Both the command and its action.
const COMMANDS_AND_ACTIONS: &str = "commands c JOIN actions a ON a.id = c.action_id";
/// Who signed the action.
const SIGNERS: &str =
    " JOIN signatures g ON g.action_id = a.id JOIN investigators i ON i.id = g.investigator_id";

/// Conditions that must all hold, in order, with the values of their `?`.
#[derive(Debug, Default)]
struct Conditions {
    parts: Vec<String>,
    values: Vec<Value>,
}

/// A search as SQL.
#[derive(Debug)]
pub struct Clauses {
    select: &'static str,
    conditions: Conditions,
    order: &'static str,
    limit: i64,
    offset: i64,
}

impl Clauses {
    /// The clauses of a search.
    pub fn of(search: &Search, thresholds: Thresholds) -> Clauses {
        let criteria = &search.criteria;
        let mut conditions = Conditions::default();
        let (select, order) = match search.kind {
            SearchType::Action => {
                conditions.actions(criteria);
                ("SELECT a.id FROM actions a", "a.valid_from DESC, a.id DESC")
            }
            SearchType::Agent => {
                conditions.agents(criteria, thresholds);
                ("SELECT s.agent_id FROM agent_states s", "s.heartbeat_at DESC, s.agent_id DESC")
            }
            // Ids rise with the time of making.
            SearchType::Command => {
                conditions.commands(criteria);
                ("SELECT c.id FROM commands c", "c.id DESC")
            }
            SearchType::Investigator => {
                conditions.investigators(criteria);
                ("SELECT i.id FROM investigators i", "i.id")
            }
        };
        Clauses { select, conditions, order, limit: search.limit, offset: search.offset }
    }

    /// The statement and its values.
    pub fn into_sql(self) -> (String, Vec<Value>) {
        let Clauses { select, conditions, order, limit, offset } = self;
        let mut values = conditions.values;
        let filter = match conditions.parts.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.parts.join(" AND ")),
        };
        values.extend([Value::Integer(limit), Value::Integer(offset)]);
        (format!("{select}{filter} ORDER BY {order} LIMIT ? OFFSET ?"), values)
    }
}

impl Conditions {
    fn add(&mut self, sql: &str, value: Value) {
        self.parts.push(sql.to_owned());
        self.values.push(value);
    }

    fn number(&mut self, sql: &str, value: Option<i64>) {
        if let Some(number) = value {
            self.add(sql, Value::Integer(number));
        }
    }

    fn text(&mut self, sql: &str, value: Option<&String>) {
        if let Some(text) = value {
            self.add(sql, Value::Text(text.clone()));
        }
    }

    /// `inside` must hold of something in `from`, whose `column` is what `column_here` is here.
    fn among(&mut self, column_here: &str, column: &str, from: &str, inside: Conditions) {
        let Conditions { parts, values } = inside;
        let filter = parts.join(" AND ");
        self.parts.push(format!("{column_here} IN (SELECT {column} FROM {from} WHERE {filter})"));
        self.values.extend(values);
    }

    /// One of these numbers; nothing where there are none.
    fn one_of(&mut self, column: &str, numbers: Vec<i64>) {
        let places = vec!["?"; numbers.len()].join(", ");
        self.parts.push(format!("{column} IN ({places})"));
        self.values.extend(numbers.into_iter().map(Value::Integer));
    }

    fn actions(&mut self, criteria: &Criteria) {
        self.action(criteria);
        if let Some(pattern) = &criteria.status {
            let statuses = ActionStatus::ALL.iter().filter(|status| is_like(status.word(), pattern, true));
            self.one_of("a.status", statuses.map(|status| status.code()).collect());
        }
        self.number("a.expire_after <= ?", criteria.before);
        self.number("a.valid_from >= ?", criteria.after);
        let mut command = Conditions::default();
        command.command_and_agent(criteria);
        if !command.parts.is_empty() {
            self.among("a.id", "c.action_id", "commands c", command);
        }
        let mut signer = Conditions::default();
        signer.investigator(criteria);
        if !signer.parts.is_empty() {
            let from = "signatures g JOIN investigators i ON i.id = g.investigator_id";
            self.among("a.id", "g.action_id", from, signer);
        }
    }

    fn agents(&mut self, criteria: &Criteria, thresholds: Thresholds) {
        if let Some(id) = criteria.agent_id {
            // Rows stand by endpoint.
            self.add("s.endpoint_id = (SELECT endpoint_id FROM agents WHERE id = ?)", Value::Integer(id));
        }
        self.agent(criteria);
        if let Some(pattern) = &criteria.status {
            self.agent_status(pattern, thresholds);
        }
        self.number("s.heartbeat_at <= ?", criteria.before);
        self.number("s.heartbeat_at >= ?", criteria.after);
        let mut inside = Conditions::default();
        inside.action(criteria);
        inside.number("c.id = ?", criteria.command_id);
        let is_signed = inside.signer(criteria);
        if !inside.parts.is_empty() {
            let signers = if is_signed { SIGNERS } else { "" };
            self.among("s.agent_id", "c.agent_id", &format!("{COMMANDS_AND_ACTIONS}{signers}"), inside);
        }
    }

    fn commands(&mut self, criteria: &Criteria) {
        self.number("c.action_id = ?", criteria.action_id);
        let mut action = Conditions::default();
        action.action(&Criteria { action_id: None, ..criteria.clone() });
        if !action.parts.is_empty() {
            self.among("c.action_id", "a.id", "actions a", action);
        }
        self.command_and_agent(criteria);
        let mut signer = Conditions::default();
        signer.investigator(criteria);
        if !signer.parts.is_empty() {
            let from = "signatures g JOIN investigators i ON i.id = g.investigator_id";
            self.among("c.action_id", "g.action_id", from, signer);
        }
        if let Some(pattern) = &criteria.status {
            let statuses = CommandStatus::ALL.iter().filter(|status| is_like(status.word(), pattern, true));
            self.one_of("c.status", statuses.map(|status| status.code()).collect());
        }
        if let Some(is_found) = criteria.found_anything {
            self.number("c.status = ?", Some(CommandStatus::Success.code()));
            self.number("c.found & ? <> 0", Some(if is_found { 1 } else { 2 }));
        }
        self.number("c.prepared_at <= ?", criteria.before);
        self.number("c.prepared_at >= ?", criteria.after);
    }

    fn investigators(&mut self, criteria: &Criteria) {
        self.investigator(criteria);
        if let Some(pattern) = &criteria.status {
            let words = [("active", 1), ("disabled", 0)];
            let matching = words.iter().filter(|(word, _)| is_like(word, pattern, true));
            self.one_of("i.is_active", matching.map(|(_, number)| *number).collect());
        }
        self.number("i.modified_at <= ?", criteria.before);
        self.number("i.modified_at >= ?", criteria.after);
        let mut inside = Conditions::default();
        inside.action(criteria);
        let n_about_actions = inside.parts.len();
        inside.command_and_agent(criteria);
        if !inside.parts.is_empty() {
            let from = match inside.parts.len() > n_about_actions {
                true => {
                    "signatures g JOIN actions a ON a.id = g.action_id JOIN commands c ON c.action_id = a.id"
                }
                false => "signatures g JOIN actions a ON a.id = g.action_id",
            };
            self.among("i.id", "g.investigator_id", from, inside);
        }
    }

    /// Of the action `a`.
    fn action(&mut self, criteria: &Criteria) {
        self.number("a.id = ?", criteria.action_id);
        self.text("is_ilike(?, a.name)", criteria.action_name.as_ref());
        self.text("is_ilike(?, a.threat_family)", criteria.threat_family.as_ref());
    }

    /// Of the command `c` and its agent.
    fn command_and_agent(&mut self, criteria: &Criteria) {
        self.number("c.id = ?", criteria.command_id);
        self.number("c.agent_id = ?", criteria.agent_id);
        let mut agent = Conditions::default();
        agent.agent(&Criteria { agent_id: None, ..criteria.clone() });
        if !agent.parts.is_empty() {
            self.among("c.agent_id", "s.agent_id", "agent_states s", agent);
        }
    }

    /// Of the agent `s`.
    fn agent(&mut self, criteria: &Criteria) {
        self.number("s.agent_id = ?", criteria.agent_id);
        let names = "s.name_id IN (SELECT id FROM agent_names WHERE is_ilike(?, name))";
        self.text(names, criteria.agent_name.as_ref());
        let versions = "s.version_id IN (SELECT id FROM agent_versions WHERE is_ilike(?, version))";
        self.text(versions, criteria.agent_version.as_ref());
    }

    /// Of the investigator `i`.
    fn investigator(&mut self, criteria: &Criteria) {
        self.number("i.id = ?", criteria.investigator_id);
        self.text("is_ilike(?, i.name)", criteria.investigator_name.as_ref());
    }

    /// The same; true where there is such a condition.
    fn signer(&mut self, criteria: &Criteria) -> bool {
        let before = self.parts.len();
        self.investigator(criteria);
        self.parts.len() > before
    }

    fn agent_status(&mut self, pattern: &str, thresholds: Thresholds) {
        let (online_from, idle_from) = (thresholds.online_from, thresholds.idle_from);
        let mut either = Vec::new();
        for status in AgentStatus::ALL.into_iter().filter(|status| is_like(status.word(), pattern, true)) {
            let (sql, values) = match status {
                AgentStatus::Online => ("s.is_destroyed = 0 AND s.heartbeat_at >= ?", vec![online_from]),
                AgentStatus::Idle => (
                    "s.is_destroyed = 0 AND s.heartbeat_at >= ? AND s.heartbeat_at < ?",
                    vec![idle_from, online_from],
                ),
                AgentStatus::Offline => ("s.is_destroyed = 0 AND s.heartbeat_at < ?", vec![idle_from]),
                AgentStatus::Destroyed => ("s.is_destroyed = 1", Vec::new()),
            };
            either.push(sql);
            self.values.extend(values.into_iter().map(Value::Integer));
        }
        self.parts.push(match either.is_empty() {
            true => "0".to_owned(),
            false => format!("({})", either.join(" OR ")),
        });
    }
}
