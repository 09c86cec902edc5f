// SPDX-License-Identifier: Apache-2.0
//! The module `timedrift`: tells the host's time, and where a drift is given, whether the clock is within it of a time
//! server's. Asked are the servers that the host's own time service is configured with, then MIG's public ones.

use crate::model::command::OperationResult;
use crate::model::timestamp::Timestamp;
use crate::modules::{Host, Limits, Outcome, duration, failed};
use serde_json::{Map, Value, json};
use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Where time services keep their servers.
const CONFIGURATIONS: &[&str] = &[
    "/etc/ntp.conf",
    "/etc/ntpsec/ntp.conf",
    "/etc/chrony.conf",
    "/etc/chrony/chrony.conf",
    "/etc/systemd/timesyncd.conf",
];
/// Asked where none of those answers.
const PUBLIC_SERVERS: &[&str] =
    &["time.nist.gov", "0.pool.ntp.org", "1.pool.ntp.org", "2.pool.ntp.org", "3.pool.ntp.org"];
/// Servers that are asked at most, bytes of one configuration, and how long one server is waited for.
const SERVERS_MAX: usize = 10;
const CONFIGURATION_BYTES_MAX: u64 = 64 * 1024;
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(3);
const PACKET_BYTES: usize = 48;
/// Unix seconds of the beginning of NTP's time, 1900.
const NTP_EPOCH_SECS: i64 = -2_208_988_800;

/// The host's clock, which moves on from when the module began.
struct LocalClock {
    begun: Instant,
    begun_nanos: i128,
}

impl LocalClock {
    fn now_nanos(&self) -> i128 {
        self.begun_nanos + i128::try_from(self.begun.elapsed().as_nanos()).unwrap_or(0)
    }
}

/// What a server answered.
struct Answer {
    /// Local time minus the server's, in nanoseconds.
    drift_nanos: i128,
    latency: Duration,
}

/// Asks one time server after the other until one answers.
pub(super) fn run(parameters: &Value, limits: &Limits, host: &Host) -> Outcome {
    let begun_nanos = i128::from(host.now_secs) * 1_000_000_000 + i128::from(host.now_nanos);
    let clock = LocalClock { begun: Instant::now(), begun_nanos };
    let drift_max = match drift_max(parameters) {
        Ok(drift_max) => drift_max,
        Err(fault) => return failed(fault),
    };
    let servers = if drift_max.is_some() { servers() } else { Vec::new() };
    check(&servers, drift_max, &clock, limits.deadline)
}

/// The parameter `drift`; none where there is none, or it is empty.
fn drift_max(parameters: &Value) -> Result<Option<Duration>, String> {
    let map = match parameters {
        Value::Null => return Ok(None),
        Value::Object(map) => map,
        _ => return Err("The parameters of timedrift must be an object".to_owned()),
    };
    match map.get("drift") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => match duration::parse(text) {
            Some(span) => Ok(Some(span)),
            None => Err(format!(
                "The drift {:?} is no span like 5s or 1m30s",
                text.chars().take(40).collect::<String>()
            )),
        },
        Some(_) => Err("The drift must be a text like 5s".to_owned()),
    }
}

/// The configured servers and the public ones, each once.
fn servers() -> Vec<String> {
    let mut servers = Vec::new();
    for path in CONFIGURATIONS {
        let mut text = Vec::new();
        // A file that is not there configures nothing.
        if let Ok(file) = std::fs::File::open(path)
            && file.take(CONFIGURATION_BYTES_MAX).read_to_end(&mut text).is_ok()
        {
            servers.extend(configured(&String::from_utf8_lossy(&text)));
        }
    }
    // Some public ones are asked whatever is configured.
    servers.truncate(SERVERS_MAX - 2);
    servers.extend(PUBLIC_SERVERS.iter().map(|server| (*server).to_owned()));
    let mut once = Vec::new();
    servers.into_iter().for_each(|server| {
        if !once.contains(&server) {
            once.push(server);
        }
    });
    once.truncate(SERVERS_MAX);
    once
}

