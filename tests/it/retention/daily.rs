// SPDX-License-Identifier: Apache-2.0
//! The thread that purges by itself: when it is due, with a clock that is wrong, and with a part that fails.

use super::{Place, aged};
use crate::store::{options, record};
use muster::clock::Clock;
use muster::config::Config;
use muster::model::time::DAY_SECS;
use muster::ops::App;
use muster::ops::counters::JobRuns;
use muster::ops::purge::Purging;
use muster::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

const DAILY: &str = "remove what is too old";
const SIZE: &str = "keep the database small";

/// A server's insides over the records of forty days, with ten days of retention.
struct Inside {
    place: Place,
    clock: Clock,
    app: Arc<App>,
}

impl Inside {
    fn new() -> Inside {
        let place = Place::new("");
        place.load(aged(40, 6));
        let clock = Clock::fixed(Clock::system().now());
        let store = Store::open(&options(&place.data_dir(), &clock)).unwrap();
        let mut config = Config::defaults(&place.data_dir());
        config.retention.days = 10;
        Inside { app: Arc::new(App::new(config, clock.clone(), store)), place, clock }
    }

    fn runs(&self, job: &str) -> JobRuns {
        self.app.counters.jobs().get(job).copied().unwrap_or_default()
    }

    /// Starts the thread and ends it once it has looked.
    fn look(&self) {
        let before = self.runs(SIZE).done;
        let mut purging = Purging::start_after(Arc::clone(&self.app), Duration::ZERO).unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        // The size is the last that it looks at.
        while self.runs(SIZE).done == before {
            assert!(Instant::now() < until, "it did not look");
            std::thread::sleep(Duration::from_millis(5));
        }
        purging.stop();
    }

    fn n_records(&self) -> usize {
        self.place.ids().len()
    }
}

#[test]
fn it_purges_once_a_day_and_the_jobs_tell() {
    let inside = Inside::new();
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (60, 1));
    inside.look();
    assert_eq!(inside.runs(DAILY).done, 1);
    let now = inside.clock.now();
    inside.clock.set(now + DAY_SECS);
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (54, 2));
    // What a wrong clock noted in the future does not keep it from running.
    inside.app.store.set_purged_at(now + 900 * DAY_SECS).unwrap();
    inside.clock.set(now + 2 * DAY_SECS);
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (48, 3));
    assert_eq!(inside.app.store.purged_at().unwrap(), Some(now + 2 * DAY_SECS));
}

#[test]
fn a_clock_far_ahead_removes_nothing_before_it_has_gone_on_for_a_day() {
    let inside = Inside::new();
    inside.look();
    let right = inside.clock.now();
    let ahead = right + 5_000 * DAY_SECS;
    inside.clock.set(ahead);
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (60, 1));
    assert_eq!(inside.app.store.clock_doubted_at().unwrap(), Some(ahead));
    // A record that comes in by this clock proves nothing, nor does another start.
    inside.app.store.insert_record(&record(1_000_000)).unwrap();
    inside.clock.set(ahead + DAY_SECS - 1);
    inside.look();
    assert_eq!(inside.n_records(), 61);
    // Set right, it goes on as if nothing had been.
    inside.clock.set(right + DAY_SECS);
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (55, 2));
    assert_eq!(inside.app.store.clock_doubted_at().unwrap(), None);
    // A server that was off for months purges after a day.
    let later = right + 100 * DAY_SECS;
    inside.clock.set(later);
    inside.look();
    assert_eq!(inside.n_records(), 55);
    inside.clock.set(later + DAY_SECS);
    inside.look();
    // The one that a wrong clock received stays until its own time.
    assert_eq!((inside.n_records(), inside.runs(DAILY).done), (1, 3));
}

#[test]
fn a_part_that_fails_does_not_keep_the_others_from_running() {
    let inside = Inside::new();
    let database = crate::store::database(&inside.place.data_dir());
    database
        .execute_batch(
            "INSERT INTO enrolment_refusals (queueloc, peer, reason, first_at, last_at, attempts)
               VALUES ('q', 'p', 'r', 1, 2, 3);
             INSERT INTO audit (changed_at, actor, origin, action, subject) VALUES (1, 'a', 'o', 'x', 's');
             CREATE TRIGGER refuse BEFORE DELETE ON enrolment_refusals
               BEGIN SELECT RAISE(ABORT, 'not this one'); END",
        )
        .unwrap();
    inside.look();
    assert_eq!((inside.n_records(), inside.runs(DAILY).failed), (60, 1));
    assert_eq!(inside.place.number("SELECT count(*) FROM audit WHERE changed_at = 1"), 0);
    // It is not over: the next look tries again.
    assert_eq!(inside.app.store.purged_at().unwrap(), None);
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    inside.look();
    assert_eq!((inside.runs(DAILY).done, inside.runs(DAILY).failed), (1, 1));
    assert_eq!(inside.place.number("SELECT count(*) FROM enrolment_refusals"), 0);
}
