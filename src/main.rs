// SPDX-License-Identifier: Apache-2.0
//! Temporary: serves until `cli` is there.
use muster::http::wire::{Limits, Listeners, Server, Slots, Stop};
use std::sync::Arc;
fn main() {
    run().map_err(|e| eprintln!("{}", e.with_causes())).ok();
}
fn run() -> muster::error::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let listen = get("--listen").unwrap_or_default();
    let config = muster::config::Config {
        data_dir: get("--data").unwrap_or_default().into(),
        log_level: log::LevelFilter::Info,
        listen: vec![listen.clone()],
        hostnames: vec![],
        connections_max: 1024,
        head_timeout_secs: 10,
        body_timeout_secs: 30,
        idle_timeout_secs: 60,
        write_timeout_secs: 30,
        bodies_bytes_max: 32 << 20,
        tids: vec!["6907c830-eed9-4ce9-81ae-76daf8d88f0f".into()],
        payload_bytes_max: 300 << 10,
        quarantine: muster::config::QuarantinePolicy::Unattended,
        quarantine_rows_max: 1000,
        quarantine_bytes_max: 16 << 20,
        disk_reserve_bytes: 64_000_000,
        readers: 8,
    };
    let clock = muster::clock::Clock::system();
    let store = muster::store::Store::open(&muster::store::StoreOptions {
        data_dir: config.data_dir.clone(),
        missing: muster::store::Missing::Create,
        disk_reserve_bytes: config.disk_reserve_bytes,
        readers: config.readers,
        clock: clock.clone(),
    })?;
    let app = Arc::new(muster::ops::App { config, clock, store });
    let stop = Stop::new();
    let listeners = Listeners::open(&[listen])?;
    let limits = Limits::default();
    let web = muster::http::Web::new(app, Slots::new(limits.connection_cap() / 2), stop.clone())?;
    let server = Server::start(listeners, limits, Arc::new(web), stop)?;
    for a in server.local_addresses() {
        eprintln!("listening on http://{a}");
    }
    server.join(std::time::Duration::from_secs(10));
    Ok(())
}
