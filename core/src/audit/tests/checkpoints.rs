//! Every stored checkpoint is checked: one that is missing, changed, exchanged or added is found and named.

use super::*;

/// Makes and closes a log in which most events have a commit of their own. With `anchored` it keeps its anchors.
fn log(anchored: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    (0..12).for_each(|n| drop(opened.audit.append(event(n)).unwrap()));
    opened.audit.rotate_key(Duration::ZERO, &caller()).unwrap();
    // Some commits have several events, so that some sizes have no checkpoint.
    fill(&opened, 20);
    (0..4).for_each(|n| drop(opened.audit.append(event(n)).unwrap()));
    drop(opened);
    if !anchored {
        std::fs::remove_file(folder.path().join("anchors")).unwrap();
    }
    folder
}

fn sizes(folder: &Path) -> Vec<i64> {
    let connection = Connection::open(crate::store::database_path(folder)).unwrap();
    let mut statement = connection.prepare("SELECT size FROM audit_checkpoint ORDER BY size").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(|size| size.unwrap()).collect()
}

/// Returns the fault of a copy of the log that was changed by `sql`.
fn fault_of(folder: &Path, sql: &str) -> Fault {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    Connection::open(crate::store::database_path(copy.path())).unwrap().execute_batch(sql).unwrap();
    first_fault(copy.path()).unwrap_or_else(|| panic!("not found: {sql}"))
}

#[test]
fn a_checkpoint_that_is_gone_or_changed_is_named() {
    for anchored in [true, false] {
        let whole = log(anchored);
        let all = sizes(whole.path());
        assert!(all.len() > 15 && all.contains(&20) && !all.contains(&17), "{all:?}");
        assert_eq!(first_fault(copy_all(whole.path()).path()), None);
        for size in &all {
            let expect = |what: &str, sql: &str| {
                let fault = fault_of(whole.path(), sql);
                assert_eq!((fault.damage, fault.seq as i64), (Damage::Checkpoint, size - 1), "{what}: {fault:?}");
                assert!(fault.detail.contains(&format!("the checkpoint of {size} events")), "{what}: {fault:?}");
            };
            expect("gone", &format!("DELETE FROM audit_checkpoint WHERE size = {size}"));
            for (what, change) in [
                ("a signature cut", "note = substr(note, 1, length(note) - 9) || substr(note, -1)"),
                (
                    "another size",
                    "note = replace(note, char(10) || size || char(10), char(10) || (size + 1) || char(10))",
                ),
                ("another name", "note = 'x' || note"),
                ("emptied", "note = ''"),
                ("another's", "note = (SELECT note FROM audit_checkpoint AS o WHERE o.size <> audit_checkpoint.size)"),
            ] {
                expect(what, &format!("UPDATE audit_checkpoint SET {change} WHERE size = {size}"));
            }
        }
    }
}

fn copy_all(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}

/// An attacker without a key of the log can copy existing checkpoints or sign with a foreign key.
#[test]
fn an_added_checkpoint_and_one_signed_with_a_foreign_key_are_found() {
    let whole = log(true);
    let fault = fault_of(
        whole.path(),
        "INSERT INTO audit_checkpoint SELECT 17, replace(note, char(10) || '20' || char(10), char(10) || '17' || char(10))
         FROM audit_checkpoint WHERE size = 20",
    );
    assert_eq!((fault.damage, fault.seq), (Damage::Checkpoint, 16), "{fault:?}");
    for size in [0, -3] {
        let sql = format!("INSERT INTO audit_checkpoint SELECT {size}, note FROM audit_checkpoint WHERE size = 5");
        assert_eq!(fault_of(whole.path(), &sql).damage, Damage::Checkpoint);
    }
    let sql = "INSERT INTO audit_checkpoint SELECT 1000, note FROM audit_checkpoint WHERE size = 5";
    assert_eq!(fault_of(whole.path(), sql).damage, Damage::Truncated);

    let opened = open(whole.path());
    let origin = newest_note(&opened).checkpoint.origin;
    let stranger = note::Signer::from_seed(&origin, &[9; 32]).unwrap();
    let root = opened.store.read(|connection| tree::root(&store::StoredNodes(connection), 5)).unwrap();
    let forged = note::Checkpoint { origin, size: 5, root }.sign([&stranger]);
    opened.store.write(move |connection| store::put_checkpoint(connection, 5, &forged)).unwrap();
    let fault = opened.audit.verify().unwrap().fault.unwrap();
    assert_eq!((fault.damage, fault.seq), (Damage::Checkpoint, 4));
    assert!(fault.detail.contains("is not signed with a key of this log"), "{fault:?}");
}

/// A fault of the events is reported before a fault of the checkpoints.
#[test]
fn a_bad_event_is_named_before_a_bad_checkpoint() {
    let whole = log(true);
    let fault = fault_of(
        whole.path(),
        "DELETE FROM audit_checkpoint WHERE size = 3; DROP TRIGGER audit_event_update; UPDATE audit_event SET actor = 'nobody' WHERE seq = 9",
    );
    assert_eq!((fault.damage, fault.seq), (Damage::Altered, 9), "{fault:?}");
}

#[test]
fn checkpoints_are_also_checked_after_pruning() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let opened = open_with(folder.path(), "audit.key", None, &clock);
    fill(&opened, 511);
    (0..3).for_each(|n| drop(opened.audit.append(event(n)).unwrap()));
    fill(&opened, 700);
    clock.advance(DAY * 91);
    assert_eq!(opened.audit.prune(DAY * 90, &caller()).unwrap().min_index, 512);
    assert!(opened.audit.verify().unwrap().ok);
    drop(opened);
    let all = sizes(folder.path());
    assert_eq!(all[0], 512, "the checkpoint of exactly the pruned events stays");
    assert_eq!(first_fault(copy_all(folder.path()).path()), None);
    for size in &all[..3] {
        let changed = format!("UPDATE audit_checkpoint SET note = '' WHERE size = {size}");
        let gone = format!("DELETE FROM audit_checkpoint WHERE size = {size}");
        for sql in [changed, gone] {
            let fault = fault_of(folder.path(), &sql);
            assert_eq!((fault.damage, fault.seq as i64), (Damage::Checkpoint, size - 1), "{sql}: {fault:?}");
        }
    }
    let sql = "INSERT INTO audit_checkpoint SELECT 300, note FROM audit_checkpoint WHERE size = 512";
    assert_eq!(fault_of(folder.path(), sql).damage, Damage::Checkpoint);
}

/// A restored backup ends before the anchored size; recovery removes the checkpoints beyond the restored events.
#[test]
fn a_log_that_was_cut_and_recovered_is_whole_under_its_new_name() {
    let whole = log(true);
    let path = crate::store::database_path(whole.path());
    Connection::open(path)
        .unwrap()
        .execute_batch(
            "DROP TRIGGER audit_event_delete; DELETE FROM audit_event WHERE seq >= 6; DELETE FROM audit_node WHERE (idx + 1) << level > 6",
        )
        .unwrap();
    let opened = open(whole.path());
    assert_eq!(opened.audit.verify().unwrap().fault.unwrap().damage, Damage::Truncated);
    let event = opened.audit.recover(&caller(), "the end was cut").unwrap();
    assert_ne!(event.details["checkpoints_removed"], "0");
    (0..20).for_each(|n| drop(opened.audit.append(self::event(n)).unwrap()));
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!(verdict.checkpoints, verdict.size);
}
