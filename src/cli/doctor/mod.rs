// SPDX-License-Identifier: Apache-2.0
//! `muster doctor`: looks at everything that a server needs, says what is wrong and what to do, and prints what clients
//! are to be told. It changes nothing.

mod clients;
mod reach;

use crate::cli::{data_dir, load_quietly, print};
use crate::client::base_url::BaseUrl;
use crate::clock::Clock;
use crate::config::{Config, Flags};
use crate::error::{Error, Kind, Result};
use crate::http::{TlsFiles, is_for_others};
use crate::logging;
use crate::model::visible::is_hidden;
use crate::ops::doctor::{Finding, Level, files, system};
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use clients::Client;
use serde::Serialize;
use std::fmt::Write;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "doctor",
    description = "Look at everything that a server needs: configuration, data directory, disk, database, clock, \
    certificate, unit, descriptors, reachability, accounts, backups. Print a line each, and what clients are to be told. \
    Nothing is changed; the server may run or not.",
    example = "{command_name}\n\
    {command_name} --url https://muster.lan:8443 --ca /etc/muster/ca.pem\n\
    {command_name} --json",
    note = "A line begins with ok, warn (it works, and something should be done) or FAIL (it does not work), and ends with \
    what to do.",
    error_code(0, "nothing fails"),
    error_code(1, "something fails"),
    error_code(2, "the command line is refused"),
    help_triggers("-h", "--help", "help")
)]
/// Looks for what is wrong.
pub struct DoctorCommand {
    #[argh(
        option,
        arg_name = "url",
        description = "address by which clients call the server (default: those of the configuration)"
    )]
    url: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "certificates that the server's is checked by (default: tls/ca.pem of the data directory, where it issued it)"
    )]
    ca: Option<String>,
    #[argh(switch, description = "print JSON")]
    json: bool,
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

/// All that is printed.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    is_healthy: bool,
    findings: Vec<Finding>,
    clients: Vec<Client>,
}

impl DoctorCommand {
    /// Conflict where something fails, Usage where the command line is refused.
    pub fn run(self) -> Result<()> {
        // What the looks find stands in the report.
        logging::set_level(log::LevelFilter::Off);
        let url = self.url.as_deref().map(BaseUrl::parse).transpose()?;
        let mut findings = vec![Finding::ok("version", format!("muster {}", env!("CARGO_PKG_VERSION")))];
        let mut clients = Vec::new();
        match load_quietly(&Flags::new(self.config.as_deref(), self.data.as_deref())) {
            Ok(loaded) => {
                findings.push(configuration(&loaded));
                findings.extend(
                    loaded.warnings.iter().map(|warning| {
                        Finding::warn("configuration", warning.clone(), "muster config check")
                    }),
                );
                logging::set_level(log::LevelFilter::Off);
                self.look(&loaded.config, url, &mut findings, &mut clients);
            }
            Err(error) => {
                let remedy = "correct it; `muster config check` says whether it is good";
                findings.push(Finding::fail("configuration", error.with_causes(), remedy));
                findings.push(system::clock());
                findings.extend(system::unit());
            }
        }
        let is_healthy = findings.iter().all(|finding| finding.level != Level::Fail);
        let report = Report { version: env!("CARGO_PKG_VERSION"), is_healthy, findings, clients };
        print(&if self.json { in_json(&report)? } else { in_lines(&report) })?;
        if is_healthy {
            return Ok(());
        }
        Err(Error::new(Kind::Conflict, "Something fails; see above"))
    }

