// SPDX-License-Identifier: Apache-2.0
//! The configuration file: TOML, its tables flattened to keys with dots, each with its line.

use crate::config::load::refusal;
use crate::config::settings::{SETTINGS, Setting};
use crate::config::value::Value;
use crate::error::{Error, Result};
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use std::fs;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The largest file that is read; a wrong path (a log, a device) must not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A setting that the file gives.
#[derive(Debug)]
pub struct Given {
    /// Which one.
    pub setting: &'static Setting,
    /// Its value, checked.
    pub value: Value,
    /// Where it begins, counted from 1.
    pub line: usize,
}

/// Reads a file. Usage where it cannot be read, is not TOML, or says anything that no setting allows; all such places
/// are in the message.
pub fn read(path: &Path) -> Result<Vec<Given>> {
    let cannot = |error: std::io::Error| {
        Error::usage(format!("Cannot read the configuration file {}", path.display())).because(error)
    };
    let file = fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_BYTES_MAX + 1), &mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::usage(format!(
            "{} is too large for a configuration file (1 MiB)",
            path.display()
        )));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::usage(format!("The configuration file {} is not UTF-8", path.display())))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Vec<Given>> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        Error::usage(format!(
            "The configuration file {}, line {line}: {}",
            path.display(),
            error.message().replace('\n', ", ")
        ))
    })?;
    let mut reading = Reading { path, text, given: Vec::new(), refusals: Vec::new() };
    reading.table("", table.get_ref());
    if reading.refusals.is_empty() {
        return Ok(reading.given);
    }
    reading.refusals.sort_by_key(|(line, _)| *line);
    let all: Vec<String> = reading.refusals.into_iter().map(|(_, refusal)| refusal).collect();
    Err(Error::usage(all.join("; ")))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    given: Vec<Given>,
    refusals: Vec<(usize, String)>,
}

impl Reading<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{prefix}.{}", name.get_ref())
            };
            let line = line_at(self.text, name.span().start);
            let setting = SETTINGS.iter().find(|setting| setting.key == key);
            match (setting, value.get_ref()) {
                (Some(setting), value) => self.setting(setting, value, line),
                // What is in an unknown table is refused by its own name, which says more.
                (None, DeValue::Table(inner)) if !inner.is_empty() || is_section(&key) => {
                    self.table(&key, inner)
                }
                (None, _) => self.unknown(&key, line),
            }
        }
    }

    fn setting(&mut self, setting: &'static Setting, value: &DeValue<'_>, line: usize) {
        let place = || format!("{}, line {line}", self.path.display());
        let checked = match plain(value) {
            Some(value) => setting.kind.check(value),
            None => Err(shown(value)),
        };
        match checked {
            Ok(value) => self.given.push(Given { setting, value, line }),
            Err(bad) => self.refusals.push((line, refusal(&place(), setting.key, setting.kind, &bad))),
        }
    }

    fn unknown(&mut self, key: &str, line: usize) {
        let key = shortened(key);
        let near = nearest(&key, SETTINGS.iter().map(|setting| setting.key)).unwrap_or_default();
        let path = self.path.display();
        self.refusals.push((
            line,
            format!("{path}, line {line}: there is no setting {key}; the nearest one is {near}"),
        ));
    }
}

fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.section_and_name().0 == key)
}

/// The value in our terms; none where TOML has it and no setting has.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::Text(text.to_string())),
        DeValue::Integer(number) => {
            u64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Number)
        }
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Value::List)
        }
        _ => None,
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Array(_) => "a list with other things than texts".to_owned(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::String(text) => shortened(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(Path::new("m.toml"), text).expect_err("refused").to_string()
    }

    #[test]
    fn settings_are_found_in_every_form_that_toml_has() {
        for text in [
            "[http]\nlisten = [\"[::1]:80\"]",
            "http.listen = ['[::1]:80']",
            "http = {listen = ['[::1]:80']}",
        ] {
            let given = parse(Path::new("m.toml"), text).unwrap();
            assert_eq!(given[0].setting.key, "http.listen");
            assert_eq!(given[0].value, Value::List(vec!["[::1]:80".to_owned()]));
        }
        let given = parse(Path::new("m.toml"), "# x\n\n[http]\n\n[store]\n# y\nreaders = 0x10").unwrap();
        assert_eq!((given[0].line, &given[0].value), (7, &Value::Number(16)));
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_line_and_the_nearest_one() {
        assert_eq!(
            refused("[http]\nlisten = ['[::]:1']\nhostname = []"),
            "m.toml, line 3: there is no setting http.hostname; the nearest one is http.hostnames"
        );
        assert!(
            refused("[htp]\nlisten = []").contains("no setting htp.listen; the nearest one is http.listen")
        );
        assert!(refused("[htp]").contains("no setting htp;"));
        assert!(refused("listen = []").contains("the nearest one is http.listen"));
        assert!(refused("[http.listen]\nx = 1").contains("http.listen must be"));
        assert!(refused("[store.disk.reserve]\nx = 1").contains("no setting store.disk.reserve.x;"));
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        assert!(
            refused("data = 'x'\nlog.level = \n").contains("line 2"),
            "{}",
            refused("data = 'x'\nlog.level = \n")
        );
        assert!(refused("data = 'x'\ndata = 'y'").contains("m.toml, line 2"));
    }

    #[test]
    fn all_mistakes_are_told_at_once_in_order_of_line() {
        let text = refused("store.readers = 0\ndata = 7\nzzz = 1");
        let places: Vec<usize> =
            ["line 1", "line 2", "line 3"].iter().map(|p| text.find(p).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }
}
