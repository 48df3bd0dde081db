//! Sends unique secrets through every call that takes or returns one, also with invalid arguments. Then searches for them in everything
//! that the platform wrote.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;

/// Everything that the platform has written, each with its place.
#[derive(Default)]
struct Written(Vec<(String, Vec<u8>)>);

impl Written {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    fn files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.files(&path);
            } else if path.is_file() {
                self.add(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    /// Returns the place that contains a text, raw or encoded.
    fn find(&self, secret: &str) -> Option<String> {
        let bytes = secret.as_bytes();
        let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let escaped: String = bytes
            .iter()
            .map(
                |byte| {
                    if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
                },
            )
            .collect();
        let mut forms = vec![secret.to_owned(), crate::audit::hex(bytes), crate::audit::hex(bytes).to_uppercase()];
        forms.extend([percent.to_lowercase(), percent, escaped.to_lowercase(), escaped]);
        // In base64 a text has three forms, depending on its position. Its first and last letters depend on its neighbours.
        for skip in 0..3 {
            let whole = (bytes.len() - skip) / 3 * 3;
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                forms.push(engine.encode(&bytes[skip..skip + whole]));
            }
        }
        self.0.iter().find_map(|(place, content)| {
            let found = forms.iter().find(|form| content.windows(form.len()).any(|part| part == form.as_bytes()));
            found.map(|form| format!("{place} contains {form}"))
        })
    }
}

