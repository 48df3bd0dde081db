//! Links that open one file for an hour.

use super::*;

/// Returns the names and values in the query of a link.
fn parts(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn authenticate(rig: &Rig, path: &str, query: &str) -> Result<Principal> {
    let parts = parts(query);
    let part = |wanted: &str| parts.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).unwrap();
    let link = Link { path, expires: part("expires"), by: part("by"), signature: part("signature") };
    rig.access.authorize_link(&from(RouteClass::Generation, "192.0.2.1"), link)
}

fn code(rig: &Rig, path: &str, query: &str) -> ErrorCode {
    authenticate(rig, path, query).unwrap_err().code()
}

fn principal(rig: &Rig, key: &IssuedKey) -> Principal {
    rig.access.authorize(&with_key(&key.secret)).unwrap()
}

#[test]
fn a_link_opens_only_its_file_and_for_an_hour() {
    let rig = Rig::new();
    let key = rig.key("a client");
    let maker = principal(&rig, &key);
    let query = rig.access.sign_link(&maker, "/results/a").unwrap();
    assert_eq!(authenticate(&rig, "/results/a", &query).unwrap(), maker);
    for path in ["/results/b", "/preview/a", "/results/a/", "", "/results/team-a::a"] {
        assert_eq!(code(&rig, path, &query), ErrorCode::InvalidApiKey, "{path}");
    }
    // Changes each letter in turn.
    for at in 0..query.len() {
        let mut changed = query.clone().into_bytes();
        changed[at] = match changed[at] {
            b'=' | b'&' => continue,
            b'0' => b'1',
            _ => b'0',
        };
        let changed = String::from_utf8(changed).unwrap();
        if changed.starts_with("expires=") && changed.contains("&by=") && changed.contains("&signature=") {
            assert!(authenticate(&rig, "/results/a", &changed).is_err(), "{changed}");
        }
    }
    for bad in
        ["expires=&by=&signature=", "expires=99999999999999999999&by=x&signature=1.AA", "expires=1&by=x&signature=é"]
    {
        assert_eq!(code(&rig, "/results/a", bad), ErrorCode::InvalidApiKey, "{bad}");
    }
    rig.clock.advance(Duration::from_secs(3599));
    assert!(authenticate(&rig, "/results/a", &query).is_ok());
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(code(&rig, "/results/a", &query), ErrorCode::SessionExpired);
    assert!(!rig.events("denied_session_expired").is_empty(), "a refusal is noted");
}

#[test]
fn a_link_survives_a_restart_and_ends_with_its_key() {
    let rig = Rig::new();
    let key = rig.key("a client");
    let query = rig.access.sign_link(&principal(&rig, &key), "/results/a").unwrap();
    let rig = rig.reopen(&settings(ADMIN_KEY));
    assert!(authenticate(&rig, "/results/a", &query).is_ok());
    rig.access.revoke_key(&key.key.id, &host()).unwrap();
    assert_eq!(code(&rig, "/results/a", &query), ErrorCode::InvalidApiKey);
}

#[test]
fn a_link_made_with_the_settings_key_ends_when_that_key_is_replaced() {
    let rig = Rig::new();
    let with = |key: &str| AccessSettings { api_key: Some(SecretText::new(key)), ..settings(ADMIN_KEY) };
    let rig = rig.reopen(&with("sixteen letters, and more"));
    let maker = rig.access.authorize(&with_key(&SecretText::new("sixteen letters, and more"))).unwrap();
    let query = rig.access.sign_link(&maker, "/results/a").unwrap();
    let rig = rig.reopen(&with("sixteen letters, and more"));
    assert!(authenticate(&rig, "/results/a", &query).is_ok());
    let rig = rig.reopen(&with("another key of the settings"));
    assert_eq!(code(&rig, "/results/a", &query), ErrorCode::InvalidApiKey);
    let rig = rig.reopen(&settings(ADMIN_KEY));
    assert_eq!(code(&rig, "/results/a", &query), ErrorCode::InvalidApiKey);
}

#[test]
fn a_foreign_page_is_refused_whatever_it_presents() {
    let rig = Rig::new();
    let key = rig.key("a client");
    let query = rig.access.sign_link(&principal(&rig, &key), "/results/a").unwrap();
    let parts = parts(&query);
    let facts =
        RequestFacts { origin: Some("https://evil.example".to_owned()), ..from(RouteClass::Generation, "192.0.2.1") };
    let link = Link { path: "/results/a", expires: &parts[0].1, by: &parts[1].1, signature: &parts[2].1 };
    assert_eq!(rig.access.authorize_link(&facts, link).unwrap_err().code(), ErrorCode::CorsOriginBlocked);
}
