// SPDX-License-Identifier: Apache-2.0
//! `muster export`: records as lines, all at once or as they come.

use crate::cli::progress::Bar;
use crate::cli::{actor, open_app, print, signals};
use crate::error::{Error, Kind, Result};
use crate::http::parse_pairs;
use crate::model::filter::{RecordFilter, shortened};
use crate::model::time::rfc3339;
use crate::ops::App;
use crate::ops::backup::{parent, would_be_a_database};
use crate::ops::export::follow::{Follow, Start, check_name, follow};
use crate::ops::export::{Ended, Format, export};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const BUFFER_BYTES: usize = 64 << 10;
/// Most records of a batch where nothing is said.
const BATCH_RECORDS: usize = 10_000;
/// Most records of a batch that may be asked for.
const BATCH_RECORDS_MAX: usize = 1_000_000;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "export",
    description = "Write records with all their fields, oldest first, to a file or to standard output; or follow what comes: \
    hand over each record once it is stored, and remember in the database how far that got.",
    example = "{command_name} --output records.ndjson.gz --gzip\n\
    {command_name} --format csv --filter 'severity=4&created_in_days=7' > critical.csv\n\
    {command_name} --follow archive --from-start \\\n\
    \x20 --to 'gzip > part && sync part && mv part $(date +%s.%N).ndjson.gz'\n\
    {command_name} --follow nightly --once --to ./load-into-postgresql\n\
    {command_name} --cursors",
    note = "The fields are those of GET /api/records, times are RFC 3339 in UTC, and `muster import` reads all of it back. CSV\n\
    cells stand as they are: a spreadsheet may take one for a formula.\n\
    --follow without --to moves its cursor once the lines are written and flushed; with --to once the command has read\n\
    all and ended with 0, so that a killed command gets its records again. Records that were deleted before they were\n\
    handed over are passed over, and told of. See docs/follow.md.\n\
    A record that is damaged is named and left out; without --follow the exit status is then 1.",
    help_triggers("-h", "--help", "help")
)]
/// Writes records.
pub struct ExportCommand {
    #[argh(option, arg_name = "word", description = "ndjson (default) or csv")]
    format: Option<String>,
    #[argh(
        option,
        arg_name = "query",
        description = "only these: parameters of GET /api/records, as severity=4&build=41890"
    )]
    filter: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "write here, whole or not at all; a file of the name is replaced"
    )]
    output: Option<String>,
    #[argh(switch, description = "compress")]
    gzip: bool,
    #[argh(
        option,
        arg_name = "name",
        description = "hand over what is behind the cursor of this name, and what comes"
    )]
    follow: Option<String>,
    #[argh(
        option,
        arg_name = "command",
        description = "with --follow: a command of sh that takes each batch on its standard input"
    )]
    to: Option<String>,
    #[argh(option, arg_name = "n", description = "with --follow: most records of a batch (default 10000)")]
    batch: Option<usize>,
    #[argh(switch, description = "with --follow: end when there is nothing new")]
    once: bool,
    #[argh(switch, description = "with --follow: a new cursor begins with the oldest record")]
    from_start: bool,
    #[argh(switch, description = "with --follow: a new cursor begins with what comes (default)")]
    from_now: bool,
    #[argh(switch, description = "list the cursors")]
    cursors: bool,
    #[argh(option, arg_name = "name", description = "remove a cursor")]
    forget: Option<String>,
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

impl ExportCommand {
    /// Kinds: Usage where the options are refused, those of opening, reading and writing.
    pub fn run(self) -> Result<()> {
        self.check()?;
        let format = match self.format.as_deref() {
            None => Format::Ndjson,
            Some(word) => Format::from_word(word)
                .ok_or_else(|| Error::usage(format!("--format is ndjson or csv, not {}", shortened(word))))?,
        };
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        if self.cursors {
            return list(&app);
        }
        if let Some(name) = &self.forget {
            check_name(name)?;
            app.store.forget_export_cursor(name, &actor("muster export --forget"))?;
            return print(&format!("Forgot the export cursor {name}\n"));
        }
        let query = self.filter.as_deref().unwrap_or("").trim_start_matches('?');
        let filter = RecordFilter::parse(&parse_pairs(query.as_bytes()), &[], false, app.clock.now())?;
        match self.follow {
            Some(name) => run_follow(
                &app,
                &Follow {
                    name,
                    start: if self.from_start { Start::Oldest } else { Start::Now },
                    filter,
                    format,
                    command: self.to,
                    batch_records: self.batch.unwrap_or(BATCH_RECORDS),
                    is_once: self.once,
                },
            ),
            None => run_export(&app, &filter, format, self.output.as_deref(), self.gzip),
        }
    }

    fn check(&self) -> Result<()> {
        let kinds = [self.follow.is_some(), self.cursors, self.forget.is_some()];
        if kinds.iter().filter(|is| **is).count() > 1 {
            return Err(Error::usage("--follow, --cursors and --forget are three different things"));
        }
        let only_with_follow = [
            ("--to", self.to.is_some()),
            ("--batch", self.batch.is_some()),
            ("--once", self.once),
            ("--from-start", self.from_start),
            ("--from-now", self.from_now),
        ];
        let never_with_follow = [("--output", self.output.is_some()), ("--gzip", self.gzip)];
        let is_following = self.follow.is_some();
        if let Some((name, _)) = only_with_follow.iter().find(|(_, is_given)| *is_given && !is_following) {
            return Err(Error::usage(format!("{name} needs --follow")));
        }
        if let Some((name, _)) = never_with_follow.iter().find(|(_, is_given)| *is_given && is_following) {
            return Err(Error::usage(format!("{name} cannot be used with --follow; let --to do it")));
        }
        if self.from_start && self.from_now {
            return Err(Error::usage("Give --from-start or --from-now, not both"));
        }
        if self.batch.is_some_and(|records| !(1..=BATCH_RECORDS_MAX).contains(&records)) {
            return Err(Error::usage(format!("--batch is from 1 to {BATCH_RECORDS_MAX}")));
        }
        Ok(())
    }
}

