//! The audit log while it grows, and when somebody damages it.

mod checkpoints;
mod formats;
mod tampering;
mod version_1;

use super::note::{SignedCheckpoint, Verifier};
use super::signing::Signing;
use super::tree::{self, Hash, Nodes};
use super::*;
use crate::error::{ErrorCode, Result};
use crate::keyring::KeySource;
use crate::store::Store;
use crate::time::Timestamp;
use crate::time::{Clock as _, ManualClock};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)))
}

struct Opened {
    store: Arc<Store>,
    audit: Audit,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.audit.close();
        self.store.close();
    }
}

fn open_with(folder: &Path, key: &str, anchor: Option<AnchorCallback>, clock: &Arc<ManualClock>) -> Opened {
    let signing = Signing::new(KeySource::File(folder.join(key)), folder.join("anchors"), anchor);
    let store = Arc::new(Store::open(folder, &[MIGRATION, OVERLAP_MIGRATION], Some(signing.hook())).unwrap());
    let clock: Arc<ManualClock> = Arc::clone(clock);
    Opened { audit: Audit::start(Arc::clone(&store), clock, signing).unwrap(), store }
}

fn open(folder: &Path) -> Opened {
    open_with(folder, "audit.key", None, &clock())
}

fn caller() -> Caller {
    Caller { actor: "tester".into(), source: "test".into(), correlation_id: "c-1".into() }
}

fn event(n: u64) -> NewEvent {
    caller().event("test", format!("thing:{n}"), Outcome::Success)
}

/// Appends until the log has `size` events, all in one transaction.
fn fill(opened: &Opened, size: u64) {
    opened
        .store
        .write(move |connection| {
            let (have, ..) = store::tip(connection)?;
            (have..size).try_for_each(|n| store::append(connection, event(n), Timestamp(1_700_000_000_000)).map(drop))
        })
        .unwrap();
}

/// Makes and closes a database of `size` events. Returns its folder.
fn log_of(size: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    fill(&opened, size - 1);
    drop(opened);
    folder
}

/// Changes the database without the platform, and without its triggers.
fn damage(folder: &Path, work: impl FnOnce(&Connection)) {
    let connection = Connection::open(crate::store::database_path(folder)).unwrap();
    connection.execute_batch("DROP TRIGGER audit_event_update; DROP TRIGGER audit_event_delete").unwrap();
    work(&connection);
}

fn copy(from: &Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for name in ["must.db", "audit.key", "anchors"] {
        std::fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    to
}

/// Opens a log and returns its first fault. Opening may add a start event.
fn first_fault(folder: &Path) -> Option<Fault> {
    open(folder).audit.verify().unwrap().fault
}

struct Leaves(Vec<Hash>);

impl Nodes for Leaves {
    fn node(&self, level: u32, index: u64) -> Result<Hash> {
        if level == 0 {
            return Ok(self.0[index as usize]);
        }
        Ok(tree::node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }
}

fn decode_bytes(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap()
}

#[test]
fn a_log_of_any_size_is_whole() {
    for size in [1, 2, 255, 256, 257, 1000, 65_536] {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path());
        fill(&opened, size);
        let verdict = opened.audit.verify().unwrap();
        assert!(verdict.ok, "{verdict:?}");
        assert_eq!((verdict.size, verdict.min_index), (size, 0));
        assert_eq!(verdict.checkpoints, if size == 1 { 1 } else { 2 });
        assert!(verdict.anchors > 0);
    }
}

#[test]
fn a_change_and_its_event_are_stored_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        opened.store.read(|c| Ok(c.query_row(&sql, [], |row| row.get(0))?)).unwrap()
    };
    opened.store.write(|c| Ok(c.execute_batch("CREATE TABLE thing (n INTEGER)")?)).unwrap();
    let before = count("audit_event");
    fn insert(c: &Connection) -> Result<usize> {
        Ok(c.execute("INSERT INTO thing VALUES (1)", [])?)
    }
    opened.audit.record(move |c| Ok((insert(c)?, event(1)))).unwrap();
    assert_eq!((count("thing"), count("audit_event")), (1, before + 1));
    let nameless = NewEvent { actor: String::new(), ..event(2) };
    let refused = opened.audit.record(move |c| Ok((insert(c)?, nameless))).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ValidationError);
    assert_eq!((count("thing"), count("audit_event")), (1, before + 1));
}

