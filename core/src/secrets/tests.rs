mod vectors;

use super::seal::{self, Place};
use super::*;
use crate::audit::{self, Audit, Caller, Signing};
use crate::error::ErrorCode;
use crate::keyring::{KeyRing, KeySource};
use crate::store::Store;
use crate::time::ManualClock;
use crate::time::Timestamp;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const PLACE: Place<'_> = Place { table: "secret", row: "a", column: "sealed" };

struct Opened {
    store: Arc<Store>,
    audit: Arc<Audit>,
    vault: Vault,
    clock: Arc<ManualClock>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.audit.close();
        self.store.close();
    }
}

fn open_with(folder: &Path, source: KeySource) -> Opened {
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000)));
    let signing = Signing::new(KeySource::File(folder.join("audit.key")), folder.join("anchors"), None);
    let store = Arc::new(
        Store::open(folder, &[audit::MIGRATION, MIGRATION, audit::OVERLAP_MIGRATION], Some(signing.hook())).unwrap(),
    );
    let audit = Arc::new(Audit::start(Arc::clone(&store), clock.clone(), signing).unwrap());
    let vault = Vault::start(Arc::clone(&store), clock.clone(), Arc::clone(&audit), source, "dev".to_owned());
    Opened { store, audit, vault, clock }
}

fn open(folder: &Path) -> Opened {
    open_with(folder, KeySource::File(folder.join("keys/master.key")))
}

fn caller() -> Caller {
    Caller::new("tester", "test")
}

fn ring(byte: u8) -> KeyRing {
    use base64::Engine as _;
    KeyRing::parse(&base64::engine::general_purpose::STANDARD.encode([byte; 32])).unwrap()
}

