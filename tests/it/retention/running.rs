// SPDX-License-Identifier: Apache-2.0
//! Purging beside a server that takes posts, twice at once, and killed in the middle.

use super::{Place, aged, assert_all_exact};
use crate::support::server::Options;
use crate::support::{Server, record_fields};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const CONFIG: &str = "[retention]\ndays = 10\n";

#[test]
fn posts_go_on_while_a_command_purges() {
    let place = Place::new(CONFIG);
    place.load(aged(40, 48));
    let mut server = Server::start_with(Options {
        data_dir: Some(place.data_dir()),
        config: Some(CONFIG.to_owned()),
        ..Options::default()
    });
    let (is_over, n_posted) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (server, is_over, n_posted) = (&server, &is_over, &n_posted);
            scope.spawn(move || {
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    // Of a class and a build that the purge may be removing the last record of.
                    let fields = record_fields(1_000_000 * (thread + 1) + n);
                    let answer = server.post(&fields, b"a payload");
                    assert_eq!(answer.status, 201, "{}", answer.text());
                    n_posted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (code, out, err) = place.run(&["purge"]);
        // First of all, or a failure would be waited for without end.
        is_over.store(true, Ordering::Relaxed);
        assert!(code == 0 && out.starts_with(&format!("Removed {} records\n", 30 * 48)), "{out}{err}");
    });
    assert!(server.get("/records").status == 200);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(place.ids().len() as u64, 10 * 48 + n_posted.load(Ordering::Relaxed));
    assert_all_exact(&place.data_dir());
}

#[test]
fn a_purge_that_is_killed_leaves_exact_counts_and_the_next_one_goes_on() {
    let place = Place::new(CONFIG);
    place.load(aged(60, 48));
    let mut n_cut = 0;
    for _ in 0..4 {
        let n_before = place.ids().len();
        let mut purge =
            place.command(&["purge"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while place.ids().len() == n_before && purge.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        purge.kill().unwrap();
        purge.wait().unwrap();
        let n_left = place.ids().len();
        n_cut += usize::from(n_left < 60 * 48 && n_left > 10 * 48);
        let n_noted: i64 =
            place.number("SELECT coalesce(sum(json_extract(after, '$.records')), 0) FROM audit");
        assert_eq!(n_noted as usize + n_left, 60 * 48);
        crate::store::assert_counts_are_exact(&place.data_dir());
    }
    assert!(n_cut > 0, "no purge was cut off in the middle");
    place.run_well(&["purge"]);
    assert_eq!(place.ids().len(), 10 * 48);
    assert_all_exact(&place.data_dir());
}

#[test]
fn two_purges_do_not_run_at_once() {
    let place = Place::new(CONFIG);
    let path = place.data_dir().join("muster.purge.lock");
    let holder = muster::store::Lock::take_named(&place.data_dir(), "muster.purge.lock", "somebody").unwrap();
    let (code, _, err) = place.run(&["purge"]);
    assert!(code == 1 && err.contains("somebody") && path.exists(), "{code} {err}");
    assert_eq!(place.run(&["purge", "--dry-run"]).0, 0);
    drop(holder);
    place.run_well(&["purge"]);
}