/// The servers of a configuration: `server NAME …` and `pool NAME …`, or `NTP=NAME NAME …`.
fn configured(text: &str) -> Vec<String> {
    let mut servers = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(names) = line.strip_prefix("NTP=").or_else(|| line.strip_prefix("FallbackNTP=")) {
            servers.extend(names.split_whitespace().map(str::to_owned));
            continue;
        }
        let mut words = line.split_whitespace();
        if let (Some("server" | "pool"), Some(name)) = (words.next(), words.next()) {
            servers.push(name.to_owned());
        }
    }
    servers
}

fn check(servers: &[String], drift_max: Option<Duration>, clock: &LocalClock, deadline: Instant) -> Outcome {
    let mut elements = Map::new();
    elements.insert("localtime".to_owned(), Value::from(written(clock.now_nanos())));
    let mut asked = Vec::new();
    let mut errors = Vec::new();
    let mut answered = None;
    for server in servers {
        if Instant::now() >= deadline {
            break;
        }
        match ask(server, clock, deadline) {
            Ok(answer) => {
                asked.push(answered_json(server, &answer, clock));
                answered = Some((server, answer));
                break;
            }
            Err(fault) => {
                asked.push(
                    json!({"host": server, "time": Timestamp::ZERO.to_string(), "latency": "", "drift": "",
                    "reachable": false}),
                );
                errors.push(format!("{server}: {fault}"));
            }
        }
    }
    elements.insert("hascheckeddrift".to_owned(), Value::from(answered.is_some()));
    let mut is_within = false;
    if let (Some((server, answer)), Some(drift_max)) = (&answered, drift_max) {
        is_within = answer.drift_nanos.unsigned_abs() <= drift_max.as_nanos();
        elements.insert("iswithindrift".to_owned(), Value::from(is_within));
        if !is_within {
            elements.insert("drifts".to_owned(), json!([drift_text(server, answer.drift_nanos)]));
        }
    }
    if drift_max.is_some() && answered.is_none() {
        errors.push("No time server answered; the drift was not checked".to_owned());
    }
    let result = OperationResult {
        foundanything: drift_max.is_none() || (answered.is_some() && !is_within),
        success: drift_max.is_none() || answered.is_some(),
        elements: Value::from(elements),
        statistics: json!({"exectime": duration::format(clock.begun.elapsed()), "ntpstats": asked}),
        errors: (!errors.is_empty()).then_some(errors),
    };
    if Instant::now() >= deadline && !result.success {
        return Outcome::TimedOut(result);
    }
    Outcome::Done(result)
}

fn answered_json(server: &str, answer: &Answer, clock: &LocalClock) -> Value {
    let sign = if answer.drift_nanos < 0 { "-" } else { "" };
    json!({
        "host": server,
        "time": written(clock.now_nanos() - answer.drift_nanos),
        "latency": duration::format(answer.latency),
        "drift": format!("{sign}{}", duration::format(span(answer.drift_nanos))),
        "reachable": true,
    })
}

fn drift_text(server: &str, drift_nanos: i128) -> String {
    let side = if drift_nanos < 0 { "behind" } else { "ahead of" };
    format!("Local time is {side} ntp host {server} by {}", duration::format(span(drift_nanos)))
}

fn span(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.unsigned_abs()).unwrap_or(u64::MAX))
}

/// A moment in RFC 3339.
fn written(nanos: i128) -> String {
    let secs = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(0);
    let nanos = u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0);
    let moment = Timestamp { nanos, ..Timestamp::utc(secs) };
    // Only years that cannot be written fail.
    if (0..253_402_300_800).contains(&secs) { moment.to_string() } else { Timestamp::ZERO.to_string() }
}