#[test]
fn every_damage_is_found_and_named() {
    let whole = log_of(300);
    assert_eq!(first_fault(copy(whole.path()).path()), None);
    let expect = |what: &str, seq: Option<u64>, kinds: &[Damage], work: &dyn Fn(&Connection)| {
        let folder = copy(whole.path());
        damage(folder.path(), work);
        let fault = first_fault(folder.path()).unwrap_or_else(|| panic!("{what} was not found"));
        assert!(kinds.contains(&fault.damage), "{what}: {fault:?}");
        if let Some(seq) = seq {
            assert_eq!(fault.seq, seq, "{what}: {fault:?}");
        }
    };
    for (seq, at) in [(0_u64, 1), (77, 20), (150, 60), (298, 120)] {
        expect("a changed byte", Some(seq), &[Damage::Altered], &|c| {
            let mut leaf: Vec<u8> =
                c.query_row("SELECT leaf FROM audit_event WHERE seq = ?", [seq as i64], |row| row.get(0)).unwrap();
            leaf[at] ^= 4;
            c.execute("UPDATE audit_event SET leaf = ? WHERE seq = ?", rusqlite::params![leaf, seq as i64]).unwrap();
        });
    }
    expect("a changed column", Some(40), &[Damage::Altered], &|c| {
        c.execute("UPDATE audit_event SET actor = 'nobody' WHERE seq = 40", []).unwrap();
    });
    expect("a removed row", Some(120), &[Damage::Missing], &|c| {
        c.execute("DELETE FROM audit_event WHERE seq = 120", []).unwrap();
    });
    expect("two rows exchanged", Some(10), &[Damage::Altered], &|c| {
        c.execute_batch(
            "UPDATE audit_event SET seq = -1 WHERE seq = 10; UPDATE audit_event SET seq = 10 WHERE seq = 11;
             UPDATE audit_event SET seq = 11 WHERE seq = -1;",
        )
        .unwrap();
    });
    expect("a forged leaf with its hash", Some(100), &[Damage::BrokenChain], &|c| {
        let (leaf, _): (Vec<u8>, i64) = c
            .query_row("SELECT leaf, seq FROM audit_event WHERE seq = 99", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let forged = String::from_utf8(leaf).unwrap().replace("thing:99", "thing:98").into_bytes();
        c.execute(
            "UPDATE audit_event SET leaf = ?1, leaf_hash = ?2 WHERE seq = 99",
            rusqlite::params![forged, tree::leaf_hash(&forged)],
        )
        .unwrap();
    });
    expect("a changed node", Some(8), &[Damage::Tree], &|c| {
        c.execute("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 2 AND idx = 2", []).unwrap();
    });
    expect("a forged checkpoint", None, &[Damage::Checkpoint], &|c| {
        c.execute("UPDATE audit_checkpoint SET note = replace(note, char(10), char(13))", []).unwrap();
    });
    for cut in [1_i64, 2, 44, 299] {
        expect("a cut tail", Some(300 - cut as u64), &[Damage::Truncated], &|c| {
            c.execute("DELETE FROM audit_event WHERE seq >= ?", [300 - cut]).unwrap();
            c.execute("DELETE FROM audit_node WHERE (idx + 1) << level > ?", [300 - cut]).unwrap();
            c.execute("DELETE FROM audit_checkpoint", []).unwrap();
        });
    }
}

/// A holder of the signing key can make a log that is consistent in itself: only the anchors show that it was rewritten.
#[test]
fn a_log_that_was_rewritten_is_found_by_its_anchors() {
    for key in ["audit.key", "other.key"] {
        let folder = log_of(300);
        let origin: String = Connection::open(crate::store::database_path(folder.path()))
            .unwrap()
            .query_row("SELECT origin FROM audit_log", [], |row| row.get(0))
            .unwrap();
        std::fs::rename(folder.path().join("anchors"), folder.path().join("kept")).unwrap();
        std::fs::remove_file(folder.path().join("must.db")).unwrap();
        {
            let forged = open_with(folder.path(), key, None, &clock());
            fill(&forged, 320);
        }
        damage(folder.path(), |c| {
            c.execute("UPDATE audit_log SET origin = ?", [&origin]).unwrap();
        });
        std::fs::rename(folder.path().join("kept"), folder.path().join("anchors")).unwrap();
        let opened = open(folder.path());
        assert_eq!(opened.audit.append(event(1)).unwrap_err().code(), ErrorCode::DependencyUnavailable);
        let fault = opened.audit.verify().unwrap().fault.unwrap();
        assert_eq!(fault.damage, Damage::Rewritten, "{fault:?}");
    }
}

#[test]
fn a_missing_database_is_noticed_and_recovery_records_it() {
    let folder = log_of(20);
    std::fs::remove_file(folder.path().join("must.db")).unwrap();
    let opened = open(folder.path());
    let refused = opened.audit.append(event(1)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DependencyUnavailable);
    let event = opened.audit.recover(&caller(), "the disk was replaced").unwrap();
    assert_eq!(event.action, "audit_recover");
    assert_eq!(event.details["anchored_size"], "20");
    opened.audit.append(self::event(1)).unwrap();
    assert!(opened.audit.verify().unwrap().ok);
    assert_eq!(opened.audit.recover(&caller(), "again").unwrap_err().code(), ErrorCode::InvalidState);
    drop(opened);
    assert_eq!(first_fault(folder.path()), None);
}

#[test]
fn without_its_key_or_its_anchors_nothing_is_appended() {
    let folder = log_of(5);
    std::fs::rename(folder.path().join("audit.key"), folder.path().join("away")).unwrap();
    let opened = open(folder.path());
    let refused = opened.audit.append(event(1)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DependencyUnavailable);
    assert!(refused.user_action().contains("audit recover"), "{refused:?}");
    assert!(!folder.path().join("audit.key").exists(), "no new key is made for an existing log");
    let recovered = opened.audit.recover(&caller(), "the key is lost").unwrap();
    assert!(recovered.details.contains_key("old_verifier") && recovered.details.contains_key("verifier"));
    opened.audit.append(event(1)).unwrap();
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "the log names the verifier of the lost key, so its signatures still verify: {verdict:?}");
    drop(opened);

    let folder = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(true));
    let keeps = Arc::clone(&kept);
    let host: AnchorCallback = Arc::new(move |_| if *keeps.lock() { Ok(()) } else { Err("no room".into()) });
    let opened = open_with(folder.path(), "audit.key", Some(host), &clock());
    opened.audit.append(event(1)).unwrap();
    *kept.lock() = false;
    opened.audit.append(event(2)).unwrap();
    let size = opened.audit.verify().unwrap().size;
    assert_eq!(opened.audit.append(event(3)).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    assert_eq!(opened.audit.verify().unwrap().size, size);
    *kept.lock() = true;
    opened.audit.append(event(3)).unwrap();
}

