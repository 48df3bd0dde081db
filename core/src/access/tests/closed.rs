use super::super::token::{Token, TokenKind};
use super::*;
use crate::store::database_path;
use base64::Engine;

fn auth(n: u32) -> RequestFacts {
    RequestFacts { peer: Some(std::net::Ipv4Addr::from(n).into()), ..RequestFacts::new(RouteClass::Auth) }
}

#[test]
fn a_table_that_cannot_be_read_lets_nobody_through() {
    for (table, hit) in [
        ("DROP TABLE access_session", [false, true, true, false]),
        ("DROP TABLE access_session; DROP TABLE access_key", [true, true, true, false]),
        // Calls within a session are counted only in memory.
        ("DROP TABLE access_hit", [false, false, false, true]),
    ] {
        let rig = Rig::new();
        let key = rig.key("a");
        let session = rig.access.open_session(&auth(1)).unwrap();
        let admin = rig.access.open_admin_session(&admin_login()).unwrap();
        rig.sql(table);
        let calls = [with_key(&key.secret), with_session(&session.token), with_admin_session(&admin.token), auth(2)];
        for (facts, closed) in calls.iter().zip(hit) {
            let answer = rig.access.authorize(facts).map_err(|error| error.code());
            assert_eq!(answer.err(), closed.then_some(ErrorCode::DependencyUnavailable), "{table} {facts:?}");
        }
        let opened = rig.access.open_session(&auth(3)).unwrap_err();
        assert_eq!(opened.code(), ErrorCode::DependencyUnavailable);
    }
}

#[test]
fn a_refusal_that_cannot_be_noted_is_dependency_unavailable_and_so_is_every_change() {
    let rig = Rig::new();
    let key = rig.key("a");
    rig.sql("CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'full'); END");
    let bad = RequestFacts { header_keys: vec!["wrong".to_owned()], ..RequestFacts::new(RouteClass::Generation) };
    assert_eq!(rig.code(&bad), ErrorCode::DependencyUnavailable);
    assert_eq!(rig.access.issue_key("b", None, &host()).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    assert_eq!(rig.access.revoke_key(&key.key.id, &host()).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    let keys = rig.access.keys().unwrap();
    assert_eq!((keys.len(), keys[0].status), (1, KeyStatus::Active), "nothing changed");
}

#[test]
fn a_full_disk_counts_nothing_and_lets_nothing_through() {
    let rig = Rig::new();
    rig.sql("CREATE TABLE filler (b BLOB); PRAGMA max_page_count = 1");
    while rig.store.write(|c| Ok(c.execute("INSERT INTO filler VALUES (zeroblob(2000))", [])?)).is_ok() {}
    // The last page of the table may have room for a few more rows.
    let full = (1..5000).find(|n| rig.access.authorize(&auth(*n)).is_err()).unwrap();
    let refused = rig.access.authorize(&auth(full)).unwrap_err();
    assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::DependencyUnavailable, None));
    rig.sql("PRAGMA max_page_count = 1000000");
    assert_eq!((0..20).filter(|_| rig.access.authorize(&auth(full)).is_ok()).count(), 10);
}

#[test]
fn a_closed_platform_lets_nobody_through() {
    let rig = Rig::new();
    let key = rig.key("a");
    rig.close();
    assert!(rig.access.authorize(&with_key(&key.secret)).is_err());
    assert!(rig.access.authorize(&auth(1)).is_err());
}

