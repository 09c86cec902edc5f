// SPDX-License-Identifier: Apache-2.0
//! `/api/v1`, as MIG's clients expect it: Collection+JSON, its statuses and texts. Who asks is found out in
//! `ops::fleet::authenticate`, for every route but the few that are open.
//!
//! To add a route: its handler here, its row in [`crate::http::routes`].

mod absent;
mod collection;
mod dashboard;
mod entities;
mod found;
mod investigators;
mod open;
mod search;
mod submission;

pub use absent::{loader_only, no_loaders, no_manifests};
pub use dashboard::dashboard;
pub use entities::{action, agent, command, investigator};
pub use investigators::{create_investigator, update_investigator};
pub use open::{alive, ip, public_key};
pub use search::search;
pub use submission::create_action;

use crate::error::{Error, Result};
use crate::http::call::Call;
use crate::http::proxies;
use crate::http::respond;
use crate::http::web::Web;
use crate::http::wire::Head;
use crate::model::audit::Actor;
use crate::model::investigator::Permission;
use crate::ops::fleet::authenticate::{Credentials, authenticate, refuse_bare, require};
use crate::ops::fleet::search::{read_id, whole_id};
use crate::store::fleet::InvestigatorRow;
use collection::{Collection, Item};
use rouille::Response;

/// Where all paths begin.
const BASE_ROUTE: &str = "/api/v1";
/// Bytes of a form that creates an action, as in MIG.
pub const ACTION_FORM_BYTES_MAX: usize = 10 << 20;
/// Bytes of the other forms; a public key has at most 64 KiB.
pub const FORM_BYTES_MAX: usize = 256 << 10;

/// True where a failure is told in Collection+JSON: below `/api/v1`, but not to agents, who speak plain JSON.
pub fn is_for_clients(head: &Head) -> bool {
    let mut segments = head.path().split('/').filter(|segment| !segment.is_empty());
    let is_ours = segments.next() == Some("api") && segments.next() == Some("v1");
    match (segments.next(), segments.next()) {
        (Some("heartbeat"), _) | (Some("agent"), Some(_)) => false,
        _ => is_ours,
    }
}

/// A failure in Collection+JSON.
pub fn failure(head: &Head, status: u16, code: &str, message: &str) -> Response {
    let base = base(head);
    let href = format!("{base}{}", head.target);
    let collection = Collection { href: &href, items: &[], error: Some((code, message)) };
    send(status, collection.to_json())
}

/// The server as the client called it, `http://HOST` and the base path.
fn base(head: &Head) -> String {
    let scheme = if proxies::is_secure(head) { "https" } else { "http" };
    let host = head.field("host").filter(|host| !host.is_empty()).unwrap_or("localhost");
    format!("{scheme}://{host}{}", head.base_path)
}

/// The address of something below `/api/v1`.
fn href(head: &Head, path: &str) -> String {
    format!("{}{BASE_ROUTE}{path}", base(head))
}

/// Refuses, before its body is read, a request that shows nothing of who sent it.
pub fn require_shown(web: &Web, head: &Head) -> Result<()> {
    match shown(head).is_nothing() {
        true => Err(refuse_bare(web.app())),
        false => Ok(()),
    }
}

fn shown(head: &Head) -> Credentials<'_> {
    Credentials {
        pgp_token: head.field("x-pgpauthorization"),
        api_key: head.field("x-migapikey"),
        peer: head.peer.ip(),
        may_be_twin: may_be_twin(head),
    }
}

/// Finds out who asks, and that this is allowed.
fn admit(web: &Web, call: &Call, permission: Permission) -> Result<InvestigatorRow> {
    let investigator = authenticate(web.app(), &shown(&call.head))?;
    require(&investigator, permission)?;
    Ok(investigator)
}

/// Who asks, for the audit log.
fn actor(call: &Call, investigator: &InvestigatorRow) -> Actor {
    Actor { name: format!("investigator {}", investigator.name), origin: call.head.peer.ip().to_string() }
}

