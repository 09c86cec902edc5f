// SPDX-License-Identifier: Apache-2.0
//! `muster serve`: starts everything in order, waits for the signal to stop, and ends everything in order.
//!
//! ```text
//! configuration, signals, sockets of systemd, owner     while there is one thread
//! lock, addresses, database, jobs, HTTP                 "listening on …", READY=1
//! SIGTERM: HTTP (10 s), database (checkpoint), jobs     exit status 0
//! ```

use crate::cli::signals::Signals;
use crate::cli::watchdog::Talker;
use crate::cli::{data_dir, load_config};
use crate::clock::Clock;
use crate::config::{Config, Enrol, Flags};
use crate::error::Result;
use crate::http::wire::{Handler, Limits, Listeners, Server, Slots};
use crate::http::{TlsFiles, Web, watch_tls_files};
use crate::ops::App;
use crate::ops::fleet::commands::Couriering;
use crate::ops::fleet::dispatch::Scheduling;
use crate::ops::fleet::enrolment;
use crate::ops::jobs::Jobs;
use crate::ops::purge::Purging;
use crate::ops::recompute::Recomputing;
use crate::stop::Stop;
use crate::store::{Lock, Missing, Store, StoreOptions};
use crate::systemd;
use argh::{ArgsInfo, FromArgs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What runs at the stop has so long to finish.
const STOP_MOST: Duration = Duration::from_secs(10);

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "serve",
    description = "Run the server: take records in, show them, and answer the API. It stops in order on SIGTERM and Ctrl-C.",
    example = "{command_name} --listen 0.0.0.0:8080 --listen [::]:8080 --data /srv/muster",
    note = "Sockets passed by systemd replace the addresses. Until there is an account (`muster account add`), what changes\n\
    something is taken from this machine alone.",
    help_triggers("-h", "--help", "help")
)]
/// Runs the server.
pub struct ServeCommand {
    #[argh(
        option,
        arg_name = "addr:port",
        description = "address to listen on, can be given again (default 127.0.0.1:8080)"
    )]
    listen: Vec<String>,
    #[argh(
        option,
        arg_name = "addr:port",
        description = "address on which to speak TLS, can be given again (default none; see `muster tls init`)"
    )]
    tls_listen: Vec<String>,
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

impl ServeCommand {
    /// Serves until a signal. Usage or Corrupt where it must not start, Busy where it cannot now.
    pub fn run(self) -> Result<()> {
        let flags = Flags::new(self.config.as_deref(), self.data.as_deref())
            .with("http.listen", "--listen", self.listen)
            .with("tls.listen", "--tls-listen", self.tls_listen);
        let loaded = load_config(&flags)?;
        match &loaded.file {
            Some(path) => log::info!("muster {} with {}", env!("CARGO_PKG_VERSION"), path.display()),
            None => log::info!("muster {} without a configuration file", env!("CARGO_PKG_VERSION")),
        }
        let mut signals = Signals::catch()?;
        // Both want to be the only thread: the one changes the environment, the other the user.
        let passed = Listeners::passed()?;
        data_dir::prepare(&loaded.config.data_dir, Missing::Create)?;
        // Looked at before anything is made in its directory.
        Store::look(&loaded.config.data_dir)?;
        let _lock = Lock::take(&loaded.config.data_dir, "serve")?;
        let listeners = match passed {
            // One that was passed for TLS replaces the addresses for TLS too.
            Some(listeners) if listeners.has_tls() => listeners,
            Some(listeners) => listeners.and_tls(&loaded.config.tls.listen)?,
            None => Listeners::bind(&loaded.config.listen)?.and_tls(&loaded.config.tls.listen)?,
        };
        let running = Running::start(loaded.config, listeners)?;
        signals.set_started();
        let signal = signals.wait_for_stop(&|| running.read_again());
        log::info!("Stopping on {signal}");
        running.stop();
        Ok(())
    }
}

/// All that runs.
struct Running {
    app: Arc<App>,
    jobs: Jobs,
    recomputing: Recomputing,
    purging: Purging,
    couriering: Couriering,
    scheduling: Scheduling,
    server: Server,
    tls: Option<Tls>,
    stop: Stop,
    watchdog: Option<Talker>,
}

impl Running {
    fn start(mut config: Config, listeners: Listeners) -> Result<Running> {
        let limits = limits_of(&config);
        let stop = Stop::new();
        let tls = if listeners.has_tls() { Some(Tls::start(&config, &stop)?) } else { None };
        config.fleet.enrol = enrol(&config, &listeners);
        let app = Arc::new(open_app(config)?);
        tell_without_account(&app)?;
        let jobs = Jobs::start(Arc::clone(&app))?;
        let recomputing = Recomputing::start(Arc::clone(&app))?;
        let purging = Purging::start(Arc::clone(&app))?;
        let couriering = Couriering::start(Arc::clone(&app))?;
        let scheduling = Scheduling::start(Arc::clone(&app))?;
        let server = start_server(&app, listeners, limits, &stop, tls.as_ref())?;
        for url in server.urls() {
            log::info!("listening on {url}");
        }
        systemd::ready(&format!("listening on {}", server.urls().join(" ")));
        let watchdog = Talker::feed_watchdog(Arc::clone(&app))?;
        Ok(Running { app, jobs, recomputing, purging, couriering, scheduling, server, tls, stop, watchdog })
    }

