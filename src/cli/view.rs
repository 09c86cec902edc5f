// SPDX-License-Identifier: Apache-2.0
//! `muster view check`, `muster view list` and `muster view sample`: custom views from the command line.

use crate::cli::{data_dir, load_config, print};
use crate::clock::Clock;
use crate::config::Flags;
use crate::custom::{Cut, Definition, Mistake, SAMPLES};
use crate::error::{Error, Result};
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use crate::model::visible::plain;
use crate::ops::custom::{CustomViews, check, read_view};
use crate::store::{CustomQuery, CustomReader, Missing, Store, database_path};
use argh::{ArgsInfo, FromArgs};
use std::path::Path;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "view",
    description = "Check, list or begin custom views: files that add pages without touching the program.",
    example = "{command_name} sample updates > /var/lib/muster/views/updates.toml\n\
    {command_name} check /var/lib/muster/views/updates.toml --data /var/lib/muster",
    help_triggers("-h", "--help", "help")
)]
/// Checks, lists or begins custom views.
pub struct ViewCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(subcommand)]
enum Action {
    Check(CheckCommand),
    List(ListCommand),
    Sample(SampleCommand),
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "check",
    description = "Read a view's file, run each of its queries with the defaults of its parameters, and say what \
    they find. Exit status 2 where there is a mistake. With --data or --config the queries run on that database, \
    which is not changed; else on an empty one.",
    help_triggers("-h", "--help", "help")
)]
struct CheckCommand {
    #[argh(positional, arg_name = "file", description = "the view's file")]
    file: String,
    #[argh(option, arg_name = "dir", description = "data directory with the database to ask")]
    data: Option<String>,
    #[argh(option, arg_name = "file", description = "configuration file that names the data directory")]
    config: Option<String>,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "list",
    description = "List the files of the views directory with their tabs and what is wrong with them. Exit status \
    2 where one has a mistake.",
    help_triggers("-h", "--help", "help")
)]
struct ListCommand {
    #[argh(
        option,
        arg_name = "dir",
        description = "data directory (default $STATE_DIRECTORY, else ./muster-data)"
    )]
    data: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
}

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "sample",
    description = "Print a view to begin with; without a name, the names of all.",
    help_triggers("-h", "--help", "help")
)]
struct SampleCommand {
    #[argh(positional, arg_name = "name", description = "which one")]
    name: Option<String>,
}

impl ViewCommand {
    /// Usage where a view has a mistake or a name is unknown.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Check(command) => command.run(),
            Action::List(command) => command.run(),
            Action::Sample(command) => command.run(),
        }
    }
}

impl CheckCommand {
    fn run(self) -> Result<()> {
        let path = Path::new(&self.file);
        // Read first: with --data this process becomes the owner of that directory.
        let definition = read_view(path).map_err(|mistakes| refused(&self.file, &mistakes))?;
        let reader = self.reader()?;
        let ask = |query: &CustomQuery<'_>| reader.query(query);
        let checked = check(&definition, &ask, Clock::system().now());
        let mut text = heading(&self.file, &definition);
        let mut n_mistakes = 0;
        for (number, found) in checked.iter().enumerate() {
            let what = shortened(&found.what);
            text.push_str(&format!("  {} {what} (line {}): ", number + 1, found.line));
            match &found.outcome {
                Ok((columns, rows, cut)) => {
                    let columns: Vec<String> = columns.iter().map(|column| shortened(column)).collect();
                    let rows = match cut {
                        None => rows.to_string(),
                        Some(Cut::Rows) => format!("more than {rows}"),
                        Some(Cut::Bytes) => format!("{rows} (more text than is kept)"),
                    };
                    text.push_str(&format!("columns {}; rows {rows}\n", columns.join(", ")));
                }
                Err(mistake) => {
                    n_mistakes += 1;
                    text.push_str(&format!("mistake at {}\n", plain(&mistake.to_string())));
                }
            }
        }
        print(&text)?;
        match n_mistakes {
            0 => Ok(()),
            1 => Err(Error::usage(format!("{} has 1 mistake", self.file))),
            n => Err(Error::usage(format!("{} has {n} mistakes", self.file))),
        }
    }

    /// The database that was named, or an empty one.
    fn reader(&self) -> Result<CustomReader> {
        if self.data.is_none() && self.config.is_none() {
            return Ok(CustomReader::of_schema());
        }
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        data_dir::prepare(&config.data_dir, Missing::Refuse)?;
        Store::look(&config.data_dir)?;
        let path = database_path(&config.data_dir);
        if !path.exists() {
            return Err(Error::usage(format!(
                "There is no database at {}; start the server once, or name its data directory with --data",
                path.display()
            )));
        }
        Ok(CustomReader::of_file(&path))
    }
}

fn heading(file: &str, definition: &Definition) -> String {
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    format!(
        "{file}: tab {}, {}, {}\n",
        shortened(&definition.tab),
        count(definition.parameters.len(), "parameter"),
        count(definition.panels.len(), "panel")
    )
}

/// All mistakes of a file, a line each.
fn refused(file: &str, mistakes: &[Mistake]) -> Error {
    let lines: Vec<String> =
        mistakes.iter().map(|mistake| format!("{file}: {}", plain(&mistake.to_string()))).collect();
    Error::usage(lines.join("\nmuster: "))
}

impl ListCommand {
    fn run(self) -> Result<()> {
        let config = load_config(&Flags::new(self.config.as_deref(), self.data.as_deref()))?.config;
        let views = CustomViews::new(config.data_dir.join(&config.views_dir));
        let files = views.list();
        let mut text = format!("Views directory {}\n", views.dir().display());
        let mut n_broken = 0;
        for file in &files {
            match &file.definition {
                Ok(_) => text.push_str(&format!("  /views/{}  {}\n", file.name, shortened(file.tab()))),
                Err(mistakes) => {
                    n_broken += 1;
                    text.push_str(&format!("  /views/{}  has mistakes:\n", file.name));
                    for mistake in mistakes {
                        text.push_str(&format!("    {}\n", plain(&mistake.to_string())));
                    }
                }
            }
        }
        for what in views.passed_over() {
            text.push_str(&format!("  {what}\n"));
        }
        if files.is_empty() {
            text.push_str("  no views; `muster view sample` names some to begin with\n");
        }
        print(&text)?;
        match n_broken {
            0 => Ok(()),
            n => Err(Error::usage(format!("{n} of {} views have mistakes", files.len()))),
        }
    }
}

impl SampleCommand {
    fn run(self) -> Result<()> {
        let names = || SAMPLES.iter().map(|(name, _)| *name);
        let Some(name) = self.name else {
            return print(&names().map(|name| format!("{name}\n")).collect::<String>());
        };
        match SAMPLES.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => print(text),
            None => {
                let near = nearest(&name, names()).unwrap_or_default();
                let name = shortened(&name);
                Err(Error::usage(format!("There is no sample {name}; the nearest one is {near}")))
            }
        }
    }
}
