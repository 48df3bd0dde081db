mod clock;
mod options;
mod owners;
mod place;
mod rows;

use super::*;
use crate::error::ErrorCode;
use crate::platform::MIGRATIONS;
use crate::request::GenerateRequest;
use crate::store::{self as engine, Store};
use crate::thread::block_on;
use crate::time::Timestamp;
use crate::{Event, LogLevel, LogRecord, Platform, Settings};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn open(folder: &tempfile::TempDir) -> Platform {
    Platform::open(Settings::new(folder.path())).unwrap()
}

fn picture(prompt: &str) -> GenerateRequest {
    GenerateRequest::new("tiny-image", prompt).set("steps", 4).set("guidance_scale", 1.0).set("seed", 7)
}

/// Starts the tasks of a paused platform, without the platform.
pub(super) fn tasks(folder: &tempfile::TempDir, store: &Arc<Store>) -> Tasks {
    use crate::audit::{Audit, Signing};
    use crate::keyring::KeySource;
    use crate::time::SystemClock;
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let clock: Arc<dyn crate::time::Clock> = Arc::new(SystemClock::default());
    let signing = Signing::new(KeySource::File(folder.path().join("audit.keys")), folder.path().join("anchors"), None);
    let audit = Arc::new(Audit::start(Arc::clone(store), Arc::clone(&clock), signing).unwrap());
    let metrics = Arc::new(crate::metrics::Metrics::new().unwrap());
    let catalog = crate::catalog::Catalog::built_in().unwrap();
    Tasks::start(settings, catalog, Arc::clone(store), audit, clock, metrics).unwrap()
}

#[test]
fn a_task_that_is_deleted_before_its_run_shows_the_end_does_not_stay_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), MIGRATIONS, None).unwrap());
    let tasks = tasks(&folder, &store);
    let prepared = tasks.prepare(&picture("a red circle"), &SubmitOptions::default()).unwrap();
    let Prepared::New(draft) = prepared else { panic!("it has no key") };
    let id = block_on(tasks.submit(draft, &AtomicBool::new(false)), None).unwrap().unwrap().id;
    let mut events = tasks.events(&id).unwrap();
    let wanted = id.clone();
    let ended = store.write(move |connection| {
        let lease = store::claim(connection, &wanted, 0, Timestamp(1))?.expect("nothing else runs it");
        store::complete(connection, &wanted, lease, "results/x/1/result.png", "results/x/1/preview.jpg", Timestamp(2))
    });
    assert!(ended.unwrap());
    tasks.delete(&id, None).unwrap();
    assert_eq!(tasks.status(&id).unwrap_err().code(), ErrorCode::TaskNotFound);
    tasks.shared.show_end(&id);
    let mut last = None;
    while let Event::Changed(task) = events.next(Some(Duration::from_secs(20))).unwrap() {
        last = Some(task.status);
    }
    assert_eq!(last, Some(Status::Done), "its followers see the end");
    assert!(tasks.shared.live_tasks.get(&id).is_none());
    tasks.close(Duration::from_secs(5));
    store.close();
}

#[test]
fn a_picture_is_made_followed_stored_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(&folder);
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    platform.observe_lanes(Box::new(move |event| heard.lock().push(format!("{event:?}")))).unwrap();
    let task = platform.submit(&picture("a red circle")).unwrap();
    assert_eq!((task.status, task.seed), (Status::Pending, 7));
    let mut follow = platform.events(&task.id).unwrap();
    let (mut last, mut ended) = (0, false);
    loop {
        match follow.next(Some(Duration::from_secs(120))).unwrap() {
            Event::Changed(task) => {
                assert!(task.progress >= last, "{} after {last}", task.progress);
                last = task.progress;
                ended = task.status == Status::Done;
            }
            Event::Ended => break,
            Event::TimedOut => panic!("too slow"),
        }
    }
    assert!(ended && last == 100);
    let media = platform.result(&task.id).unwrap();
    assert_eq!(media.content_type, "image/png");
    assert_eq!(platform.preview(&task.id).unwrap().content_type, "image/jpeg");
    let again = platform.submit(&picture("a red circle")).unwrap();
    assert_eq!(platform.wait(&again.id, Some(Duration::from_secs(120))).unwrap().status, Status::Done);
    assert_eq!(platform.result(&again.id).unwrap().bytes, media.bytes, "same seed, same bytes");
    let heard = events.lock().join(" ");
    assert!(heard.contains("Miss") && heard.contains("Loaded") && heard.contains("Hit"), "{heard}");
    let load = platform.load().unwrap();
    assert_eq!((load.lanes[0].hits, load.lanes[0].misses), (1, 1));
    assert!(load.lanes[0].memory_bytes > 1_000_000);
    assert_eq!(platform.gallery(&TaskQuery::default()).unwrap().total, 2);
    platform.delete(&task.id).unwrap();
    assert_eq!(platform.status(&task.id).unwrap_err().code(), ErrorCode::TaskNotFound);
    assert!(!folder.path().join("results").join(&task.id).exists());
    assert_eq!(
        platform.gallery(&TaskQuery { model: Some("tiny-image".into()), ..Default::default() }).unwrap().items.len(),
        1
    );
    platform.close(Duration::from_secs(10)).unwrap();
    platform.close(Duration::from_secs(10)).unwrap();
    assert_eq!(platform.status(&again.id).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(platform.models().unwrap_err().code(), ErrorCode::InvalidState);
    let reopened = open(&folder);
    assert_eq!(reopened.result(&again.id).unwrap().bytes, media.bytes);
}

