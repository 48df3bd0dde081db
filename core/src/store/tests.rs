use super::*;
use std::sync::Arc;

const SCHEMA: &[Migration] =
    &[Migration { name: "numbers", sql: "CREATE TABLE number (value INTEGER PRIMARY KEY) STRICT" }];

fn insert(connection: &Connection, value: i64) -> Result<()> {
    connection.prepare_cached("INSERT INTO number VALUES (?)")?.execute([value])?;
    Ok(())
}

fn count(store: &Store) -> i64 {
    store.read(|c| Ok(c.query_row("SELECT count(*) FROM number", [], |row| row.get(0))?)).unwrap()
}

/// `.cargo/config.toml` sets these options and `-DHAVE_FDATASYNC`, which SQLite does not report.
#[test]
fn sqlite_is_compiled_with_our_flags() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SCHEMA, None).unwrap();
    for (option, expected) in [("DEFAULT_MEMSTATUS=0", true), ("ENABLE_FTS5", false), ("ENABLE_RTREE", false)] {
        let used = "SELECT sqlite_compileoption_used(?)";
        let used: bool = store.read(|c| Ok(c.query_row(used, [option], |row| row.get(0))?)).unwrap();
        assert_eq!(used, expected, "{option}");
    }
}

/// Tokio lets its channels be ready 128 times in a task that does not yield.
#[test]
fn a_task_of_the_hosts_runtime_may_write_often() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SCHEMA, None).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let host = tokio::runtime::Builder::new_current_thread().build().unwrap();
        host.block_on(async { (0..200).for_each(|n| store.write(move |c| insert(c, n)).unwrap()) });
        tell.send(count(&store)).unwrap();
    });
    assert_eq!(told.recv_timeout(std::time::Duration::from_mins(2)), Ok(200));
}

#[test]
fn a_failing_write_undoes_no_other_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), SCHEMA, None).unwrap());
    let threads: Vec<_> = (0..64)
        .map(|n| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || {
                store.write(move |c| {
                    insert(c, n)?;
                    if n % 4 == 0 { Err(Error::validation("no")) } else { Ok(n) }
                })
            })
        })
        .collect();
    for (n, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap().is_ok(), n % 4 != 0);
    }
    assert_eq!(count(&store), 48);
    let panicked = store.write(|_| -> Result<()> { panic!("in a write") }).unwrap_err();
    assert_eq!((panicked.code(), panicked.detail()), (ErrorCode::Internal, "a write panicked"));
    store.write(|c| insert(c, 1000)).unwrap();
    assert_eq!(count(&store), 49);
}

#[test]
fn a_failing_statement_undoes_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SCHEMA, None).unwrap();
    store.write(|c| insert(c, 5)).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    // While the first write waits, the others queue up. They share the next transaction.
    let (begin, begun) = std::sync::mpsc::channel();
    let (let_go, wait) = std::sync::mpsc::channel::<()>();
    store.write_later(move |_| {
        begin.send(()).unwrap();
        wait.recv().map_err(|_| connection::closed())
    });
    begun.recv().unwrap();
    // The third of these statements stores one row before it fails at the next one.
    for sql in [
        "INSERT INTO number VALUES (1)",
        "INSERT INTO number VALUES (5)",
        "INSERT INTO number VALUES (2), (5)",
        "INSERT INTO number VALUES (3)",
    ] {
        let tell = tell.clone();
        let work = move |c: &Connection| Ok(c.execute(sql, [])?);
        store.write_then(Undo::Statement, work, move |outcome| tell.send(outcome.is_ok()).unwrap()).unwrap();
    }
    let_go.send(()).unwrap();
    drop(tell);
    assert_eq!(told.iter().collect::<Vec<_>>(), [true, false, false, true]);
    assert_eq!(count(&store), 3, "1, 3 and 5");
}

#[test]
fn the_callback_of_a_write_runs_after_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), SCHEMA, None).unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    let (reader, tell_again) = (Arc::clone(&store), tell.clone());
    store
        .write_then(Undo::Savepoint, |c| insert(c, 1), move |outcome| tell.send((outcome, count(&reader))).unwrap())
        .unwrap();
    let (outcome, seen) = told.recv().unwrap();
    assert!(outcome.is_ok() && seen == 1);
    let refuse = |_: &Connection| -> Result<()> { Err(Error::validation("no")) };
    store.write_then(Undo::Savepoint, refuse, move |outcome| tell_again.send((outcome, 0)).unwrap()).unwrap();
    assert_eq!(told.recv().unwrap().0.unwrap_err().code(), ErrorCode::ValidationError);
    store.write_then(Undo::Savepoint, |c| insert(c, 2), |_| panic!("in the callback of a write")).unwrap();
    store.write(|c| insert(c, 3)).unwrap();
    assert_eq!(count(&store), 3);
    store.close();
    assert_eq!(
        store.write_then(Undo::Savepoint, |c| insert(c, 4), |_| ()).unwrap_err().code(),
        ErrorCode::InvalidState
    );
}

