// SPDX-License-Identifier: Apache-2.0
//! Joins the sources of the configuration: defaults, file, variables of the environment, flags; the later wins.

use crate::config::settings::{Kind, SETTINGS, Setting};
use crate::config::value::Value;
use crate::config::{Config, access, file};
use crate::error::{Error, Result};
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use std::fmt;
use std::path::{Path, PathBuf};

/// The file that is read where none is named, if it is there.
pub const DEFAULT_FILE: &str = "/etc/muster/muster.toml";

/// The key of the data directory, which has a source of its own.
const DATA: &str = "data";

/// The key of the spool's directory, which belongs to one data directory.
const SPOOL: &str = "fleet.spool";

/// The variable in which systemd names the directory of `StateDirectory=`.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`: the file.
    pub config: Option<PathBuf>,
    /// Settings by their key, each with its flag and what was given.
    settings: Vec<(&'static str, &'static str, Vec<String>)>,
}

impl Flags {
    /// `--config` and `--data`.
    pub fn new(config: Option<&str>, data: Option<&str>) -> Flags {
        let flags = Flags { config: config.map(PathBuf::from), settings: Vec::new() };
        flags.with(DATA, "--data", data.map(str::to_owned).into_iter().collect())
    }

    /// Lets `flag` give the setting `key`; without a value it is left alone.
    pub fn with(mut self, key: &'static str, flag: &'static str, values: Vec<String>) -> Flags {
        if !values.is_empty() {
            self.settings.push((key, flag, values));
        }
        self
    }
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// This line of the file.
    File(PathBuf, usize),
    /// This variable of the environment.
    Environment(String),
    /// This flag.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File(path, line) => write!(f, "file {}, line {line}", path.display()),
            Source::Environment(name) => write!(f, "environment {name}"),
            Source::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// The configuration, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each comes from, in the order of the table.
    pub sources: Vec<Source>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// What the admin should know though it is no error.
    pub warnings: Vec<String>,
}

impl Config {
    /// Loads the configuration. Usage where a source says anything that is not allowed.
    pub fn load(flags: &Flags, environment: &[(String, String)]) -> Result<Loaded> {
        let path = match &flags.config {
            Some(path) => Some(path.clone()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let given = path.as_deref().map(file::read).transpose()?.unwrap_or_default();
        let mut loaded = Loaded {
            config: Config::defaults(Path::new("muster-data")),
            sources: vec![Source::Default; SETTINGS.len()],
            file: path,
            warnings: Vec::new(),
        };
        loaded.apply_state_directory(environment)?;
        for given in given {
            let source = Source::File(loaded.file.clone().unwrap_or_default(), given.line);
            loaded.apply(given.setting, given.value, source);
        }
        let data_of_file = loaded.is_of_file(DATA).then(|| loaded.config.data_dir.clone());
        loaded.apply_environment(environment)?;
        loaded.apply_flags(flags)?;
        if data_of_file.is_some_and(|data| data != loaded.config.data_dir) {
            loaded.leave_spool_of_file();
        }
        loaded.warnings.extend(access::warnings(&loaded.config));
        Ok(loaded)
    }
}

impl Loaded {
    fn apply(&mut self, setting: &'static Setting, value: Value, source: Source) {
        (setting.set)(&mut self.config, value);
        if let Some(i) = SETTINGS.iter().position(|other| other.key == setting.key) {
            self.sources[i] = source;
        }
    }

    fn is_of_file(&self, key: &str) -> bool {
        let index = SETTINGS.iter().position(|setting| setting.key == key);
        index
            .and_then(|index| self.sources.get(index))
            .is_some_and(|source| matches!(source, Source::File(..)))
    }

    /// A file that names a data directory names its spool: who takes another data directory must not clear the files of
    /// that one away.
    fn leave_spool_of_file(&mut self) {
        if self.is_of_file(SPOOL)
            && let Some(setting) = setting(SPOOL)
        {
            self.apply(setting, setting.default.to_value(), Source::Default);
        }
    }

    fn apply_state_directory(&mut self, environment: &[(String, String)]) -> Result<()> {
        let state = environment.iter().find(|(name, _)| name == STATE_DIRECTORY);
        let first = state.and_then(|(_, value)| value.split(':').next()).filter(|path| !path.is_empty());
        if let (Some(path), Some(setting)) = (first, setting(DATA)) {
            let value = parsed(&format!("Variable {STATE_DIRECTORY}"), setting, path)?;
            self.apply(setting, value, Source::Environment(STATE_DIRECTORY.to_owned()));
        }
        Ok(())
    }

    fn apply_environment(&mut self, environment: &[(String, String)]) -> Result<()> {
        let variables: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
        for (name, text) in environment.iter().filter(|(name, _)| name.starts_with("MUSTER_")) {
            let Some(i) = variables.iter().position(|variable| variable == name) else {
                let near = nearest(name, variables.iter().map(String::as_str)).unwrap_or_default();
                let name = shortened(name);
                self.warnings
                    .push(format!("The variable {name} is not known and ignored; the nearest one is {near}"));
                continue;
            };
            let value = parsed(&format!("Variable {name}"), &SETTINGS[i], text)?;
            self.apply(&SETTINGS[i], value, Source::Environment(name.clone()));
        }
        Ok(())
    }

    fn apply_flags(&mut self, flags: &Flags) -> Result<()> {
        for (key, flag, values) in &flags.settings {
            let Some(setting) = setting(key) else {
                return Err(Error::internal(format!(
                    "Flag {flag} is for the setting {key}, which there is not"
                )));
            };
            let value = match setting.kind {
                Kind::List { .. } => {
                    let place = format!("Flag {flag}");
                    let list = Value::List(values.clone());
                    setting.kind.check(list).map_err(|bad| refused(&place, setting, &bad))?
                }
                _ => parsed(&format!("Flag {flag}"), setting, values.last().map_or("", String::as_str))?,
            };
            self.apply(setting, value, Source::Flag(flag));
        }
        Ok(())
    }
}

fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn parsed(place: &str, setting: &Setting, text: &str) -> Result<Value> {
    setting.kind.parse_text(text).map_err(|bad| refused(place, setting, &bad))
}

fn refused(place: &str, setting: &Setting, bad: &str) -> Error {
    Error::usage(refusal(place, setting.key, setting.kind, bad))
}

/// The words of a refusal: where, which setting, its rule, the value as [`Kind::check`] shows it.
pub fn refusal(place: &str, key: &str, kind: Kind, bad: &str) -> String {
    format!("{place}: {key} must be {}, not {bad}", kind.rule())
}

#[cfg(test)]
mod tests;
