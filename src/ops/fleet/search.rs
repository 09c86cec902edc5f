// SPDX-License-Identifier: Apache-2.0
//! Searches of MIG's API: parameters in, ids out. How what is found is written is `http`'s business.

#[cfg(test)]
mod tests;

use crate::error::{Error, Kind, Result};
use crate::model::filter::shortened;
use crate::model::pairs::Pairs;
use crate::model::timestamp::Timestamp;
use crate::ops::App;
use crate::store::fleet::{Criteria, Moment, Search, SearchType};
use crate::target;

/// The answer to a search that finds nothing; MIG's clients compare it.
pub const NO_RESULTS: &str = "no results found";
/// Most ids of one search, whatever its `limit` says.
pub const LIMIT_MAX: i64 = 1_000_000;
/// How MIG writes an id that does not matter.
const ANY_ID: &str = "∞";
/// How MIG writes a pattern that does not matter.
const ANY_TEXT: &str = "%";
/// Where MIG's clients put bounds of time that do not matter, from now; nearer ones count.
const FAR_HOURS: i64 = 39_600;
/// Bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 2_048;

/// A value as the answer echoes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Echo {
    /// A JSON string.
    Text(String),
    /// A JSON number.
    Number(f64),
    /// A JSON boolean.
    Flag(bool),
}

/// A search, understood.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is searched for.
    pub search: Search,
    /// With agents: a target, which alone counts then, beside limit and offset.
    pub target: Option<String>,
    /// All parameters as MIG echoes them, in its order.
    pub echo: Vec<(&'static str, Echo)>,
}

/// Understands the parameters of a search; unknown ones are passed over, of several of one name the first counts.
/// Invalid where a value cannot be understood, NotImplemented for loaders and manifests.
pub fn read(query: &Pairs, now: i64) -> Result<Request> {
    let mut reader = Reader { query, now, echo: Vec::new() };
    // In the order in which they are echoed.
    let action_id = reader.id("actionid")?;
    let action_name = reader.pattern("actionname")?;
    let after = reader.time("after", -FAR_HOURS)?;
    let agent_id = reader.id("agentid")?;
    let agent_name = reader.pattern("agentname")?;
    let agent_version = reader.pattern("agentversion")?;
    let before = reader.time("before", FAR_HOURS)?;
    let command_id = reader.id("commandid")?;
    let found_anything = reader.flag("foundanything")?;
    let investigator_id = reader.id("investigatorid")?;
    let investigator_name = reader.pattern("investigatorname")?;
    let limit = reader.count("limit", 100.0)?;
    reader.id("loaderid")?;
    reader.pattern("loadername")?;
    reader.id("manifestid")?;
    reader.pattern("manifestname")?;
    let offset = reader.count("offset", 0.0)?;
    reader.text("report", "");
    let status = reader.pattern("status")?;
    let target = reader.text("target", "");
    let threat_family = reader.pattern("threatfamily")?;
    let kind = search_type(&reader.text("type", "action"))?;
    let criteria = Criteria {
        action_id,
        action_name,
        threat_family,
        agent_id,
        agent_name,
        agent_version,
        command_id,
        investigator_id,
        investigator_name,
        status,
        found_anything,
        after,
        before,
    };
    let search = Search { kind, criteria, limit: limit.min(LIMIT_MAX), offset };
    let target = (kind == SearchType::Agent && !target.is_empty()).then_some(target);
    Ok(Request { search, target, echo: reader.echo })
}

/// The ids that a search finds, in its order. Invalid where the target is none, NotFound with [`NO_RESULTS`] where it
/// finds nothing, Busy where it takes too long.
pub fn run(app: &App, request: &Request, now: i64) -> Result<Vec<i64>> {
    let thresholds = app.config.fleet.liveness().at(now);
    let search = &request.search;
    let ids = match &request.target {
        _ if search.limit == 0 => Vec::new(),
        None => app.store.search(search, thresholds)?,
        Some(text) => {
            let condition = target::parse(text).map_err(|error| {
                Error::new(error.kind(), format!("Error while finding agents: '{}'", error.message()))
            })?;
            let most = search.offset.saturating_add(search.limit);
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let found = app.store.target_agents(&condition, Moment { now, thresholds }, Some(most))?;
            let offset = usize::try_from(search.offset).unwrap_or(usize::MAX);
            found.first.into_iter().skip(offset).map(|agent| agent.agent_id).collect()
        }
    };
    match ids.is_empty() {
        true => Err(Error::not_found(NO_RESULTS)),
        false => Ok(ids),
    }
}

