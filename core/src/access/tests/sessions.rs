use super::*;

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[test]
fn a_generation_session_ends_after_24_hours_however_much_it_is_used() {
    let rig = Rig::new();
    let session = rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    assert_eq!(session.expires_at, Some(Timestamp(START.0 + 24 * 3600 * 1000)));
    for _ in 0..23 {
        rig.clock.advance(hours(1));
        let principal = rig.access.authorize(&with_session(&session.token)).unwrap();
        assert_eq!(principal.actor(), format!("session:{}", session.id));
    }
    assert_eq!(
        rig.access.session_state(&with_session(&session.token)).unwrap().expires_at,
        session.expires_at.unwrap()
    );
    rig.clock.advance(hours(1) - Duration::from_millis(1));
    assert!(rig.access.authorize(&with_session(&session.token)).is_ok());
    rig.clock.advance(Duration::from_millis(1));
    assert_eq!(rig.code(&with_session(&session.token)), ErrorCode::SessionExpired);
    assert_eq!(rig.access.session_state(&with_session(&session.token)).unwrap_err().code(), ErrorCode::SessionExpired);
    let nothing = RequestFacts::new(RouteClass::Generation);
    assert_eq!(rig.access.session_state(&nothing).unwrap_err().code(), ErrorCode::SessionRequired);
    assert_eq!(rig.events("session_create")[0].source, "192.0.2.9");
}

#[test]
fn an_admin_session_ends_after_12_hours_without_use_also_across_a_restart() {
    let mut rig = Rig::new();
    let session = rig.access.open_admin_session(&admin_login()).unwrap();
    assert_eq!(session.expires_at, None);
    for _ in 0..5 {
        rig.clock.advance(hours(12) - Duration::from_millis(1));
        let principal = rig.access.authorize(&with_admin_session(&session.token)).unwrap();
        assert_eq!(principal.actor(), format!("admin:{}", session.id));
        let state = rig.access.admin_session_state(&session.id, &host()).unwrap();
        assert_eq!((state.idle_timeout_seconds, state.last_activity_at), (43_200, rig.clock.now()));
        rig = rig.reopen(&settings(ADMIN_KEY));
    }
    rig.clock.advance(hours(12));
    assert_eq!(rig.code(&with_admin_session(&session.token)), ErrorCode::AdminSessionExpired);
    let state = rig.access.admin_session_state(&session.id, &host()).unwrap_err();
    assert_eq!(state.code(), ErrorCode::AdminSessionExpired);
}

#[test]
fn activity_is_written_at_most_once_a_minute() {
    let rig = Rig::new();
    let session = rig.access.open_admin_session(&admin_login()).unwrap();
    let written = || {
        // Waits for the writes that were queued before.
        rig.sql("SELECT 1");
        rig.store.read(|c| Ok(store::session(c, &session.id, true)?.unwrap().last_used_at - START.0)).unwrap()
    };
    for (wait, expected) in [(59_999, 0), (1, 60_000), (30_000, 60_000), (30_000, 120_000)] {
        rig.clock.advance(Duration::from_millis(wait));
        rig.access.authorize(&with_admin_session(&session.token)).unwrap();
        assert_eq!(written(), expected);
    }
}

#[test]
fn a_new_admin_key_ends_the_sessions_of_the_old_one() {
    let rig = Rig::new();
    let session = rig.access.open_admin_session(&admin_login()).unwrap();
    let rig = rig.reopen(&settings("another admin key"));
    assert_eq!(rig.code(&with_admin_session(&session.token)), ErrorCode::AdminSessionExpired);
    let rig = rig.reopen(&settings("too short"));
    assert_eq!(rig.code(&with_admin_session(&session.token)), ErrorCode::AdminSessionExpired);
    assert_eq!(rig.code(&admin_login()), ErrorCode::AdminMisconfigured);
    let rig = rig.reopen(&settings(ADMIN_KEY));
    assert!(rig.access.authorize(&with_admin_session(&session.token)).is_ok());
}

#[test]
fn sessions_are_ended_one_by_one_and_all_at_once() {
    let rig = Rig::new();
    let open = || rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    let (one, two, three) = (open(), open(), open());
    let admin = rig.access.open_admin_session(&admin_login()).unwrap();
    rig.access.revoke_session(SessionKind::Generation, &one.id, &host()).unwrap();
    rig.access.revoke_session(SessionKind::Generation, &one.id, &host()).unwrap();
    assert_eq!(rig.code(&with_session(&one.token)), ErrorCode::SessionExpired);
    let wrong_kind = rig.access.revoke_session(SessionKind::Admin, &two.id, &host()).unwrap_err();
    assert_eq!(wrong_kind.code(), ErrorCode::NotFound);
    assert_eq!(rig.access.revoke_all_sessions(SessionKind::Generation, &host()).unwrap(), 2);
    assert_eq!(rig.code(&with_session(&two.token)), ErrorCode::SessionExpired);
    assert_eq!(rig.code(&with_session(&three.token)), ErrorCode::SessionExpired);
    assert!(rig.access.authorize(&with_admin_session(&admin.token)).is_ok());
    rig.access.revoke_session(SessionKind::Admin, &admin.id, &host()).unwrap();
    assert_eq!(rig.code(&with_admin_session(&admin.token)), ErrorCode::AdminSessionExpired);
    assert_eq!(rig.events("sessions_revoke_all")[0].details["sessions"], "2");
    assert_eq!((rig.events("session_delete").len(), rig.events("admin_session_delete").len()), (2, 1));
    rig.clock.advance(days(31));
    open();
    assert_eq!(rig.code(&with_session(&one.token)), ErrorCode::SessionRequired, "forgotten after a month");
}

#[test]
fn facts_of_another_route_open_no_session() {
    let rig = Rig::new();
    for facts in [RequestFacts::new(RouteClass::Generation), admin_login()] {
        assert_eq!(rig.access.open_session(&facts).unwrap_err().code(), ErrorCode::ValidationError);
    }
    let facts = from(RouteClass::Auth, "192.0.2.1");
    assert_eq!(rig.access.open_admin_session(&facts).unwrap_err().code(), ErrorCode::ValidationError);
}
