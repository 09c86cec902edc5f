// SPDX-License-Identifier: Apache-2.0
//! Who may do what: roles of accounts, scopes of API tokens, and what each thing that can be asked for needs.

/// What an account may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at records and the fleet.
    Viewer,
    /// Also changes them: comments, blacklist, quarantine, deletions, actions.
    Operator,
    /// Also manages accounts, investigators and the ACL, and reads the audit log.
    Admin,
}

impl Role {
    /// All, least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    /// The word of forms and of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The role that a word means.
    pub fn from_word(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }

    /// The number in the database.
    pub fn number(self) -> i64 {
        match self {
            Role::Viewer => 1,
            Role::Operator => 2,
            Role::Admin => 3,
        }
    }

    /// The role that a number of the database means.
    pub fn from_number(number: i64) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.number() == number)
    }
}

/// What a program with an API token may do, never more than the account it belongs to; each may do what those before
/// it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reads records and their views.
    Records,
    /// Also reads the fleet.
    Read,
    /// Also changes what operators may change.
    Write,
    /// Everything that the account may.
    Admin,
}

impl Scope {
    /// All, least first.
    pub const ALL: [Scope; 4] = [Scope::Records, Scope::Read, Scope::Write, Scope::Admin];

    /// The word of forms and of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Records => "records",
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }

    /// The scope that a word means.
    pub fn from_word(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// The number in the database.
    pub fn number(self) -> i64 {
        match self {
            Scope::Records => 1,
            Scope::Read => 2,
            Scope::Write => 3,
            Scope::Admin => 4,
        }
    }

    /// The scope that a number of the database means.
    pub fn from_number(number: i64) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.number() == number)
    }
}

/// What a page or a route needs of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the collector, health, files of pages, and what has its own way to tell who asks (agents, MIG's API).
    Nothing,
    /// To read records and their views; open unless `access.read` is `login`.
    ReadRecords,
    /// To read the fleet: a viewer.
    ReadFleet,
    /// To change what the telemetry pages show: an operator; open where `access.write` is.
    ChangeRecords,
    /// To see the quarantine, to delete, to change the fleet: an operator.
    Operate,
    /// To manage accounts, investigators and the ACL, to let another key bind, and to read the audit log: an admin.
    Administer,
}

impl Need {
    /// The role that it takes; none where it takes none.
    pub fn role(self) -> Option<Role> {
        match self {
            Need::Nothing => None,
            Need::ReadRecords | Need::ReadFleet => Some(Role::Viewer),
            Need::ChangeRecords | Need::Operate => Some(Role::Operator),
            Need::Administer => Some(Role::Admin),
        }
    }

    /// The scope that a token needs for it.
    pub fn scope(self) -> Scope {
        match self {
            Need::Nothing | Need::ReadRecords => Scope::Records,
            Need::ReadFleet => Scope::Read,
            Need::ChangeRecords | Need::Operate => Scope::Write,
            Need::Administer => Scope::Admin,
        }
    }
}

/// An account as it is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// Its id.
    pub account_id: i64,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// What the API token may do; none for a person.
    pub scope: Option<Scope>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// Somebody unknown.
    #[default]
    Nobody,
    /// Somebody on this host while there are no accounts: may do everything.
    Local,
    /// An account.
    Account(LoggedIn),
}

impl Who {
    /// True where the role and the scope suffice; what the configuration leaves open is not asked here.
    pub fn may(&self, need: Need) -> bool {
        let Some(role) = need.role() else { return true };
        match self {
            Who::Nobody => false,
            Who::Local => true,
            Who::Account(account) => {
                account.role >= role && account.scope.is_none_or(|scope| scope >= need.scope())
            }
        }
    }
}

/// What who asks may do here: by role and scope, and by what the configuration leaves open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Who asks.
    pub who: Who,
    /// True where anybody may read records.
    pub is_reading_open: bool,
    /// True where anybody may change what the telemetry pages show.
    pub is_changing_open: bool,
}

impl Rights {
    /// Everything: those of somebody on this host while there are no accounts.
    pub fn all() -> Rights {
        Rights { who: Who::Local, is_reading_open: true, is_changing_open: false }
    }

    /// True where this may be done.
    pub fn may(&self, need: Need) -> bool {
        match need {
            Need::ReadRecords if self.is_reading_open => true,
            Need::ChangeRecords if self.is_changing_open => true,
            need => self.who.may(need),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.word()), Some(role));
            assert_eq!(Role::from_number(role.number()), Some(role));
        }
        for scope in Scope::ALL {
            assert_eq!(Scope::from_word(scope.word()), Some(scope));
            assert_eq!(Scope::from_number(scope.number()), Some(scope));
        }
        assert_eq!((Role::from_word("root"), Scope::from_number(9)), (None, None));
    }

    #[test]
    fn roles_and_scopes_both_have_to_suffice() {
        let account = |role, scope| Who::Account(LoggedIn { account_id: 1, name: "a".into(), role, scope });
        let needs = [
            Need::Nothing,
            Need::ReadRecords,
            Need::ReadFleet,
            Need::ChangeRecords,
            Need::Operate,
            Need::Administer,
        ];
        let cases = [
            (Who::Nobody, 1),
            (Who::Local, 6),
            (account(Role::Viewer, None), 3),
            (account(Role::Operator, None), 5),
            (account(Role::Admin, None), 6),
            (account(Role::Admin, Some(Scope::Records)), 2),
            (account(Role::Admin, Some(Scope::Read)), 3),
            (account(Role::Admin, Some(Scope::Write)), 5),
            (account(Role::Viewer, Some(Scope::Admin)), 3),
        ];
        for (who, n_allowed) in cases {
            let allowed: Vec<bool> = needs.iter().map(|need| who.may(*need)).collect();
            let expected: Vec<bool> = (0..needs.len()).map(|index| index < n_allowed).collect();
            assert_eq!(allowed, expected, "{who:?}");
        }
    }

    #[test]
    fn what_is_open_needs_nobody() {
        let mut rights = Rights { is_reading_open: true, ..Rights::default() };
        assert!(
            rights.may(Need::ReadRecords) && !rights.may(Need::ReadFleet) && !rights.may(Need::ChangeRecords)
        );
        rights.is_changing_open = true;
        assert!(
            rights.may(Need::ChangeRecords) && !rights.may(Need::Operate) && !rights.may(Need::Administer)
        );
    }
}