/// Asks one server. The fault is a sentence without its name.
fn ask(server: &str, clock: &LocalClock, deadline: Instant) -> Result<Answer, String> {
    let until = deadline.min(Instant::now() + ANSWER_WAIT_MAX);
    let address = resolve(server, until)?;
    let bind: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let fault = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind(bind).map_err(fault)?;
    // Packets from elsewhere are then dropped by the system.
    socket.connect(address).map_err(fault)?;
    let mut mark = [0_u8; 8];
    getrandom::fill(&mut mark).map_err(|error| error.to_string())?;
    let mut request = [0_u8; PACKET_BYTES];
    // No leap, version 4, client.
    request[0] = 0b00_100_011;
    request[40..48].copy_from_slice(&mark);
    let (sent_at, sent_nanos) = (Instant::now(), clock.now_nanos());
    socket.send(&request).map_err(fault)?;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("no answer".to_owned());
        }
        socket.set_read_timeout(Some(left)).map_err(fault)?;
        let mut packet = [0_u8; 512];
        let count = match socket.recv(&mut packet) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.to_string()),
        };
        // Whatever does not repeat the mark is no answer to this question.
        if let Some(packet) = packet[..count].first_chunk::<PACKET_BYTES>()
            && packet[24..32] == mark
        {
            let drift_nanos = drift(packet, sent_nanos, clock.now_nanos())?;
            return Ok(Answer { drift_nanos, latency: sent_at.elapsed() });
        }
    }
}

/// The name service knows no deadline, so it is asked on a thread that may be left behind.
fn resolve(server: &str, until: Instant) -> Result<SocketAddr, String> {
    let (found, waiting) = sync_channel(1);
    let name = server.to_owned();
    std::thread::Builder::new()
        .name("timedrift".into())
        .spawn(move || {
            let addresses = match name.parse::<SocketAddr>() {
                Ok(address) => Ok(Some(address)),
                Err(_) => (name.as_str(), 123).to_socket_addrs().map(|mut addresses| addresses.next()),
            };
            // Nobody may be waiting any more.
            let _ = found.send(addresses);
        })
        .map_err(|error| error.to_string())?;
    match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(Ok(Some(address))) => Ok(address),
        Ok(Ok(None)) => Err("the name has no address".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the name was not found in time".to_owned()),
    }
}

/// Local time minus the server's, in nanoseconds: the mean of the way there and the way back.
fn drift(packet: &[u8; PACKET_BYTES], sent_nanos: i128, got_nanos: i128) -> Result<i128, String> {
    let (leap, mode, stratum) = (packet[0] >> 6, packet[0] & 7, packet[1]);
    if mode != 4 || leap == 3 || !(1..16).contains(&stratum) {
        return Err("the server says that it does not know the time".to_owned());
    }
    let received = moment(&packet[32..40], sent_nanos);
    let transmitted = moment(&packet[40..48], sent_nanos);
    Ok(((sent_nanos - received) + (got_nanos - transmitted)) / 2)
}