#[test]
fn a_new_key_continues_the_same_log() {
    let folder = log_of(10);
    let opened = open(folder.path());
    let old = opened.audit.verifier().unwrap();
    let event = opened.audit.rotate_key(Duration::ZERO, &caller()).unwrap();
    assert_eq!(event.details["old_verifier"], old);
    assert_ne!(opened.audit.verifier().unwrap(), old);
    assert!(!newest_note(&opened).is_signed_by(&Verifier::parse(&old).unwrap()));
    assert!(opened.audit.verify().unwrap().ok);
    drop(opened);
    assert_eq!(first_fault(folder.path()), None);
}

fn newest_note(opened: &Opened) -> SignedCheckpoint {
    SignedCheckpoint::parse(&opened.audit.checkpoint().unwrap().unwrap()).unwrap()
}

#[test]
fn the_old_key_also_signs_until_the_overlap_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let opened = open_with(folder.path(), "audit.key", None, &clock);
    fill(&opened, 5);
    let old = Verifier::parse(&opened.audit.verifier().unwrap()).unwrap();
    assert_eq!(opened.audit.rotate_key(DAY * 8, &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    let rotated = opened.audit.rotate_key(DAY, &caller()).unwrap();
    assert_eq!(rotated.details["overlap_until"], clock.now().after(DAY).to_string());
    let new = Verifier::parse(&opened.audit.verifier().unwrap()).unwrap();
    let both = |opened: &Opened| (newest_note(opened).is_signed_by(&new), newest_note(opened).is_signed_by(&old));
    assert_eq!(both(&opened), (true, true), "the rotation itself");
    clock.advance(DAY - Duration::from_millis(1));
    opened.audit.append(event(1)).unwrap();
    assert_eq!(both(&opened), (true, true));
    drop(opened);
    let opened = open_with(folder.path(), "audit.key", None, &clock);
    assert_eq!(both(&opened), (true, true), "also after a restart");
    clock.advance(Duration::from_millis(1));
    opened.audit.append(event(2)).unwrap();
    assert_eq!(both(&opened), (true, false));
    assert!(opened.audit.verify().unwrap().ok);
}

#[test]
fn a_signature_forged_for_the_old_key_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    fill(&opened, 5);
    opened.audit.rotate_key(DAY, &caller()).unwrap();
    let note = opened.audit.checkpoint().unwrap().unwrap();
    let (text, lines) = note.rsplit_once("\n\n").unwrap();
    let [new, old] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{note}") };
    let (name, blob) = old.rsplit_once(' ').unwrap();
    let mut bytes = BASE64.decode(blob).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = format!("{text}\n\n{new}\n{name} {}\n", BASE64.encode(bytes));
    let size = opened.audit.verify().unwrap().size;
    opened.store.write(move |c| store::put_checkpoint(c, size, &forged)).unwrap();
    assert_eq!(opened.audit.verify().unwrap().fault.unwrap().damage, Damage::Checkpoint);
}

