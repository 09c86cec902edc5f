// SPDX-License-Identifier: Apache-2.0
//! The HTML that people see: one file a view, and the list of them.
//!
//! To add a view: write `views/x.rs` with a `pub const VIEW` and add its two lines here. Navigation and routing walk
//! [`VIEWS`]. In each view `load` asks the store and `render` is pure, so pages are tested without a database.
//!
//! Invariants: text that came from outside reaches a page only through maud's escaping and [`text`]; there is no
//! inline script or style; every page works without JavaScript. Nothing here knows HTTP: `http` finds the view,
//! hands over an [`Asked`], and sends what [`document`] makes of the [`Page`].

pub mod account;
pub mod accounts;
pub mod acl;
pub mod actions;
pub mod api;
pub mod assets;
pub mod audit;
pub mod backtrace;
pub mod builds;
pub mod chart;
pub mod crashes;
pub mod custom;
pub mod error_page;
pub mod fleet;
pub mod investigators;
pub mod layout;
pub mod links;
pub mod login;
pub mod mce;
pub mod parts;
pub mod population;
pub mod quarantine;
pub mod record;
pub mod records;
pub mod stats;
pub mod status;
pub mod switch;
pub mod text;
pub mod thermal;

use crate::error::{Error, Result};
use crate::model::account::{Need, Rights};
use crate::model::pairs::Pairs;
use crate::ops::App;
use maud::Markup;

/// Every view, in the order of the navigation.
pub const VIEWS: &[&View] = &[
    &records::VIEW,
    &record::VIEW,
    &quarantine::VIEW,
    &builds::VIEW,
    &stats::VIEW,
    &crashes::VIEW,
    &crashes::OVERALL,
    &crashes::BUILD,
    &crashes::DETAILS,
    &crashes::BACKTRACES,
    &crashes::BLACKLIST,
    &crashes::PREVIEW,
    &mce::VIEW,
    &thermal::VIEW,
    &population::VIEW,
    &fleet::VIEW,
    &fleet::AGENTS,
    &fleet::AGENT,
    &actions::VIEW,
    &actions::ACTION,
    &actions::NEW,
    &acl::VIEW,
    &actions::COMMAND,
    &investigators::VIEW,
    &investigators::ONE,
    &audit::VIEW,
    &accounts::VIEW,
    &accounts::ONE,
    &account::VIEW,
    &custom::VIEW,
];

/// A page that a GET shows.
pub struct View {
    /// Path in which a `{name}` segment stands for any one segment: `/records/{id}`.
    pub path: &'static str,
    /// What the navigation calls it.
    pub title: &'static str,
    /// One sentence on what it shows, for the list of routes and as the title of its navigation link.
    pub help: &'static str,
    /// True where the bar across the top links it.
    pub in_navigation: bool,
    /// What it takes to see it; looked at before [`View::get`] is called.
    pub need: Need,
    /// Makes the page; NotFound, Invalid and Busy are for the viewer to see.
    pub get: fn(&App, &Asked) -> Result<Page>,
}

/// What a view is asked.
pub struct Asked<'a> {
    /// The query, decoded.
    pub query: &'a Pairs,
    /// The values of the path's `{…}` segments, decoded, in their order.
    pub parameters: &'a [String],
    /// Who asks.
    pub viewer: &'a Viewer,
}

impl Asked<'_> {
    /// The first path parameter as an id; NotFound where it is none.
    pub fn id(&self) -> Result<i64> {
        let text = self.parameters.first().map_or("", String::as_str);
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let id = is_number.then(|| text.parse().ok()).flatten();
        id.ok_or_else(|| Error::not_found("There is nothing under this number"))
    }
}

/// Who looks at a page.
#[derive(Clone, Debug, Default)]
pub struct Viewer {
    /// What they may do.
    pub rights: Rights,
    /// True where there are accounts, so that one can log in.
    pub has_accounts: bool,
    /// What every form that changes something sends back as `csrf_token`.
    pub csrf_token: String,
    /// SHA-256 of the session's secret; none without a session.
    pub session_digest: Option<[u8; 32]>,
    /// How the viewer reached us, `http://HOST:PORT` and the base path, without a slash at the end, for commands to
    /// copy.
    pub origin: String,
}

impl Viewer {
    /// True where this may be done.
    pub fn may(&self, need: Need) -> bool {
        self.rights.may(need)
    }
}

/// A page's content, before [`document`] puts the skeleton around it.
pub struct Page {
    /// For the browser's tab.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What stands between header and footer.
    pub markup: Markup,
    /// After so many seconds the browser loads the page again: while something goes on that it shows.
    pub refresh_secs: Option<u32>,
    /// The query with which the browser asks for the page at once again.
    pub refresh_query: Option<String>,
}

impl Page {
    /// A page that answers 200.
    pub fn ok(title: impl Into<String>, markup: Markup) -> Page {
        Page { title: title.into(), status: 200, markup, refresh_secs: None, refresh_query: None }
    }
}

/// The view that answers `path` and the values of its parameters; where several do, the one with fewest parameters.
///
/// `path` is as it came, still percent-encoded, so that a value may hold a slash. A value that does not decode to
/// UTF-8 has no view.
pub fn find(path: &str) -> Option<(&'static View, Vec<String>)> {
    VIEWS
        .iter()
        .filter_map(|view| links::parameters(view.path, path).map(|parameters| (*view, parameters)))
        .min_by_key(|(_, parameters)| parameters.len())
}

/// The whole HTML document of a page. `path` is where it stands; the navigation marks it.
///
/// A store that cannot say how many records there are does not stop it.
pub fn document(app: &App, path: &str, viewer: &Viewer, page: &Page) -> String {
    // How many records there are and what is made of them is for who may read them.
    let (n_records, tabs) = match viewer.may(Need::ReadRecords) {
        // The page itself did what it could; a missing number in its footer is no reason to fail it.
        true => (app.store.count_records().ok(), custom::tabs(app)),
        false => (None, Vec::new()),
    };
    let frame = layout::Frame { path, n_records, tabs: &tabs, viewer: Some(viewer) };
    layout::render(&frame, page).into_string()
}

/// The whole HTML document that says what went wrong, without asking the store.
pub fn error_document(path: &str, failure: &error_page::Failure) -> String {
    let frame = layout::Frame { path, n_records: None, tabs: &[], viewer: None };
    layout::render(&frame, &error_page::render(failure)).into_string()
}
