// SPDX-License-Identifier: Apache-2.0
//! The table of routes. A path that stands here is matched first, then the pages of `views`.

use crate::error::Result;
use crate::http::call::Call;
use crate::http::web::Web;
use crate::http::{
    account_forms, acl_forms, action_forms, agent_api, aggregates_api, audit_api, collector, crash_forms,
    custom_api, fleet_api, fleet_forms, health, investigator_forms, login, metrics, mig, openapi, pages,
    record_forms, records_api, stream,
};
use crate::model::account::Need;
use crate::ops::fleet::heartbeat::HEARTBEAT_BYTES_MAX;
use crate::views::{self, View, links};
use rouille::Response;
use std::borrow::Cow;

/// How much body a route takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None is looked at; a small one is tolerated.
    None,
    /// A record in either encoding; what is beyond the limit is cut and told.
    Record,
    /// A form of a page.
    Form,
    /// Up to so many bytes, whatever they are; more is refused.
    Bytes(usize),
}

/// A route.
pub struct Route {
    /// `GET` (which answers HEAD too) or `POST`.
    pub method: &'static str,
    /// Path in which a `{name}` segment stands for any one segment.
    pub path: &'static str,
    /// How much body it takes.
    pub body: Body,
    /// True where any Host is taken: machines know the server by whatever name its admin gave them.
    pub any_host: bool,
    /// What it takes; looked at before it is handled.
    pub need: Need,
    /// One sentence for the list of routes.
    pub help: &'static str,
    /// Answers it.
    pub handle: fn(&Web, &Call) -> Result<Response>,
}

impl Route {
    /// True for what a form of a page is sent to. Programs call the other routes, and by whatever name they know us.
    pub fn is_form(&self) -> bool {
        self.method == "POST" && !self.any_host
    }
}

type Handle = fn(&Web, &Call) -> Result<Response>;

const fn get(path: &'static str, help: &'static str, handle: Handle) -> Route {
    Route { method: "GET", path, body: Body::None, any_host: false, need: Need::ReadRecords, help, handle }
}

/// A route that takes something else than reading records does.
const fn guarded(need: Need, route: Route) -> Route {
    Route { need, ..route }
}

const fn collect(path: &'static str) -> Route {
    Route {
        method: "POST",
        path,
        body: Body::Record,
        any_host: true,
        need: Need::Nothing,
        help: "Takes one telemetry record; 201 once it is durable",
        handle: collector::post,
    }
}

/// A form of a page, which comes from a page of ours.
const fn form(path: &'static str, need: Need, help: &'static str, handle: Handle) -> Route {
    Route { method: "POST", path, body: Body::Form, any_host: false, need, help, handle }
}

/// A form about accounts, which is short.
const fn account_form(path: &'static str, need: Need, help: &'static str, handle: Handle) -> Route {
    Route { body: Body::Bytes(login::FORM_BYTES_MAX), ..form(path, need, help, handle) }
}

/// A route of MIG's clients, which call the server by whatever name its admin gave them.
const fn mig(method: &'static str, path: &'static str, help: &'static str, handle: Handle) -> Route {
    let is_post = matches!(method.as_bytes(), b"POST");
    let body = if is_post { Body::Bytes(mig::FORM_BYTES_MAX) } else { Body::None };
    Route { method, path, body, any_host: true, need: Need::Nothing, help, handle }
}

/// A route of agents, which call the server by whatever name they were given.
const fn agents(path: &'static str, bytes_max: usize, help: &'static str, handle: Handle) -> Route {
    Route {
        method: "POST",
        path,
        body: Body::Bytes(bytes_max),
        any_host: true,
        need: Need::Nothing,
        help,
        handle,
    }
}

