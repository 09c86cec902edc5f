// SPDX-License-Identifier: Apache-2.0
//! What whoever watches the server asks for, as Prometheus's text. Every figure is quickly had: from counts of the
//! database, from counters in memory, from the kernel. No label has more values than this file and a table name.

mod process;
mod text;

use crate::certificates::Certificate;
use crate::model::record::Severity;
use crate::ops::App;
use crate::ops::counters::{JobRuns, REQUEST_BUCKETS};
use crate::store::{DiskFigures, StoreFigures};
use process::Process;
use text::{Text, Type::Counter, Type::Gauge};

/// What the wire knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Connections open now.
    pub connections: usize,
    /// Connections turned away because all were at work.
    pub turned_away: u64,
    /// Streams and waiting agents now.
    pub streams: usize,
    /// TLS handshakes that ended well, and those that did not; none where no TLS is spoken.
    pub handshakes: Option<(u64, u64)>,
}

/// All of them, those of the fleet and of accounts only `with_fleet`. Where the database cannot be read now, what stands
/// in it is left out: whoever watches needs the rest then most of all.
pub fn render(app: &App, wire: Wire, with_fleet: bool) -> String {
    let figures = app.store.figures(app.clock.now());
    let mut text = Text::default();
    about(&mut text, app);
    let help =
        "Whether the database could be read for these figures: 1, or 0 where those in it are left out.";
    text.one(Gauge, "muster_database_readable", help, f64::from(u8::from(figures.is_ok())));
    posts(&mut text, app);
    writer(&mut text, app);
    disk(&mut text, app);
    match &figures {
        Ok(figures) => {
            records(&mut text, figures);
            database(&mut text, app, figures);
            if with_fleet {
                fleet(&mut text, figures);
                accounts(&mut text, figures);
            }
        }
        Err(error) => log::warn!("Figures of the database are left out: {}", error.with_causes()),
    }
    requests(&mut text, app, wire);
    tls(&mut text, app, wire);
    jobs(&mut text, app);
    if with_fleet {
        attempts(&mut text, app);
    }
    process_of(&mut text, &Process::look());
    text.into_string()
}

fn about(text: &mut Text, app: &App) {
    let schema = app.store.schema_version().to_string();
    let labels = ["version", "schema"];
    let values = [env!("CARGO_PKG_VERSION"), &schema];
    text.family(
        Gauge,
        "muster_build_info",
        "Always 1; its labels say what runs.",
        &labels,
        [(&values[..], 1.0)],
    );
    let help = "When the server was started, in Unix seconds.";
    text.one(Gauge, "muster_start_time_seconds", help, app.counters.started_at as f64);
}

fn posts(text: &mut Text, app: &App) {
    let posts = app.counters.posts().map(|(outcome, count)| (outcome, count as f64));
    let help = "Records posted since the start: stored, stored before, kept aside, refused (4xx), not stored now (5xx).";
    text.by(Counter, "muster_posts_total", help, "outcome", posts);
}

fn records(text: &mut Text, figures: &StoreFigures) {
    let all = figures.records_internal + figures.records_external;
    text.one(Gauge, "muster_records", "Records stored.", all as f64);
    let by_severity = figures
        .records_by_severity
        .iter()
        .filter_map(|(number, count)| Some((Severity::from_number(*number)?.word(), *count as f64)));
    text.by(Gauge, "muster_records_by_severity", "Records stored, by severity.", "severity", by_severity);
    let sources =
        [("internal", figures.records_internal as f64), ("external", figures.records_external as f64)];
    text.by(Gauge, "muster_records_by_source", "Records stored, by source.", "source", sources);
    text.one(Gauge, "muster_quarantine_posts", "Posts in quarantine.", figures.quarantine_rows as f64);
    let bytes = figures.quarantine_bytes as f64;
    text.one(Gauge, "muster_quarantine_bytes", "Bytes of heads and bodies in quarantine.", bytes);
}

