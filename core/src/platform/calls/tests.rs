//! Tests of the calls by name: their effects, their errors, and that no secret is shown.

mod canary;
mod generate;

use crate::{ErrorCode, Platform, Settings};
use serde_json::{Value, json};

const ADMIN_KEY: &str = "sixteen letters!";
const CANARY: &str = "canary-5up3r-s3cr3t";

fn open() -> (tempfile::TempDir, Platform) {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"data_dir": folder.path(), "admin_key": ADMIN_KEY, "paused": true});
    let platform = Platform::open(Settings::from_json(&settings.to_string()).unwrap()).unwrap();
    (folder, platform)
}

fn call(platform: &Platform, name: &str, arguments: Value) -> crate::Result<Value> {
    platform.call(name, &arguments.to_string()).map(|text| serde_json::from_str(text.expose()).unwrap())
}

fn with_key(key: &Value) -> Value {
    json!({"facts": {"route": "generation", "header_keys": [key]}})
}

#[test]
fn keys_and_sessions_are_made_and_ended_by_name() {
    let (_folder, platform) = open();
    let issued = call(&platform, "auth.issue_key", json!({"name": "site", "valid_for_seconds": 3600})).unwrap();
    let id = issued["key"]["id"].as_str().unwrap();
    let principal = call(&platform, "auth.authorize", with_key(&issued["secret"])).unwrap();
    assert_eq!(
        (&principal["kind"], &principal["name"], &principal["actor"]),
        (&json!("api_key"), &json!("site"), &json!(format!("key:{id}")))
    );
    let facts = json!({"route": "auth", "header_keys": [issued["secret"]], "peer": "192.0.2.7"});
    let session = call(&platform, "auth.open_session", json!({ "facts": facts })).unwrap();
    let cookie = format!("gg_session={}", session["token"].as_str().unwrap());
    let by_cookie = json!({"facts": {"route": "generation", "cookies": [cookie]}});
    assert_eq!(call(&platform, "auth.authorize", by_cookie.clone()).unwrap()["kind"], "session");
    assert_eq!(call(&platform, "auth.session_state", by_cookie.clone()).unwrap()["active"], true);
    let newer = call(&platform, "auth.rotate_key", json!({"id": id, "overlap_seconds": 60})).unwrap();
    assert_eq!(call(&platform, "auth.keys", json!({})).unwrap().as_array().unwrap().len(), 2);
    assert_eq!(call(&platform, "auth.revoke_key", json!({ "id": id })).unwrap(), json!({"sessions": 1}));
    assert_eq!(call(&platform, "auth.authorize", by_cookie).unwrap_err().code(), ErrorCode::SessionExpired);
    call(&platform, "auth.authorize", with_key(&newer["secret"])).unwrap();
    assert_eq!(call(&platform, "auth.revoke_all_sessions", json!({})).unwrap(), json!({"sessions": 0}));
    assert_eq!(call(&platform, "auth.allows_origin", json!({"origin": "https://x.example"})).unwrap(), false);

    let login = json!({"facts": {"route": "admin_login", "admin_header_keys": [ADMIN_KEY], "peer": "192.0.2.7"}});
    let admin = call(&platform, "admin.open_session", login).unwrap();
    let cookie = format!("gg_admin_session={}", admin["token"].as_str().unwrap());
    let facts = json!({"facts": {"route": "admin", "cookies": [cookie], "peer": "192.0.2.7", "correlation_id": "r-1"}});
    let principal = call(&platform, "auth.authorize", facts).unwrap();
    let by = &principal["caller"];
    assert_eq!(by, &json!({"actor": principal["actor"], "source": "192.0.2.7", "correlation_id": "r-1"}));
    let state = call(&platform, "admin.session_state", json!({"id": principal["id"], "caller": by})).unwrap();
    assert_eq!(state["idle_timeout_seconds"], 43_200);
    call(&platform, "admin.revoke_session", json!({"id": principal["id"], "caller": by})).unwrap();
    assert_eq!(call(&platform, "admin.revoke_all_sessions", json!({})).unwrap(), json!({"sessions": 0}));
}

