// SPDX-License-Identifier: Apache-2.0
//! The investigators of the demo, and what they had the agents do.

use crate::demo::agents::{Present, Roster};
use crate::demo::random::Random;
use crate::error::{Error, Result};
use crate::model::action::{Action, Description, Operation, Threat};
use crate::model::command::{ActionStatus, CommandStatus, OperationResult};
use crate::model::go_json::GoJson;
use crate::model::investigator::Permissions;
use crate::model::time::DAY_SECS;
use crate::model::timestamp::Timestamp;
use crate::pgp::PublicKey;
use crate::store::fleet::{FleetLoad, LoadedAction, LoadedCommand, LoadedInvestigator};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const INVESTIGATORS: &str = include_str!("../../assets/demo/investigators.txt");

const HOUR_SECS: i64 = 3_600;

/// An investigator who was loaded.
struct Signer {
    id: i64,
    name: String,
    signature: String,
}

/// What an action of the demo is.
struct Plot {
    name: &'static str,
    target: String,
    threat: [&'static str; 3],
    module: &'static str,
    parameters: Value,
    signers: &'static [usize],
    /// When it was submitted and how long it was valid, relative to now.
    begins_at: i64,
    valid_secs: i64,
    status: ActionStatus,
    reason: &'static str,
    /// Part of the agents that it meant, and part of those that found something.
    agents: f64,
    finds: f64,
}

/// Loads investigators and actions for the agents of the roster.
pub fn load(load: &mut FleetLoad, roster: &Roster, now: i64, seed: u64) -> Result<()> {
    let signers = investigators(load, now)?;
    let mut random = Random::new(seed ^ 0xac7);
    for plot in plots(roster, now) {
        let mut action = action(&plot, &signers, now)?;
        let commands = commands(&plot, roster, now, &mut random)?;
        if action.status == ActionStatus::Completed {
            // It is over when its last command is.
            action.finished_at = commands.iter().filter_map(|command| command.finished_at).max();
        }
        load.action(&action, &commands)?;
    }
    Ok(())
}

fn investigators(load: &mut FleetLoad, now: i64) -> Result<Vec<Signer>> {
    let mut signers = Vec::new();
    for (number, part) in (0..).zip(INVESTIGATORS.split_inclusive("-----END PGP PUBLIC KEY BLOCK-----\n")) {
        let bad = || Error::internal("A part of investigators.txt is no investigator");
        let begin = part.find("-----BEGIN").ok_or_else(bad)?;
        let (head, armor) = part.split_at(begin);
        let head = head.lines().find(|line| line.contains('\t')).ok_or_else(bad)?;
        let [name, permissions, signature] = head.split('\t').collect::<Vec<_>>()[..] else {
            return Err(bad());
        };
        let key = PublicKey::read(armor.as_bytes())?;
        let key_ids = key.key_ids().iter().map(|text| hex_bytes(text)).collect::<Option<Vec<_>>>();
        let id = load.investigator(&LoadedInvestigator {
            name: name.to_owned(),
            fingerprint: key.fingerprint().to_owned(),
            public_key: key.armored(),
            key_ids: key_ids.ok_or_else(bad)?,
            permissions: Permissions::parse(permissions)?,
            // The last one has left.
            is_active: number < 2,
            created_at: now - (90 - 20 * number) * DAY_SECS,
        })?;
        signers.push(Signer { id, name: name.to_owned(), signature: signature.to_owned() });
    }
    Ok(signers)
}

fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

fn file_search(search: Value) -> Value {
    let mut search = search;
    search["options"] =
        json!({"maxdepth": 3, "matchall": true, "macroal": false, "mismatch": null, "matchlimit": 1000});
    json!({"searches": {"s1": search}})
}

fn plots(roster: &Roster, now: i64) -> Vec<Plot> {
    let plain = Plot {
        name: "Shadow files that others may read",
        target: "environment->>'os'='linux' AND status='online'".to_owned(),
        threat: ["medium", "compliance", "configuration"],
        module: "file",
        parameters: file_search(json!({"paths": ["/etc"], "names": ["^shadow$"], "modes": ["^-......r.."]})),
        signers: &[2],
        begins_at: -12 * DAY_SECS,
        valid_secs: HOUR_SECS,
        status: ActionStatus::Completed,
        reason: "",
        agents: 0.9,
        finds: 0.02,
    };
    let mut plots: Vec<Plot> = went_well(&plain).into_iter().chain(did_not(&plain)).collect();
    plots.extend(roster.destroyed.iter().map(|(older, destroyed_at)| Plot {
        name: "End the older one of two agents",
        target: format!("queueloc='{}'", older.queueloc),
        threat: ["low", "operations", "agents"],
        module: "agentdestroy",
        parameters: json!({"pid": older.pid, "version": older.version}),
        signers: &[0],
        begins_at: destroyed_at - now - 90,
        agents: 0.0,
        ..plain.clone()
    }));
    plots.push(plain);
    // As they would have been submitted.
    plots.sort_by_key(|plot| plot.begins_at.min(-600));
    plots
}

/// Actions that have run or do.
fn went_well(plain: &Plot) -> [Plot; 3] {
    [
        Plot {
            name: "Hosts with the backdoored liblzma",
            threat: ["critical", "backdoor", "CVE-2024-3094"],
            parameters: file_search(
                json!({"paths": ["/usr/lib", "/usr/lib64"], "names": ["^liblzma\\.so\\.5\\.6\\.[01]$"]}),
            ),
            signers: &[0, 1],
            begins_at: -5 * DAY_SECS,
            valid_secs: 6 * HOUR_SECS,
            agents: 0.95,
            finds: 0.06,
            ..plain.clone()
        },
        Plot {
            name: "Clocks that are wrong in Berlin",
            target: "tags->>'site'='berlin'".to_owned(),
            threat: ["low", "operations", "clock"],
            module: "timedrift",
            parameters: json!({"drift": "5s"}),
            signers: &[1],
            begins_at: -2 * DAY_SECS,
            valid_secs: HOUR_SECS,
            finds: 0.05,
            ..plain.clone()
        },
        Plot {
            name: "Keys of people who left",
            threat: ["high", "access", "ssh"],
            parameters: file_search(json!({"paths": ["/home", "/root"], "names": ["^authorized_keys$"],
                "contents": ["(carla|turk)@example\\.net$"]})),
            signers: &[0],
            begins_at: -20 * 60,
            valid_secs: 8 * HOUR_SECS,
            status: ActionStatus::Inflight,
            agents: 0.9,
            finds: 0.1,
            ..plain.clone()
        },
    ]
}

/// Actions that have not run, or not to their end.
fn did_not(plain: &Plot) -> [Plot; 3] {
    [
        Plot {
            name: "World-writable units of systemd",
            parameters: file_search(
                json!({"paths": ["/etc/systemd"], "names": ["\\.service$"], "modes": ["w.$"]}),
            ),
            signers: &[1],
            begins_at: DAY_SECS,
            valid_secs: 12 * HOUR_SECS,
            status: ActionStatus::Scheduled,
            agents: 0.0,
            ..plain.clone()
        },
        Plot {
            name: "Agents in Madrid",
            target: "tags->>'site'='madrid'".to_owned(),
            module: "timedrift",
            parameters: json!({"drift": ""}),
            signers: &[1],
            begins_at: -3 * DAY_SECS,
            status: ActionStatus::Invalid,
            reason: "No agent that is online or idle matches the target",
            agents: 0.0,
            ..plain.clone()
        },
        Plot {
            name: "Everything below /",
            parameters: file_search(json!({"paths": ["/"], "contents": ["password"]})),
            signers: &[1],
            begins_at: -DAY_SECS,
            valid_secs: 4 * HOUR_SECS,
            status: ActionStatus::Cancelled,
            reason: "Far too much at once; will be done host by host",
            agents: 0.5,
            finds: 0.3,
            ..plain.clone()
        },
    ]
}

impl Clone for Plot {
    fn clone(&self) -> Plot {
        Plot { target: self.target.clone(), parameters: self.parameters.clone(), ..*self }
    }
}

fn action(plot: &Plot, signers: &[Signer], now: i64) -> Result<LoadedAction> {
    let valid_from = now + plot.begins_at;
    let expire_after = valid_from + plot.valid_secs;
    let named: Vec<&Signer> = plot.signers.iter().filter_map(|at| signers.get(*at)).collect();
    let author = named.first().map_or("", |signer| signer.name.as_str());
    let [level, family, kind] = plot.threat.map(str::to_owned);
    let action = Action {
        name: plot.name.to_owned(),
        target: plot.target.clone(),
        description: Description {
            author: author.to_owned(),
            email: format!("{}@example.net", author.to_lowercase().replace(' ', ".")),
            url: String::new(),
            revision: 1.0,
        },
        threat: Threat { reference: String::new(), level, family: family.clone(), kind },
        validfrom: Timestamp::utc(valid_from),
        expireafter: Timestamp::utc(expire_after),
        operations: Some(vec![Operation {
            module: plot.module.to_owned(),
            parameters: plot.parameters.clone(),
            ..Operation::default()
        }]),
        pgpsignatures: Some(named.iter().map(|signer| signer.signature.clone()).collect()),
        syntaxversion: 2,
        ..Action::default()
    };
    let has_run = plot.agents > 0.0 || plot.module == "agentdestroy";
    let ended_at = match plot.status {
        ActionStatus::Invalid => Some(valid_from + 1),
        ActionStatus::Cancelled => Some(valid_from + 420),
        _ => None,
    };
    Ok(LoadedAction {
        name: action.name.clone(),
        target: action.target.clone(),
        threat_family: family,
        valid_from,
        expire_after,
        document: action.to_json()?,
        signed_digest: Sha256::digest(action.signed_text()?.as_bytes()).into(),
        status: plot.status,
        reason: plot.reason.to_owned(),
        created_at: valid_from.min(now - 600),
        started_at: has_run.then_some(valid_from + 1),
        finished_at: ended_at,
        signatures: named.iter().map(|signer| (signer.id, signer.signature.clone())).collect(),
    })
}

fn commands(plot: &Plot, roster: &Roster, now: i64, random: &mut Random) -> Result<Vec<LoadedCommand>> {
    if plot.module == "agentdestroy" {
        return roster.destroyed.iter().map(|(agent, _)| command(plot, agent, now, random)).collect();
    }
    let site = plot.target.strip_prefix("tags->>'site'='").and_then(|rest| rest.strip_suffix('\''));
    let mut endpoint_id = None;
    let mut commands = Vec::new();
    for agent in &roster.present {
        let is_meant = site.is_none_or(|site| site == agent.site) && random.chance(plot.agents);
        // One command for each endpoint, whose agents stand side by side.
        if is_meant && endpoint_id != Some(agent.ids.endpoint_id) {
            endpoint_id = Some(agent.ids.endpoint_id);
            commands.push(command(plot, agent, now, random)?);
        }
    }
    Ok(commands)
}

fn command(plot: &Plot, agent: &Present, now: i64, random: &mut Random) -> Result<LoadedCommand> {
    let prepared_at = now + plot.begins_at + 1;
    let sent_at = prepared_at + random.between(0, 60);
    // The one that was destroyed did as it was told.
    let drawn = if plot.module == "agentdestroy" { 50 } else { random.below(100) };
    let status = match (plot.status, drawn) {
        (ActionStatus::Inflight, 0..12) => CommandStatus::Prepared,
        (ActionStatus::Inflight, 12..25) => CommandStatus::Sent,
        (ActionStatus::Cancelled, 0..70) => CommandStatus::Cancelled,
        (ActionStatus::Completed, 0..4) => CommandStatus::Expired,
        (_, 95..97) => CommandStatus::Failed,
        (_, 97..99) => CommandStatus::Timeout,
        _ => CommandStatus::Success,
    };
    let result = result(plot, agent, status, random, sent_at);
    let answered = matches!(status, CommandStatus::Success | CommandStatus::Failed | CommandStatus::Timeout);
    let found = match status {
        CommandStatus::Success if result.foundanything => 1,
        CommandStatus::Success => 2,
        _ => 0,
    };
    Ok(LoadedCommand {
        of: agent.ids,
        status,
        prepared_at,
        sent_at: (status != CommandStatus::Prepared && status != CommandStatus::Expired).then_some(sent_at),
        finished_at: match status {
            CommandStatus::Prepared | CommandStatus::Sent => None,
            CommandStatus::Expired => Some(prepared_at + plot.valid_secs),
            CommandStatus::Cancelled => Some(prepared_at + 419),
            _ => Some(sent_at + random.between(1, 40)),
        },
        found,
        results: match answered {
            true => {
                let mut text = String::new();
                Some(vec![result]).encode(&mut text)?;
                Some(text)
            }
            false => None,
        },
    })
}

/// What the module would have said.
fn result(
    plot: &Plot,
    agent: &Present,
    status: CommandStatus,
    random: &mut Random,
    at: i64,
) -> OperationResult {
    let is_found = status == CommandStatus::Success && random.chance(plot.finds);
    let errors = match status {
        CommandStatus::Failed => Some(vec!["the module stopped: Permission denied".to_owned()]),
        CommandStatus::Timeout => Some(vec!["The time was over before all files were looked at".to_owned()]),
        _ => None,
    };
    let took = format!("{}.{:03}s", random.below(9), random.below(1_000));
    let (foundanything, elements, statistics) = match plot.module {
        "file" => (is_found, file_elements(plot, is_found, random, at), {
            json!({"filescount": random.between(40, 90_000), "openfailed": 0, "totalhits": i64::from(is_found),
                "exectime": took})
        }),
        "timedrift" => (is_found, drift_elements(is_found, at), json!({"exectime": took})),
        _ => (
            false,
            Value::from(format!("agent {} with process id {} ends", agent.version, agent.pid)),
            Value::Null,
        ),
    };
    OperationResult {
        foundanything,
        success: status == CommandStatus::Success,
        elements: if status == CommandStatus::Failed { Value::Null } else { elements },
        statistics,
        errors,
    }
}

fn file_elements(plot: &Plot, is_found: bool, random: &mut Random, at: i64) -> Value {
    let search = &plot.parameters["searches"]["s1"];
    let paths = search["paths"].as_array().cloned().unwrap_or_default();
    let directory = paths.first().and_then(Value::as_str).unwrap_or("/");
    let (file, mode, size) = match plot.threat[1] {
        "backdoor" => (format!("{directory}/x86_64-linux-gnu/liblzma.so.5.6.1"), "-rw-r--r--", 210_832),
        "access" => (format!("/home/user{}/.ssh/authorized_keys", random.below(40)), "-rw-------", 803),
        _ => ("/etc/shadow".to_owned(), "-rw-r--r--", 1_204),
    };
    let modified = Timestamp::utc(at - random.between(DAY_SECS, 300 * DAY_SECS)).to_string();
    let modified = modified.replace('T', " ").replace('Z', " +0000 UTC");
    let options =
        json!({"maxdepth": 0, "matchall": true, "macroal": false, "mismatch": null, "matchlimit": 0});
    let entry = match is_found {
        true => json!({"file": file, "search": {"paths": [directory], "options": options},
            "fileinfo": {"lastmodified": modified, "mode": mode, "size": size}}),
        false => json!({"file": "", "search": {"paths": paths, "options": options},
            "fileinfo": {"lastmodified": "", "mode": "", "size": 0}}),
    };
    json!({"s1": [entry]})
}

fn drift_elements(is_found: bool, at: i64) -> Value {
    let mut elements = json!({"hascheckeddrift": true, "iswithindrift": !is_found,
        "localtime": Timestamp::utc(at).to_string()});
    if is_found {
        elements["drifts"] = json!(["Local time is ahead of ntp host 0.pool.ntp.org by 41.2s"]);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pgp::{DetachedSignature, Refusal};

    #[test]
    fn signatures_are_of_the_keys_and_over_no_action() {
        for part in INVESTIGATORS.split_inclusive("-----END PGP PUBLIC KEY BLOCK-----\n") {
            let (head, armor) = part.split_at(part.find("-----BEGIN").unwrap());
            let key = PublicKey::read(armor.as_bytes()).unwrap();
            let signature = head.trim_end().rsplit('\t').next().unwrap();
            let signature = DetachedSignature::read(signature.as_bytes()).unwrap();
            let keys = [key];
            assert!(signature.verify(b"a signature of the demo\n", &keys, 1_795_228_811).is_ok());
            let other: Result<_, Refusal> = signature.verify(b"name=x;", &keys, 1_795_228_811);
            assert!(other.is_err());
        }
    }
}
