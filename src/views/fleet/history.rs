// SPDX-License-Identifier: Apache-2.0
//! What changed about an agent, from one heartbeat to another.

use crate::model::agent::Environment;
use crate::store::fleet::{AgentPast, AgentRow};
use serde_json::Value;
use std::collections::BTreeMap;

/// What changed at a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When that was.
    pub at: i64,
    /// What changed, by name.
    pub fields: Vec<ChangedField>,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedField {
    /// What it is.
    pub name: String,
    /// What it was; none where it was not there.
    pub before: Option<String>,
    /// What it became; none where it is gone.
    pub after: Option<String>,
}

/// The changes that led to what an agent is, newest first. `pasts`: newest first.
pub fn changes(agent: &AgentRow, pasts: &[AgentPast]) -> Vec<Change> {
    let mut after = facts(&agent.name, &agent.version, &agent.environment, &agent.tags);
    let mut changes = Vec::with_capacity(pasts.len());
    for past in pasts {
        let before = facts(&past.name, &past.version, &past.environment, &past.tags);
        changes.push(Change { at: past.until_at, fields: differences(&before, &after) });
        after = before;
    }
    changes
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<ChangedField> {
    let gone = before
        .iter()
        .filter(|(name, _)| !after.contains_key(*name))
        .map(|(name, value)| ChangedField { name: name.clone(), before: Some(value.clone()), after: None });
    let changed =
        after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, value)| {
            ChangedField { name: name.clone(), before: before.get(name).cloned(), after: Some(value.clone()) }
        });
    let mut fields: Vec<ChangedField> = gone.chain(changed).collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    fields
}

/// Everything that may change, as texts by name; what is empty is left out.
fn facts(name: &str, version: &str, environment: &Environment, tags: &Value) -> BTreeMap<String, String> {
    let list = |items: &Option<Vec<String>>| items.as_deref().unwrap_or_default().join(", ");
    let fixed = [
        ("name", name.to_owned()),
        ("version", version.to_owned()),
        ("init", environment.init.clone()),
        ("ident", environment.ident.clone()),
        ("os", environment.os.clone()),
        ("arch", environment.arch.clone()),
        ("proxied", if environment.isproxied { "yes" } else { "no" }.to_owned()),
        ("proxy", environment.proxy.clone()),
        ("public address", environment.publicip.clone()),
        ("addresses", list(&environment.addresses)),
        ("modules", list(&environment.modules)),
    ];
    let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
    let tags = tags.as_object().into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (format!("tag {name}"), value)
    });
    fixed.chain(tags).filter(|(_, value)| !value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(version: &str, tags: Value) -> BTreeMap<String, String> {
        facts("web1", version, &Environment::default(), &tags)
    }

    #[test]
    fn what_differs_is_told_by_name() {
        let before = of("1", json!({"site": "north", "old": "x"}));
        let after = of("2", json!({"site": "south", "new": 3}));
        let told: Vec<String> = differences(&before, &after)
            .into_iter()
            .map(|f| {
                format!("{}: {} > {}", f.name, f.before.unwrap_or_default(), f.after.unwrap_or_default())
            })
            .collect();
        assert_eq!(told, ["tag new:  > 3", "tag old: x > ", "tag site: north > south", "version: 1 > 2"]);
        assert!(differences(&before, &before).is_empty());
    }
}