/// An id of a query as MIG reads it, a float64. What no id can be (0, a part of one, infinite) is 0 or below.
pub fn read_id(name: &str, text: &str) -> Result<f64> {
    text.parse::<f64>().map_err(|_| {
        let start = shortened(text);
        Error::invalid(format!(
            "Wrong parameters '{name}': 'strconv.ParseFloat: parsing \"{start}\": invalid syntax'"
        ))
    })
}

/// The id that a float64 is, where it is one.
pub fn whole_id(id: f64) -> Option<i64> {
    let is_id = (1.0..9_007_199_254_740_992.0).contains(&id) && id.fract() == 0.0;
    // Exact for these.
    is_id.then_some(id as i64)
}

fn search_type(word: &str) -> Result<SearchType> {
    match word {
        "action" => Ok(SearchType::Action),
        "agent" => Ok(SearchType::Agent),
        "command" => Ok(SearchType::Command),
        "investigator" => Ok(SearchType::Investigator),
        "loader" | "manifest" => Err(Error::new(
            Kind::NotImplemented,
            format!("This server has no {word}s; it does not install or update agents"),
        )),
        _ => Err(Error::invalid("search type is invalid; it is action, agent, command or investigator")),
    }
}

/// Reads parameter after parameter and notes what is to be echoed.
struct Reader<'a> {
    query: &'a Pairs,
    now: i64,
    echo: Vec<(&'static str, Echo)>,
}

impl Reader<'_> {
    fn text(&mut self, name: &'static str, default: &str) -> String {
        let text = self.query.first(name).unwrap_or(default).to_owned();
        self.echo.push((name, Echo::Text(text.clone())));
        text
    }

    fn pattern(&mut self, name: &'static str) -> Result<Option<String>> {
        let text = self.text(name, ANY_TEXT);
        if text.len() > PATTERN_BYTES_MAX {
            return Err(Error::invalid(format!("{name} is longer than {PATTERN_BYTES_MAX} bytes")));
        }
        Ok((text != ANY_TEXT).then_some(text))
    }

    fn id(&mut self, name: &'static str) -> Result<Option<i64>> {
        let text = self.text(name, ANY_ID);
        if text == ANY_ID || text.is_empty() {
            return Ok(None);
        }
        // An id that there cannot be finds nothing.
        read_id(name, &text).map(|id| Some(whole_id(id).unwrap_or(-1)))
    }

    fn count(&mut self, name: &'static str, default: f64) -> Result<i64> {
        let number = match self.query.first(name) {
            None | Some("") => default,
            Some(text) => read_id(name, text)?,
        };
        if number.is_nan() || number < 0.0 {
            return Err(Error::invalid(format!("{name} must be 0 or more")));
        }
        // Beyond what a whole number holds it is as much as there can be.
        let count = number.trunc() as i64;
        self.echo.push((name, Echo::Number(count.min(9_007_199_254_740_991) as f64)));
        Ok(count)
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        let flag = match self.query.first(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("") => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(Error::invalid(format!("{name} must be true or false"))),
        };
        self.echo.push((name, Echo::Flag(flag.unwrap_or(false))));
        Ok(flag)
    }

    fn time(&mut self, name: &'static str, default_hours: i64) -> Result<Option<i64>> {
        let time = match self.query.first(name) {
            None | Some("") => Timestamp::utc(self.now + default_hours * 3_600),
            Some(text) => Timestamp::parse(text).ok_or_else(|| {
                Error::invalid(format!("parseSearchParameters()-> {name} date not in RFC3339 format"))
            })?,
        };
        self.echo.push((name, Echo::Text(time.to_string())));
        let is_near = time.unix_secs.abs_diff(self.now) < (FAR_HOURS - 1).unsigned_abs() * 3_600;
        Ok(is_near.then_some(time.unix_secs))
    }
}