fn list(app: &App) -> Result<()> {
    let newest = app.store.record_id_bounds()?.map_or(0, |(_, newest)| newest);
    let mut text = String::new();
    for cursor in app.store.export_cursors()? {
        let behind = (newest - cursor.record_id).max(0);
        text.push_str(&format!(
            "{}: behind record {} since {}, {behind} ids to go\n",
            cursor.name,
            cursor.record_id,
            rfc3339(cursor.moved_at)
        ));
    }
    print(if text.is_empty() { "There are no export cursors\n" } else { &text })
}

fn run_follow(app: &App, asked: &Follow) -> Result<()> {
    let is_stopping = signals::stop_flag()?;
    let handed_over = follow(app, asked, &actor("muster export --follow"), &is_stopping)?;
    log::info!("Handed over {handed_over} records to {}", asked.name);
    Ok(())
}

fn run_export(
    app: &App,
    filter: &RecordFilter,
    format: Format,
    output: Option<&str>,
    is_gzip: bool,
) -> Result<()> {
    let mut bar = Bar::new();
    // On a terminal the records themselves show how far it is.
    let is_bar = output.is_some() || !io::stdout().is_terminal();
    let mut tell = |done: u64, total: u64, written: u64| {
        if is_bar {
            bar.show(done, total, &format!("{written} records"));
        }
    };
    let ended = match output {
        None => {
            let mut out = Packed::new(io::stdout().lock(), is_gzip);
            match export(app, filter, format, &mut out, &mut tell) {
                Ok(Ended::Whole { written, damaged }) => match out.finish() {
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Ended::ReaderGone),
                    outcome => outcome
                        .map(|_| Ended::Whole { written, damaged })
                        .map_err(|error| Error::busy("Cannot write to standard output").because(error)),
                },
                ended => ended,
            }
        }
        Some(path) => NewFile::write(Path::new(path), &app.config.data_dir, |file| {
            let mut out = Packed::new(file, is_gzip);
            let ended = export(app, filter, format, &mut out, &mut tell)?;
            out.finish().map_err(|error| cannot_write(path, error))?;
            Ok(ended)
        }),
    };
    bar.clear();
    if let Ended::Whole { written, damaged } = ended? {
        match output {
            Some(path) => print(&format!("Exported {written} records to {}\n", path.escape_debug()))?,
            None => log::info!("Exported {written} records"),
        }
        if damaged > 0 {
            return Err(Error::new(
                Kind::Conflict,
                format!("{damaged} records are damaged and were left out"),
            ));
        }
    }
    Ok(())
}

fn cannot_write(path: &str, error: io::Error) -> Error {
    let path = path.escape_debug();
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the command runs as the owner of the data directory, `>` does not"
        }
        _ => "",
    };
    Error::usage(format!("Cannot write {path}{hint}")).because(error)
}

/// A file that is there whole or not at all.
struct NewFile;

impl NewFile {
    /// Lets `write` fill a file beside `path`, makes it durable and gives it the name. Usage where something else than a
    /// file has the name, or it would be taken for a database of `data_dir`.
    fn write<T>(path: &Path, data_dir: &Path, write: impl FnOnce(&File) -> Result<T>) -> Result<T> {
        let shown = path.to_string_lossy();
        if would_be_a_database(path, data_dir) {
            return Err(Error::usage(format!(
                "{} in the data directory would be taken for a database; name the file otherwise",
                shown.escape_debug()
            )));
        }
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Error::usage(format!("{} is not a file", shown.escape_debug())));
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(|error| cannot_write(&shown, error))?;
        let outcome = write(&file).and_then(|value| {
            file.sync_all()
                .and_then(|()| std::fs::rename(&partial, path))
                .and_then(|()| File::open(parent(path))?.sync_all())
                .map_err(|error| cannot_write(&shown, error))?;
            Ok(value)
        });
        if outcome.is_err()
            && let Err(error) = std::fs::remove_file(&partial)
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!("Cannot remove {}: {error}", partial.display());
        }
        outcome
    }
}

/// What is written, perhaps compressed.
enum Packed<W: Write> {
    Plain(BufWriter<W>),
    Gzip(Box<GzEncoder<BufWriter<W>>>),
}

impl<W: Write> Packed<W> {
    fn new(out: W, is_gzip: bool) -> Packed<W> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        if is_gzip {
            Packed::Gzip(Box::new(GzEncoder::new(out, Compression::default())))
        } else {
            Packed::Plain(out)
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Packed::Plain(mut out) => out.flush(),
            Packed::Gzip(out) => out.finish()?.flush(),
        }
    }
}

impl<W: Write> Write for Packed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(out) => out.write(bytes),
            Packed::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(out) => out.flush(),
            Packed::Gzip(out) => out.flush(),
        }
    }
}