#[test]
fn secrets_and_the_log_are_used_by_name() {
    let (folder, platform) = open();
    call(&platform, "secrets.put", json!({"name": "mail", "value": CANARY})).unwrap();
    assert_eq!(call(&platform, "secrets.get", json!({"name": "mail"})).unwrap(), CANARY);
    call(&platform, "secrets.rotate", json!({"name": "mail", "value": "newer", "overlap_seconds": 5})).unwrap();
    let token = json!({"name": "hub", "value": CANARY, "scopes": ["inference"], "environment": "dev"});
    call(&platform, "secrets.put_provider_token", token).unwrap();
    call(&platform, "secrets.revoke", json!({"name": "hub"})).unwrap();
    let status = call(&platform, "secrets.status", json!({})).unwrap();
    assert!(status.as_array().unwrap().iter().any(|one| one["name"] == "hub" && one["state"] == "revoked"));

    let event =
        json!({"actor": "host", "source": "test", "action": "door_opened", "target": "door", "outcome": "success"});
    let event = call(&platform, "audit.append", event).unwrap();
    let page = call(&platform, "audit.list", json!({"action": "door_opened", "limit": 5})).unwrap();
    assert_eq!(page["logs"], json!([event]));
    let verdict = call(&platform, "audit.verify", json!({})).unwrap();
    assert_eq!(verdict["ok"], true, "{verdict}");
    let proof = call(&platform, "audit.prove_inclusion", json!({"index": event["seq"]})).unwrap();
    assert!(proof["text"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1\nindex "));
    assert!(call(&platform, "audit.prove_consistency", json!({"old_size": 1})).unwrap()["proof"].is_array());
    let exported = call(&platform, "audit.export", json!({"folder": folder.path().join("export")})).unwrap();
    assert_eq!(exported["verifier"], call(&platform, "audit.verifier", json!({})).unwrap());
    assert_eq!(call(&platform, "audit.rotate_key", json!({})).unwrap()["action"], "audit_key_rotate");
    assert_eq!(call(&platform, "audit.prune", json!({"age_seconds": 90 * 86_400})).unwrap()["removed"], 0);
    assert!(call(&platform, "audit.checkpoint", json!({})).unwrap().is_string());
    let error = call(&platform, "audit.recover", json!({"reason": "none"})).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidState);
}

#[test]
fn a_backup_is_made_by_name() {
    let (folder, platform) = open();
    let request = crate::GenerateRequest::from_json(r#"{"model": "tiny-image", "prompt": "a red circle"}"#).unwrap();
    let task = platform.submit(&request).unwrap();
    let beside = tempfile::tempdir().unwrap();
    let target = beside.path().join("backup");
    let by = json!({"actor": "ops", "source": "cli"});
    let made = call(&platform, "backup", json!({"folder": target, "caller": by})).unwrap();
    assert_eq!(made["folder"], json!(target));
    assert_eq!((&made["tasks"], &made["files"], &made["audit_ok"]), (&1.into(), &0.into(), &true.into()));
    assert_eq!(made["key_files"], json!([folder.path().join("keys/master.key"), folder.path().join("keys/audit.key")]));
    let page = call(&platform, "audit.list", json!({"action": "backup"})).unwrap();
    assert_eq!((&page["logs"][0]["actor"], &page["logs"][0]["target"]), (&"ops".into(), &json!(target)));
    let again = call(&platform, "backup", json!({"folder": target})).unwrap_err();
    assert_eq!(again.code(), ErrorCode::ValidationError);
    let inside = call(&platform, "backup", json!({"folder": folder.path().join("inside")})).unwrap_err();
    assert!(inside.detail().contains("inside the data folder"), "{inside}");
    let back = call(&platform, "backup", json!({"folder": beside.path().join("missing/../backup-2")})).unwrap_err();
    assert!(back.detail().contains("has `..` after") && !beside.path().join("missing").exists(), "{back}");
    let restored =
        Platform::open(Settings::from_json(&json!({"data_dir": target, "paused": true}).to_string()).unwrap());
    assert_eq!(restored.unwrap().status(&task.id).unwrap().prompt, "a red circle");
}

#[test]
fn an_error_names_the_argument_and_never_quotes_it() {
    let (_folder, platform) = open();
    for (name, arguments, expected) in [
        ("auth.authorize", json!({}), "facts is missing"),
        ("auth.authorize", json!({"facts": {"route": CANARY}}), "facts is not what it must be"),
        ("auth.authorize", json!({"facts": {"route": "auth", "header_keys": CANARY}}), "facts is not what it must be"),
        ("secrets.put", json!({"name": "a", "value": [CANARY]}), "value is not what it must be"),
        ("secrets.put", json!({"name": "a", "value": CANARY, "extra": CANARY}), "there is no argument extra"),
        ("secrets.put", json!([CANARY]), "they must be an object"),
        ("secrets.rotate", json!({"name": "a", "value": [CANARY]}), "value is not what it must be"),
        ("secrets.rotate", json!({"name": "a", "value": CANARY, "extra": CANARY}), "there is no argument extra"),
        ("secrets.rotate", json!({"value": CANARY}), "name is missing"),
        (
            "secrets.rotate",
            json!({"name": "a", "value": [CANARY], "overlap_seconds": CANARY}),
            "an argument is not what it must be",
        ),
        ("secrets.put", json!({"name": "a"}), "value is missing"),
        ("secrets.put", json!({"name": 7, "value": CANARY, "caller": CANARY}), "caller is not what it must be"),
        (
            "auth.issue_key",
            json!({"name": "a", "valid_for_seconds": -1}),
            "valid_for_seconds must be a number of seconds",
        ),
    ] {
        let error = call(&platform, name, arguments).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{error}");
        assert!(error.detail().contains(expected), "{error}, not {expected}");
        assert!(!error.user_action().is_empty() && !format!("{error:?}{error}").contains(CANARY));
    }
    let error = platform.call("secrets.put", &format!("{{\"value\": {CANARY}")).unwrap_err();
    assert!(error.detail().contains("line 1, column ") && !error.detail().contains("5up3r"), "{error}");
    let error = platform.call(CANARY, "{}").unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(!format!("{error:?}").contains(CANARY));
}
