//! Signing in: who may start a session, and who owns the results that a caller makes.

use super::*;

fn signing_in() -> AccessSettings {
    AccessSettings { sign_in_required: true, ..settings(ADMIN_KEY) }
}

fn start_with(key: &SecretText) -> RequestFacts {
    RequestFacts { header_keys: vec![key.expose().to_owned()], ..from(RouteClass::Auth, "192.0.2.9") }
}

fn owner(rig: &Rig, facts: &RequestFacts) -> Option<String> {
    rig.access.authorize(facts).unwrap().owner
}

#[test]
fn a_session_needs_a_key_where_sign_in_is_required() {
    let rig = Rig::new().reopen(&signing_in());
    let refused = rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::SessionRequired);
    assert!(refused.user_action().contains("X-API-Key"), "{refused:?}");
    assert_eq!(rig.events("denied_session_required")[0].source, "192.0.2.9");
    let wrong = rig.access.open_session(&start_with(&SecretText::new("nonsense"))).unwrap_err();
    assert_eq!(wrong.code(), ErrorCode::InvalidApiKey);
    let key = rig.key("anna");
    let session = rig.access.open_session(&start_with(&key.secret)).unwrap();
    let principal = rig.access.authorize(&with_session(&session.token)).unwrap();
    assert_eq!((principal.name.as_str(), principal.owner), ("anna", Some(format!("key:{}", key.key.id))));
    assert_eq!(principal.kind, PrincipalKind::Session);
}

#[test]
fn sessions_of_one_key_have_one_owner_and_its_replacement_keeps_it() {
    let rig = Rig::new().reopen(&signing_in());
    let (anna, other) = (rig.key("anna"), rig.key("other"));
    let expected = Some(anna.key.owner.clone());
    assert_eq!(expected, Some(format!("key:{}", anna.key.id)));
    let open = |key: &SecretText| rig.access.open_session(&start_with(key)).unwrap();
    let (first, second) = (open(&anna.secret), open(&anna.secret));
    for facts in [with_key(&anna.secret), with_session(&first.token), with_session(&second.token)] {
        assert_eq!(owner(&rig, &facts), expected);
    }
    assert_ne!(owner(&rig, &with_key(&other.secret)), expected);
    let next = rig.access.rotate_key(&anna.key.id, None, &host()).unwrap();
    let last = rig.access.rotate_key(&next.key.id, None, &host()).unwrap();
    for key in [&next, &last] {
        assert_eq!((&key.key.owner, owner(&rig, &with_key(&key.secret))), (&anna.key.owner, expected.clone()));
        assert_eq!(owner(&rig, &with_session(&open(&key.secret).token)), expected);
    }
    let listed = rig.access.keys().unwrap();
    assert_eq!(listed.iter().filter(|key| key.owner == anna.key.owner).count(), 3);
}

#[test]
fn the_key_of_the_settings_is_an_owner_and_so_is_a_session_without_a_key() {
    let rig = Rig::new();
    let before = rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    let own = SecretText::new("a key of the operator's own");
    let rig = rig.reopen(&AccessSettings { api_key: Some(own.clone()), ..signing_in() });
    assert_eq!(owner(&rig, &with_session(&before.token)), Some(format!("session:{}", before.id)));
    let session = rig.access.open_session(&start_with(&own)).unwrap();
    for facts in [with_key(&own), with_session(&session.token)] {
        let principal = rig.access.authorize(&facts).unwrap();
        assert_eq!((principal.owner.as_deref(), principal.name.as_str()), (Some("key:settings"), "settings"));
    }
    let admin = rig.access.open_admin_session(&admin_login()).unwrap();
    assert_eq!(owner(&rig, &with_admin_session(&admin.token)), None, "administrators see all");
}

#[test]
fn nobody_owns_anything_while_the_setting_is_off() {
    let rig = Rig::new();
    let key = rig.key("anna");
    let with = rig.access.open_session(&start_with(&key.secret)).unwrap();
    let without = rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    for facts in [with_key(&key.secret), with_session(&with.token), with_session(&without.token)] {
        assert_eq!(owner(&rig, &facts), None);
    }
}

#[test]
fn keys_from_older_schemas_get_the_owner_of_the_first_in_their_chain() {
    let folder = tempfile::tempdir().unwrap();
    let before = [MIGRATION, KEY_NUMBER_MIGRATION];
    let store = Store::open(folder.path(), &before, None).unwrap();
    let make = |id: &'static str, replaced_by: Option<&'static str>| {
        store
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO access_key (id, name, mac, pepper, created_at, expires_at, replaced_by)
                     VALUES (?, 'x', zeroblob(32), 1, 0, 1, ?)",
                    rusqlite::params![id, replaced_by],
                )?;
                Ok(())
            })
            .unwrap();
    };
    make("c", None);
    make("b", Some("c"));
    make("a", Some("b"));
    make("alone", None);
    store.close();
    drop(store);
    let store = Store::open(folder.path(), &[MIGRATION, KEY_NUMBER_MIGRATION, KEY_OWNER_MIGRATION], None).unwrap();
    let owner = |id: &str| store.read(|connection| Ok(store::key(connection, id)?.unwrap().owner)).unwrap();
    assert_eq!(["a", "b", "c", "alone"].map(owner), ["a", "a", "a", "alone"].map(str::to_owned));
    store.close();
}

#[test]
fn a_page_reads_its_session_and_nothing_is_noted() {
    let rig = Rig::new().reopen(&signing_in());
    let key = rig.key("anna");
    let session = rig.access.open_session(&start_with(&key.secret)).unwrap();
    let (state, principal) = rig.access.current_session(&with_session(&session.token)).unwrap();
    assert_eq!((state.id, Some(state.expires_at)), (session.id.clone(), session.expires_at));
    assert_eq!((principal.name.as_str(), principal.owner), ("anna", Some(key.key.owner.clone())));
    rig.access.revoke_session(SessionKind::Generation, &session.id, &host()).unwrap();
    assert!(rig.access.current_session(&with_session(&session.token)).is_none());
    assert!(rig.access.current_session(&RequestFacts::new(RouteClass::Generation)).is_none());
    assert!(rig.events("denied_session_expired").is_empty() && rig.events("denied_session_required").is_empty());
}

#[test]
fn the_operator_sets_the_number_of_sessions_per_minute() {
    let rig = Rig::new();
    let limited = |sessions| AccessSettings { sessions_per_minute: sessions, ..settings(ADMIN_KEY) };
    let rig = rig.reopen(&limited(25));
    let start = || rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9"));
    assert_eq!((0..40).filter(|_| start().is_ok()).count(), 25);
    let refused = start().unwrap_err();
    assert_eq!((refused.code(), refused.detail()), (ErrorCode::RateLimited, "more than 25 calls in 60 seconds"));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    let rig = rig.reopen(&limited(10));
    assert_eq!(
        rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap_err().code(),
        ErrorCode::RateLimited,
        "calls that were counted before also count for a lower limit"
    );
    rig.clock.advance(Duration::from_secs(60));
    assert!(rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).is_ok());
    for wrong in [0, 10_001] {
        assert_eq!(sessions_limit(&limited(wrong)).unwrap_err().code(), ErrorCode::ValidationError, "{wrong}");
    }
    assert_eq!(sessions_limit(&AccessSettings::default()).unwrap(), 10);
}
