// SPDX-License-Identifier: Apache-2.0
//! Actions as MIG's JSON has them, and the text that their signers sign. What an action must be before it is
//! accepted (a name, a window of validity, signatures), and the signatures themselves, are not here.

mod checks;
#[cfg(test)]
mod tests;

pub use checks::{OPERATIONS_MAX, Problem, SIGNATURES_MAX, TEXT_BYTES_MAX, is_module_name};

use crate::error::{Error, Result};
use crate::model::go_json::{self, GoJson, go_struct};
use crate::model::timestamp::Timestamp;
use serde_json::Value;

/// Bytes of an action's JSON; a larger one is refused unread.
pub const ACTION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// First whole number that float64 cannot tell from its neighbours; ids are below it.
const ID_END: f64 = 9_007_199_254_740_992.0;

go_struct! {
    /// An action: who shall do what, and until when.
    pub struct Action {
        /// Its id as MIG's clients write it, a float64; 0 is none. [`Action::known_id`] is the checked one.
        id: f64 = "id",
        /// Its name.
        name: String = "name",
        /// The condition that selects agents, in the target language.
        target: String = "target",
        /// Who wrote it, for people.
        description: Description = "description",
        /// What it is about, for people.
        threat: Threat = "threat",
        /// First moment at which it may run.
        validfrom: Timestamp = "validfrom",
        /// Moment from which it may not run any more.
        expireafter: Timestamp = "expireafter",
        /// What agents shall do; none where the JSON has `null`.
        operations: Option<Vec<Operation>> = "operations",
        /// Detached OpenPGP signatures over [`Action::signed_text`], in MIG's one line form.
        pgpsignatures: Option<Vec<String>> = "pgpsignatures",
        /// Whose signatures they are; only the server fills it.
        investigators: Option<Vec<ActionInvestigator>> = "investigators" omit,
        /// Where it stands; only the server fills it.
        status: String = "status" omit,
        /// When agents were first told.
        starttime: Timestamp = "starttime",
        /// When all agents had answered.
        finishtime: Timestamp = "finishtime",
        /// When its counters moved last.
        lastupdatetime: Timestamp = "lastupdatetime",
        /// Its commands by status.
        counters: Counters = "counters",
        /// Version of this form; 2.
        syntaxversion: u16 = "syntaxversion" omit,
    }
}

go_struct! {
    /// Who wrote an action, and why.
    pub struct Description {
        /// A person.
        author: String = "author" omit,
        /// Where to reach the person.
        email: String = "email" omit,
        /// Where more is told.
        url: String = "url" omit,
        /// Which edition of the action it is.
        revision: f64 = "revision" omit,
    }
}

go_struct! {
    /// What an action looks for.
    pub struct Threat {
        /// A reference.
        reference: String = "ref" omit,
        /// How grave it is.
        level: String = "level" omit,
        /// The family, by which actions are searched.
        family: String = "family" omit,
        /// The type.
        kind: String = "type" omit,
    }
}

go_struct! {
    /// How many commands of an action stand where.
    pub struct Counters {
        /// All commands.
        sent: i64 = "sent" omit,
        /// Those that are over.
        done: i64 = "done" omit,
        /// Those that agents have.
        inflight: i64 = "inflight" omit,
        /// Those that succeeded.
        success: i64 = "success" omit,
        /// Those that were cancelled.
        cancelled: i64 = "cancelled" omit,
        /// Those whose time ran out before an answer.
        expired: i64 = "expired" omit,
        /// Those that failed.
        failed: i64 = "failed" omit,
        /// Those whose module took too long.
        timeout: i64 = "timeout" omit,
    }
}

go_struct! {
    /// One thing that an agent does: a module with parameters.
    pub struct Operation {
        /// The module.
        module: String = "module",
        /// What the module is given, any JSON; its numbers keep their digits until they are signed as
        /// float64.
        parameters: Value = "parameters",
        /// The parameters are a string, base64 of gzipped JSON.
        is_compressed: bool = "is_compressed" omit,
        /// The results shall be compressed.
        want_compressed: bool = "want_compressed" omit,
    }
}

go_struct! {
    /// An investigator as an action names it. Keys and permissions are not told here.
    pub struct ActionInvestigator {
        /// The id.
        id: f64 = "id" omit,
        /// The name.
        name: String = "name",
        /// Fingerprint of the primary key, 40 hexadecimal digits in upper case.
        pgpfingerprint: String = "pgpfingerprint",
        /// `active` or `disabled`.
        status: String = "status",
        /// When it was added.
        createdat: Timestamp = "createdat",
        /// When it was changed last.
        lastmodified: Timestamp = "lastmodified",
    }
}

impl Action {
    /// Reads what a client posted, as leniently as MIG does: keys in any case, unknown keys ignored, text
    /// that is not UTF-8 replaced. Fails with a sentence for the client where it is no action, is larger than
    /// [`ACTION_BYTES_MAX`], or holds a number beyond float64 or a time that is none.
    pub fn from_json(bytes: &[u8]) -> Result<Action> {
        if bytes.len() > ACTION_BYTES_MAX {
            return Err(Error::new(crate::error::Kind::TooLarge, "The action is larger than 4 MiB"));
        }
        let text = go_json::lenient_text(bytes);
        // serde_json's own mark of a number: as a key it would turn the object into one.
        if text.contains("$serde_json::private") {
            return Err(Error::invalid("The action has a key that is not allowed"));
        }
        let action: Action = serde_json::from_str(&text)
            .map_err(|error| Error::invalid(format!("The action is not valid JSON of an action: {error}")))?;
        // Go refuses a number that it cannot hold when it reads, not first when it signs.
        action.operations_json()?;
        Ok(action)
    }

    /// The operations as a Go program writes them, which is how they are signed and stored.
    pub fn operations_json(&self) -> Result<String> {
        let mut text = String::new();
        self.operations.encode(&mut text)?;
        Ok(text)
    }

    /// The text that is signed, exactly: MIG prints the second time with a verb of the wrong type, and that
    /// became the protocol. Name and target stand in it without any escape.
    pub fn signed_text(&self) -> Result<String> {
        Ok(format!(
            "name={};target={};validfrom={};expireafter=%!s(int64={});operations={};",
            self.name,
            self.target,
            self.validfrom.unix_secs,
            self.expireafter.unix_secs,
            self.operations_json()?
        ))
    }

    /// The id, where it is one: a whole number from 1 to below 2^53.
    pub fn known_id(&self) -> Option<i64> {
        let is_id = self.id >= 1.0 && self.id < ID_END && self.id.fract() == 0.0;
        // The cast is exact for these.
        is_id.then_some(self.id as i64)
    }
}