/// Every route beside the pages.
pub const ROUTES: &[Route] = &[
    // The collector.
    collect("/"),
    collect("/v2/collector"),
    collect("/v3/collector"),
    // The API.
    get("/api", "The API for people", openapi::page),
    get("/api/openapi.json", "The API in OpenAPI 3.1", openapi::document),
    get("/api/records", "Records as JSON, NDJSON or CSV, newest first", records_api::list),
    get("/api/records/{id}", "One record as JSON", records_api::one),
    get("/api/builds", "Records per build", aggregates_api::builds),
    get("/api/stats", "Records per classification and per platform", aggregates_api::stats),
    get("/api/mce", "Machine checks of a year", aggregates_api::machine_checks),
    get("/api/thermal", "Thermal reports per week", aggregates_api::thermal),
    get("/api/population", "Machines per build", aggregates_api::population),
    get("/api/crashes", "Guilties of the past days, most crashes first", aggregates_api::crashes),
    get("/api/crashes/overall", "Guilties of all stored crashes", aggregates_api::crashes_overall),
    get("/api/crashes/build/{system}/{build}", "Guilties of one build", aggregates_api::crashes_of_build),
    get("/api/crashes/guilty_details/{id}", "One guilty by build and machine", aggregates_api::guilty),
    get("/api/crashes/guilty_details/{id}/backtraces", "Its backtraces, folded", aggregates_api::backtraces),
    get("/api/crashes/blacklist", "The functions that are never guilty", aggregates_api::blacklist),
    get("/api/views/{name}", "The rows of a custom view", custom_api::one),
    guarded(Need::Administer, get("/api/audit", "The audit log as JSON, newest first", audit_api::list)),
    // The fleet.
    guarded(
        Need::ReadFleet,
        get("/api/fleet/statistics", "The fleet's numbers now and before", fleet_api::statistics),
    ),
    guarded(
        Need::ReadFleet,
        get(
            "/api/fleet/offline",
            "Names that were heard of and are silent, as JSON or CSV",
            fleet_api::offline,
        ),
    ),
    guarded(
        Need::ReadFleet,
        get("/api/fleet/double", "Endpoints with several agents, as JSON or CSV", fleet_api::double),
    ),
    Route {
        method: "POST",
        path: "/api/v1/heartbeat",
        body: Body::Bytes(HEARTBEAT_BYTES_MAX),
        any_host: true,
        need: Need::Nothing,
        help: "Takes an agent's heartbeat; 200 once it is durable",
        handle: fleet_api::heartbeat,
    },
    // The API of MIG's clients. Paths may end with a slash and have double ones.
    mig("GET", "/api/v1/heartbeat", "A sign of life", mig::alive),
    mig("GET", "/api/v1/ip", "The address that asks, as text", mig::ip),
    mig("GET", "/api/v1/publickey/{fingerprint}", "An investigator's public key", mig::public_key),
    mig("GET", "/api/v1/dashboard", "Numbers of the fleet and its latest actions", mig::dashboard),
    mig("GET", "/api/v1/search", "Actions, agents, commands or investigators", mig::search),
    mig("GET", "/api/v1/action", "One action", mig::action),
    mig("GET", "/api/v1/agent", "One agent", mig::agent),
    mig("GET", "/api/v1/command", "One command with its results", mig::command),
    mig("GET", "/api/v1/investigator", "One investigator", mig::investigator),
    Route {
        body: Body::Bytes(mig::ACTION_FORM_BYTES_MAX),
        ..mig("POST", "/api/v1/action/create", "Takes a signed action", mig::create_action)
    },
    mig("POST", "/api/v1/investigator/create", "Adds an investigator", mig::create_investigator),
    mig("POST", "/api/v1/investigator/update", "Changes an investigator", mig::update_investigator),
    mig("GET", "/api/v1/loader", "501: there are no loaders", mig::no_loaders),
    mig("POST", "/api/v1/loader/status", "501", mig::no_loaders),
    mig("POST", "/api/v1/loader/expect", "501", mig::no_loaders),
    mig("POST", "/api/v1/loader/key", "501", mig::no_loaders),
    mig("POST", "/api/v1/loader/new", "501", mig::no_loaders),
    mig("GET", "/api/v1/manifest", "501: there are no manifests", mig::no_manifests),
    mig("GET", "/api/v1/manifest/loaders", "501", mig::no_manifests),
    mig("POST", "/api/v1/manifest/sign", "501", mig::no_manifests),
    mig("POST", "/api/v1/manifest/status", "501", mig::no_manifests),
    mig("POST", "/api/v1/manifest/new", "501", mig::no_manifests),
    Route { body: Body::None, ..mig("POST", "/api/v1/manifest/agent", "501", mig::loader_only) },
    Route { body: Body::None, ..mig("POST", "/api/v1/manifest/fetch", "501", mig::loader_only) },
    // Agents.
    agents(
        "/api/v1/agent/commands",
        agent_api::FETCH_BYTES_MAX,
        "Gives an agent with a bound key its commands; waits for them up to a minute",
        agent_api::give_commands,
    ),
    agents(
        "/api/v1/agent/results",
        agent_api::RESULTS_BYTES_MAX,
        "Takes an agent's results of a command",
        agent_api::take_results,
    ),
    // What belongs to pages.
    guarded(
        Need::ReadFleet,
        get("/actions/{id}/results", "The results of an action as JSON or CSV", agent_api::export_results),
    ),
    guarded(Need::Nothing, get("/", "Redirects to the records", pages::home)),
    get("/records/stream", "New records as server-sent events", stream::open),
    get("/records/export/{name}", "The filtered records as CSV", records_api::export),
    Route {
        body: Body::Bytes(record_forms::FORM_BYTES_MAX),
        ..form("/records/delete", Need::Operate, "Asks, then deletes chosen records", record_forms::delete)
    },
    get("/records/{id}/payload", "The payload of one record as a file", records_api::payload),
    guarded(Need::Operate, get("/records/quarantine/{id}", "One post in quarantine", pages::quarantined)),
    form("/records/quarantine/{id}/admit", Need::Operate, "Stores a post as corrected", pages::admit),
    form("/records/quarantine/{id}/drop", Need::Operate, "Drops a post", pages::drop_post),
    Route {
        body: Body::Bytes(action_forms::FORM_BYTES_MAX),
        ..form("/actions/new", Need::Operate, "Checks or launches an action", action_forms::compose)
    },
    form("/acl", Need::Administer, "Sets or removes an entry of the ACL", acl_forms::change),
    form("/actions/{id}/cancel", Need::Operate, "Stops an action", action_forms::cancel),
    get("/crashes/build", "Leads to the crashes of the build chosen", crash_forms::choose_build),
    form(
        "/crashes/guilty_details/{id}/comment",
        Need::ChangeRecords,
        "Notes something about a guilty",
        crash_forms::comment,
    ),
    form(
        "/crashes/guilty_details/{id}/hide",
        Need::ChangeRecords,
        "Hides a guilty or shows it again",
        crash_forms::hide,
    ),
    form(
        "/crashes/blacklist",
        Need::ChangeRecords,
        "Changes the functions that are never guilty",
        crash_forms::change_blacklist,
    ),
    form(
        "/fleet/agents/{id}/unbind",
        Need::Administer,
        "Lets the next key of an agent's endpoint bind",
        fleet_forms::unbind,
    ),
    guarded(
        Need::Administer,
        get("/audit/{name}", "The audit log as a file, export.csv or export.ndjson", audit_api::export),
    ),
    form("/investigators", Need::Administer, "Adds an investigator", investigator_forms::add),
    form(
        "/investigators/{id}/status",
        Need::Administer,
        "Enables or disables one",
        investigator_forms::status,
    ),
    form(
        "/investigators/{id}/permissions",
        Need::Administer,
        "Changes what one may do",
        investigator_forms::permissions,
    ),
    form(
        "/investigators/{id}/apikey",
        Need::Administer,
        "Makes an API key, shown once, or takes it away",
        investigator_forms::api_key,
    ),
    form("/investigators/{id}/remove", Need::Administer, "Removes one", investigator_forms::remove),
    // Accounts.
    guarded(Need::Nothing, get("/login", "The form to log in", login::show)),
    Route {
        body: Body::Bytes(login::FORM_BYTES_MAX),
        ..form("/login", Need::Nothing, "Begins a session", login::log_in)
    },
    account_form("/logout", Need::ReadFleet, "Ends the session", login::log_out),
    account_form(
        "/account/password",
        Need::ReadFleet,
        "Changes one's own password",
        account_forms::own_password,
    ),
    account_form("/account/logout", Need::ReadFleet, "Ends all of one's sessions", account_forms::own_logout),
    account_form("/account/sessions", Need::ReadFleet, "Ends one of them", account_forms::own_session),
    account_form(
        "/account/tokens",
        Need::ReadFleet,
        "Makes an API token, shown once",
        account_forms::own_token,
    ),
    account_form(
        "/account/revoke",
        Need::ReadFleet,
        "Ends an API token of one's own",
        account_forms::own_revoke,
    ),
    account_form("/accounts", Need::Administer, "Adds an account", account_forms::add),
    account_form("/accounts/{id}/role", Need::Administer, "Changes its role", account_forms::role),
    account_form("/accounts/{id}/status", Need::Administer, "Enables or disables it", account_forms::status),
    account_form("/accounts/{id}/password", Need::Administer, "Makes a password up", account_forms::password),
    account_form("/accounts/{id}/logout", Need::Administer, "Ends its sessions", account_forms::logout),
    account_form("/accounts/{id}/revoke", Need::Administer, "Ends an API token of it", account_forms::revoke),
    account_form("/accounts/{id}/remove", Need::Administer, "Removes it", account_forms::remove),
    guarded(Need::Nothing, get("/assets/{name}", "Style sheet, script and icon", pages::asset)),
    // Health.
    guarded(Need::Nothing, get("/healthz", "200 while the process is alive", health::alive)),
    guarded(Need::Nothing, get("/readyz", "200 while a record could be stored", health::ready)),
    get("/metrics", "Figures of the server for Prometheus", metrics::show),
];

