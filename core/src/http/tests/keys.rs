//! Keys, cookies and origins over HTTP in the forms that occur in practice: with line breaks, blank, beside another platform, revoked.

use super::*;

const ADMIN: (&str, &str) = ("x-admin-key", ADMIN_KEY);

fn cookie_of(answer: &Answer) -> String {
    header(answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

pub(super) fn sign_in(rig: &Rig) -> String {
    let (answer, body) = send(rig, "POST", "/admin/session", &[ADMIN], "");
    assert_eq!(answer.status, 204, "{}", String::from_utf8_lossy(&body));
    cookie_of(&answer)
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn revoking_the_pepper_names_what_ends_and_the_admin_key_still_signs_in() {
    let rig = rig();
    let access = rig.platform.access().unwrap();
    let key = access.issue_key("studio", None, &crate::audit::Caller::new("operator", "cli")).unwrap();
    let key = [("x-api-key", key.secret.expose())];
    let admin = sign_in(&rig);
    let json_type = ("content-type", "application/json");
    let revoke =
        |body: &str| send(&rig, "POST", "/admin/secrets/pepper/revoke", &[("cookie", &admin), json_type], body);
    for body in ["", "{}", r#"{"confirm": null}"#] {
        let (answer, body) = revoke(body);
        assert_eq!(failure(&answer, &body), "validation_error");
        let (detail, action) = (value(&body)["detail"].to_string(), value(&body)["user_action"].to_string());
        assert!(detail.contains("every API key (1) and every session (1)"), "{detail}");
        assert!(action.contains("confirm") && action.contains("sign in with the admin key"), "{action}");
    }
    let (answer, body) = revoke(r#"{"confirm": "salt"}"#);
    assert_eq!(failure(&answer, &body), "validation_error");
    assert_eq!(send(&rig, "GET", "/models", &key, "").0.status, 200, "nothing has ended yet");
    let (answer, body) = revoke(r#"{"confirm": "pepper"}"#);
    assert_eq!((answer.status, value(&body)), (200, json!({"name": "pepper", "done": "revoked"})));
    let (answer, body) = send(&rig, "GET", "/models", &key, "");
    assert_eq!(failure(&answer, &body), "invalid_api_key");
    let (answer, body) = send(&rig, "GET", "/admin/secrets", &[("cookie", &admin)], "");
    assert_eq!(failure(&answer, &body), "admin_session_required");
    let admin = sign_in(&rig);
    let (_, body) = send(&rig, "GET", "/admin/secrets", &[("cookie", &admin)], "");
    let secrets = value(&body);
    let states = |name: &str| -> Vec<String> {
        let all = secrets["secrets"].as_array().unwrap().iter();
        all.filter(|secret| secret["kind"] == name).map(|secret| secret["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states("pepper"), ["revoked", "valid"]);
    assert_eq!(states("api_key").iter().filter(|state| *state == "revoked").count(), 1);
    let new = access.issue_key("studio", None, &crate::audit::Caller::new("operator", "cli")).unwrap();
    assert_eq!(send(&rig, "GET", "/models", &[("x-api-key", new.secret.expose())], "").0.status, 200);
    assert!(rig.platform.audit().unwrap().verify().unwrap().ok);
}

#[test]
fn events_have_times_in_the_common_form() {
    let rig = rig();
    let admin = sign_in(&rig);
    let (_, body) = send(&rig, "GET", "/admin/logs", &[("cookie", &admin)], "");
    let logs = value(&body)["logs"].as_array().unwrap().clone();
    assert!(logs.len() >= 3);
    for event in &logs {
        let moment = event["timestamp"].as_str().unwrap();
        assert!(moment.ends_with('Z') && crate::time::Timestamp::from_rfc3339(moment).is_some(), "{moment}");
        assert!(event.get("ts").is_none());
    }
    let oldest = logs.last().unwrap()["timestamp"].as_str().unwrap();
    for (query, some) in [
        (format!("since={oldest}"), true),
        ("since=2999-01-01T00:00:00Z".to_owned(), false),
        (format!("until={oldest}"), false),
        ("since=0".to_owned(), true),
    ] {
        let (answer, body) = send(&rig, "GET", &format!("/admin/logs?{query}"), &[("cookie", &admin)], "");
        assert_eq!((answer.status, !value(&body)["logs"].as_array().unwrap().is_empty()), (200, some), "{query}");
    }
    let (answer, body) = send(&rig, "GET", "/admin/logs?since=yesterday", &[("cookie", &admin)], "");
    assert_eq!(failure(&answer, &body), "validation_error");
    let (_, body) = send(&rig, "GET", "/admin/audit/verify", &[("cookie", &admin)], "");
    let verdict = value(&body);
    assert_eq!((&verdict["ok"], &verdict["checkpoints"]), (&json!(true), &verdict["size"]));
}

#[test]
fn a_line_break_at_the_end_of_a_key_is_removed() {
    let rig = rig_with(|settings| {
        settings.api_key = Some(SecretText::new(format!("{API_KEY}\n")));
        settings.admin_key = Some(SecretText::new(format!(" {ADMIN_KEY}\r\n")));
        settings.http.scrape_token = Some(SecretText::new("a scrape token\r"));
    });
    assert_eq!(send(&rig, "GET", "/models", &[("x-api-key", API_KEY)], "").0.status, 200);
    sign_in(&rig);
    assert_eq!(send(&rig, "GET", "/metrics", &[("authorization", "Bearer a scrape token")], "").0.status, 200);
}

#[test]
fn a_blank_key_counts_as_not_set() {
    let blank = || Some(SecretText::new(" \n"));
    let rig = rig_with(|settings| {
        (settings.api_key, settings.admin_key, settings.master_key) = (blank(), blank(), blank());
        (settings.http.scrape_token, settings.workers.api_key) = (blank(), blank());
        (settings.models_dir, settings.master_key_file) = (Some("".into()), Some(" ".into()));
        settings.frontend_origins = vec!["".to_owned()];
        settings.trusted_proxies = vec![" ".to_owned()];
        settings.workers.networks = vec!["".to_owned()];
    });
    let (answer, body) = send(&rig, "POST", "/admin/session", &[("x-admin-key", "")], "");
    assert_eq!(failure(&answer, &body), "admin_misconfigured");
    for headers in [&[("x-api-key", "")][..], &[("x-api-key", " ")]] {
        let (answer, body) = send(&rig, "GET", "/models", headers, "");
        assert_eq!(failure(&answer, &body), "invalid_api_key");
    }
    for scheme in ["Bearer", "Bearer ", "Basic x"] {
        let (answer, body) = send(&rig, "GET", "/metrics", &[("authorization", scheme)], "");
        assert_eq!(failure(&answer, &body), "admin_session_required", "a blank token does not open the metrics");
    }
    rig.platform.secrets().unwrap().check().unwrap();
    assert!(rig._folder.path().join("keys/master.key").exists());
}

#[test]
fn a_key_that_a_header_cannot_carry_is_refused_by_name() {
    type Set = fn(&mut Settings, SecretText);
    let settings: [(&str, Set); 4] = [
        ("api_key", |settings, key| settings.api_key = Some(key)),
        ("admin_key", |settings, key| settings.admin_key = Some(key)),
        ("http.scrape_token", |settings, key| settings.http.scrape_token = Some(key)),
        ("workers.api_key", |settings, key| settings.workers.api_key = Some(key)),
    ];
    for (name, set) in settings {
        for bad in
            ["sixteen letters\nand more", "ключ администратора", "sixteen letters\u{7f}", "\u{feff}sixteen letters"]
        {
            let folder = tempfile::tempdir().unwrap();
            let mut settings = Settings::new(folder.path());
            set(&mut settings, SecretText::new(bad));
            let error = Platform::open(settings).map(drop).unwrap_err();
            assert_eq!(error.code(), crate::ErrorCode::ValidationError, "{name}");
            assert!(error.detail().starts_with(name) && !error.detail().contains("sixteen"), "{error}");
            assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "the folder is still empty");
        }
    }
}

#[test]
fn two_platforms_on_one_host_do_not_sign_each_other_out() {
    let (one, two) = (rig(), rig());
    let jar = |cookies: &[&str]| cookies.join("; ");
    let (answer, _) = send(&one, "POST", "/auth/session", &[], "");
    let first = cookie_of(&answer);
    assert!(first.starts_with("gg_session="));
    let (answer, _) = send(&two, "POST", "/auth/session", &[("cookie", &first)], "");
    let second = cookie_of(&answer);
    assert!(second.starts_with("gg_session_"), "{second}");
    let (admin, login) = (sign_in(&one), [ADMIN, ("cookie", &sign_in(&one))]);
    let (answer, _) = send(&two, "POST", "/admin/session", &login, "");
    let other_admin = cookie_of(&answer);
    let all = jar(&[&first, &second, &admin, &other_admin]);
    for rig in [&one, &two] {
        for path in ["/models", "/auth/session", "/admin/session", "/admin/health"] {
            let (answer, body) = send(rig, "GET", path, &[("cookie", &all)], "");
            assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        }
    }
    let (answer, _) = send(&two, "DELETE", "/auth/session", &[("cookie", &all)], "");
    let ended = header(&answer, "set-cookie").unwrap();
    assert!(ended.starts_with(second.split('=').next().unwrap()) && ended.contains("Max-Age=0"), "{ended}");
    assert_eq!(send(&one, "GET", "/models", &[("cookie", &all)], "").0.status, 200);
    let (answer, _) = send(&one, "DELETE", "/admin/session", &[("cookie", &all)], "");
    assert!(header(&answer, "set-cookie").unwrap().starts_with("gg_admin_session=;"));
    assert_eq!(send(&two, "GET", "/admin/health", &[("cookie", &all)], "").0.status, 200);
}

#[test]
fn cookies_have_the_path_and_the_suffix_from_the_settings() {
    let rig = rig_with(|settings| {
        settings.http.session_cookie_path = "/studio/".to_owned();
        settings.http.session_cookie_suffix = Some("b".to_owned());
    });
    let (answer, _) = send(&rig, "POST", "/auth/session", &[], "");
    let set = header(&answer, "set-cookie").unwrap().to_owned();
    assert!(set.starts_with("gg_session_b=") && set.contains("; Path=/studio; "), "{set}");
    let cookie = cookie_of(&answer);
    assert_eq!(send(&rig, "GET", "/models", &[("cookie", &cookie)], "").0.status, 200);
    let (answer, _) = send(&rig, "DELETE", "/auth/session", &[("cookie", &cookie)], "");
    let set = header(&answer, "set-cookie").unwrap();
    assert!(set.starts_with("gg_session_b=; Path=/studio; "), "{set}");
    for (path, suffix) in [("studio", None), ("/a;b", None), ("/a b", None), ("/", Some("a b")), ("/", Some("a=b"))] {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path());
        settings.http.session_cookie_path = path.to_owned();
        settings.http.session_cookie_suffix = suffix.map(str::to_owned);
        let error = Platform::open(settings).map(drop).unwrap_err();
        assert!(error.detail().starts_with("http.session_cookie_"), "{error}");
    }
}

#[test]
fn pages_of_programs_call_from_their_own_origins() {
    let rig = rig_with(|settings| settings.frontend_origins = vec!["tauri://localhost".to_owned()]);
    let origin = ("origin", "tauri://localhost");
    let (answer, _) = send(&rig, "OPTIONS", "/generate", &[origin, ("access-control-request-method", "POST")], "");
    assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (204, Some("tauri://localhost")));
    let (answer, _) = send(&rig, "GET", "/models", &[origin, ("x-api-key", API_KEY)], "");
    assert_eq!(answer.status, 200);
    // The same host under another scheme is a foreign page.
    for other in ["app://localhost", "tauri://must.test", "app://must.test", "null"] {
        let (answer, body) = send(&rig, "GET", "/models", &[("origin", other), ("x-api-key", API_KEY)], "");
        assert_eq!(failure(&answer, &body), "cors_origin_blocked", "{other}");
    }
}
