// SPDX-License-Identifier: Apache-2.0
//! Entries of the audit log: who changed what, from where, and how it was before and after.

use serde_json::Value;

/// Who changes something, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// An account's name; `investigator NAME`; `local` for somebody on this host while there are no accounts;
    /// `anybody` where `access.write` is open; `user NAME` for the command line; `job` for what runs by itself.
    pub name: String,
    /// The address, or the command: `muster purge`.
    pub origin: String,
}

impl Actor {
    /// What runs by itself, like `retention`.
    pub fn job(origin: &str) -> Actor {
        Actor { name: "job".to_owned(), origin: origin.to_owned() }
    }
}

/// An entry that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Who.
    pub actor: Actor,
    /// What was done: the noun and the verb, like `record.delete` or `account.add`.
    pub action: &'static str,
    /// To what: `record 17`, `account alice`.
    pub subject: String,
    /// How it was; [`Value::Null`] where there was nothing. Never a secret.
    pub before: Value,
    /// How it is; [`Value::Null`] where nothing is left. Never a secret.
    pub after: Value,
}

impl Audit {
    /// An entry without before and after.
    pub fn new(actor: &Actor, action: &'static str, subject: impl Into<String>) -> Audit {
        Audit {
            actor: actor.clone(),
            action,
            subject: subject.into(),
            before: Value::Null,
            after: Value::Null,
        }
    }

    /// The same with how it was.
    pub fn before(mut self, before: Value) -> Audit {
        self.before = before;
        self
    }

    /// The same with how it is.
    pub fn after(mut self, after: Value) -> Audit {
        self.after = after;
        self
    }
}
