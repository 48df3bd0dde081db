//! The column `place`: its values after a migration of an older database, and the values that it allows.

use crate::error::{Error, ErrorCode, Result};
use crate::platform::MIGRATIONS;
use crate::store::Store;
use crate::task::place::Place;
use crate::task::{TaskQuery, store};
use crate::time::Timestamp;
use rusqlite::{Connection, params};

/// Tasks of a database without the column: id, workspace, status, and the place that each must get.
const OLD_TASKS: [(&str, Option<&str>, &str, Place); 9] = [
    ("here-pending", None, "pending", Place::Here),
    ("here-processing", None, "processing", Place::Here),
    ("here-done", None, "done", Place::Here),
    ("on-its-way", Some("team-a"), "pending", Place::Sending),
    ("cancelled-on-its-way", Some("team-a"), "failed", Place::Here),
    ("team-a::pending", Some("team-a"), "pending", Place::Sent),
    ("team-a::processing", Some("team-a"), "processing", Place::Sent),
    ("team-a::done", Some("team-a"), "done", Place::Sent),
    ("team-a::failed", Some("team-a"), "failed", Place::Sent),
];

fn insert_old(connection: &Connection, id: &str, workspace: Option<&str>, status: &str) -> Result<()> {
    let ended = matches!(status, "done" | "failed");
    connection.execute(
        "INSERT INTO task (id, workspace, model, type, mode, prompt, negative_prompt, parameters, seed, width, height, stage,
             created_at, updated_at, status, result_path, error_code, started_at, finished_at)
         VALUES (?1, ?2, 'tiny-image', 'image', 'txt2img', 'a circle', '', '{}', 7, 64, 64, 'queued', 1, 1, ?3,
             iif(?3 = 'done', 'results/x/1/result.png', NULL), iif(?3 = 'failed', 'cancelled', NULL),
             iif(?3 = 'processing', 1, NULL), iif(?4, 1, NULL))",
        params![id, workspace, status, ended],
    )?;
    Ok(())
}

/// Returns a migrated database that had these tasks before the migration.
fn migrated() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let places = MIGRATIONS.iter().position(|step| step.name == crate::task::PLACE_MIGRATION.name).unwrap();
    let before = Store::open(folder.path(), &MIGRATIONS[..places], None).unwrap();
    before
        .write(|connection| {
            OLD_TASKS.iter().try_for_each(|(id, workspace, status, _)| insert_old(connection, id, *workspace, status))
        })
        .unwrap();
    before.close();
    let store = Store::open(folder.path(), MIGRATIONS, None).unwrap();
    (folder, store)
}

fn given_up(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT id FROM worker_given_up ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn a_migration_gives_old_tasks_their_place() {
    let (_folder, store) = migrated();
    store
        .read(|connection| {
            for (id, workspace, status, place) in OLD_TASKS {
                let task = store::get(connection, id)?;
                assert_eq!((task.place, task.workspace.as_deref(), task.status.as_str()), (place, workspace, status));
            }
            let listed = store::page(connection, &TaskQuery::default())?;
            assert!(listed.items.iter().all(|task| task.id != "on-its-way"), "no caller is told its id");
            assert_eq!((listed.total, listed.items.len()), (8, 8));
            let here = store::unfinished(connection)?;
            let here: Vec<_> = here.iter().map(|unfinished| unfinished.task.id.as_str()).collect();
            assert_eq!(here, ["here-pending", "here-processing"], "the tasks that a lane runs after a restart");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_failed_task_must_be_cancelled_at_its_worker_and_is_no_longer_on_its_way() {
    let (_folder, store) = migrated();
    store
        .write(|connection| {
            let error = Error::new(ErrorCode::Cancelled, "unwanted");
            for (id, _, status, _) in OLD_TASKS {
                let active = matches!(status, "pending" | "processing");
                assert_eq!(store::fail(connection, id, None, &error, Timestamp(5))?, active, "{id}");
            }
            assert_eq!(given_up(connection), ["team-a::pending", "team-a::processing"]);
            let ended = store::get(connection, "on-its-way")?;
            assert_eq!((ended.place, ended.workspace.as_deref()), (Place::Here, Some("team-a")));
            assert_eq!(store::page(connection, &TaskQuery::default())?.total, 9, "the ended task is listed");
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_table_refuses_inconsistent_places() {
    let (_folder, store) = migrated();
    store
        .write(|connection| {
            for wrong in [
                "UPDATE task SET place = 'sent' WHERE id = 'here-pending'",
                "UPDATE task SET place = 'sending' WHERE id = 'team-a::pending'",
                "UPDATE task SET place = 'here' WHERE id = 'team-a::pending'",
                "UPDATE task SET place = 'lost' WHERE id = 'on-its-way'",
                "UPDATE task SET workspace = NULL WHERE id = 'on-its-way'",
                "UPDATE task SET status = 'processing' WHERE id = 'on-its-way'",
            ] {
                assert!(connection.execute(wrong, []).is_err(), "{wrong}");
            }
            Ok(())
        })
        .unwrap();
}
