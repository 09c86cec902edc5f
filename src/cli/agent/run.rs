// SPDX-License-Identifier: Apache-2.0
//! `muster agent run`: from options and variables of the environment to a running agent.

use crate::agent::{self, Ended};
use crate::cli::signals::Signals;
use crate::client::base_url::BaseUrl;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::systemd;
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a file with a token or of one with certificates; a larger one is refused.
const FILE_BYTES_MAX: u64 = 4 << 20;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "run",
    description = "Run the agent of this machine: it tells the server that it lives, fetches actions that investigators \
    signed, verifies them by its own keyring and ACL, runs their modules and returns the results. It has no shell \
    and sends no files.",
    example = "muster agent run --server https://muster.lan --tag operator=IT --bundle /etc/muster/agent",
    note = "Each option that is not given is taken from the environment: --server from MUSTER_AGENT_SERVER, \
    --token-file from MUSTER_AGENT_TOKEN_FILE and so on, tags from MUSTER_AGENT_TAGS=name=value,name=value. The \
    bundle is the directory that `muster agent bundle` writes, copied by hand: keyring/*.asc and acl.json. It \
    is read anew for every command. Without keys the agent only beats.",
    error_code(0, "stopped by a signal, or by an action for this agent"),
    error_code(1, "failed; it may be tried again"),
    error_code(2, "an option or the state directory is refused"),
    help_triggers("-h", "--help", "help")
)]
/// Runs the agent.
pub struct RunCommand {
    #[argh(option, arg_name = "url", description = "server; http://, or https:// with TLS")]
    server: Option<String>,
    #[argh(
        option,
        arg_name = "dir",
        description = "what the agent remembers: its key, its name at the server, what it ran (default \
        $STATE_DIRECTORY, else ./muster-agent)"
    )]
    state: Option<String>,
    #[argh(option, arg_name = "dir", description = "keyring and ACL (default /etc/muster/agent)")]
    bundle: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "file with the token of `muster agent token`, where the server asks for it"
    )]
    token_file: Option<String>,
    #[argh(
        option,
        arg_name = "name=value",
        description = "tag of this agent for targets and lists, can be given again"
    )]
    tag: Vec<String>,
    #[argh(option, arg_name = "secs", description = "seconds between heartbeats, 1 to 3600 (default 300)")]
    heartbeat_secs: Option<String>,
    #[argh(
        option,
        arg_name = "secs",
        description = "how long one module may run, 1 to 3600 seconds (default 300)"
    )]
    module_timeout_secs: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "PEM file of the certificates that the server's is checked by, instead of the public ones"
    )]
    ca: Option<String>,
    #[argh(
        switch,
        description = "believe the server that a target means this agent where the agent cannot judge it: \
        id, and the follow-up of another action. A server in the wrong hands can then redirect such actions"
    )]
    trust_server_targets: bool,
}

impl RunCommand {
    /// Runs until a signal or an action ends it. Kinds: those of [`agent::run`], Usage where an option is wrong.
    pub fn run(self) -> Result<()> {
        let options = self.options(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        log::info!("muster agent {} for {}", env!("CARGO_PKG_VERSION"), options.server);
        let mut signals = Signals::catch()?;
        let stop = Stop::new();
        signals.set_started();
        let (stopped, name) = (stop.clone(), "signals".to_owned());
        let wait = move || {
            let signal = signals
                .wait_for_stop(&|| log::info!("SIGHUP has no meaning here; restart it for new options"));
            log::info!("Stopping on {signal}");
            stopped.set();
        };
        // It waits for signals until the process ends.
        std::thread::Builder::new()
            .name(name)
            .spawn(wait)
            .map_err(|error| Error::internal("Cannot start a thread").because(error))?;
        let ended = agent::run(&options, &Clock::system(), &stop)?;
        systemd::stopping("stopped");
        match ended {
            Ended::Stopped => {}
            Ended::Destroyed => {
                log::warn!("An action ended this agent; start it by hand if it shall run again")
            }
        }
        Ok(())
    }

    fn options(self, environment: &dyn Fn(&str) -> Option<String>) -> Result<agent::Options> {
        let or = |given: Option<String>, name: &str| given.or_else(|| environment(name));
        let server = or(self.server, "MUSTER_AGENT_SERVER")
            .ok_or_else(|| Error::usage("Name the server with --server URL or MUSTER_AGENT_SERVER"))?;
        let state = or(self.state, "MUSTER_AGENT_STATE").or_else(|| environment("STATE_DIRECTORY"));
        let bundle = or(self.bundle, "MUSTER_AGENT_BUNDLE");
        let token = or(self.token_file, "MUSTER_AGENT_TOKEN_FILE").map(|path| read(&path)).transpose()?;
        let ca = or(self.ca, "MUSTER_AGENT_CA").map(|path| read(&path)).transpose()?;
        let mut tags = self.tag;
        if tags.is_empty()
            && let Some(all) = environment("MUSTER_AGENT_TAGS")
        {
            tags = all.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
        }
        let secs = |given: Option<String>, option: &str, name: &str| {
            or(given, name).map_or(Ok(Duration::from_secs(300)), |text| seconds(option, &text))
        };
        Ok(agent::Options {
            server: BaseUrl::parse(&server)?,
            state_dir: PathBuf::from(state.unwrap_or_else(|| "muster-agent".to_owned())),
            bundle_dir: PathBuf::from(bundle.unwrap_or_else(|| "/etc/muster/agent".to_owned())),
            token: token.map(|text| text.trim().to_owned()),
            tags: tags.iter().map(|tag| agent::parse_tag(tag)).collect::<Result<_>>()?,
            heartbeat_period: secs(self.heartbeat_secs, "--heartbeat-secs", "MUSTER_AGENT_HEARTBEAT_SECS")?,
            module_most: secs(
                self.module_timeout_secs,
                "--module-timeout-secs",
                "MUSTER_AGENT_MODULE_TIMEOUT_SECS",
            )?,
            ca_pem: ca,
            trusts_server_targets: self.trust_server_targets
                || environment("MUSTER_AGENT_TRUST_SERVER_TARGETS").is_some_and(|word| word == "true"),
        })
    }
}

fn seconds(option: &str, text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(secs @ 1..=3_600) => Ok(Duration::from_secs(secs)),
        _ => Err(Error::usage(format!("{option} takes a whole number of seconds from 1 to 3600"))),
    }
}

