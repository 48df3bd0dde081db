//! The rows of tasks in the database: leases, states, and what the table refuses.

use crate::error::Result;
use crate::request::MediaType;
use crate::store::Store;
use crate::task::place::Place;
use crate::task::store::{self, Lease};
use crate::task::{Status, Task};
use crate::time::Timestamp;
use rusqlite::Connection;
use std::time::Duration;

fn row(id: &str) -> Task {
    let now = Timestamp::now();
    Task {
        id: id.to_owned(),
        workspace: None,
        place: Place::Here,
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
