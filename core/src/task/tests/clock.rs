//! The host's clock decides the times that tasks record, and when tasks become stale and idempotency keys expire.

use super::picture;
use crate::platform::MIGRATIONS;
use crate::store::Store;
use crate::task::store::{self, Lease};
use crate::task::{Status, SubmitOptions};
use crate::time::{Clock as _, ManualClock, Timestamp};
use crate::{Host, Platform, Settings};
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
const STALE: Duration = Duration::from_millis(100);

/// Opens a platform that runs no tasks and uses this clock.
fn open(folder: &tempfile::TempDir, clock: &Arc<ManualClock>) -> Platform {
    let mut settings = Settings::new(folder.path());
    (settings.paused, settings.image_stale) = (true, STALE);
    let host = Host { clock: Arc::clone(clock) as _, ..Host::default() };
    Platform::open_with(settings, host).unwrap()
}

fn rig() -> (tempfile::TempDir, Arc<ManualClock>, Platform) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
    let platform = open(&folder, &clock);
    (folder, clock, platform)
}

#[test]
fn a_key_is_valid_for_one_day_of_the_clock() {
    let (_folder, clock, platform) = rig();
    let submit = |key: &str| {
        platform.submit_with(&picture("a circle"), &SubmitOptions::default().idempotency("a", key)).unwrap()
    };
    let first = submit("one");
    assert_eq!(first.created_at, Timestamp(1_000_000));
    clock.advance(DAY);
    assert_eq!(submit("one").id, first.id, "exactly 24 hours have passed");
    clock.advance(Duration::from_millis(1));
    let second = submit("one");
    assert_ne!(second.id, first.id, "the key has expired, although no other key was written since");
    assert_eq!(second.created_at, clock.now());
    assert_eq!(submit("one").id, second.id, "the key now belongs to the second task");
    clock.advance(DAY);
    assert_eq!(submit("one").id, second.id, "the second task's key is valid for a day too");
}

#[test]
fn a_task_becomes_stale_by_the_clock_and_loses_its_lease() {
    let (folder, clock, platform) = rig();
    let id = platform.submit(&picture("a circle")).unwrap().id;
    platform.close(Duration::from_secs(10)).unwrap();
    let store = Store::open(folder.path(), MIGRATIONS, None).unwrap();
    let (wanted, now) = (id.clone(), clock.now());
    let lease = store.write(move |connection| store::claim(connection, &wanted, 0, now)).unwrap().unwrap();
    assert_eq!(lease, Lease { epoch: 1, started_at: now });
    store.close();

    let platform = open(&folder, &clock);
    clock.advance(STALE);
    let waited = platform.wait(&id, Some(Duration::from_millis(300))).unwrap();
    assert_eq!(waited.status, Status::Processing, "by the clock the limit has not passed, whatever the real time");
    clock.advance(Duration::from_millis(1));
    let ended = platform.wait(&id, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(ended.error.unwrap().code, "task_stale");
    assert_eq!((ended.started_at, ended.finished_at), (Some(now), Some(clock.now())));
    platform.close(Duration::from_secs(10)).unwrap();

    let store = Store::open(folder.path(), MIGRATIONS, None).unwrap();
    let late = move |connection: &_| store::complete(connection, &id, lease, "result.png", "preview.jpg", now);
    assert!(!store.write(late).unwrap(), "the result of a run without a lease is refused");
}

#[test]
fn a_cancelled_task_ends_at_the_time_of_the_clock() {
    let (_folder, clock, platform) = rig();
    let task = platform.submit(&picture("a circle")).unwrap();
    clock.advance(Duration::from_secs(5));
    assert!(platform.cancel(&task.id).unwrap());
    let ended = platform.status(&task.id).unwrap();
    assert_eq!((ended.created_at, ended.finished_at), (Timestamp(1_000_000), Some(Timestamp(1_005_000))));
}
