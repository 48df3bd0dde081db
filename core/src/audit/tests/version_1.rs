//! A log that was written before events had `timestamp`: it is shown in the new form, verified in its own, and continued.

use super::*;

/// Makes the folder of a log as that version wrote it, with its key and its anchors.
fn written_before() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &[MIGRATION, OVERLAP_MIGRATION], None).unwrap();
    store.write(|connection| Ok(connection.execute_batch(include_str!("version_1.sql"))?)).unwrap();
    store.close();
    std::fs::write(folder.path().join("anchors"), include_str!("version_1.anchors")).unwrap();
    let key = folder.path().join("audit.key");
    std::fs::write(&key, include_str!("version_1.key")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

const WRITTEN: u64 = 12;

#[test]
fn a_log_of_version_1_is_verified_shown_and_continued() {
    let folder = written_before();
    let opened = open(folder.path());
    let verdict = opened.audit.verify().unwrap();
    assert!(verdict.ok, "{verdict:?}");
    assert_eq!((verdict.size, verdict.checkpoints, verdict.anchors), (WRITTEN + 1, WRITTEN + 1, WRITTEN + 1));
    let logs = opened.audit.list(&AuditQuery::default(), &caller()).unwrap().logs;
    let shown = |event: &AuditEvent| serde_json::to_value(event).unwrap();
    let (first, last) = (shown(&logs[WRITTEN as usize]), shown(&logs[0]));
    assert_eq!(
        (&first["v"], &first["timestamp"], &first["signed"]),
        (&1.into(), &"2026-11-29T09:34:42.056Z".into(), &().into())
    );
    assert_eq!((&last["v"], &last["signed"]), (&2.into(), &WRITTEN.into()));
    for event in &logs {
        assert!(shown(event).get("ts").is_none());
    }
    let proof = opened.audit.prove_inclusion(0).unwrap();
    assert!(proof.leaf.contains(r#""ts":1795944882056,"#), "the hashed form is unchanged: {}", proof.leaf);
    let out = folder.path().join("export");
    opened.audit.export(&out, &caller()).unwrap();
    let entries = std::fs::read(out.join("tile/entries/000.p/15")).unwrap();
    let text = String::from_utf8_lossy(&entries);
    assert_eq!((text.matches(r#""ts":"#).count(), text.matches(r#""timestamp":"20"#).count()), (12, 3));
    assert!(opened.audit.verify().unwrap().ok);
}

#[test]
fn damage_to_a_log_of_version_1_is_found() {
    for (sql, seq, damage) in [
        (
            "UPDATE audit_event SET leaf = CAST(replace(CAST(leaf AS TEXT), '1795944882180', '1795944882179') AS BLOB), ts = ts - 1 WHERE seq = 5",
            5,
            Damage::Altered,
        ),
        ("UPDATE audit_event SET ts = ts + 1 WHERE seq = 3", 3, Damage::Altered),
        ("DELETE FROM audit_checkpoint WHERE size = 4", 3, Damage::Checkpoint),
        ("UPDATE audit_checkpoint SET note = '' WHERE size = 7", 6, Damage::Checkpoint),
    ] {
        let folder = written_before();
        damage_with(folder.path(), sql);
        let fault = first_fault(folder.path()).unwrap_or_else(|| panic!("not found: {sql}"));
        assert_eq!((fault.seq, fault.damage), (seq, damage), "{sql}: {fault:?}");
    }
}

fn damage_with(folder: &Path, sql: &str) {
    damage(folder, |connection| connection.execute_batch(sql).unwrap());
}

/// The forms of the two versions may not be mixed.
#[test]
fn a_leaf_has_the_form_of_one_version() {
    let event = AuditEvent::new(event(1), 3, Timestamp(1_700_000_000_123), &[0; 32], 3);
    let leaf = String::from_utf8(event.to_leaf().unwrap()).unwrap();
    assert!(leaf.starts_with(r#"{"v":2,"seq":3,"timestamp":"2023-11-14T22:13:20.123Z","actor":"tester","#), "{leaf}");
    assert_eq!(serde_json::to_string(&event).unwrap(), leaf, "the shown form is the hashed form");
    assert_eq!(AuditEvent::from_leaf(leaf.as_bytes()).unwrap(), event);
    let first = leaf
        .replace(r#""v":2"#, r#""v":1"#)
        .replace(r#""timestamp":"2023-11-14T22:13:20.123Z""#, r#""ts":1700000000123"#)
        .replace(r#","signed":3"#, "");
    assert_eq!(AuditEvent::from_leaf(first.as_bytes()).unwrap().timestamp, event.timestamp);
    for bad in [
        leaf.replace(r#""v":2"#, r#""v":1"#),
        leaf.replace(r#""v":2"#, r#""v":3"#),
        leaf.replace("20.123Z", "20.1230Z"),
        leaf.replace("20.123Z", "20.123+00:00"),
        leaf.replace(r#","signed":3"#, ""),
        leaf.replace(r#""timestamp":"2023-11-14T22:13:20.123Z""#, r#""ts":1700000000123"#),
        first.replace(r#""v":1"#, r#""v":2"#),
        first.replace(r#""prev""#, r#""signed":3,"prev""#),
    ] {
        assert!(AuditEvent::from_leaf(bad.as_bytes()).is_err(), "{bad}");
    }
}