fn writer(text: &mut Text, app: &App) {
    let writer = app.store.writer_figures();
    text.one(Gauge, "muster_writer_queue", "Changes that wait to be written.", writer.jobs_waiting as f64);
    text.one(Counter, "muster_writer_commits_total", "Transactions committed.", writer.commits as f64);
    text.one(Counter, "muster_writer_changes_total", "Changes in these transactions.", writer.jobs as f64);
    let help = "Time that these transactions took, syncing included.";
    text.one(Counter, "muster_writer_commit_seconds_total", help, writer.commit_time.as_secs_f64());
    let help = "Transactions that the disk or the database did not take.";
    text.one(Counter, "muster_writer_failures_total", help, writer.failures as f64);
    let readers = app.store.reader_figures();
    text.one(
        Gauge,
        "muster_readers_busy",
        "Reading connections of the database at work.",
        readers.busy.into(),
    );
    text.one(Gauge, "muster_readers_max", "Reading connections there may be.", readers.max.into());
}

fn database(text: &mut Text, app: &App, figures: &StoreFigures) {
    let bytes = figures.database_bytes as f64;
    text.one(Gauge, "muster_database_bytes", "Bytes of the database file.", bytes);
    let help = "Bytes of the database file that nothing uses.";
    text.one(Gauge, "muster_database_free_bytes", help, figures.database_free_bytes as f64);
    let bytes_max = app.config.retention.database_bytes_max;
    if bytes_max > 0 {
        let help = "Bytes under which retention keeps the database, its free ones aside.";
        text.one(Gauge, "muster_database_bytes_max", help, bytes_max as f64);
        let help = "By how many bytes the last purge could not bring it there.";
        text.one(Gauge, "muster_database_bytes_over", help, figures.database_bytes_over as f64);
    }
    let times = [
        ("muster_database_checked_timestamp_seconds", "When no damage was last found.", figures.checked_at),
        ("muster_backup_timestamp_seconds", "When a backup was last made.", figures.backed_up_at),
        ("muster_purge_timestamp_seconds", "When retention last ran.", figures.purged_at),
    ];
    for (name, help, at) in times {
        if let Some(at) = at {
            text.one(Gauge, name, help, at as f64);
        }
    }
}

fn disk(text: &mut Text, app: &App) {
    let help = "Bytes of the write-ahead log beside the database.";
    text.one(Gauge, "muster_database_wal_bytes", help, app.store.wal_bytes() as f64);
    let Some(DiskFigures { free_bytes, total_bytes, reserve_bytes }) =
        app.store.disk_figures(app.config.disk_reserve_bytes)
    else {
        return;
    };
    text.one(Gauge, "muster_disk_free_bytes", "Free bytes on the disk of the database.", free_bytes as f64);
    text.one(Gauge, "muster_disk_bytes", "Bytes of that disk.", total_bytes as f64);
    let help = "Free bytes below which nothing is stored any more.";
    text.one(Gauge, "muster_disk_reserve_bytes", help, reserve_bytes as f64);
}

fn requests(text: &mut Text, app: &App, wire: Wire) {
    text.one(Gauge, "muster_connections", "Connections open.", wire.connections as f64);
    let help = "Connections turned away because all were at work.";
    text.one(Counter, "muster_connections_refused_total", help, wire.turned_away as f64);
    text.one(Gauge, "muster_streams", "Live streams and waiting agents.", wire.streams as f64);
    let answers = app.counters.answers().map(|(class, count)| (class, count as f64));
    text.by(Counter, "muster_requests_total", "Requests answered, by class of status.", "status", answers);
    let (counted, sum) = app.counters.durations();
    let buckets = REQUEST_BUCKETS.iter().map(|bound| bound.as_secs_f64()).zip(counted);
    let help =
        "Time from a whole request to the beginning of its answer, without agents that wait for commands.";
    let all = counted.last().copied().unwrap_or_default();
    let buckets: Vec<(f64, u64)> = buckets.collect();
    text.histogram("muster_request_seconds", help, &buckets, (all, sum.as_secs_f64()));
}

fn tls(text: &mut Text, app: &App, wire: Wire) {
    let Some((done, failed)) = wire.handshakes else { return };
    let handshakes = [("done", done as f64), ("failed", failed as f64)];
    let help = "TLS handshakes since the start.";
    text.by(Counter, "muster_tls_handshakes_total", help, "outcome", handshakes);
    if let Ok(certificate) = Certificate::of_file(&app.config.tls_certificate_path()) {
        let help = "When the certificate in its file ends, in Unix seconds.";
        text.one(Gauge, "muster_tls_certificate_end_timestamp_seconds", help, certificate.not_after as f64);
    }
}

