mod clock;
mod place;

use super::store::{self, Lease};
use super::*;
use crate::audit::Caller;
use crate::error::{ErrorCode, Result};
use crate::request::{GenerateRequest, MediaType};
use crate::store::{self as engine, Store};
use crate::time::Timestamp;
use crate::{Event, LogLevel, LogRecord, Platform, Settings};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::sync::{Arc, mpsc};
use std::time::Duration;

fn row(id: &str) -> Task {
    let now = Timestamp::now();
    Task {
        id: id.to_owned(),
        workspace: None,
        place: super::place::Place::Here,
        owner: None,
        model: "tiny-image".to_owned(),
        media_type: MediaType::Image,
        mode: "txt2img".to_owned(),
        prompt: "a circle".to_owned(),
        negative_prompt: String::new(),
        parameters: crate::Fields::new(),
        seed: 7,
        width: 64,
        height: 64,
        status: Status::Pending,
        progress: 0,
        stage: "queued".to_owned(),
        stage_detail: String::new(),
        result_path: None,
        preview_path: None,
        error: None,
        created_at: now,
        updated_at: now,
        started_at: None,
        finished_at: None,
    }
}

fn with_row<T>(work: impl FnOnce(&Connection) -> Result<T> + Send + 'static) -> T
where
    T: Send + 'static,
{
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::platform::MIGRATIONS, None).unwrap();
    store
        .write(move |connection| {
            store::insert(connection, &row("a"), &[("reference_image".to_owned(), vec![1])])?;
            work(connection)
        })
        .unwrap()
}

fn claim(connection: &Connection, epoch: i64) -> Lease {
    store::claim(connection, "a", epoch, Timestamp::now()).unwrap().unwrap()
}

#[test]
fn a_task_goes_from_pending_to_done_and_then_never_changes() {
    with_row(|c| {
        let lease = claim(c, 0);
        let now = Timestamp::now();
        assert_eq!(store::claim(c, "a", 0, now)?, None, "already claimed");
        assert!(store::progress(c, "a", lease, 40, "denoising", "step 2 of 5", now)?);
        assert!(store::progress(c, "a", lease, 30, "decoding", "", now)?, "progress does not fall");
        assert_eq!(store::get(c, "a")?.progress, 40);
        assert!(store::complete(c, "a", lease, "results/a/1/result.png", "results/a/1/preview.jpg", now)?);
        let done = store::get(c, "a")?;
        assert_eq!(
            (done.status, done.progress, done.error.is_none(), done.finished_at.is_some()),
            (Status::Done, 100, true, true)
        );
        assert!(!store::fail(c, "a", Some(lease), &crate::Error::internal("late"), now)?);
        assert_eq!(store::cancel(c, "a", now)?.status, Status::Done);
        assert!(store::inputs(c, "a")?.is_empty(), "the end of a task deletes its inputs");
        for sql in [
            "UPDATE task SET status = 'pending'",
            "UPDATE task SET status = 'processing'",
            "UPDATE task SET progress = 5",
            "UPDATE task SET status = 'failed', error_code = 'x'",
        ] {
            assert!(c.execute(sql, []).is_err(), "{sql}");
        }
        Ok(())
    });
}

#[test]
fn a_lost_lease_changes_nothing() {
    with_row(|c| {
        let first = claim(c, 0);
        let (second, now) = (claim(c, first.epoch), Timestamp::now());
        assert!(!store::progress(c, "a", first, 50, "x", "", now)?);
        assert!(!store::complete(c, "a", first, "r", "p", now)?);
        assert!(!store::fail(c, "a", Some(first), &crate::Error::internal("x"), now)?);
        assert!(store::complete(c, "a", second, "r2", "p2", now)?);
        assert_eq!(store::get(c, "a")?.result_path.as_deref(), Some("r2"));
        Ok(())
    });
}

#[test]
fn the_table_refuses_inconsistent_rows() {
    with_row(|c| {
        for sql in [
            "UPDATE task SET status = 'done', finished_at = 1",
            "UPDATE task SET status = 'failed', finished_at = 1",
            "UPDATE task SET result_path = 'x'",
            "UPDATE task SET progress = 101",
            "UPDATE task SET status = 'lost'",
        ] {
            assert!(c.execute(sql, []).is_err(), "{sql}");
        }
        Ok(())
    });
}

#[test]
fn stale_tasks_fail_by_the_limit_of_their_kind() {
    with_row(|c| {
        let began = claim(c, 0).started_at;
        let fail_stale = |media_type, limit, ran| {
            let now = began.after(Duration::from_millis(ran));
            store::fail_stale(c, media_type, Duration::from_secs(limit), Timestamp(0), now)
        };
        assert!(fail_stale(MediaType::Video, 600, 600_001)?.is_empty());
        assert!(fail_stale(MediaType::Image, 700, 600_001)?.is_empty());
        assert!(fail_stale(MediaType::Image, 600, 600_000)?.is_empty());
        let stale = fail_stale(MediaType::Image, 600, 600_001)?;
        assert_eq!(stale.len(), 1);
        assert_eq!(stale[0].1.as_secs(), 600);
        let error = store::get(c, "a")?.error.unwrap();
        assert_eq!(error.code, "task_stale");
        assert!(error.detail.contains("600 s"), "{}", error.detail);
        Ok(())
    });
}

fn open(folder: &tempfile::TempDir) -> Platform {
    Platform::open(Settings::new(folder.path())).unwrap()
}

