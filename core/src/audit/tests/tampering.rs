//! A log of 1,000 events, damaged in every place while the platform is open.

use super::*;
use rusqlite::params;

const SIZE: i64 = 1000;

/// An open log of [`SIZE`] events, and a second connection that changes it without the platform's knowledge.
struct DamagedLog {
    opened: Opened,
    direct: Connection,
    _folder: tempfile::TempDir,
}

impl DamagedLog {
    fn new() -> Self {
        let folder = log_of(SIZE as u64);
        let opened = open(folder.path());
        let size = opened.audit.verify().unwrap().size;
        damage(folder.path(), |_| ());
        let direct = Connection::open(crate::store::database_path(folder.path())).unwrap();
        assert!(size >= SIZE as u64);
        Self { opened, direct, _folder: folder }
    }

    fn leaf(&self, seq: i64) -> Vec<u8> {
        self.direct.query_row("SELECT leaf FROM audit_event WHERE seq = ?", [seq], |row| row.get(0)).unwrap()
    }

    fn put(&self, seq: i64, leaf: &[u8]) {
        self.direct.execute("UPDATE audit_event SET leaf = ? WHERE seq = ?", params![leaf, seq]).unwrap();
    }

    fn fault(&self) -> Option<Fault> {
        self.opened.audit.verify().unwrap().fault
    }

    fn expect(&self, what: &str, seq: i64, damage: Damage) {
        let fault = self.fault().unwrap_or_else(|| panic!("{what} was not found"));
        assert_eq!((fault.seq, fault.damage), (seq as u64, damage), "{what}: {}", fault.detail);
    }
}

#[test]
fn a_change_of_any_byte_of_a_leaf_or_of_one_byte_of_any_leaf_is_found() {
    let damaged = DamagedLog::new();
    let whole = damaged.leaf(500);
    for at in 0..whole.len() {
        let mut leaf = whole.clone();
        leaf[at] ^= 1 << (at % 8);
        damaged.put(500, &leaf);
        damaged.expect("a changed byte", 500, Damage::Altered);
    }
    damaged.put(500, &whole);
    for seq in (0..SIZE).step_by(9) {
        let whole = damaged.leaf(seq);
        let mut leaf = whole.clone();
        let at = (seq as usize * 7) % leaf.len();
        leaf[at] ^= 0x80;
        damaged.put(seq, &leaf);
        damaged.expect("a changed byte", seq, Damage::Altered);
        damaged.put(seq, &whole);
    }
    assert_eq!(damaged.fault(), None, "with the leaf restored, the log is whole");
}

#[test]
fn removed_exchanged_and_inserted_rows_are_found() {
    let damaged = DamagedLog::new();
    let run = |sql: &str| damaged.direct.execute_batch(sql).unwrap();
    run("CREATE TABLE kept AS SELECT * FROM audit_event");
    let restore = || run("DELETE FROM audit_event; INSERT INTO audit_event SELECT * FROM kept");
    for seq in (0..SIZE - 1).step_by(83) {
        run(&format!("DELETE FROM audit_event WHERE seq = {seq}"));
        damaged.expect("a removed row", seq, Damage::Missing);
        restore();
        let next = seq + 1;
        run(&format!(
            "UPDATE audit_event SET seq = -1 WHERE seq = {seq}; UPDATE audit_event SET seq = {seq} WHERE seq = {next};
             UPDATE audit_event SET seq = {next} WHERE seq = -1"
        ));
        damaged.expect("two rows exchanged", seq, Damage::Altered);
        restore();
        run(&format!(
            "UPDATE audit_event SET seq = -2 - seq WHERE seq > {seq}; UPDATE audit_event SET seq = -1 - seq WHERE seq < 0;
             INSERT INTO audit_event SELECT {next}, ts, actor, action, outcome, leaf, leaf_hash FROM kept WHERE seq = {seq}"
        ));
        damaged.expect("an inserted row", next, Damage::Altered);
        restore();
    }
    assert_eq!(damaged.fault(), None, "with the rows restored, the log is whole");
}

#[test]
fn a_cut_tail_of_any_length_is_found() {
    let damaged = DamagedLog::new();
    let size = damaged.opened.audit.verify().unwrap().size as i64;
    for left in (0..size).rev().filter(|left| *left > size - 40 || *left < 3 || left % 61 == 0 || left % 256 < 2) {
        let params = [left];
        damaged.direct.execute("DELETE FROM audit_event WHERE seq >= ?", params).unwrap();
        damaged.direct.execute("DELETE FROM audit_node WHERE (idx + 1) << level > ?", params).unwrap();
        damaged.direct.execute("DELETE FROM audit_checkpoint WHERE size > ?", params).unwrap();
        damaged.expect("a cut tail", left, Damage::Truncated);
    }
}