    /// SIGHUP: what is read from files beside the configuration is read again.
    fn read_again(&self) {
        match &self.tls {
            Some(tls) => tls.files.reload(),
            None => log::info!(
                "SIGHUP: there is no certificate to read again; restart it for a new configuration"
            ),
        }
    }

    /// Ends all in order: nobody is answered any more when the database's log is emptied.
    fn stop(self) {
        let Running {
            app,
            jobs,
            mut recomputing,
            mut purging,
            couriering,
            scheduling,
            server,
            tls,
            stop,
            watchdog,
        } = self;
        systemd::stopping("finishing what runs");
        stop.set();
        app.dispatch.polls.close();
        server.join(STOP_MOST);
        drop(tls);
        drop(scheduling);
        drop(couriering);
        recomputing.stop();
        purging.stop();
        // What a job still reads is cut off by this, so that the jobs end at once.
        app.store.stop();
        drop(watchdog);
        drop(jobs);
        log::info!("Stopped");
    }
}

/// The certificate, and the thread that sees whether it changes.
struct Tls {
    files: Arc<TlsFiles>,
    stop: Stop,
    watching: Option<JoinHandle<()>>,
}

impl Tls {
    fn start(config: &Config, stop: &Stop) -> Result<Tls> {
        let (certificate, key) = (config.tls_certificate_path(), config.tls_key_path());
        let files = Arc::new(TlsFiles::open(certificate, key, Clock::system())?);
        let watching = watch_tls_files(Arc::clone(&files), stop.clone())?;
        Ok(Tls { files, stop: stop.clone(), watching: Some(watching) })
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // Also where the start failed, and nobody has said so yet.
        self.stop.set();
        if self.watching.take().is_some_and(|watching| watching.join().is_err()) {
            log::error!("The thread that watches the certificate panicked");
        }
    }
}

/// Who may bring new agents, with the token ready for them.
fn enrol(config: &Config, listeners: &Listeners) -> Enrol {
    let enrol = enrolment::resolve(config, &listeners.local_addresses());
    match enrolment::make_token(&config.data_dir, false) {
        Ok(_) => log::info!("New agents: fleet.enrol is {}", enrol.word()),
        // Records are taken all the same.
        Err(error) => log::warn!("New agents can bind no key: {}", error.with_causes()),
    }
    enrol
}

/// Says how to make an account while there is none.
fn tell_without_account(app: &App) -> Result<()> {
    if !app.store.has_accounts()? {
        log::info!(
            "No account yet: changes are taken from this host alone; make one with `muster account add NAME`"
        );
    }
    Ok(())
}

/// Opens the database, with the service manager asked for patience meanwhile.
fn open_app(config: Config) -> Result<App> {
    let clock = Clock::system();
    let options = StoreOptions {
        data_dir: config.data_dir.clone(),
        missing: Missing::Create,
        disk_reserve_bytes: config.disk_reserve_bytes,
        readers: config.readers,
        clock: clock.clone(),
    };
    systemd::status("opening the database");
    let patience = Talker::extend_start()?;
    let store = Store::open(&options)?;
    drop(patience);
    Ok(App::new(config, clock, store))
}

/// Starts the HTTP server over `app`. Streams take at most half the connections.
fn start_server(
    app: &Arc<App>,
    listeners: Listeners,
    limits: Limits,
    stop: &Stop,
    tls: Option<&Tls>,
) -> Result<Server> {
    let slots = Slots::new(limits.connection_cap() / 2);
    let web = Arc::new(Web::new(Arc::clone(app), slots, stop.clone())?);
    let handler = Arc::clone(&web) as Arc<dyn Handler>;
    let tls = tls.map(|tls| tls.files.tls());
    let server = Server::start_with_tls(listeners, limits, handler, stop.clone(), tls)?;
    web.set_stats(server.stats());
    Ok(server)
}

fn limits_of(config: &Config) -> Limits {
    Limits {
        connections_max: config.connections_max,
        head_timeout: Duration::from_secs(config.head_timeout_secs),
        body_timeout: Duration::from_secs(config.body_timeout_secs),
        idle_timeout: Duration::from_secs(config.idle_timeout_secs),
        write_timeout: Duration::from_secs(config.write_timeout_secs),
        bodies_bytes_max: config.bodies_bytes_max,
        crowds: config.trusted_proxies.clone(),
        ..Limits::default()
    }
}
