// SPDX-License-Identifier: Apache-2.0
//! The results of an action as one streamed text, JSON or CSV: what found something first. Only a few commands are in
//! memory at a time.

use crate::error::{Error, Kind, Result};
use crate::model::command::{CommandStatus, OperationResult};
use crate::model::csv_line::{guarded, line};
use crate::model::go_json::GoJson;
use crate::model::time::rfc3339;
use crate::ops::App;
use crate::store::fleet::{AgentRow, CommandQuery, CommandRow};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

/// Commands that are read together.
const COMMANDS_PER_READ: usize = 16;
/// Commands of an export; the rest is left out, and the last line says so.
const COMMANDS_MAX: i64 = 1_000_000;

const COLUMNS: [&str; 17] = [
    "command",
    "agent",
    "name",
    "queueloc",
    "status",
    "is_late",
    "attempt",
    "prepared_at",
    "sent_at",
    "finished_at",
    "operation",
    "foundanything",
    "success",
    "elements",
    "statistics",
    "errors",
    "action",
];

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// `{"action":…,"commands":[…]}`, each command with its results.
    Json,
    /// A line for each operation of each command, a header line first.
    Csv,
}

/// The text, made while it is read.
#[derive(Debug)]
pub struct Results {
    app: Arc<App>,
    action_id: i64,
    format: ExportFormat,
    ids: VecDeque<i64>,
    bytes: Vec<u8>,
    sent: usize,
    is_first: bool,
    is_over: bool,
}

impl Results {
    /// The results of an action. NotFound where there is no such action.
    pub fn open(app: Arc<App>, action_id: i64, format: ExportFormat) -> Result<Results> {
        if app.store.action_states(&[action_id])?.first().is_none_or(Option::is_none) {
            return Err(Error::not_found(format!("Action ID '{action_id}' not found")));
        }
        let query =
            CommandQuery { action_id, status: None, has_found: None, offset: 0, rows_max: COMMANDS_MAX };
        let ids: VecDeque<i64> = app.store.command_ids_of_action(&query)?.into();
        let bytes = match format {
            ExportFormat::Json => format!("{{\"action\":{action_id},\"commands\":[").into_bytes(),
            ExportFormat::Csv => line(&COLUMNS)?,
        };
        Ok(Results { app, action_id, format, ids, bytes, sent: 0, is_first: true, is_over: false })
    }

    fn refill(&mut self) -> Result<()> {
        self.bytes.clear();
        self.sent = 0;
        let ids: Vec<i64> = self.ids.drain(..self.ids.len().min(COMMANDS_PER_READ)).collect();
        let rows = self.app.store.commands(&ids)?;
        let agent_ids: Vec<i64> = rows.iter().map(|row| row.agent_id).collect();
        let thresholds = self.app.config.fleet.liveness().at(self.app.clock.now());
        let agents = self.app.store.agents(&agent_ids, thresholds)?;
        for row in &rows {
            let agent = agents.iter().find(|agent| agent.id == row.agent_id);
            match self.format {
                ExportFormat::Json => self.add_json(row, agent)?,
                ExportFormat::Csv => self.add_csv(row, agent)?,
            }
        }
        if self.ids.is_empty() {
            self.is_over = true;
            if self.format == ExportFormat::Json {
                self.bytes.extend_from_slice(b"]}\n");
            }
        }
        Ok(())
    }

    fn add_json(&mut self, row: &CommandRow, agent: Option<&AgentRow>) -> Result<()> {
        let results: Value =
            row.results.as_deref().map_or(Ok(Value::Null), serde_json::from_str).map_err(damaged)?;
        let time = |at: Option<i64>| at.map(rfc3339);
        let json = json!({
            "id": row.id,
            "agent": {
                "id": row.agent_id,
                "name": agent.map(|agent| &agent.name),
                "queueloc": agent.map(|agent| &agent.queueloc),
            },
            "status": row.status.word(),
            "is_late": row.is_late,
            "attempt": row.attempt,
            "prepared_at": time(Some(row.prepared_at)),
            "sent_at": time(row.sent_at),
            "finished_at": time(row.finished_at),
            "results": results,
        });
        if !std::mem::take(&mut self.is_first) {
            self.bytes.push(b',');
        }
        serde_json::to_writer(&mut self.bytes, &json).map_err(damaged)
    }

    fn add_csv(&mut self, row: &CommandRow, agent: Option<&AgentRow>) -> Result<()> {
        let results: Vec<OperationResult> =
            row.results.as_deref().map_or(Ok(Vec::new()), serde_json::from_str).map_err(damaged)?;
        let time = |at: Option<i64>| at.map(rfc3339).unwrap_or_default();
        let head = [
            row.id.to_string(),
            row.agent_id.to_string(),
            agent.map(|agent| agent.name.clone()).unwrap_or_default(),
            agent.map(|agent| agent.queueloc.clone()).unwrap_or_default(),
            row.status.word().to_owned(),
            row.is_late.to_string(),
            row.attempt.to_string(),
            time(Some(row.prepared_at)),
            time(row.sent_at),
            time(row.finished_at),
        ];
        let has_results = !results.is_empty() && row.status != CommandStatus::Prepared;
        let operations = results.iter().enumerate().map(|(n, result)| operation_cells(n, result));
        let mut tails = operations.collect::<Result<Vec<_>>>()?;
        if !has_results {
            tails = vec![Default::default()];
        }
        for tail in tails {
            let mut cells = head.to_vec();
            cells.extend(tail);
            cells.push(self.action_id.to_string());
            let cells: Vec<String> = cells.iter().map(|cell| guarded(cell).into_owned()).collect();
            self.bytes.extend(line(&cells)?);
        }
        Ok(())
    }
}

fn operation_cells(n: usize, result: &OperationResult) -> Result<[String; 6]> {
    let text = |value: &Value| {
        let mut text = String::new();
        if !value.is_null() {
            value.encode(&mut text)?;
        }
        Ok::<String, Error>(text)
    };
    Ok([
        n.to_string(),
        result.foundanything.to_string(),
        result.success.to_string(),
        text(&result.elements)?,
        text(&result.statistics)?,
        result.errors.iter().flatten().cloned().collect::<Vec<_>>().join("\n"),
    ])
}

fn damaged(error: serde_json::Error) -> Error {
    Error::new(Kind::Corrupt, "Stored results cannot be read").because(error)
}

impl Read for Results {
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
