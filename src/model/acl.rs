// SPDX-License-Identifier: Apache-2.0
//! The ACL: how much weight of signatures a module demands, and how much each investigator has. Server and agents
//! judge by the same rule, each by an ACL of its own.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The entry for modules that have none of their own.
pub const DEFAULT_ENTRY: &str = "default";

/// The whole ACL: entries by module, as MIG's JSON has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub BTreeMap<String, AclEntry>);

/// What one module demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    /// The sum of weights that signers must reach; at least 1.
    #[serde(alias = "minimumWeight", alias = "MinimumWeight")]
    pub minimumweight: u32,
    /// Who has which weight, by name.
    #[serde(alias = "Investigators", default)]
    pub investigators: BTreeMap<String, AclWeight>,
}

/// The weight of one investigator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclWeight {
    /// Fingerprint of the primary key; compared without regard to case.
    #[serde(alias = "Fingerprint")]
    pub fingerprint: String,
    /// The weight.
    #[serde(alias = "Weight")]
    pub weight: u32,
}

impl Acl {
    /// Judges an action: for every module of its operations the weights of the signers must reach the minimum.
    /// `signers` are the fingerprints of verified signatures, one each.
    ///
    /// Forbidden where a key signed twice, where a module has no entry and there is no default one, or where the
    /// weights do not suffice.
    pub fn judge<'a>(&self, modules: impl Iterator<Item = &'a str>, signers: &[String]) -> Result<()> {
        for (index, signer) in signers.iter().enumerate() {
            if signers[..index].iter().any(|other| other.eq_ignore_ascii_case(signer)) {
                let message = format!("permission violation: key {signer} used to sign multiple times");
                return Err(Error::new(Kind::Forbidden, message));
            }
        }
        for module in modules {
            let entry = self.0.get(module).or_else(|| self.0.get(DEFAULT_ENTRY)).ok_or_else(|| {
                Error::new(
                    Kind::Forbidden,
                    format!("The ACL has no entry for module {module} and no default one"),
                )
            })?;
            let weight = entry.weight_of(signers);
            // An entry of zero would let in what nobody signed.
            let needed = u64::from(entry.minimumweight.max(1));
            if weight < needed {
                return Err(Error::new(
                    Kind::Forbidden,
                    format!(
                        "Module {module} needs signatures of weight {needed}; those of this action have {weight}"
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl AclEntry {
    fn weight_of(&self, signers: &[String]) -> u64 {
        signers
            .iter()
            .filter_map(|signer| {
                let of = |weight: &&AclWeight| weight.fingerprint.eq_ignore_ascii_case(signer);
                // A key that stands under two names counts once, with its greater weight.
                self.investigators.values().filter(of).map(|weight| u64::from(weight.weight)).max()
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl() -> Acl {
        serde_json::from_str(
            r#"{"default": {"minimumweight": 2, "investigators": {
                    "Bob": {"fingerprint": "AAAA", "weight": 2}, "Kim": {"fingerprint": "bbbb", "weight": 1},
                    "Kim again": {"fingerprint": "BBBB", "weight": 1}, "Lee": {"fingerprint": "CCCC", "weight": 1}}},
                "file": {"minimumweight": 1, "investigators": {"Kim": {"fingerprint": "BBBB", "weight": 1}}},
                "open": {"minimumweight": 0}}"#,
        )
        .unwrap()
    }

    #[test]
    fn every_operation_must_reach_its_weight() {
        let cases: &[(&[&str], &[&str], &str)] = &[
            (&["file"], &["BBBB"], ""),
            (&["file"], &["AAAA"], "Module file needs signatures of weight 1; those of this action have 0"),
            (&["ping"], &["AAAA"], ""),
            (&["ping"], &["BBBB"], "Module ping needs signatures of weight 2; those of this action have 1"),
            (&["ping"], &["bbbb", "cccc"], ""),
            (
                &["file", "ping"],
                &["BBBB"],
                "Module ping needs signatures of weight 2; those of this action have 1",
            ),
            (
                &["ping", "file"],
                &["AAAA"],
                "Module file needs signatures of weight 1; those of this action have 0",
            ),
            (&["ping"], &["BBBB", "bbbb"], "permission violation: key bbbb used to sign multiple times"),
            (&["open"], &[], "Module open needs signatures of weight 1; those of this action have 0"),
            (&["ping"], &["DDDD"], "Module ping needs signatures of weight 2; those of this action have 0"),
        ];
        for (modules, signers, expected) in cases {
            let signers: Vec<String> = signers.iter().map(|signer| (*signer).to_owned()).collect();
            let said = acl().judge(modules.iter().copied(), &signers);
            assert_eq!(
                said.err().map(|e| e.message().to_owned()).unwrap_or_default(),
                *expected,
                "{modules:?}"
            );
        }
        let none = Acl::default().judge(["file"].into_iter(), &["AAAA".to_owned()]).unwrap_err();
        assert_eq!(none.message(), "The ACL has no entry for module file and no default one");
    }
}