fn read(path: &str) -> Result<String> {
    let cannot = |why: &str| Error::usage(format!("Cannot read {path}: {why}"));
    let size =
        std::fs::metadata(path).map_err(|error| cannot("it is not there or not ours").because(error))?;
    if size.len() > FILE_BYTES_MAX {
        return Err(cannot("it is larger than 4 MiB"));
    }
    std::fs::read_to_string(path).map_err(|error| cannot("it is no text of ours").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str], environment: &[(&str, &str)]) -> Result<agent::Options> {
        let command = RunCommand::from_args(&["run"], words).map_err(|exit| Error::usage(exit.output))?;
        command.options(&|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn options_win_over_the_environment_and_both_over_defaults() {
        let environment = [
            ("MUSTER_AGENT_SERVER", "http://a"),
            ("MUSTER_AGENT_TAGS", "x=1, y=2,"),
            ("STATE_DIRECTORY", "/var/lib/s"),
            ("MUSTER_AGENT_HEARTBEAT_SECS", "60"),
            ("MUSTER_AGENT_TRUST_SERVER_TARGETS", "true"),
        ];
        let of_environment = options(&[], &environment).unwrap();
        assert_eq!(of_environment.server.as_str(), "http://a");
        assert_eq!(of_environment.tags, [("x".into(), "1".into()), ("y".into(), "2".into())]);
        assert_eq!(of_environment.state_dir, PathBuf::from("/var/lib/s"));
        assert_eq!(of_environment.heartbeat_period, Duration::from_secs(60));
        assert!(of_environment.trusts_server_targets);
        let words = ["--server", "http://b", "--tag", "z==", "--heartbeat-secs", "7", "--state", "s"];
        let given = options(&words, &environment).unwrap();
        assert_eq!((given.server.as_str(), given.heartbeat_period), ("http://b", Duration::from_secs(7)));
        assert_eq!(given.tags, [("z".into(), "=".into())]);
        assert_eq!(given.state_dir, PathBuf::from("s"));
        let default = options(&["--server", "a"], &[]).unwrap();
        assert_eq!(default.bundle_dir, PathBuf::from("/etc/muster/agent"));
        assert!(!default.trusts_server_targets && default.token.is_none());
    }

    #[test]
    fn wrong_options_are_refused_by_name() {
        for (words, part) in [
            (&[][..], "--server"),
            (&["--server", "ftp://a"], "http"),
            (&["--server", "a", "--heartbeat-secs", "0"], "--heartbeat-secs"),
            (&["--server", "a", "--module-timeout-secs", "1h"], "--module-timeout-secs"),
            (&["--server", "a", "--tag", "x"], "name=value"),
            (&["--server", "a", "--tag", "=x"], "name=value"),
            (&["--server", "a", "--ca", "/nonexistent"], "/nonexistent"),
            (&["--server", "a", "--token-file", "/nonexistent"], "/nonexistent"),
        ] {
            let error = options(words, &[]).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