#[test]
fn every_kind_of_refusal_is_an_event() {
    let rig = Rig::new();
    let peer = "203.0.113.5";
    let mut facts = RequestFacts { correlation_id: Some("req-7".to_owned()), ..from(RouteClass::Generation, peer) };
    assert_eq!(rig.code(&facts), ErrorCode::SessionRequired);
    let event = &rig.events("denied_session_required")[0];
    assert_eq!((event.actor.as_str(), event.source.as_str()), ("anonymous", peer));
    assert_eq!((event.target.as_str(), event.outcome), ("generation", audit::Outcome::Denied));
    assert_eq!(event.correlation_id, "req-7");
    facts.origin = Some("https://evil.example".to_owned());
    facts.correlation_id = Some("not\none".to_owned());
    assert_eq!(rig.code(&facts), ErrorCode::CorsOriginBlocked);
    assert_ne!(rig.events("denied_cors_origin_blocked")[0].correlation_id, "not\none");
    facts.route = RouteClass::AdminLogin;
    facts.origin = None;
    assert_eq!(rig.code(&facts), ErrorCode::AdminKeyInvalid);
    assert_eq!(rig.events("denied_admin_key_invalid")[0].target, "admin_login");
}

#[test]
fn secrets_are_in_no_file_log_or_message() {
    let rig = Rig::new();
    let mut secrets = vec![ADMIN_KEY.to_owned()];
    let mut shown = String::new();
    let key = rig.key("canary");
    let rotated = rig.access.rotate_key(&key.key.id, None, &host()).unwrap();
    let session = rig.access.open_session(&auth(1)).unwrap();
    let admin = rig.access.open_admin_session(&admin_login()).unwrap();
    shown += &format!("{key:?} {rotated:?} {session:?} {admin:?} {:?} {:?}", settings(ADMIN_KEY), rig.access);
    secrets
        .extend([&key.secret, &rotated.secret, &session.token, &admin.token].map(|secret| secret.expose().to_owned()));
    rig.access.revoke_key(&key.key.id, &host()).unwrap();
    let unknown = Token::new(TokenKind::ApiKey).unwrap().text;
    for secret in [unknown.expose(), "Canary-Malformed-4711", key.secret.expose()] {
        secrets.push(secret.to_owned());
        for route in [RouteClass::Generation, RouteClass::Auth, RouteClass::AdminLogin, RouteClass::Admin] {
            let facts = RequestFacts {
                header_keys: vec![secret.to_owned()],
                query_keys: vec![secret.to_owned()],
                cookies: vec![format!("gg_session={secret}; gg_admin_session={secret}")],
                admin_header_keys: vec![secret.to_owned()],
                ..RequestFacts::new(route)
            };
            let error = rig.access.authorize(&facts).unwrap_err();
            shown += &format!("{facts:?} {error:?} {error} {} {}", error.detail(), error.user_action());
        }
        let facts = serde_json::json!({"route": "generation", "header_keys": secret}).to_string();
        shown += &format!("{:?}", RequestFacts::from_json(&facts).unwrap_err());
        let wrong = serde_json::json!({"route": secret}).to_string();
        shown += &format!("{:?}", RequestFacts::from_json(&wrong).unwrap_err());
        for error in [
            rig.access.revoke_key(secret, &host()).unwrap_err(),
            rig.access.rotate_key(secret, None, &host()).unwrap_err(),
            rig.access.revoke_session(SessionKind::Admin, secret, &host()).unwrap_err(),
            rig.access.admin_session_state(secret, &host()).unwrap_err(),
        ] {
            shown += &format!("{error:?}");
        }
    }
    shown += &format!("{:?}", rig.audit.list(&AuditQuery::default(), &host()).unwrap().logs);
    let mut places = vec![shown.into_bytes()];
    let path = database_path(rig.folder.path());
    places.push(std::fs::read(path.with_extension("db-wal")).unwrap());
    rig.close();
    places.push(std::fs::read(path).unwrap());
    places.push(std::fs::read(rig.folder.path().join("anchors")).unwrap());
    for secret in secrets {
        let bytes = secret.as_bytes();
        // Looks for the secret part alone, too; the text in front of it is public.
        let part = secret.rsplit('_').next().unwrap().to_owned();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
        for form in [secret.clone(), part, hex, base64] {
            assert!(
                places.iter().all(|place| !place.windows(form.len()).any(|window| window == form.as_bytes())),
                "{form}"
            );
        }
    }
}