#[test]
fn cancel_ends_pending_and_running_tasks_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(&folder);
    let running = platform.submit(&GenerateRequest::new("tiny-video", "a red circle").set("steps", 50)).unwrap();
    let waiting = platform.submit(&picture("a circle")).unwrap();
    let mut events = platform.events(&running.id).unwrap();
    while !matches!(events.next(Some(Duration::from_secs(60))).unwrap(), Event::Changed(task) if task.stage == "denoising")
    {
    }
    assert_eq!(platform.delete(&running.id).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(platform.result(&running.id).unwrap_err().code(), ErrorCode::ResultNotReady);
    assert!(platform.cancel(&waiting.id).unwrap());
    assert!(platform.cancel(&running.id).unwrap());
    for id in [&running.id, &waiting.id] {
        let ended = platform.wait(id, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(ended.error.unwrap().code, "cancelled");
        assert!(!platform.cancel(id).unwrap());
        assert_eq!(platform.result(id).unwrap_err().code(), ErrorCode::ResultGone);
    }
    assert_eq!(platform.cancel("nothing").unwrap_err().code(), ErrorCode::TaskNotFound);
}

#[test]
fn a_task_that_exceeds_a_limit_fails_with_the_code_of_that_limit() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        r#"{"data_dir": "DIR", "image_limit_seconds": 0, "video_limit_seconds": 600, "video_stale_seconds": 0.05}"#
            .replace("DIR", &folder.path().display().to_string());
    let platform = Platform::open(Settings::from_json(&settings).unwrap()).unwrap();
    let image = platform.submit(&picture("a circle")).unwrap();
    let ended = platform.wait(&image.id, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(ended.error.unwrap().code, "task_timeout");
    let video = platform.submit(&GenerateRequest::new("tiny-video", "a circle").set("steps", 50)).unwrap();
    let ended = platform.wait(&video.id, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(ended.error.unwrap().code, "task_stale");
}

#[test]
fn refused_submissions_leave_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let settings = r#"{"data_dir": "DIR", "queue_depth": 1, "queue_wait_seconds": 0, "paused": true}"#
        .replace("DIR", &folder.path().display().to_string());
    let platform = Platform::open(Settings::from_json(&settings).unwrap()).unwrap();
    let not_a_picture =
        GenerateRequest::new("tiny-image", "x").mode("img2img").image("reference_image", b"no picture at all".to_vec());
    for (request, code) in [
        (GenerateRequest::new("pony", "a boat"), ErrorCode::ModelUnavailable),
        (not_a_picture, ErrorCode::ValidationError),
        (GenerateRequest::new("tiny-image", " "), ErrorCode::ValidationError),
    ] {
        let error = platform.submit(&request).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!error.detail().is_empty() && !error.user_action().is_empty());
    }
    assert_eq!(platform.tasks(&TaskQuery::default()).unwrap().total, 0);
    for _ in 0..2 {
        platform.submit(&picture("a circle")).unwrap();
    }
    assert_eq!(platform.submit(&picture("a circle")).unwrap_err().code(), ErrorCode::QueueOverloaded);
    assert_eq!(platform.tasks(&TaskQuery { status: Some(Status::Pending), ..Default::default() }).unwrap().total, 2);
}

