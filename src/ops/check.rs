// SPDX-License-Identifier: Apache-2.0
//! Everything that is kept twice, compared: pages, indexes, references, counters against a recount, spool against
//! database; and mended where it can be.

use crate::clock::Clock;
use crate::error::{Error, Kind, Result};
use crate::model::audit::{Actor, Audit};
use crate::ops::App;
use crate::ops::fleet::cancel;
use crate::ops::fleet::spooling::{Depth, Differences, Mode, after_cancel, reconcile};
use crate::store::backup::note_checked;
use crate::store::{Finding, Lock, Remedy, Watch, recount, repair};
use std::path::Path;
use std::time::Duration;

/// What a running server is about to move is in its place after this.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(1);

/// Files of the spool that are named one by one; `muster spool check` names more.
const NAMED_MAX: usize = 10;

/// What mends a finding, for people.
pub fn remedy_text(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Restore => "cannot be mended; restore a backup with `muster restore FILE --force`",
        _ => "stop the server and run `muster check --repair`",
    }
}

/// Compares the database; the server may run, and posts go on. That nothing was found is noted. Kinds: those of
/// [`recount`].
pub fn database(data_dir: &Path, clock: &Clock, watch: &mut Watch<'_>) -> Result<Vec<Finding>> {
    let findings = recount(data_dir, &|| clock.now(), watch)?;
    if findings.is_empty()
        && let Err(error) = note_checked(data_dir, clock.now())
    {
        log::warn!("The database does not know of this check: {}", error.with_causes());
    }
    Ok(findings)
}

/// Compares the spool, twice where there is a difference: what was only on its way is gone the second time. Where there is
/// none yet, after a restore for one, nothing is wrong: the next start writes it.
pub fn spool(app: &App) -> Result<Vec<Finding>> {
    if !app.config.data_dir.join(&app.config.fleet.spool_dir).exists() {
        return Ok(Vec::new());
    }
    Ok(spool_findings(&spool_differences(app)?))
}

/// What is different in the spool, and stays so.
pub fn spool_differences(app: &App) -> Result<Differences> {
    let first = reconcile(app, Mode::Report, Depth::Contents)?;
    if first.n_all == 0 {
        return Ok(first);
    }
    std::thread::sleep(SECOND_LOOK_AFTER);
    Ok(reconcile(app, Mode::Report, Depth::Contents)?.lasting(&first))
}

fn spool_findings(differences: &Differences) -> Vec<Finding> {
    let finding = |text: String| Finding { text: format!("spool: {text}"), remedy: Remedy::Spool };
    let mut findings: Vec<Finding> = differences.named.iter().take(NAMED_MAX).cloned().map(finding).collect();
    let unnamed = differences.n_all - findings.len();
    if unnamed > 0 {
        findings.push(finding(format!("and {unnamed} more")));
    }
    findings
}

/// Mends the database as far as the findings can be; what is left is for the next comparison to tell. The caller holds
/// the lock. Corrupt where a page is damaged: then nothing is touched.
pub fn repair_database(
    data_dir: &Path,
    findings: &[Finding],
    actor: &Actor,
    now: i64,
    watch: &mut Watch<'_>,
) -> Result<()> {
    let mut remedies: Vec<Remedy> = findings.iter().map(|finding| finding.remedy).collect();
    remedies.retain(|remedy| !matches!(remedy, Remedy::Spool | Remedy::Restore));
    remedies.sort_unstable();
    remedies.dedup();
    if remedies.is_empty() {
        return Ok(());
    }
    let texts: Vec<&str> = findings.iter().map(|finding| finding.text.as_str()).collect();
    let audit =
        Audit::new(actor, "check.repair", "database").before(serde_json::json!({ "findings": texts }));
    repair(data_dir, &remedies, now, &audit, watch)
}

/// Takes the lock that mending needs; Busy where a server runs.
pub fn lock(data_dir: &Path) -> Result<Lock> {
    Lock::take(data_dir, "check --repair")
}

/// Writes what is missing in the spool and removes what is too many; what was mended. The caller holds the lock.
pub fn repair_spool(app: &App, actor: &Actor) -> Result<Vec<Finding>> {
    Ok(spool_findings(&mend_spool(app, actor, "check.repair")?))
}

/// The same; `change` is what the audit log calls it.
pub fn mend_spool(app: &App, actor: &Actor, change: &'static str) -> Result<Differences> {
    app.spool.make()?;
    for id in app.store.half_cancelled_actions()? {
        cancel::finish(app, id)?;
        after_cancel(app, id)?;
    }
    let found = reconcile(app, Mode::Mend, Depth::Contents)?;
    if found.n_all > 0 {
        let findings = serde_json::json!({ "findings": [found.summary()] });
        app.store.note_change(Audit::new(actor, change, "spool").before(findings))?;
    }
    Ok(found)
}

/// Conflict where something is not as it should be, Corrupt where only a backup helps.
pub fn outcome(findings: &[Finding]) -> Result<()> {
    let n_lost = findings.iter().filter(|finding| finding.remedy == Remedy::Restore).count();
    let n_all = findings.len();
    if n_lost > 0 {
        return Err(Error::new(
            Kind::Corrupt,
            format!(
                "{n_lost} of {n_all} findings cannot be mended: restore a backup with `muster restore FILE --force`"
            ),
        ));
    }
    if n_all > 0 {
        return Err(Error::new(
            Kind::Conflict,
            format!("{n_all} findings; stop the server and run `muster check --repair`"),
        ));
    }
    Ok(())
}
