use super::*;

#[test]
fn a_key_ends_at_exactly_90_days() {
    let rig = Rig::new();
    let issued = rig.key("render farm");
    assert_eq!(issued.key.expires_at.0 - START.0, 90 * 24 * 3600 * 1000);
    let principal = rig.access.authorize(&with_key(&issued.secret)).unwrap();
    assert_eq!((principal.kind, principal.name.as_str()), (PrincipalKind::ApiKey, "render farm"));
    assert_eq!(principal.actor(), format!("key:{}", issued.key.id));
    rig.clock.advance(days(90) - Duration::from_millis(1));
    assert!(rig.access.authorize(&with_key(&issued.secret)).is_ok());
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(rig.code(&with_key(&issued.secret)), ErrorCode::InvalidApiKey);
    assert_eq!(rig.access.keys().unwrap()[0].status, KeyStatus::Expired);
    assert_eq!(rig.events("denied_invalid_api_key")[0].actor, format!("key:{}", issued.key.id));
}

#[test]
fn a_rotated_key_stays_valid_for_the_overlap_but_not_beyond_its_own_end() {
    let rig = Rig::new();
    let old = rig.key("site");
    let new = rig.access.rotate_key(&old.key.id, None, &host()).unwrap();
    assert_eq!((new.key.name.as_str(), new.key.expires_at), ("site", old.key.expires_at));
    assert!(rig.access.authorize(&with_key(&new.secret)).is_ok());
    rig.clock.advance(days(1) - Duration::from_millis(1));
    assert!(rig.access.authorize(&with_key(&old.secret)).is_ok());
    let listed = rig.access.keys().unwrap();
    let listed = listed.iter().find(|key| key.id == old.key.id).unwrap();
    assert_eq!((listed.status, listed.replaced_by.as_ref()), (KeyStatus::Rotated, Some(&new.key.id)));
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(rig.code(&with_key(&old.secret)), ErrorCode::InvalidApiKey);
    let again = rig.access.rotate_key(&old.key.id, None, &host()).unwrap_err();
    assert_eq!(again.code(), ErrorCode::InvalidState);

    let short = rig.access.issue_key("short", Some(Duration::from_secs(60)), &host()).unwrap();
    rig.access.rotate_key(&short.key.id, Some(days(7)), &host()).unwrap();
    rig.clock.advance(Duration::from_secs(60));
    assert_eq!(rig.code(&with_key(&short.secret)), ErrorCode::InvalidApiKey);

    let leaked = rig.key("leaked");
    rig.access.rotate_key(&leaked.key.id, Some(Duration::ZERO), &host()).unwrap();
    assert_eq!(rig.code(&with_key(&leaked.secret)), ErrorCode::InvalidApiKey);
    let long = rig.access.rotate_key(&new.key.id, Some(days(7) + Duration::from_millis(1)), &host()).unwrap_err();
    assert_eq!(long.code(), ErrorCode::ValidationError);
    assert_eq!(rig.events("api_key_rotate").len(), 3);
}

#[test]
fn keys_made_in_the_same_moment_are_listed_newest_first() {
    let rig = Rig::new();
    let mut ids: Vec<String> = (0..8).map(|number| rig.key(&format!("key {number}")).key.id).collect();
    ids.push(rig.access.rotate_key(&ids[3], None, &host()).unwrap().key.id);
    ids.reverse();
    let listed: Vec<String> = rig.access.keys().unwrap().into_iter().map(|key| key.id).collect();
    assert_eq!(listed, ids);
}

#[test]
fn revoking_a_key_ends_only_it_and_its_sessions() {
    let rig = Rig::new();
    let (key, other) = (rig.key("one"), rig.key("two"));
    let open = |key: &IssuedKey| {
        let facts =
            RequestFacts { header_keys: vec![key.secret.expose().to_owned()], ..from(RouteClass::Auth, "192.0.2.9") };
        rig.access.open_session(&facts).unwrap()
    };
    let (first, second, of_other) = (open(&key), open(&key), open(&other));
    let anonymous = rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    assert_eq!(rig.access.authorize(&with_session(&first.token)).unwrap().name, "one");
    assert_eq!(rig.access.revoke_key(&key.key.id, &host()).unwrap(), 2);
    assert_eq!(rig.access.revoke_key(&key.key.id, &host()).unwrap(), 0);
    assert_eq!(rig.code(&with_key(&key.secret)), ErrorCode::InvalidApiKey);
    assert_eq!(rig.code(&with_session(&first.token)), ErrorCode::SessionExpired);
    assert_eq!(rig.code(&with_session(&second.token)), ErrorCode::SessionExpired);
    assert!(rig.access.authorize(&with_session(&of_other.token)).is_ok());
    assert!(rig.access.authorize(&with_session(&anonymous.token)).is_ok());
    assert!(rig.access.authorize(&with_key(&other.secret)).is_ok());
    let event = &rig.events("api_key_revoke")[1];
    assert_eq!(
        (event.actor.as_str(), event.source.as_str(), event.details["sessions"].as_str()),
        ("operator", "cli", "2")
    );
    assert_eq!(rig.access.rotate_key(&key.key.id, None, &host()).unwrap_err().code(), ErrorCode::InvalidState);
}

#[test]
fn names_and_lifetimes_are_checked_and_unknown_ids_are_refused() {
    let rig = Rig::new();
    let long = "ы".repeat(65);
    for name in ["", "  ", "a\nb", "\u{7f}", &long] {
        let error = rig.access.issue_key(name, None, &host()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{name:?}");
    }
    assert!(rig.access.issue_key(&"ы".repeat(64), None, &host()).is_ok());
    for life in [Duration::ZERO, days(90) + Duration::from_millis(1)] {
        let error = rig.access.issue_key("a", Some(life), &host()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError);
    }
    assert_eq!(rig.access.revoke_key("nobody", &host()).unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(rig.access.rotate_key("nobody", None, &host()).unwrap_err().code(), ErrorCode::NotFound);
    assert_eq!(rig.events("api_key_issue").len(), 1);
}