#[test]
fn the_rest_of_a_pruned_log_stays_verifiable() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let opened = open_with(folder.path(), "audit.key", None, &clock);
    fill(&opened, 700);
    let early = SignedCheckpoint::parse(&opened.audit.checkpoint().unwrap().unwrap()).unwrap().checkpoint;
    assert_eq!(opened.audit.prune(DAY * 89, &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    clock.advance(DAY * 90);
    assert_eq!(opened.audit.prune(DAY * 90, &caller()).unwrap().removed, 0, "exactly 90 days is not older");
    clock.advance(Duration::from_secs(1));
    let pruned = opened.audit.prune(DAY * 90, &caller()).unwrap();
    assert_eq!((pruned.removed, pruned.min_index), (512, 512));
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!(verdict.min_index, 512);
    let proof = opened.audit.prove_consistency(early.size).unwrap();
    assert_eq!(proof.old_root, event::hex(&early.root));
    assert_eq!(opened.audit.prove_inclusion(511).unwrap_err().code(), ErrorCode::NotFound);
    let inclusion = opened.audit.prove_inclusion(512).unwrap();
    let checkpoint = SignedCheckpoint::parse(&inclusion.checkpoint).unwrap().checkpoint;
    let hashes: Vec<Hash> = inclusion.proof.iter().map(|hash| decode(hash)).collect();
    let leaf = tree::leaf_hash(inclusion.leaf.as_bytes());
    assert!(tree::verify_inclusion(&leaf, 512, checkpoint.size, &hashes, &checkpoint.root));
    assert_eq!(opened.audit.prune(DAY * 90, &caller()).unwrap().removed, 0);
    drop(opened);
    let stripped = copy(folder.path());
    damage(stripped.path(), |c| {
        c.execute("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 9 AND idx = 0", []).unwrap();
    });
    assert!(first_fault(stripped.path()).is_some(), "a wrong subtree over pruned events is found");
}

fn decode(text: &str) -> Hash {
    decode_bytes(text).try_into().unwrap()
}

#[test]
fn pages_are_filtered_and_reading_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    fill(&opened, 30);
    let query = AuditQuery { limit: 10, action: Some("test".into()), ..AuditQuery::default() };
    let first = opened.audit.list(&query, &caller()).unwrap();
    assert_eq!(first.logs.len(), 10);
    assert_eq!(first.logs[0].seq, 29);
    let second = opened.audit.list(&AuditQuery { before: first.next, ..query.clone() }, &caller()).unwrap();
    assert_eq!(second.logs[0].seq, 19);
    let read = AuditQuery { action: Some("audit_list".into()), ..AuditQuery::default() };
    assert_eq!(opened.audit.list(&read, &caller()).unwrap().logs.len(), 2);
    let none = AuditQuery { outcome: Some(Outcome::Denied), ..AuditQuery::default() };
    assert!(opened.audit.list(&none, &caller()).unwrap().logs.is_empty());
    assert!(opened.audit.list(&AuditQuery { limit: 1001, ..AuditQuery::default() }, &caller()).is_err());
}

#[test]
fn an_export_holds_the_tiles_and_entries_of_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    fill(&opened, 600);
    let out = folder.path().join("export");
    let exported = opened.audit.export(&out, &caller()).unwrap();
    assert_eq!((exported.size, exported.min_index), (601, 0));
    let tile = std::fs::read(out.join("tile/0/001")).unwrap();
    let upper = std::fs::read(out.join("tile/1/000.p/2")).unwrap();
    let leaves = Leaves(tile.chunks(32).map(|hash| hash.try_into().unwrap()).collect());
    assert_eq!(leaves.0.len(), 256);
    assert_eq!(upper[32..], tree::root(&leaves, 256).unwrap());
    let entries = std::fs::read(out.join("tile/entries/002.p/89")).unwrap();
    let length = usize::from(u16::from_be_bytes([entries[0], entries[1]]));
    let leaf: serde_json::Value = serde_json::from_slice(&entries[2..2 + length]).unwrap();
    assert_eq!(leaf["seq"], 512);
    assert_eq!(opened.audit.export(&out, &caller()).unwrap_err().code(), ErrorCode::ValidationError);
}

#[test]
fn many_callers_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    std::thread::scope(|scope| {
        for caller in 0..16 {
            let audit = &opened.audit;
            scope.spawn(move || (0..20).for_each(|n| drop(audit.append(event(caller * 100 + n)).unwrap())));
        }
        for _ in 0..10 {
            let verdict = opened.audit.verify().unwrap();
            assert!(verdict.ok, "events that are appended during the check are not a fault: {verdict:?}");
        }
    });
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!(verdict.size, 321);
}