fn jobs(text: &mut Text, app: &App) {
    let jobs = app.counters.jobs();
    let outcomes = [
        ("done", (|runs| runs.done) as fn(&JobRuns) -> u64),
        ("put_off", |runs| runs.put_off),
        ("failed", |runs| runs.failed),
    ];
    let rows: Vec<([&str; 2], f64)> = jobs
        .iter()
        .flat_map(|(name, runs)| outcomes.map(|(outcome, count)| ([*name, outcome], count(runs) as f64)))
        .collect();
    let samples = rows.iter().map(|(values, count)| (&values[..], *count));
    let help = "Runs of the jobs since the start.";
    text.family(Counter, "muster_job_runs_total", help, &["job", "outcome"], samples);
    let done = jobs.iter().filter_map(|(name, runs)| Some((*name, runs.done_at? as f64)));
    let help = "When a job last did its work, in Unix seconds.";
    text.by(Gauge, "muster_job_done_timestamp_seconds", help, "job", done);
    let took = jobs.iter().map(|(name, runs)| (*name, runs.took.as_secs_f64()));
    text.by(Gauge, "muster_job_duration_seconds", "How long the last run of a job took.", "job", took);
}

fn fleet(text: &mut Text, figures: &StoreFigures) {
    let fleet = &figures.fleet;
    text.one(
        Gauge,
        "muster_agents",
        "Agents that are known, destroyed ones too until they are removed.",
        fleet.agents as f64,
    );
    if let Some(sample) = &fleet.sample {
        let help = "When the next figures of agents and endpoints were taken, in Unix seconds; every minute.";
        text.one(Gauge, "muster_fleet_sample_timestamp_seconds", help, sample.taken_at as f64);
        let agents = [("online", sample.online_agents as f64), ("idle", sample.idle_agents as f64)];
        let help = "Agents by status; those that are idle where none of their endpoint is online.";
        text.by(Gauge, "muster_agents_by_status", help, "status", agents);
        let endpoints = [
            ("online", sample.online_endpoints),
            ("idle", sample.idle_endpoints),
            ("new", sample.new_endpoints),
            ("double", sample.double_endpoints),
            ("disappeared", sample.disappeared_endpoints),
            ("flapping", sample.flapping_endpoints),
        ];
        let endpoints = endpoints.map(|(what, count)| (what, count as f64));
        let help = "Endpoints by what they are; one may be several things.";
        text.by(Gauge, "muster_endpoints", help, "state", endpoints);
    }
    let actions = fleet.open_actions.iter().map(|(status, count)| (status.word(), *count as f64));
    text.by(Gauge, "muster_actions_open", "Actions that are not over, by status.", "status", actions);
    let commands = fleet.commands_of_open_actions.iter();
    let commands = commands.map(|(status, count)| (status.word(), *count as f64));
    let help = "Commands of the actions that are not over, by status.";
    text.by(Gauge, "muster_commands_of_open_actions", help, "status", commands);
    let help = "Commands that wait for their agent or for its answer.";
    text.one(Gauge, "muster_commands_open", help, fleet.commands_open as f64);
}

fn accounts(text: &mut Text, figures: &StoreFigures) {
    text.one(Gauge, "muster_accounts", "Accounts of people.", figures.accounts as f64);
    text.one(Gauge, "muster_sessions", "Sessions of people that have not ended.", figures.sessions as f64);
}

fn attempts(text: &mut Text, app: &App) {
    let help = "Logins, tokens and keys that were wrong.";
    let failed = app.attempts.count_failed() as f64;
    text.one(Counter, "muster_authentication_failures_total", help, failed);
    let help =
        "Logins, tokens and keys that were not looked at, because there were too many wrong ones before.";
    let refused = app.attempts.count_refused() as f64;
    text.one(Counter, "muster_authentication_refused_total", help, refused);
}

fn process_of(text: &mut Text, process: &Process) {
    let figures = [
        (Gauge, "muster_process_resident_bytes", "Memory in RAM.", process.resident_bytes),
        (Gauge, "muster_process_threads", "Threads.", process.threads),
        (Gauge, "muster_process_descriptors", "Open descriptors.", process.descriptors),
        (Gauge, "muster_process_descriptors_max", "Descriptors there may be.", process.descriptors_max),
    ];
    for (kind, name, help, value) in figures {
        if let Some(value) = value {
            text.one(kind, name, help, value as f64);
        }
    }
    if let Some(secs) = process.cpu_secs {
        text.one(Counter, "muster_process_cpu_seconds_total", "Processor time.", secs);
    }
}
