// SPDX-License-Identifier: Apache-2.0
//! `GET /api/views/NAME`: what the queries of a custom view find, as JSON.

use crate::custom::{Cut, Mistake, Rows, Value};
use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::custom::{ViewAnswer, answer};
use rouille::Response;
use serde::{Serialize, Serializer};

/// A view with the rows of each panel.
#[derive(Serialize)]
struct ViewJson<'a> {
    name: &'a str,
    title: &'a str,
    parameters: serde_json::Map<String, serde_json::Value>,
    panels: Vec<PanelJson<'a>>,
}

/// A panel: columns and rows, or an error with its line.
#[derive(Serialize)]
struct PanelJson<'a> {
    title: &'a str,
    show: &'static str,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Rows { columns: &'a [String], rows: Vec<Vec<ValueJson<'a>>>, cut: Option<&'static str> },
    Error { error: &'a str, line: usize },
}

struct ValueJson<'a>(&'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(number) => serializer.serialize_i64(*number),
            // JSON has no infinity; serde_json writes null.
            Value::Real(number) => serializer.serialize_f64(*number),
            Value::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// `GET /api/views/NAME`. Parameters are those of the view.
pub fn one(web: &Web, call: &Call) -> Result<Response> {
    let name = call.parameters.first().map_or("", String::as_str);
    let answer = answer(web.app(), name, &call.query)?;
    Ok(respond::json(200, &view(&answer)))
}

fn view(answer: &ViewAnswer) -> ViewJson<'_> {
    let definition = answer.file.definition.as_ref().ok();
    let panels = definition.map_or(&[][..], |definition| &definition.panels);
    ViewJson {
        name: &answer.file.name,
        title: definition.map_or("", |definition| &definition.title),
        parameters: answer
            .given
            .bound
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::to_value(ValueJson(value)).unwrap_or_default()))
            .collect(),
        panels: panels
            .iter()
            .zip(&answer.panels)
            .map(|(panel, rows)| PanelJson {
                title: &panel.title,
                show: panel.show.word(),
                outcome: outcome(rows),
            })
            .collect(),
    }
}

fn outcome(rows: &std::result::Result<Rows, Mistake>) -> Outcome<'_> {
    match rows {
        Ok(rows) => Outcome::Rows {
            columns: &rows.columns,
            rows: rows.rows.iter().map(|row| row.iter().map(ValueJson).collect()).collect(),
            cut: rows.cut.map(|cut| match cut {
                Cut::Rows => "rows",
                Cut::Bytes => "bytes",
            }),
        },
        Err(mistake) => Outcome::Error { error: &mistake.message, line: mistake.line },
    }
}
