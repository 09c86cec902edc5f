// SPDX-License-Identifier: Apache-2.0
//! Investigators as MIG's JSON has them, and what each may do. Their keys are read in `pgp`.

use crate::error::{Error, Result};
use crate::model::go_json::go_struct;
use crate::model::timestamp::Timestamp;

go_struct! {
    /// A person who may ask and sign.
    pub struct Investigator {
        /// The id, from 1.
        id: i64 = "id" omit,
        /// The name.
        name: String = "name",
        /// Fingerprint of the primary key, 40 hexadecimal digits in upper case; empty without a key.
        pgpfingerprint: String = "pgpfingerprint",
        /// Base64 of the armored public key.
        publickey: String = "publickey" omit,
        /// `active` or `disabled`.
        status: String = "status",
        /// When it was added.
        createdat: Timestamp = "createdat",
        /// When it was changed last.
        lastmodified: Timestamp = "lastmodified",
        /// `set` where there is one; the key itself only in the answer that made it.
        apikey: String = "apikey" omit,
        /// What the investigator may do.
        permissions: PermissionsJson = "permissions",
    }
}

/// Declares the permissions: the order of MIG's JSON, and the bit of each in its mask.
macro_rules! permissions {
    ($( $(#[$about:meta])* $variant:ident $field:ident = $bit:literal $word:literal, )*) => {
        /// One thing that an investigator may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Permission {
            $( $(#[$about])* $variant, )*
        }

        impl Permission {
            /// All of them, in the order of MIG's JSON.
            pub const ALL: &[Permission] = &[$(Permission::$variant),*];

            /// The word for it.
            pub fn word(self) -> &'static str {
                match self {
                    $( Permission::$variant => $word, )*
                }
            }

            const fn mask(self) -> i64 {
                match self {
                    $( Permission::$variant => 1 << $bit, )*
                }
            }
        }

        go_struct! {
            /// The permissions as MIG's JSON has them.
            pub struct PermissionsJson {
                $( $(#[$about])* $field: bool = $word, )*
            }
        }

        impl From<Permissions> for PermissionsJson {
            fn from(of: Permissions) -> PermissionsJson {
                PermissionsJson { $( $field: of.has(Permission::$variant), )* }
            }
        }

        impl From<&PermissionsJson> for Permissions {
            fn from(json: &PermissionsJson) -> Permissions {
                let mut of = Permissions::NONE;
                $( if json.$field { of = of.with(Permission::$variant); } )*
                of
            }
        }
    };
}

permissions! {
    /// To search.
    Search search = 0 "search",
    /// To read actions.
    Action action = 1 "action",
    /// To submit actions.
    ActionCreate action_create = 2 "action_create",
    /// To read commands.
    Command command = 3 "command",
    /// To read agents.
    Agent agent = 4 "agent",
    /// To read the dashboard.
    Dashboard dashboard = 5 "dashboard",
    /// To read loaders.
    Loader loader = 6 "loader",
    /// To switch loaders.
    LoaderStatus loader_status = 7 "loader_status",
    /// To say what loaders must be.
    LoaderExpect loader_expect = 8 "loader_expect",
    /// To give loaders new keys.
    LoaderKey loader_key = 9 "loader_key",
    /// To add loaders.
    LoaderNew loader_new = 10 "loader_new",
    /// To read manifests.
    Manifest manifest = 11 "manifest",
    /// To sign manifests.
    ManifestSign manifest_sign = 12 "manifest_sign",
    /// To switch manifests.
    ManifestStatus manifest_status = 14 "manifest_status",
    /// To add manifests.
    ManifestNew manifest_new = 13 "manifest_new",
    /// To read the loaders of a manifest.
    ManifestLoaders manifest_loaders = 15 "manifest_loaders",
    /// To read investigators.
    Investigator investigator = 16 "investigator",
    /// To add investigators.
    InvestigatorCreate investigator_create = 17 "investigator_create",
    /// To change investigators.
    InvestigatorUpdate investigator_update = 18 "investigator_update",
}

/// What an investigator may do, as MIG's mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(i64);

impl Permissions {
    /// Nothing.
    pub const NONE: Permissions = Permissions(0);
    /// Everything.
    pub const EVERYTHING: Permissions = Permissions((1 << 19) - 1);
    /// What MIG gives everybody: search, action, action_create, command, agent, dashboard.
    pub const DEFAULT: Permissions = Permissions(0b11_1111);
    /// What MIG calls PermAdmin: the three of investigators.
    pub const ADMIN: Permissions = Permissions(0b111 << 16);

    /// From the mask as it is stored; bits without a meaning are dropped.
    pub fn from_mask(mask: i64) -> Permissions {
        Permissions(mask & Permissions::EVERYTHING.0)
    }

    /// The mask to store.
    pub fn mask(self) -> i64 {
        self.0
    }

    /// Whether this is among them.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission.mask() != 0
    }

    /// These and one more.
    pub fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | permission.mask())
    }

    /// These and those.
    pub fn and(self, others: Permissions) -> Permissions {
        Permissions(self.0 | others.0)
    }

    /// The words of all of them, in the order of MIG's JSON.
    pub fn words(self) -> Vec<&'static str> {
        Permission::ALL.iter().filter(|one| self.has(**one)).map(|one| one.word()).collect()
    }

    /// Reads `default`, `admin` (which includes default), `all`, `none`, or a list of permissions with commas.
    /// Invalid where a word is none of them.
    pub fn parse(text: &str) -> Result<Permissions> {
        let mut found = Permissions::NONE;
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            found = found.and(match word.to_ascii_lowercase().as_str() {
                "none" => Permissions::NONE,
                "default" => Permissions::DEFAULT,
                "admin" => Permissions::DEFAULT.and(Permissions::ADMIN),
                "all" => Permissions::EVERYTHING,
                word => Permission::ALL
                    .iter()
                    .find(|one| one.word() == word)
                    .map(|one| Permissions::NONE.with(*one))
                    .ok_or_else(|| unknown(word))?,
            });
        }
        Ok(found)
    }
}

fn unknown(word: &str) -> Error {
    let start: String = word.chars().take(40).collect();
    let known: Vec<&str> = Permission::ALL.iter().map(|one| one.word()).collect();
    Error::invalid(format!(
        "{start:?} is no permission; there are default, admin, all, none, and {}",
        known.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_those_of_mig() {
        let cases = [
            ("default", 63),
            ("admin", 458_752 + 63),
            ("all", 524_287),
            ("none", 0),
            ("", 0),
            ("search, dashboard", 33),
            ("manifest_new", 8_192),
            ("manifest_status", 16_384),
            ("investigator_update", 262_144),
        ];
        for (text, mask) in cases {
            assert_eq!(Permissions::parse(text).unwrap().mask(), mask, "{text}");
        }
        assert!(
            Permissions::parse("search,root").unwrap_err().message().contains("\"root\" is no permission")
        );
    }

    #[test]
    fn json_keeps_migs_order_and_comes_back() {
        let text = PermissionsJson::from(Permissions::DEFAULT).to_json().unwrap();
        assert!(
            text.starts_with("{\"search\":true,\"action\":true,\"action_create\":true,\"command\":true,")
        );
        assert!(text.contains("\"manifest_sign\":false,\"manifest_status\":false,\"manifest_new\":false,"));
        let back: PermissionsJson = serde_json::from_str(&text).unwrap();
        assert_eq!(Permissions::from(&back), Permissions::DEFAULT);
    }
}