#[test]
fn after_a_restart_unfinished_tasks_run_or_fail_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let paused = r#"{"data_dir": "DIR", "paused": true}"#.replace("DIR", &folder.path().display().to_string());
    let platform = Platform::open(Settings::from_json(&paused).unwrap()).unwrap();
    let ids: Vec<_> = (0..4).map(|_| platform.submit(&picture("a circle")).unwrap().id).collect();
    platform.close(Duration::from_secs(5)).unwrap();
    {
        let store = Store::open(folder.path(), crate::platform::MIGRATIONS, None).unwrap();
        let ids = ids.clone();
        store
            .write(move |c| {
                for id in &ids[1..] {
                    store::claim(c, id, 0, Timestamp::now())?;
                }
                c.execute("UPDATE task SET cancel_requested = 1 WHERE id = ?", [&ids[2]])?;
                Ok(c.execute("UPDATE task SET started_at = started_at - 601000 WHERE id = ?", [&ids[3]])?)
            })
            .unwrap();
    }
    let orphan = folder.path().join("results").join("nobody").join("1");
    std::fs::create_dir_all(&orphan).unwrap();
    let platform = open(&folder);
    let ends: Vec<_> = ids.iter().map(|id| platform.wait(id, Some(Duration::from_secs(120))).unwrap()).collect();
    assert_eq!(ends[0].status, Status::Done, "a pending task runs");
    assert_eq!(ends[1].status, Status::Done, "an interrupted task runs again");
    assert_eq!(ends[2].error.as_ref().unwrap().code, "cancelled");
    assert_eq!(ends[3].error.as_ref().unwrap().code, "task_stale");
    platform.close(Duration::from_secs(5)).unwrap();
    assert!(!orphan.exists(), "files that belong to no task are removed");
}

/// Opens a platform with this log level and returns it with the receiver of its log records.
fn open_with_log(folder: &tempfile::TempDir, level: LogLevel) -> (Platform, mpsc::Receiver<LogRecord>) {
    let (sender, records) = mpsc::channel();
    let mut settings = Settings::new(folder.path());
    settings.log_level = level;
    let send = move |record: &LogRecord| drop(sender.send(record.clone()));
    (Platform::open_with_log(settings, send).unwrap(), records)
}

#[test]
fn a_platform_logs_its_work_without_prompts() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, records) = open_with_log(&folder, LogLevel::Debug);
    let task = platform.submit(&picture(&"a red circle ".repeat(20)).set("guidance_scale", 2.0)).unwrap();
    assert_eq!(platform.wait(&task.id, Some(Duration::from_secs(120))).unwrap().status, Status::Done);
    platform.close(Duration::from_secs(10)).unwrap();
    let records: Vec<_> = records.iter().collect();
    let warnings: Vec<_> = records.iter().filter(|record| record.level == LogLevel::Warn).collect();
    let [cut] = warnings.as_slice() else { panic!("{records:?}") };
    assert_eq!((&cut.fields["task"], &cut.fields["parameter"]), (&task.id.as_str().into(), &"prompt".into()));
    assert_eq!(cut.fields["kept"], 16);
    assert_eq!(cut.fields["tokens"], 61, "20 times three words, and the end");
    let lanes: Vec<_> = records.iter().filter_map(|record| record.fields.get("event")?.as_str()).collect();
    assert_eq!(lanes, ["miss", "loaded"]);
    let text = serde_json::to_string(&records).unwrap();
    assert!(!text.contains("a red circle"), "no prompt is logged: {text}");
    assert!(records.iter().all(|record| record.target.starts_with("must")), "{text}");
}

#[test]
fn a_failed_task_is_a_warning_and_a_cancelled_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, records) = mpsc::channel();
    let mut settings = Settings::new(folder.path());
    settings.image_limit = Duration::ZERO;
    let platform = Platform::open_with_log(settings, move |record| {
        sender.send(record.clone()).unwrap();
        panic!("a log function that fails");
    })
    .unwrap();
    let failed = platform.submit(&picture("a circle")).unwrap();
    platform.wait(&failed.id, Some(Duration::from_secs(60))).unwrap();
    let running = platform.submit(&GenerateRequest::new("tiny-video", "a circle").set("steps", 50)).unwrap();
    let mut events = platform.events(&running.id).unwrap();
    while !matches!(events.next(Some(Duration::from_secs(60))).unwrap(), Event::Changed(task) if task.stage == "denoising")
    {
    }
    platform.cancel(&running.id).unwrap();
    platform.wait(&running.id, Some(Duration::from_secs(60))).unwrap();
    drop(platform);
    let records: Vec<_> = records.iter().map(|record| (record.level, record.fields["code"].clone())).collect();
    assert_eq!(records, [(LogLevel::Warn, "task_timeout".into()), (LogLevel::Info, "cancelled".into())]);
}