fn picture(prompt: &str) -> GenerateRequest {
    GenerateRequest::new("tiny-image", prompt).set("steps", 4).set("guidance_scale", 1.0).set("seed", 7)
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

#[test]
fn a_task_keeps_its_owner_and_listings_can_select_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let open = || Platform::open(settings.clone()).unwrap();
    let platform = open();
    let submit = |owner: Option<&str>, seed: i64| {
        let options = owner.map_or_else(SubmitOptions::default, |owner| SubmitOptions::default().owner(owner));
        platform.submit_with(&picture("a circle").set("seed", seed), &options).unwrap()
    };
    let ids: Vec<String> = (0..3)
        .flat_map(|seed| [Some("anna"), Some("Борис"), None].map(|owner| submit(owner, seed)))
        .map(|task| task.id)
        .collect();
    assert_eq!(platform.status(&ids[0]).unwrap().owner.as_deref(), Some("anna"));
    assert_eq!(platform.status(&ids[2]).unwrap().owner, None);
    platform.close(Duration::from_secs(5)).unwrap();
    let platform = open();
    let list = |owner: Option<&str>, after: Option<&str>| {
        let query =
            TaskQuery { owner: owner.map(str::to_owned), after: after.map(str::to_owned), ..TaskQuery::default() };
        platform.tasks(&query)
    };
    for (owner, at) in [("anna", 0), ("Борис", 1), ("", 2)] {
        let page = list(Some(owner), None).unwrap();
        let expected: Vec<&String> = ids.iter().skip(at).step_by(3).rev().collect();
        assert_eq!(page.items.iter().map(|task| &task.id).collect::<Vec<_>>(), expected, "{owner}");
        assert_eq!((page.total, page.has_more), (3, false));
        let own = page.items[1].id.clone();
        assert_eq!(list(Some(owner), Some(&own)).unwrap().items.len(), 1);
    }
    assert_eq!(list(None, None).unwrap().total, 9);
    let stranger = list(Some("anna"), Some(&ids[1])).unwrap_err();
    assert_eq!(
        stranger.detail(),
        list(Some("anna"), Some("nothing")).unwrap_err().detail().replace("nothing", &ids[1])
    );
    assert_eq!(list(Some("nobody"), None).unwrap().total, 0);
    assert_eq!(list(Some("anna"), None).unwrap().items[0].owner.as_deref(), Some("anna"));
    for wrong in ["", "a\nb", &"x".repeat(201)] {
        let error = platform.submit_with(&picture("a circle"), &SubmitOptions::default().owner(wrong)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{wrong:?}");
    }
    assert_eq!(platform.tasks(&TaskQuery::default()).unwrap().total, 9, "a refused submission stores nothing");
    assert_eq!(SubmitOptions::from_json(r#"{"owner": "anna"}"#).unwrap(), SubmitOptions::default().owner("anna"));
    assert!(SubmitOptions::from_json(r#"{"owners": "anna"}"#).unwrap_err().detail().contains("owners"));
}

#[test]
fn equal_idempotency_keys_of_different_task_owners_are_independent() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let platform = Platform::open(settings).unwrap();
    let submit = |options: SubmitOptions| {
        platform.submit_with(&picture("a circle").set("seed", 1), &options.idempotency("host", "one")).unwrap()
    };
    let anna = submit(SubmitOptions::default().owner("anna"));
    assert_eq!(submit(SubmitOptions::default().owner("anna")).id, anna.id);
    let (boris, nobody) = (submit(SubmitOptions::default().owner("boris")), submit(SubmitOptions::default()));
    assert_ne!(boris.id, anna.id);
    assert_ne!(nobody.id, anna.id);
    assert_eq!((boris.owner.as_deref(), nobody.owner), (Some("boris"), None));
}

#[test]
fn deleting_or_cancelling_a_task_for_its_owner_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    (settings.paused, settings.sign_in_required) = (true, true);
    let platform = Platform::open(settings).unwrap();
    let submit = || {
        let options = SubmitOptions::default().owner("key:anna");
        platform.submit_with(&picture("a secret circle"), &options).unwrap().id
    };
    let events = |action: &str| {
        let query = crate::audit::AuditQuery { action: Some(action.to_owned()), ..Default::default() };
        platform.audit().unwrap().list(&query, &Caller::new("test", "test")).unwrap().logs
    };
    let admin = Caller::new("admin:x", "192.0.2.7");
    let task = submit();
    assert_eq!(platform.delete_as(&task, &admin).unwrap_err().code(), ErrorCode::InvalidState);
    assert!(platform.cancel_as(&task, &admin).unwrap());
    assert!(!platform.cancel_as(&task, &admin).unwrap());
    let noted = events("task_cancel");
    assert_eq!(noted.iter().map(|event| event.details["was_active"].as_str()).collect::<Vec<_>>(), ["false", "true"]);
    assert_eq!((noted[0].actor.as_str(), noted[0].source.as_str()), ("admin:x", "192.0.2.7"));
    assert_eq!((&noted[0].target, noted[0].details["owner"].as_str()), (&format!("task:{task}"), "key:anna"));
    platform.delete_as(&task, &admin).unwrap();
    assert_eq!(platform.delete_as(&task, &admin).unwrap_err().code(), ErrorCode::TaskNotFound);
    let own = submit();
    assert!(platform.cancel(&own).unwrap());
    platform.delete(&own).unwrap();
    let noted = events("task_delete");
    assert_eq!(noted.iter().map(|event| event.actor.as_str()).collect::<Vec<_>>(), ["host", "admin:x"]);
    assert_eq!(noted[0].details["status"], "failed");
    assert!(noted.iter().all(|event| event.details.values().all(|value| !value.contains("circle"))));
    assert_eq!(events("task_cancel").len(), 2, "a cancellation by the host itself is not audited");
    assert!(platform.audit().unwrap().verify().unwrap().ok);
}