    fn look(
        &self,
        config: &Config,
        url: Option<BaseUrl>,
        findings: &mut Vec<Finding>,
        clients: &mut Vec<Client>,
    ) {
        let now = Clock::system().now();
        findings.push(system::clock());
        findings.extend(system::unit());
        let directory = files::data_dir(&config.data_dir);
        let is_there = directory.level != Level::Fail;
        findings.push(directory);
        // From here on as the user of the service, so that what root may read and the service may not is seen.
        if is_there && let Err(error) = data_dir::prepare(&config.data_dir, Missing::Refuse) {
            findings.push(Finding::fail("data directory", error.with_causes(), "see its owner"));
        }
        let server = system::server_process(&config.data_dir);
        findings.push(system::descriptors(server, config.connections_max));
        if is_there {
            findings.extend(files::disk(config));
            let (of_database, found) = files::database(config, now);
            findings.extend(of_database);
            findings.extend(files::copies(&config.data_dir, now));
            if let Some(current) = found.and_then(|found| found.current) {
                findings.push(files::record_times(&current, now));
                findings.push(files::retention(&current, now));
                findings.extend(files::size(&current, config.retention.database_bytes_max));
                findings.push(files::backups(&current, now));
                findings.push(files::accounts(&current));
            }
        }
        findings.extend(certificate(config, now));
        let ca = reach::ca_of(config, self.ca.as_deref());
        let sockets = server.and_then(system::sockets);
        let (listening, of_sockets) = reach::with_sockets(config, sockets);
        findings.extend(of_sockets);
        let config = &listening;
        let ca_pem = match ca.as_ref().map(std::fs::read_to_string).transpose() {
            Ok(pem) => pem,
            Err(error) if self.ca.is_some() => {
                let message = format!("the file of --ca cannot be read: {error}");
                findings.push(Finding::fail(
                    "reachability",
                    message,
                    "name a file of certificates in PEM form",
                ));
                None
            }
            Err(_) => None,
        };
        findings.extend(reach::reach(config, url.as_ref(), ca_pem.as_deref(), server.is_some()));
        let ca = ca.filter(|_| ca_pem.is_some());
        *clients = clients::clients(&reach::client_url(config, url.as_ref()), ca.as_deref());
    }
}

fn configuration(loaded: &crate::config::Loaded) -> Finding {
    let file =
        loaded.file.as_ref().map_or("no configuration file".to_owned(), |path| path.display().to_string());
    Finding::ok("configuration", file)
}

/// The certificate and key, where TLS is spoken.
fn certificate(config: &Config, now: i64) -> Vec<Finding> {
    const CHECK: &str = "certificate";
    if config.tls.listen.is_empty() {
        return vec![Finding::ok(CHECK, "no TLS is spoken (tls.listen is empty)")];
    }
    let path = config.tls_certificate_path();
    if let Err(error) = TlsFiles::open(path.clone(), config.tls_key_path(), Clock::fixed(now)) {
        return vec![Finding::fail(
            CHECK,
            error.message(),
            "muster tls init, or correct tls.certificate and tls.key",
        )];
    }
    let mut findings = match crate::certificates::Certificate::of_file(&path) {
        Ok(found) => vec![reach::judge_certificate(&found, &path, now)],
        Err(error) => vec![Finding::fail(CHECK, error.message(), "muster tls init")],
    };
    let key = config.tls_key_path();
    if is_for_others(&key) {
        let shown = key.display();
        let message = format!("everybody on this machine can use the key {shown}");
        findings.push(Finding::warn(CHECK, message, format!("chmod o= {shown}")));
    }
    findings
}

fn in_json(report: &Report) -> Result<String> {
    let text = serde_json::to_string_pretty(report)
        .map_err(|error| Error::internal("The report cannot be written").because(error))?;
    Ok(text + "\n")
}

fn in_lines(report: &Report) -> String {
    let mut text = String::new();
    for Finding { check, level, message, remedy } in &report.findings {
        let word = match level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        // Writing into a String cannot fail.
        let _ = write!(text, "{word}  {check}: {}", one_line(message));
        let _ = match remedy {
            Some(remedy) => writeln!(text, " -> {}", one_line(remedy)),
            None => writeln!(text),
        };
    }
    for Client { who, lines } in &report.clients {
        let _ = write!(text, "\n{who}:\n");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// One line without hidden characters: names of files and messages of systems may have any.
fn one_line(text: &str) -> String {
    text.replace(is_hidden, " ")
}