#[test]
fn a_platform_that_cannot_be_opened_drops_its_log_function() {
    let (sender, records) = mpsc::channel::<LogRecord>();
    let refused =
        Platform::open_with_log(Settings::new("/proc/must"), move |record| sender.send(record.clone()).unwrap());
    assert_eq!(refused.unwrap_err().code(), ErrorCode::DependencyUnavailable);
    assert_eq!(records.try_recv().unwrap_err(), mpsc::TryRecvError::Disconnected);
}

#[test]
fn the_end_of_a_task_that_cannot_be_written_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let (platform, records) = open_with_log(&folder, LogLevel::Error);
    let other = Connection::open(engine::database_path(folder.path())).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE UPDATE OF status ON task WHEN NEW.status IN ('done', 'failed')
             BEGIN SELECT RAISE(ABORT, 'not now'); END",
        )
        .unwrap();
    let task = platform.submit(&picture("a circle")).unwrap();
    let failure = records.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(failure.message, "the end of a task could not be written");
    assert_eq!(failure.fields["task"], task.id);
    assert_eq!(
        platform.status(&task.id).unwrap().status,
        Status::Processing,
        "an end that is not durable is not published"
    );
    let waited = platform.wait(&task.id, Some(Duration::from_millis(1200))).unwrap();
    assert_eq!(waited.status, Status::Processing, "the retries fail too");
    // The lane runs other tasks in the meantime.
    let next = platform.submit(&picture("a square")).unwrap();
    assert_eq!(records.recv_timeout(Duration::from_secs(120)).unwrap().fields["task"], next.id);
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    for id in [&task.id, &next.id] {
        let ended = platform.wait(id, Some(Duration::from_secs(60))).unwrap();
        assert_eq!(ended.status, Status::Failed);
        assert!(ended.error.unwrap().detail.contains("not now"), "the detail gives the reason");
        let stored = platform.tasks(&TaskQuery { status: Some(Status::Failed), ..Default::default() }).unwrap();
        assert!(stored.items.iter().any(|task| task.id == *id), "the end is durable");
    }
    platform.close(Duration::from_secs(10)).unwrap();
}

#[test]
fn public_types_can_be_sent_and_shared_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Platform>();
    check::<crate::Error>();
    check::<Task>();
    check::<TaskEvents>();
    check::<GenerateRequest>();
    check::<LogRecord>();
}

#[test]
fn a_repeated_submission_returns_the_first_task() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let platform = Platform::open(settings).unwrap();
    let options = |owner: &str, key: &str| SubmitOptions::default().idempotency(owner, key);
    let request = picture("a circle").set("seed", 3).set("steps", 4);
    let first = platform.submit_with(&request, &options("a", "k1")).unwrap();
    let same = picture("a circle").set("steps", 4).set("seed", 3);
    assert_eq!(
        platform.submit_with(&same, &options("a", "k1")).unwrap().id,
        first.id,
        "the order of parameters does not matter"
    );
    assert_ne!(
        platform.submit_with(&request, &options("b", "k1")).unwrap().id,
        first.id,
        "an equal key of another owner"
    );
    assert_ne!(platform.submit_with(&request, &options("a", "k2")).unwrap().id, first.id);
    for (request, key) in [(request.clone().set("seed", 4), "k1"), (request.clone(), ""), (request.clone(), "a b")] {
        let error = platform.submit_with(&request, &options("a", key)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{key:?}");
    }
    assert!(platform.cancel(&first.id).unwrap());
    assert_eq!(platform.submit_with(&request, &options("a", "k1")).unwrap().status, Status::Failed);
    platform.delete(&first.id).unwrap();
    assert_ne!(
        platform.submit_with(&request, &options("a", "k1")).unwrap().id,
        first.id,
        "the key was deleted with its task"
    );

    let before = platform.tasks(&TaskQuery::default()).unwrap().total;
    let ids: std::collections::HashSet<_> = std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| platform.submit_with(&request, &options("a", "race")).unwrap().id)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!((ids.len(), platform.tasks(&TaskQuery::default()).unwrap().total), (1, before + 1));
}