/// What a path and a method lead to.
pub enum Found {
    /// A route, with the values of its path.
    Route(&'static Route, Vec<String>),
    /// A page.
    View(&'static View, Vec<String>),
    /// The path is known, the method is not; these are.
    OtherMethods(String),
    /// Nothing.
    Nothing,
}

/// A path below `/api/v1` as it stands in the table: MIG's clients double slashes, and end some paths with one.
fn tidied(path: &str) -> Cow<'_, str> {
    if path != "/api/v1" && !path.starts_with("/api/v1/") || !path.contains("//") && !path.ends_with('/') {
        return Cow::Borrowed(path);
    }
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Cow::Owned(format!("/{}", segments.join("/")))
}

/// True where a form of a page is sent to this path.
pub fn is_form(path: &str) -> bool {
    matches!(find("POST", path), Found::Route(route, _) if route.is_form())
}

/// Finds what answers a request. HEAD is answered by what answers GET.
pub fn find(method: &str, path: &str) -> Found {
    let path = &*tidied(path);
    let wanted = if method == "HEAD" { "GET" } else { method };
    let mut matches: Vec<(&Route, Vec<String>)> = ROUTES
        .iter()
        .filter_map(|route| links::parameters(route.path, path).map(|parameters| (route, parameters)))
        .collect();
    // A written segment wins over a parameter.
    matches.sort_by_key(|(_, parameters)| parameters.len());
    let view = views::find(path);
    let fewest = matches.first().map_or(usize::MAX, |(_, parameters)| parameters.len());
    if wanted == "GET"
        && let Some((view, parameters)) = &view
        && parameters.len() < fewest
    {
        return Found::View(view, parameters.clone());
    }
    if let Some(index) = matches.iter().position(|(route, _)| route.method == wanted) {
        let (route, parameters) = matches.swap_remove(index);
        return Found::Route(route, parameters);
    }
    match view {
        Some((view, parameters)) if wanted == "GET" => Found::View(view, parameters),
        None if matches.is_empty() => Found::Nothing,
        view => {
            let mut allowed: Vec<&str> = matches.iter().map(|(route, _)| route.method).collect();
            if view.is_some() || allowed.contains(&"GET") {
                allowed.extend(["GET", "HEAD"]);
            }
            allowed.sort_unstable();
            allowed.dedup();
            Found::OtherMethods(allowed.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(method: &str, path: &str) -> String {
        match find(method, path) {
            Found::Route(route, parameters) => format!("{} {} {parameters:?}", route.method, route.path),
            Found::View(view, parameters) => format!("view {} {parameters:?}", view.path),
            Found::OtherMethods(allowed) => format!("405 {allowed}"),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn paths_and_methods_lead_to_their_routes() {
        let cases = [
            ("GET", "/", "GET / []"),
            ("POST", "/", "POST / []"),
            ("PUT", "/", "405 GET, HEAD, POST"),
            ("HEAD", "/api/records", "GET /api/records []"),
            ("GET", "/api/records/17", "GET /api/records/{id} [\"17\"]"),
            ("POST", "/api/records", "405 GET, HEAD"),
            ("GET", "/v2/collector", "405 POST"),
            ("GET", "/records", "view /records []"),
            ("GET", "/records/17", "view /records/{id} [\"17\"]"),
            ("GET", "/records/quarantine", "view /records/quarantine []"),
            ("GET", "/records/stream", "GET /records/stream []"),
            ("GET", "/records/17/payload", "GET /records/{id}/payload [\"17\"]"),
            ("DELETE", "/records/17", "405 GET, HEAD"),
            ("GET", "/nothing", "404"),
            ("GET", "/records/", "404"),
            ("GET", "/api/v1//ip", "GET /api/v1/ip []"),
            ("POST", "/api/v1/action/create/", "POST /api/v1/action/create []"),
            ("POST", "/api/v1/dashboard", "405 GET, HEAD"),
        ];
        for (method, path, expected) in cases {
            assert_eq!(name(method, path), expected, "{method} {path}");
        }
    }
}
