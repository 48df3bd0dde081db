//! A log of 1,000 events, damaged in every place, with the platform open all the while.

use super::*;
use rusqlite::params;

const SIZE: i64 = 1000;

/// An open log of [`SIZE`] events, and a connection behind its back.
struct Victim {
    opened: Opened,
    behind: Connection,
    _folder: tempfile::TempDir,
}

impl Victim {
    fn new() -> Self {
        let folder = log_of(SIZE as u64);
        let opened = open(folder.path());
        let size = opened.audit.verify().unwrap().size;
        damage(folder.path(), |_| ());
        let behind = Connection::open(crate::store::database_path(folder.path())).unwrap();
        assert!(size >= SIZE as u64);
        Self { opened, behind, _folder: folder }
    }

    fn leaf(&self, seq: i64) -> Vec<u8> {
        self.behind.query_row("SELECT leaf FROM audit_event WHERE seq = ?", [seq], |row| row.get(0)).unwrap()
    }

    fn put(&self, seq: i64, leaf: &[u8]) {
        self.behind.execute("UPDATE audit_event SET leaf = ? WHERE seq = ?", params![leaf, seq]).unwrap();
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
fn each_byte_of_a_leaf_and_a_byte_of_each_leaf() {
    let victim = Victim::new();
    let whole = victim.leaf(500);
    for at in 0..whole.len() {
        let mut leaf = whole.clone();
        leaf[at] ^= 1 << (at % 8);
        victim.put(500, &leaf);
        victim.expect("a changed byte", 500, Damage::Altered);
    }
    victim.put(500, &whole);
    for seq in (0..SIZE).step_by(9) {
        let whole = victim.leaf(seq);
        let mut leaf = whole.clone();
        let at = (seq as usize * 7) % leaf.len();
        leaf[at] ^= 0x80;
        victim.put(seq, &leaf);
        victim.expect("a changed byte", seq, Damage::Altered);
        victim.put(seq, &whole);
    }
    assert_eq!(victim.fault(), None, "put back, the log is whole");
}

#[test]
fn rows_removed_exchanged_and_inserted() {
    let victim = Victim::new();
    let run = |sql: &str| victim.behind.execute_batch(sql).unwrap();
    run("CREATE TABLE kept AS SELECT * FROM audit_event");
    let restore = || run("DELETE FROM audit_event; INSERT INTO audit_event SELECT * FROM kept");
    for seq in (0..SIZE - 1).step_by(83) {
        run(&format!("DELETE FROM audit_event WHERE seq = {seq}"));
        victim.expect("a removed row", seq, Damage::Missing);
        restore();
        let next = seq + 1;
        run(&format!(
            "UPDATE audit_event SET seq = -1 WHERE seq = {seq}; UPDATE audit_event SET seq = {seq} WHERE seq = {next};
             UPDATE audit_event SET seq = {next} WHERE seq = -1"
        ));
        victim.expect("two rows exchanged", seq, Damage::Altered);
        restore();
        run(&format!(
            "UPDATE audit_event SET seq = -2 - seq WHERE seq > {seq}; UPDATE audit_event SET seq = -1 - seq WHERE seq < 0;
             INSERT INTO audit_event SELECT {next}, ts, actor, action, outcome, leaf, leaf_hash FROM kept WHERE seq = {seq}"
        ));
        victim.expect("an inserted row", next, Damage::Altered);
        restore();
    }
    assert_eq!(victim.fault(), None, "put back, the log is whole");
}

#[test]
fn a_tail_of_any_length_cut_off() {
    let victim = Victim::new();
    let size = victim.opened.audit.verify().unwrap().size as i64;
    for left in (0..size).rev().filter(|left| *left > size - 40 || *left < 3 || left % 61 == 0 || left % 256 < 2) {
        let params = [left];
        victim.behind.execute("DELETE FROM audit_event WHERE seq >= ?", params).unwrap();
        victim.behind.execute("DELETE FROM audit_node WHERE (idx + 1) << level > ?", params).unwrap();
        victim.behind.execute("DELETE FROM audit_checkpoint WHERE size > ?", params).unwrap();
        victim.expect("a cut tail", left, Damage::Truncated);
    }
}