#[test]
fn a_sealed_value_opens_with_its_key_in_its_place_and_nowhere_else() {
    let keys = ring(1);
    let sealed = seal::seal(&keys, PLACE, b"hidden").unwrap();
    assert_eq!(seal::open(&keys, PLACE, &sealed).unwrap().as_slice(), b"hidden");
    assert_ne!(seal::seal(&keys, PLACE, b"hidden").unwrap(), sealed, "every sealing has a key of its own");
    for place in [
        Place { row: "b", ..PLACE },
        Place { table: "account", ..PLACE },
        Place { column: "other", ..PLACE },
        Place { table: "secreta", row: "", ..PLACE },
    ] {
        assert_eq!(seal::open(&keys, place, &sealed).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    }
    assert!(seal::open(&ring(2), PLACE, &sealed).is_err());
    for at in 0..sealed.len() {
        let mut bad = sealed.clone();
        bad[at] ^= 1;
        assert!(seal::open(&keys, PLACE, &bad).is_err(), "byte {at}");
        assert!(seal::open(&keys, PLACE, &sealed[..at]).is_err(), "cut at {at}");
    }
}

/// The value was made by Python's `cryptography` with HKDF-SHA-256 and AES-256-GCM, in the documented format.
#[test]
fn a_value_sealed_by_another_implementation_opens() {
    let sealed = "0100000001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f6465666768696a6b6c6d6e6f\
                  fdc8b639254fa1bee7d8a7fa9005c89aa295d25ecbd1";
    let bytes: Vec<u8> =
        (0..sealed.len()).step_by(2).map(|at| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap()).collect();
    assert_eq!(seal::open(&ring(1), PLACE, &bytes).unwrap().as_slice(), b"hidden");
}

/// RFC 4231, test cases 1 and 2.
#[test]
fn macs_match_the_rfc() {
    let mac = |key: &[u8], text: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        crate::audit::hex(&super::vault::tag(&key, text))
    };
    assert_eq!(mac(&[0x0b; 20], b"Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_eq!(
        mac(b"Jefe", b"what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn keys_are_read_from_text() {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(KeyRing::parse(key).unwrap().current().unwrap().0, 1);
    let two = format!("# comment\n1 {key}\n\n3 {key}\n");
    assert_eq!(KeyRing::parse(&two).unwrap().current().unwrap().0, 3);
    for wrong in ["", "AAEC", "x AAEC", "1 AAEC\n1 AAEC"] {
        assert_eq!(KeyRing::parse(wrong).map(drop).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    }
    assert!(KeyRing::parse(&format!("1 {key}\n1 {key}")).is_err());
}

#[test]
fn a_secret_is_kept_replaced_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let vault = &opened.vault;
    vault.put("hf", &SecretText::new("one"), &caller()).unwrap();
    assert_eq!(vault.get("hf").unwrap().expose(), "one");
    vault.rotate("hf", Some(&SecretText::new("two")), DAY, &caller()).unwrap();
    assert_eq!(vault.get("hf").unwrap().expose(), "two");
    let states = |vault: &Vault| -> Vec<SecretState> {
        vault.status().unwrap().into_iter().filter(|status| status.name == "hf").map(|status| status.state).collect()
    };
    assert_eq!(states(vault), [SecretState::Overlapping, SecretState::Valid]);
    opened.clock.advance(DAY);
    assert_eq!(states(vault), [SecretState::Expired, SecretState::Valid]);
    opened.clock.advance(DAY * 89);
    assert_eq!(vault.get("hf").map(drop).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    vault.rotate("hf", Some(&SecretText::new("three")), Duration::ZERO, &caller()).unwrap();
    vault.revoke("hf", &caller()).unwrap();
    assert_eq!(vault.get("hf").map(drop).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    assert_eq!(vault.get("none").map(drop).unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(vault.revoke("none", &caller()).unwrap_err().code(), ErrorCode::NotFound);
    for name in ["", "A", "a b", "master_key", "pepper", "api_key", "account-1", &"a".repeat(65)] {
        assert_eq!(vault.put(name, &SecretText::new("x"), &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    }
    vault.put("hf", &SecretText::new("four"), &caller()).unwrap();
    let empty = SecretText::new("");
    assert_eq!(vault.put("hf", &empty, &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    let error = vault.rotate("hf", Some(&empty), DAY, &caller()).unwrap_err();
    assert_eq!((error.code(), error.detail()), (ErrorCode::ValidationError, "the value of a secret must not be empty"));
    assert_eq!(vault.get("hf").unwrap().expose(), "four");
    let week = Duration::from_secs(7 * 24 * 60 * 60 + 1);
    assert!(vault.rotate("hf", Some(&SecretText::new("x")), week, &caller()).is_err());
}

#[test]
fn a_provider_token_with_another_environment_or_scope_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let put = |scopes: &[&str], environment: &str| {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        opened.vault.put_provider_token("hub", &SecretText::new("t"), &scopes, environment, &caller())
    };
    put(&["inference", "model:download"], "dev").unwrap();
    assert_eq!(put(&["inference", "admin"], "dev").unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(put(&["inference"], "prod").unwrap_err().code(), ErrorCode::ValidationError);
    opened.store.write(|c| Ok(c.execute("UPDATE secret SET environment = 'prod' WHERE name = 'hub'", [])?)).unwrap();
    assert_eq!(opened.vault.get("hub").map(drop).unwrap_err().code(), ErrorCode::ValidationError);
}

#[test]
fn a_new_master_key_seals_everything_and_the_old_one_can_be_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/master.key");
    {
        let opened = open(folder.path());
        for n in 0..250 {
            opened.vault.put(&format!("s{n}"), &SecretText::new(format!("value {n}")), &caller()).unwrap();
        }
        let mac = opened.vault.mac(b"credential").unwrap();
        opened.vault.rotate("master_key", None, Duration::ZERO, &caller()).unwrap();
        assert_eq!(opened.vault.get("s249").unwrap().expose(), "value 249");
        assert!(opened.vault.verify_mac(mac.0, b"credential", &mac.1).unwrap());
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    std::fs::write(&path, text.lines().nth(1).unwrap()).unwrap();
    let opened = open(folder.path());
    assert_eq!(opened.vault.get("s0").unwrap().expose(), "value 0");
}

#[test]
fn rotating_without_a_newer_key_from_the_host_fails() {
    let folder = tempfile::tempdir().unwrap();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let opened = open_with(folder.path(), KeySource::Text(SecretText::new(key)));
    let refused = opened.vault.rotate("master_key", None, Duration::ZERO, &caller()).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ValidationError);
}

#[test]
fn an_interrupted_resealing_continues_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/master.key");
    {
        let opened = open(folder.path());
        (0..10).for_each(|n| opened.vault.put(&format!("s{n}"), &SecretText::new("x"), &caller()).unwrap());
    }
    // As if the process had died right after the new key was in place.
    crate::keyring::add_version(&path).unwrap();
    let opened = open(folder.path());
    assert_eq!(opened.vault.get("s3").unwrap().expose(), "x");
    assert_eq!(opened.vault.reseal().unwrap(), 11, "ten secrets and the pepper");
    assert_eq!(opened.vault.reseal().unwrap(), 0);
    assert_eq!(opened.vault.get("s3").unwrap().expose(), "x");
}

#[test]
fn a_missing_or_wrong_master_key_shuts_the_vault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/master.key");
    {
        let opened = open(folder.path());
        opened.vault.put("a", &SecretText::new("x"), &caller()).unwrap();
    }
    let away = folder.path().join("away");
    std::fs::rename(&path, &away).unwrap();
    let shut = |opened: &Opened| {
        let vault = &opened.vault;
        let codes = [
            vault.get("a").map(drop).unwrap_err().code(),
            vault.put("b", &SecretText::new("x"), &caller()).unwrap_err().code(),
            vault.mac(b"x").unwrap_err().code(),
            vault.verify_mac(1, b"x", b"y").unwrap_err().code(),
            vault.status().unwrap_err().code(),
            vault.check().unwrap_err().code(),
        ];
        assert!(codes.iter().all(|code| *code == ErrorCode::DependencyUnavailable), "{codes:?}");
    };
    shut(&open(folder.path()));
    assert!(!path.exists(), "no new key is made for a folder that has data");
    let other = KeySource::Text(SecretText::new("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="));
    shut(&open_with(folder.path(), other));
    shut(&open_with(folder.path(), KeySource::Host(Arc::new(|| Err("the key service is away".into())))));
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(open(folder.path()).vault.get("a").unwrap().expose(), "x");
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Kubernetes mounts a secret with mode 0440 and changes files in a volume to 0660, with a group of the process.
#[cfg(unix)]
#[test]
fn key_files_may_be_readable_only_by_groups_of_this_process() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let master = folder.path().join("keys/master.key");
    let audit = folder.path().join("audit.key");
    drop(open(folder.path()));
    for path in [&master, &audit] {
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }
    for mode in [0o400, 0o440, 0o640, 0o660] {
        [&master, &audit].into_iter().for_each(|path| set_mode(path, mode));
        let opened = open(folder.path());
        opened.vault.check().unwrap();
        opened.audit.check().unwrap();
    }
    for mode in [0o444, 0o604, 0o644, 0o601, 0o646] {
        [&master, &audit].into_iter().for_each(|path| set_mode(path, mode));
        let opened = open(folder.path());
        for refused in [opened.vault.check().unwrap_err(), opened.audit.check().unwrap_err()] {
            assert!(refused.detail().contains("is open to everybody"), "{refused}");
            assert!(refused.user_action().contains("chmod 600"), "{refused:?}");
        }
    }
    // Only root can give a file to a group that it is not in.
    [&master, &audit].into_iter().for_each(|path| set_mode(path, 0o640));
    if std::os::unix::fs::chown(&master, None, Some(54_321)).is_ok() {
        let refused = open(folder.path()).vault.check().unwrap_err();
        assert!(refused.detail().contains("a group that this process is not in"), "{refused}");
        set_mode(&master, 0o600);
        open(folder.path()).vault.check().unwrap();
    }
}

#[cfg(unix)]
#[test]
fn adding_a_key_keeps_the_files_mode_and_group_and_the_link_to_it() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (kept, link) = (folder.path().join("kept.key"), folder.path().join("link.key"));
    let opened = open_with(folder.path(), KeySource::File(kept.clone()));
    drop(opened);
    set_mode(&kept, 0o640);
    std::os::unix::fs::symlink(&kept, &link).unwrap();
    let group = std::fs::metadata(&kept).unwrap().gid();
    let opened = open_with(folder.path(), KeySource::File(link.clone()));
    opened.vault.rotate("master_key", None, Duration::ZERO, &caller()).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    let after = std::fs::metadata(&kept).unwrap();
    assert_eq!((after.mode() & 0o777, after.gid()), (0o640, group));
    assert_eq!(std::fs::read_to_string(&kept).unwrap().lines().count(), 2);
}

/// A key file may come from elsewhere, such as a Kubernetes secret. Then the new key is added there, not by the platform.
#[test]
fn a_key_that_was_added_to_the_file_by_hand_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/master.key");
    let opened = open(folder.path());
    opened.vault.put("a", &SecretText::new("x"), &caller()).unwrap();
    crate::keyring::add_version(&path).unwrap();
    opened.vault.rotate("master_key", None, Duration::ZERO, &caller()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2, "no third key");
    let events = opened.vault.status().unwrap();
    assert!(events.iter().any(|status| status.id == "master_key:2" && status.state == SecretState::Valid));
    assert_eq!(opened.vault.get("a").unwrap().expose(), "x");
}

#[test]
fn peppers_are_replaced_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let old = opened.vault.mac(b"key").unwrap();
    opened.vault.rotate("pepper", None, Duration::ZERO, &caller()).unwrap();
    let new = opened.vault.mac(b"key").unwrap();
    assert_ne!(old, new);
    assert!(opened.vault.verify_mac(old.0, b"key", &old.1).unwrap());
    assert!(!opened.vault.verify_mac(new.0, b"other", &new.1).unwrap());
    opened.vault.revoke("pepper", &caller()).unwrap();
    assert!(!opened.vault.verify_mac(old.0, b"key", &old.1).unwrap());
    assert!(!opened.vault.verify_mac(new.0, b"key", &new.1).unwrap());
    let newest = opened.vault.mac(b"key").unwrap();
    assert_eq!(newest.0, 3, "a new pepper was made in the same transaction");
    opened.vault.revoke("pepper", &caller()).unwrap();
    assert!(opened.vault.mac(b"key").is_ok(), "every revocation makes a new pepper");
    drop(opened);
    assert!(!open(folder.path()).vault.verify_mac(newest.0, b"key", &newest.1).unwrap());
}

/// Earlier versions revoked the pepper and made no new one.
#[test]
fn a_folder_whose_peppers_were_all_revoked_gets_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path());
    let old = opened.vault.mac(b"key").unwrap();
    opened.store.write(|c| Ok(c.execute("UPDATE secret SET revoked_at = 1 WHERE name = 'pepper'", [])?)).unwrap();
    drop(opened);
    let opened = open(folder.path());
    assert_eq!(opened.vault.peppers().unwrap(), [2]);
    assert!(!opened.vault.verify_mac(old.0, b"key", &old.1).unwrap());
    drop(opened);
    assert_eq!(open(folder.path()).vault.peppers().unwrap(), [2], "and only once");
}

#[test]
fn no_file_contains_a_secret_value() {
    let folder = tempfile::tempdir().unwrap();
    let canary = "canary-5f1c0e7a";
    {
        let opened = open(folder.path());
        opened.vault.put("a", &SecretText::new(canary), &caller()).unwrap();
        assert_eq!(format!("{:?}", opened.vault.get("a").unwrap()), "SecretText(..)");
        let _ = opened.vault.put("Not A Name", &SecretText::new(canary), &caller());
        let wal = std::fs::read(folder.path().join("must.db-wal")).unwrap_or_default();
        assert!(!wal.windows(canary.len()).any(|part| part == canary.as_bytes()));
    }
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(canary.len()).any(|part| part == canary.as_bytes()), "{:?}", entry.path());
    }
}
