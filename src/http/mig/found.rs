// SPDX-License-Identifier: Apache-2.0
//! What a search found as a body that is made while it is sent: a hundred thousand agents are 60 MB of JSON.

use super::collection::{Item, begin, end};
use super::entities::{
    CommandAction, WholeCommand, action_item, agent_item, command_item, investigator_item,
};
use super::{base, send};
use crate::error::Result;
use crate::http::respond;
use crate::http::wire::Head;
use crate::model::agent::Thresholds;
use crate::ops::App;
use crate::store::fleet::SearchType;
use rouille::{Response, ResponseBody};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

/// Rows of one read where a row is small.
const ROWS_PER_READ: usize = 250;
/// Rows of one read where a row may be megabytes: actions, and commands with their results.
const LARGE_ROWS_PER_READ: usize = 8;
/// Bytes of the answer that are made of several reads before they are sent.
const BYTES_PER_REFILL: usize = 128 << 10;

/// The body of an answer to a search.
pub struct FoundBody {
    app: Arc<App>,
    head: Head,
    kind: SearchType,
    ids: VecDeque<i64>,
    tail: Vec<Item>,
    thresholds: Thresholds,
    /// The action whose commands came last.
    action: Option<(i64, CommandAction)>,
    bytes: Vec<u8>,
    sent: usize,
    is_begun: bool,
    has_items: bool,
    is_over: bool,
}

impl FoundBody {
    /// A body of the things with these ids, in their order, and then `tail`. What was deleted meanwhile is left out.
    pub fn new(app: Arc<App>, head: &Head, kind: SearchType, ids: Vec<i64>, tail: Vec<Item>) -> FoundBody {
        let thresholds = app.config.fleet.liveness().at(app.clock.now());
        FoundBody {
            app,
            head: head.clone(),
            kind,
            ids: ids.into(),
            tail,
            thresholds,
            action: None,
            bytes: Vec::new(),
            sent: 0,
            is_begun: false,
            has_items: false,
            is_over: false,
        }
    }

    /// The answer: whole where it is short, so that what goes wrong can still be told; else made while it is sent.
    pub fn into_response(mut self) -> Result<Response> {
        self.refill()?;
        if self.is_over {
            let bytes = std::mem::take(&mut self.bytes);
            return Ok(
                respond::data(200, "application/json", bytes).with_unique_header("Cache-Control", "no-cache")
            );
        }
        Ok(Response { data: ResponseBody::from_reader(self), ..send(200, String::new()) })
    }

    fn refill(&mut self) -> Result<()> {
        let mut out = String::new();
        if !self.is_begun {
            self.is_begun = true;
            begin(&mut out, &format!("{}{}", base(&self.head), self.head.target));
        }
        while !self.ids.is_empty() && out.len() < BYTES_PER_REFILL {
            for item in self.next_items()? {
                self.push(&mut out, &item);
            }
        }
        if self.ids.is_empty() {
            for item in std::mem::take(&mut self.tail) {
                self.push(&mut out, &item);
            }
            out.push(']');
            end(&mut out, None);
            self.is_over = true;
        }
        self.bytes = out.into_bytes();
        self.sent = 0;
        Ok(())
    }

    fn push(&mut self, out: &mut String, item: &Item) {
        out.push_str(if self.has_items { "," } else { ",\"items\":[" });
        self.has_items = true;
        item.push_to(out);
    }

    fn next_items(&mut self) -> Result<Vec<Item>> {
        let most = match self.kind {
            SearchType::Agent | SearchType::Investigator => ROWS_PER_READ,
            SearchType::Action | SearchType::Command => LARGE_ROWS_PER_READ,
        };
        let ids: Vec<i64> = self.ids.drain(..self.ids.len().min(most)).collect();
        let (store, head) = (&self.app.store, &self.head);
        match self.kind {
            SearchType::Action => {
                let rows = store.actions(&ids)?;
                rows.iter().map(|row| action_item(head, "action", row.id, &row.to_action()?)).collect()
            }
            SearchType::Agent => {
                let rows = store.agents(&ids, self.thresholds)?;
                rows.iter().map(|row| agent_item(head, &row.to_agent())).collect()
            }
            SearchType::Investigator => {
                let rows = store.investigators(&ids)?;
                rows.iter()
                    .map(|row| investigator_item(head, "investigator", &row.to_investigator(false)))
                    .collect()
            }
            SearchType::Command => self.command_items(&ids),
        }
    }

    fn command_items(&mut self, ids: &[i64]) -> Result<Vec<Item>> {
        let rows = self.app.store.commands(ids)?;
        let agent_ids: Vec<i64> = rows.iter().map(|row| row.agent_id).collect();
        let agents = self.app.store.agents(&agent_ids, self.thresholds)?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            if self.action.as_ref().is_none_or(|(id, _)| *id != row.action_id) {
                let Some(action) = self.app.store.action(row.action_id)? else { continue };
                self.action = Some((row.action_id, CommandAction::new(&action.to_action()?)?));
            }
            let Some((_, action)) = &self.action else { continue };
            let Some(agent) = agents.iter().find(|agent| agent.id == row.agent_id) else { continue };
            items.push(command_item(&self.head, &WholeCommand { row, action, agent: &agent.to_agent() })?);
        }
        Ok(items)
    }
}

impl Read for FoundBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.sent == self.bytes.len() {
            if self.is_over {
                return Ok(0);
            }
            // The connection is cut then, so that nobody takes the half for the whole.
            self.refill().map_err(|error| io::Error::other(error.with_causes()))?;
        }
        let count = buffer.len().min(self.bytes.len() - self.sent);
        buffer[..count].copy_from_slice(&self.bytes[self.sent..self.sent + count]);
        self.sent += count;
        Ok(count)
    }
}