#[test]
fn no_secret_is_written_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (admin_key, master) = ("admin/canary+0=&%", "MDEyMzQ1Njc4OWNhbmFyeTAxMjM0NTY3ODljYW5hcnk=");
    let settings = json!({"data_dir": folder.path(), "admin_key": admin_key, "master_key": master, "paused": true, "log_level": "trace"});
    let settings = Settings::from_json(&settings.to_string()).unwrap();
    let (mut written, mut secrets) = (Written::default(), vec![admin_key.to_owned(), master.to_owned()]);
    written.add("the settings in a debug print", format!("{settings:?}"));
    let logged = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&logged);
    let platform =
        Platform::open_with_log(settings, move |record| log.lock().push_str(&format!("{record:?}\n"))).unwrap();

    let mut number = 0;
    let mut canary = || {
        number += 1;
        format!("canary/{number}+s3cr3t=&%")
    };
    let mut calls = Vec::new();
    // Credentials of callers: wrong, malformed and in the wrong place.
    for route in ["generation", "auth", "admin_login", "admin", "nowhere"] {
        for field in
            ["header_keys", "query_keys", "cookies", "admin_header_keys", "forwarded_for", "correlation_id", "no_field"]
        {
            let (value, plain) = (canary(), field != "correlation_id" && field != "forwarded_for");
            if plain {
                secrets.push(value.clone());
            }
            let value =
                if field == "cookies" { format!("gg_session={value}; gg_admin_session={value}") } else { value };
            let value = if field == "correlation_id" { json!(value) } else { json!([value, value]) };
            let facts = json!({"facts": {"route": route, "peer": "192.0.2.9", field: value}});
            for name in ["auth.authorize", "auth.open_session", "auth.session_state", "admin.open_session"] {
                calls.push((name, facts.clone()));
            }
        }
    }
    // Stored secrets, with each argument wrong once.
    for (name, more) in [
        ("secrets.put", json!({})),
        ("secrets.put", json!({"name": "Not A Name"})),
        ("secrets.put", json!({"name": ["mail"]})),
        ("secrets.put", json!({"caller": 7})),
        ("secrets.put", json!({"nothing": 7})),
        ("secrets.put_provider_token", json!({"scopes": ["inference"], "environment": "dev"})),
        ("secrets.put_provider_token", json!({"scopes": ["admin"], "environment": "dev"})),
        ("secrets.put_provider_token", json!({"scopes": [], "environment": "prod"})),
        ("secrets.put_provider_token", json!({"scopes": 7, "environment": "dev"})),
        ("secrets.rotate", json!({"overlap_seconds": 60})),
        ("secrets.rotate", json!({"overlap_seconds": 1e9})),
        ("secrets.rotate", json!({"name": "master_key"})),
        ("secrets.rotate", json!({"name": "unheard_of"})),
    ] {
        let value = canary();
        let mut arguments = json!({"name": "mail", "value": value});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        secrets.push(value);
        calls.push((name, arguments));
    }
    for field in ["scopes", "environment"] {
        let value = canary();
        let mut arguments = json!({"name": "hub", "value": "x", "scopes": ["inference"], "environment": "dev"});
        arguments[field] = if field == "scopes" { json!([value]) } else { json!(value) };
        secrets.push(value);
        calls.push(("secrets.put_provider_token", arguments));
    }
    // An account and its update, once valid and with each argument wrong once.
    for more in [
        json!({}),
        json!({"label": ""}),
        json!({"label": 7}),
        json!({"address": "ftp://nowhere"}),
        json!({"workspace": "Not A Name"}),
        json!({"caller": 7}),
        json!({"nothing": 7}),
    ] {
        for name in ["accounts.add", "accounts.update"] {
            let values = [canary(), canary(), canary()];
            let mut arguments = json!({"token_id": values[0], "token_secret": values[1], "api_key": values[2]});
            match name {
                "accounts.add" => {
                    arguments["label"] = json!("Worker");
                    arguments["workspace"] = json!("worker");
                    arguments["address"] = json!("https://worker.example");
                }
                _ => arguments["id"] = json!("worker"),
            }
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            // Each secret also in a form that is refused.
            for (field, value) in ["token_id", "token_secret", "api_key"].into_iter().zip(&values) {
                for wrong in [json!([value]), json!(format!("{value}\n")), json!(format!("{value}é"))] {
                    let mut arguments = arguments.clone();
                    arguments[field] = wrong;
                    calls.push((name, arguments));
                }
            }
            secrets.extend(values);
            calls.push((name, arguments));
        }
    }
    for (name, arguments) in calls {
        match platform.call(name, &arguments.to_string()) {
            Ok(answer) => {
                written.add(format!("the answer of {name}, printed"), format!("{answer:?}{}", answer.expose()))
            }
            Err(error) => {
                written.add(format!("an error of {name}"), format!("{error:?} {error} {}", error.user_action()))
            }
        }
        let broken = arguments.to_string().replace('}', "");
        let error = platform.call(name, &broken).unwrap_err();
        written.add(format!("an error of {name}"), format!("{error:?} {error} {}", error.user_action()));
    }
    // Credentials that the platform makes and shows once.
    let key = call(&platform, "auth.issue_key", json!({"name": "site"})).unwrap();
    let newer = call(&platform, "auth.rotate_key", json!({"id": key["key"]["id"]})).unwrap();
    let auth = json!({"facts": {"route": "auth", "header_keys": [newer["secret"]], "peer": "192.0.2.10"}});
    let login = json!({"facts": {"route": "admin_login", "admin_header_keys": [admin_key], "peer": "192.0.2.10"}});
    let session = call(&platform, "auth.open_session", auth).unwrap();
    let admin = call(&platform, "admin.open_session", login).unwrap();
    for made in [&key["secret"], &newer["secret"], &session["token"], &admin["token"]] {
        // Only the last part is secret. The id before it is not.
        secrets.push(made.as_str().unwrap().rsplit('_').next().unwrap().to_owned());
        call(&platform, "auth.authorize", with_key(made)).ok();
    }
    let accounts = platform.call("accounts.list", "{}").unwrap().expose().to_owned();
    assert!(accounts.contains("worker.example"), "an account was made: {accounts}");
    written.add("accounts.list", accounts);
    for name in ["secrets.status", "auth.keys", "audit.verify"] {
        written.add(name, platform.call(name, "{}").unwrap().expose());
    }
    written.add("audit.list", platform.call("audit.list", r#"{"limit": 1000}"#).unwrap().expose());
    call(&platform, "audit.export", json!({"folder": folder.path().join("export")})).unwrap();
    written.add("a debug print", format!("{platform:?} {:?}", platform.access().unwrap()));
    let beside = tempfile::tempdir().unwrap();
    call(&platform, "backup", json!({"folder": beside.path().join("backup")})).unwrap();
    written.files(beside.path());
    // The files are read while the platform is open, when there is a write-ahead log, and again after it was closed.
    written.files(folder.path());
    platform.close(std::time::Duration::from_secs(5)).unwrap();
    written.files(folder.path());
    written.add("the log", logged.lock().clone());
    assert!(written.0.iter().any(|(place, _)| place.ends_with("-wal")) && written.0.len() > 200 && secrets.len() > 40);
    for known in ["secret_put", "192.0.2.10"] {
        assert!(written.find(known).is_some(), "a text that is not secret is found: {known}");
    }
    for secret in secrets {
        assert_eq!(written.find(&secret), None);
    }
}
