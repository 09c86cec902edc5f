// SPDX-License-Identifier: Apache-2.0
//! Actions as text for a terminal.

use crate::error::Result;
use crate::model::time;
use crate::model::visible::plain;
use crate::store::fleet::ActionRow;

/// One line of `list`.
pub fn line(row: &ActionRow) -> String {
    let counters = row.counters;
    format!(
        "{:>8}  {:<9}  {:>6}/{:<6}  {}  {}\n",
        row.id,
        row.status.word(),
        counters.done(),
        counters.total(),
        time::rfc3339(row.created_at),
        plain(&row.name)
    )
}

/// What `show` prints.
pub fn details(row: &ActionRow) -> Result<String> {
    let action = row.submitted()?;
    let mut text = format!("Action {}: {}\n", row.id, plain(&row.name));
    let mut add = |what: &str, value: &str| text.push_str(&format!("{what:<12}{value}\n"));
    match row.reason.as_str() {
        "" => add("status", row.status.word()),
        reason => add("status", &format!("{}: {}", row.status.word(), plain(reason))),
    }
    add("target", &plain(&row.target));
    let from_to = format!("{} to {}", time::rfc3339(row.valid_from), time::rfc3339(row.expire_after));
    add("valid", &from_to);
    for operation in action.operations.iter().flatten() {
        add("operation", &plain(&operation.module));
    }
    for signer in &row.signers {
        let disabled = if signer.is_active { "" } else { ", disabled since" };
        add("signed by", &format!("{} ({}{disabled})", plain(&signer.name), signer.fingerprint));
    }
    add("accepted", &time::rfc3339(row.created_at));
    for (what, at) in [("started", row.started_at), ("finished", row.finished_at)] {
        if let Some(at) = at {
            add(what, &time::rfc3339(at));
        }
    }
    let counters = row.counters;
    add("commands", &counters.total().to_string());
    let numbers = [
        ("prepared", counters.prepared),
        ("sent", counters.sent),
        ("success", counters.success),
        ("failed", counters.failed),
        ("timeout", counters.timeout),
        ("cancelled", counters.cancelled),
        ("expired", counters.expired),
    ];
    for (what, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        add(&format!("  {what}"), &number.to_string());
    }
    Ok(text)
}