/// True for a program of MIG that reads, or submits an action, which is not taken twice anyway.
fn may_be_twin(head: &Head) -> bool {
    let is_migs = head.field("user-agent").is_some_and(|agent| agent.starts_with("MIG Client"));
    let path = head.path().trim_end_matches('/');
    is_migs && (matches!(head.method.as_str(), "GET" | "HEAD") || path.ends_with("/action/create"))
}

/// The id in the query, for instance of `?actionid=`. Invalid where it is missing or cannot be one, NotFound where it
/// is a number that no id is. `noun` is MIG's word: `Action`.
fn id_of(call: &Call, name: &str, noun: &str) -> Result<i64> {
    let text = call.query.first(name).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Error::invalid(format!("Missing parameter '{name}'")))?;
    let id = read_id(name, text)?;
    if id.is_nan() || id <= 0.0 {
        return Err(Error::invalid(format!("Invalid {noun} ID '{id:.0}'")));
    }
    whole_id(id).ok_or_else(|| not_found(noun, id))
}

fn not_found(noun: &str, id: impl std::fmt::Display) -> Error {
    Error::not_found(format!("{noun} ID '{id:.0}' not found"))
}

/// An answer with items.
fn answer(call: &Call, status: u16, items: &[Item]) -> Response {
    let href = format!("{}{}", base(&call.head), call.head.target);
    send(status, Collection { href: &href, items, error: None }.to_json())
}

fn send(status: u16, body: String) -> Response {
    respond::data(status, "application/json", body).with_unique_header("Cache-Control", "no-cache")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::account::Rights;

    fn head(target: &str) -> Head {
        Head {
            method: "GET".into(),
            target: target.into(),
            minor_version: 1,
            fields: vec![("Host".into(), "muster:1".into())],
            peer: ([127, 0, 0, 1], 1).into(),
            proxy: None,
            is_tls: false,
            base_path: String::new(),
            raw: Vec::new(),
        }
    }

    #[test]
    fn clients_are_told_of_failures_in_their_form_and_agents_are_not() {
        let cases = [
            ("/api/v1/action?actionid=1", true),
            ("/api/v1//dashboard", true),
            ("/api/v1/agent?agentid=1", true),
            ("/api/v1/nothing", true),
            ("/api/v1/heartbeat", false),
            ("/api/v1/agent/commands", false),
            ("/api/records", false),
            ("/records", false),
        ];
        for (target, expected) in cases {
            assert_eq!(is_for_clients(&head(target)), expected, "{target}");
        }
    }

    #[test]
    fn ids_are_read_as_mig_reads_them() {
        let of = |query: &str| {
            let call = Call {
                head: head("/"),
                rights: Rights::default(),
                parameters: Vec::new(),
                query: crate::http::call::parse_pairs(query.as_bytes()),
                body: Vec::new(),
                is_body_cut: false,
                caller: crate::http::wire::Caller::default(),
            };
            id_of(&call, "actionid", "Action").map_err(|error| error.to_string())
        };
        let cases = [
            ("actionid=7", Ok(7)),
            ("actionid=1e1&actionid=3", Ok(10)),
            ("", Err("Missing parameter 'actionid'")),
            ("actionid=0", Err("Invalid Action ID '0'")),
            ("actionid=-12", Err("Invalid Action ID '-12'")),
            ("actionid=NaN", Err("Invalid Action ID 'NaN'")),
            ("actionid=1.5", Err("Action ID '2' not found")),
            ("actionid=9007199254740992", Err("Action ID '9007199254740992' not found")),
            (
                "actionid=abc",
                Err("Wrong parameters 'actionid': 'strconv.ParseFloat: parsing \"abc\": invalid syntax'"),
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(of(query), expected.map_err(str::to_owned), "{query}");
        }
    }
}