#[test]
fn a_folder_is_locked_until_its_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), SCHEMA, None).unwrap();
    store.write(|c| insert(c, 7)).unwrap();
    let second = Store::open(folder.path(), SCHEMA, None).map(|_| ()).unwrap_err();
    assert_eq!(second.code(), ErrorCode::DataDirLocked);
    assert!(second.detail().contains(&std::process::id().to_string()), "{second}");
    store.close();
    assert_eq!(store.write(|c| insert(c, 8)).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(store.read(|_| Ok(())).unwrap_err().code(), ErrorCode::InvalidState);
    drop(store);
    assert_eq!(count(&Store::open(folder.path(), SCHEMA, None).unwrap()), 1);
}

#[test]
fn a_damaged_or_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(database_path(folder.path()), vec![7_u8; 8192]).unwrap();
    assert_eq!(Store::open(folder.path(), SCHEMA, None).map(|_| ()).unwrap_err().code(), ErrorCode::StorageCorrupt);
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), SCHEMA, None).unwrap());
    assert_eq!(Store::open(folder.path(), &[], None).map(|_| ()).unwrap_err().code(), ErrorCode::DependencyUnavailable);
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    assert_eq!(Store::open(&path, SCHEMA, None).map(|_| ()).unwrap_err().code(), ErrorCode::DependencyUnavailable);
}

#[test]
fn a_write_to_a_full_disk_fails_and_earlier_data_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(folder.path(), &[Migration { name: "blobs", sql: "CREATE TABLE blob (b BLOB)" }], None).unwrap();
    store.write(|c| Ok(c.execute_batch("PRAGMA max_page_count=50")?)).unwrap();
    let big =
        store.write(|c| Ok(c.execute("INSERT INTO blob VALUES (zeroblob(1000000))", []).map(|_| ())?)).unwrap_err();
    assert_eq!(big.code(), ErrorCode::StorageFull, "{big}");
    store.write(|c| Ok(c.execute("INSERT INTO blob VALUES (x'00')", []).map(|_| ())?)).unwrap();
}

const BLOBS: &[Migration] =
    &[Migration { name: "blobs", sql: "CREATE TABLE blob (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT" }];

fn log_size(folder: &Path) -> u64 {
    let mut log = database_path(folder).into_os_string();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |data| data.len())
}

fn blobs(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT count(*) FROM blob", [], |row| row.get(0))?)
}

/// Writes one megabyte in its own transaction.
fn write_blob(store: &Store) {
    let insert = |c: &Connection| Ok(c.execute("INSERT INTO blob (data) VALUES (zeroblob(1048576))", [])?);
    store.write(insert).unwrap();
}

/// Reads from the log's header how often the log was restarted: <https://sqlite.org/fileformat2.html#the_write_ahead_log>. There
/// are no locks on this file, so closing it here breaks none.
fn log_restarts(folder: &Path) -> u32 {
    let mut log = database_path(folder).into_os_string();
    log.push("-wal");
    let mut head = [0; 16];
    std::io::Read::read_exact(&mut std::fs::File::open(log).unwrap(), &mut head).unwrap();
    u32::from_be_bytes(head[12..].try_into().unwrap())
}

/// Writes until the log was restarted this many times. Returns the number of writes.
fn write_until_restarted(store: &Store, folder: &Path, times: u32) -> i64 {
    let before = log_restarts(folder);
    for count in 1..=1000 {
        write_blob(store);
        if count % 4 == 0 && log_restarts(folder) >= before + times {
            return count;
        }
    }
    panic!("after 1000 megabytes the log was restarted {} times", log_restarts(folder) - before);
}

#[test]
fn the_log_does_not_grow_with_the_number_of_writes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), BLOBS, None).unwrap();
    write_blob(&store);
    let count = write_until_restarted(&store, folder.path(), 3);
    assert_eq!(store.read(blobs).unwrap(), count + 1);
    store.close();
    assert_eq!(log_size(folder.path()), 0, "a clean close leaves no log behind");
}

#[test]
fn a_long_read_delays_no_write_and_the_log_is_restarted_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path(), BLOBS, None).unwrap());
    write_blob(&store);
    let (began, go) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let reading = Arc::clone(&store);
    let reader = std::thread::spawn(move || {
        reading.read(|c| {
            let transaction = c.unchecked_transaction()?;
            let before = blobs(&transaction)?;
            began.send(()).unwrap();
            wait.recv().unwrap();
            Ok((before, blobs(&transaction)?))
        })
    });
    go.recv().unwrap();
    for _ in 0..90 {
        write_blob(&store);
    }
    let size = log_size(folder.path());
    assert!(size > 80 << 20, "the log keeps the pages that a reader may still need: {size} bytes");
    done.send(()).unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), (1, 1), "the reader sees the state at its beginning");
    let more = write_until_restarted(&store, folder.path(), 1);
    assert_eq!(store.read(blobs).unwrap(), 91 + more);
}
