// SPDX-License-Identifier: Apache-2.0
//! The thread that beats: tells the server that the agent lives, and what its machine is.

use crate::agent::addresses;
use crate::agent::pace::Backoff;
use crate::agent::{Agent, Own, Trouble, host};
use crate::error::Result;
use crate::model::agent::{AgentStatus, Environment};
use crate::model::timestamp::Timestamp;
use crate::target::Facts;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// The server is asked for this agent's address so often, and where the own addresses changed.
const PUBLIC_IP_PERIOD: Duration = Duration::from_secs(3_600);

/// What the server was told last.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    environment: Environment,
    refreshed_at: i64,
    beat_at: Option<i64>,
    /// What the server calls this agent's address, and when it said so.
    public_ip: Option<(IpAddr, Instant)>,
}

/// The thread's work.
pub(super) struct Beats {
    agent: Arc<Agent>,
    is_known: SyncSender<()>,
}

impl Beats {
    /// For this agent; `is_known` hears of each heartbeat that the server took.
    pub(super) fn new(agent: Arc<Agent>, is_known: SyncSender<()>) -> Beats {
        Beats { agent, is_known }
    }

    /// Beats until the agent stops.
    pub(super) fn run(self) {
        let (mut backoff, mut trouble) = (Backoff::default(), Trouble::default());
        let mut has_beaten = false;
        loop {
            let pause = match self.agent.beat() {
                Ok(()) => {
                    if !std::mem::replace(&mut has_beaten, true) {
                        log::info!("The server takes the heartbeats");
                    }
                    trouble.is_over("Heartbeat");
                    backoff.reset();
                    // Who listens needs to hear it once only.
                    let _ = self.is_known.try_send(());
                    self.agent.options.heartbeat_period
                }
                Err(error) => {
                    trouble.is("The heartbeat failed", &error);
                    backoff.next_pause()
                }
            };
            if self.agent.stop.wait(pause) {
                return;
            }
        }
    }
}

impl Agent {
    fn beat(&self) -> Result<()> {
        let told = self.refresh();
        let now = self.clock.now();
        self.client.beat(&self.heartbeat(&told, now))?;
        self.told.lock().unwrap_or_else(PoisonError::into_inner).beat_at = Some(self.clock.now());
        Ok(())
    }

    /// Looks at the machine again.
    fn refresh(&self) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut environment = host::environment();
        let is_moved = environment.addresses != told.environment.addresses;
        let is_old = told.public_ip.is_none_or(|(_, asked)| asked.elapsed() >= PUBLIC_IP_PERIOD);
        if is_moved || is_old {
            match self.client.public_ip() {
                Ok(ip) => told.public_ip = Some((ip, Instant::now())),
                // The heartbeat itself says what is wrong with the server; the first own address stands in.
                Err(error) => log::debug!("{error}"),
            }
        }
        if let Some((ip, _)) = told.public_ip {
            environment.publicip = ip.to_string();
        }
        if environment != told.environment {
            told.environment = environment;
            told.refreshed_at = self.clock.now();
        }
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = told.clone();
        told
    }

    fn heartbeat(&self, told: &Told, now: i64) -> Value {
        let time = |secs: i64| Timestamp::utc(secs).to_string();
        let environment = &told.environment;
        let tags: Vec<Value> =
            self.tags().into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({
            "name": self.name,
            "mode": "daemon",
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "queueLoc": self.state.queueloc(),
            // MIG's agents say when they sent it, and servers refuse what is older than five minutes.
            "startTime": time(now),
            "refreshTime": time(told.refreshed_at),
            "environment": {
                "init": environment.init,
                "ident": environment.ident,
                "os": environment.os,
                "arch": environment.arch,
                "isProxied": environment.isproxied,
                "proxy": environment.proxy,
                "addresses": environment.addresses,
                "publicIP": environment.publicip,
                "modules": environment.modules,
            },
            "tags": tags,
        })
    }

    fn tags(&self) -> Vec<(String, String)> {
        let machine_id = host::machine_id().map(|id| ("machine_id".to_owned(), id));
        machine_id.into_iter().chain(self.options.tags.iter().cloned()).collect()
    }

    /// This agent as targets see it.
    pub(super) fn own(&self) -> Result<Own> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.now();
        let micros = |secs: i64| secs.saturating_mul(1_000_000);
        // It knows itself whether the server has heard of it lately.
        let age_secs = told.beat_at.map(|beat_at| now.saturating_sub(beat_at));
        let is_online = age_secs.is_some_and(|age| age <= 2 * self.options.heartbeat_period.as_secs() as i64);
        let environment = serde_json::from_str(&told.environment.to_json()?).unwrap_or(Value::Null);
        let tags: Map<String, Value> =
            self.tags().into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        let ip = told.environment.publicip.parse::<IpAddr>().ok();
        let is_public_ip_own = addresses::of_this_machine().iter().any(|address| Some(address.ip) == ip);
        let facts = Facts {
            now_micros: micros(now),
            id: None,
            name: self.name.clone(),
            queueloc: self.state.queueloc().to_owned(),
            mode: "daemon".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: i64::from(std::process::id()),
            starttime_micros: micros(self.started_at),
            heartbeattime_micros: told.beat_at.map(micros),
            refreshtime_micros: Some(micros(told.refreshed_at)),
            status: is_online.then(|| AgentStatus::Online.word().to_owned()),
            loadername: None,
            environment,
            tags: Value::Object(tags),
        };
        Ok(Own { facts, is_public_ip_own, trusts_server: self.options.trusts_server_targets })
    }
}