/// The moment of eight bytes, in the age of 136 years that is nearest to the local time.
fn moment(bytes: &[u8], near_nanos: i128) -> i128 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_i128, |sum, byte| sum << 8 | i128::from(*byte));
    let secs = word(&bytes[..4]) + i128::from(NTP_EPOCH_SECS);
    let nanos = secs * 1_000_000_000 + ((word(&bytes[4..]) * 1_000_000_000) >> 32);
    let age = (1_i128 << 32) * 1_000_000_000;
    nanos + (near_nanos - nanos + age / 2).div_euclid(age) * age
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const NOW: i64 = 1_800_000_000;

    fn clock() -> LocalClock {
        LocalClock { begun: Instant::now(), begun_nanos: i128::from(NOW) * 1_000_000_000 }
    }

    fn soon(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    fn stamp(secs: i64) -> [u8; 8] {
        let secs = u32::try_from((secs - NTP_EPOCH_SECS) & 0xffff_ffff).unwrap();
        (u64::from(secs) << 32 | 1 << 31).to_be_bytes()
    }

    /// A time server on loopback whose clock is `ahead_secs` before the local one; `edit` changes its answer.
    fn server(ahead_secs: i64, edit: fn(&mut [u8; 48])) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let mut request = [0_u8; 48];
            let (_, peer) = socket.recv_from(&mut request).unwrap();
            let mut answer = [0_u8; 48];
            answer[0] = 0b00_100_100;
            answer[1] = 2;
            answer[24..32].copy_from_slice(&request[40..48]);
            answer[32..40].copy_from_slice(&stamp(NOW + ahead_secs));
            answer[40..48].copy_from_slice(&stamp(NOW + ahead_secs));
            edit(&mut answer);
            socket.send_to(&answer, peer).unwrap();
        });
        address
    }

    fn checked(servers: &[String], drift: &str, deadline: Instant) -> OperationResult {
        match check(servers, duration::parse(drift), &clock(), deadline) {
            Outcome::Done(result) => result,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_drift_is_that_of_the_first_server_that_answers() {
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        let closed = "127.0.0.1:1".to_owned();
        for (ahead_secs, drift, is_within, side) in [
            (0, "5s", true, ""),
            (-3_600, "1h1m", true, ""),
            (3_600, "5s", false, "Local time is behind ntp host"),
            (-3_600, "5s", false, "Local time is ahead of ntp host"),
        ] {
            let result = checked(&[closed.clone(), server(ahead_secs, |_| {})], drift, soon(5_000));
            assert!(result.success, "{result:?}");
            assert_eq!(result.foundanything, !is_within);
            assert_eq!(result.elements["hascheckeddrift"], true);
            assert_eq!(result.elements["iswithindrift"], is_within);
            let said = result.elements["drifts"][0].as_str().unwrap_or("");
            assert!(said.starts_with(side) && said.is_empty() == is_within, "{said}");
            assert_eq!(result.statistics["ntpstats"][0]["reachable"], false);
            assert_eq!(result.statistics["ntpstats"][1]["reachable"], true);
        }
        drop(mute);
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        let edits: [fn(&mut [u8; 48]); 4] =
            [|a| a[24] ^= 1, |a| a[0] = 0b00_100_011, |a| a[0] |= 0b1100_0000, |a| a[1] = 16];
        for edit in edits {
            let outcome = check(&[server(0, edit)], duration::parse("5s"), &clock(), soon(400));
            let (Outcome::Done(result) | Outcome::TimedOut(result)) = outcome else { panic!() };
            assert!(!result.success && !result.foundanything, "{result:?}");
            assert_eq!(result.elements["hascheckeddrift"], false);
            assert_eq!(result.elements.get("iswithindrift"), None);
        }
    }

    #[test]
    fn silence_ends_with_the_deadline() {
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        let servers = vec![mute.local_addr().unwrap().to_string(); 5];
        let begun = Instant::now();
        let outcome = check(&servers, duration::parse("5s"), &clock(), soon(300));
        let Outcome::TimedOut(result) = outcome else { panic!("{outcome:?}") };
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(result.errors.unwrap().last().unwrap().contains("not checked"));
    }

    #[test]
    fn without_a_drift_only_the_time_is_told() {
        let limits = Limits { deadline: soon(1_000), output_bytes_max: 1 << 20 };
        let host = Host { pid: 1, version: String::new(), now_secs: NOW, now_nanos: 120_000_000 };
        for parameters in [json!({}), json!({"drift": ""}), json!({"drift": null}), json!(null)] {
            let Outcome::Done(result) = run(&parameters, &limits, &host) else { panic!() };
            assert!(result.success && result.foundanything);
            assert!(result.elements["localtime"].as_str().unwrap().starts_with("2027-01-15T08:00:00.1"));
        }
        for bad in [json!({"drift": "soon"}), json!({"drift": 5}), json!({"drift": "-5s"}), json!(["5s"])] {
            let Outcome::Done(result) = run(&bad, &limits, &host) else { panic!() };
            assert!(!result.success && result.errors.is_some(), "{bad}");
        }
    }

    #[test]
    fn configurations_are_read() {
        let ntp = "# server a\ndriftfile /x\n server ntp1.example.net iburst\npool 2.example.net\nserver\nservers b\n";
        assert_eq!(configured(ntp), ["ntp1.example.net", "2.example.net"]);
        let timesyncd = "[Time]\nNTP=a.example.net b.example.net\n#FallbackNTP=c\nNTP=\n";
        assert_eq!(configured(timesyncd), ["a.example.net", "b.example.net"]);
        assert!(servers().len() <= SERVERS_MAX && servers().len() >= 2);
    }

    #[test]
    fn ages_of_136_years_are_told_apart() {
        for secs in [NOW, 2_085_978_495, 2_085_978_496, 4_000_000_000] {
            let near = i128::from(secs - 50_000_000) * 1_000_000_000;
            assert_eq!(moment(&stamp(secs), near), i128::from(secs) * 1_000_000_000 + 500_000_000);
        }
    }
}
