use super::super::window::{Bucket, Window};
use super::*;
use std::sync::Barrier;

fn login(peer: &str) -> RequestFacts {
    from(RouteClass::AdminLogin, peer)
}

fn auth(peer: &str) -> RequestFacts {
    from(RouteClass::Auth, peer)
}

fn ms(clock: &ManualClock, millis: u64) {
    clock.advance(Duration::from_millis(millis));
}

#[test]
fn ten_calls_pass_and_the_eleventh_waits_for_exactly_a_minute() {
    let rig = Rig::new();
    for _ in 0..10 {
        assert_eq!(rig.access.authorize(&auth("192.0.2.1")).unwrap().kind, PrincipalKind::Anonymous);
    }
    let refused = rig.access.authorize(&auth("192.0.2.1")).unwrap_err();
    assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(Duration::from_secs(60))));
    assert!(rig.access.authorize(&auth("192.0.2.2")).is_ok(), "another address");
    ms(&rig.clock, 59_999);
    let refused = rig.access.authorize(&auth("192.0.2.1")).unwrap_err();
    assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(Duration::from_secs(1))));
    ms(&rig.clock, 1);
    for _ in 0..10 {
        assert!(rig.access.authorize(&auth("192.0.2.1")).is_ok(), "refused calls count nowhere");
    }
    assert_eq!(rig.code(&auth("192.0.2.1")), ErrorCode::RateLimited);
}

#[test]
fn a_staggered_window_slides() {
    let rig = Rig::new();
    for _ in 0..10 {
        assert!(rig.access.authorize(&auth("192.0.2.1")).is_ok());
        ms(&rig.clock, 1000);
    }
    let refused = rig.access.authorize(&auth("192.0.2.1")).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(50)));
    ms(&rig.clock, 50_000);
    assert!(rig.access.authorize(&auth("192.0.2.1")).is_ok());
    assert_eq!(rig.code(&auth("192.0.2.1")), ErrorCode::RateLimited, "one call a second passes");
    ms(&rig.clock, 1000);
    assert!(rig.access.authorize(&auth("192.0.2.1")).is_ok());
}

#[test]
fn thirty_logins_pass_whether_good_or_bad() {
    let rig = Rig::new();
    for n in 0..30 {
        let facts = if n % 2 == 0 { admin_login() } else { login("192.0.2.1") };
        let answer = rig.access.authorize(&facts);
        assert_eq!(answer.map_err(|error| error.code()).err(), (n % 2 == 1).then_some(ErrorCode::AdminKeyInvalid));
    }
    assert_eq!(rig.code(&admin_login()), ErrorCode::RateLimited);
    ms(&rig.clock, 59_999);
    assert_eq!(rig.code(&admin_login()), ErrorCode::RateLimited);
    ms(&rig.clock, 1);
    assert!(rig.access.authorize(&admin_login()).is_ok());
}

#[test]
fn an_admin_session_has_120_calls_and_its_address_1200() {
    let rig = Rig::new();
    let session = rig.access.open_admin_session(&admin_login()).unwrap();
    for n in 0..120 {
        assert!(rig.access.authorize(&with_admin_session(&session.token)).is_ok(), "{n}");
    }
    assert_eq!(rig.code(&with_admin_session(&session.token)), ErrorCode::RateLimited);
    let other = rig.access.open_admin_session(&admin_login()).unwrap();
    assert!(rig.access.authorize(&with_admin_session(&other.token)).is_ok(), "a session has its own window");
    ms(&rig.clock, 60_000);
    assert!(rig.access.authorize(&with_admin_session(&session.token)).is_ok());
    let of = [1; 16];
    let ceiling = Bucket { window: Window::AdminCeiling, of };
    let passed = (0..1300_u32).filter(|n| {
        let own = Bucket::token(&n.to_string());
        rig.access.throttle.pass(&[own, ceiling]).is_ok()
    });
    assert_eq!(passed.count(), 1200);
    assert!(rig.access.throttle.pass(&[Bucket { window: Window::AdminAddress, of }]).is_ok());
}

#[test]
fn an_ipv6_network_has_one_window_and_a_proxy_one_for_each_client() {
    let rig = Rig::new();
    let passed = (0..20).filter(|n| rig.access.authorize(&auth(&format!("2001:db8::{n}"))).is_ok()).count();
    assert_eq!(passed, 10);
    let behind = |line: String| RequestFacts { forwarded_for: vec![line], ..auth("10.0.0.1") };
    let spoofed = (0..20).filter(|n| rig.access.authorize(&behind(format!("1.1.1.{n}, 203.0.113.9"))).is_ok()).count();
    assert_eq!(spoofed, 10, "hops to the left of the client are ignored");
    assert!(rig.access.authorize(&behind("203.0.113.10".to_owned())).is_ok());
}

#[test]
fn racing_calls_get_exactly_as_many_as_are_allowed() {
    let rig = Rig::new();
    let start = Arc::new(Barrier::new(100));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let (access, start) = (rig.access.clone(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                access.authorize(&auth("192.0.2.1")).is_ok()
            })
        })
        .collect();
    assert_eq!(threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|passed| *passed).count(), 10);
}

#[test]
fn neither_a_restart_nor_a_crash_empties_a_window() {
    let rig = Rig::new();
    for _ in 0..10 {
        rig.access.authorize(&auth("192.0.2.1")).unwrap();
    }
    ms(&rig.clock, 30_000);
    // The files that a killed process leaves, without a close.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["must.db", "must.db-wal", "anchors"] {
        std::fs::copy(rig.folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let copy = Rig::open(rig.folder.clone(), crashed.path(), rig.clock.clone(), &settings(ADMIN_KEY));
    let reopened = rig.reopen(&settings(ADMIN_KEY));
    for rig in [&copy, &reopened] {
        let refused = rig.access.authorize(&auth("192.0.2.1")).unwrap_err();
        assert_eq!((refused.code(), refused.retry_after()), (ErrorCode::RateLimited, Some(Duration::from_secs(30))));
    }
    ms(&rig.clock, 30_000);
    assert!(reopened.access.authorize(&auth("192.0.2.1")).is_ok());
}

#[test]
fn a_call_within_an_admin_session_writes_nothing() {
    let rig = Rig::new();
    let session = rig.access.open_admin_session(&admin_login()).unwrap();
    let changes = || {
        rig.store
            .read(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM access_hit", [], |row| row.get::<_, i64>(0))?)
            })
            .unwrap()
    };
    let before = changes();
    assert_eq!(before, 1, "the sign-in");
    for _ in 0..5 {
        rig.access.authorize(&with_admin_session(&session.token)).unwrap();
    }
    assert_eq!(changes(), before);
}

#[test]
fn a_clock_that_was_set_back_closes_a_window_for_a_minute_only() {
    let rig = Rig::new();
    for _ in 0..10 {
        rig.access.authorize(&auth("192.0.2.1")).unwrap();
    }
    rig.close();
    let clock = Arc::new(ManualClock::new(Timestamp(START.0 - days(1).as_millis() as i64)));
    let earlier = Rig::open(rig.folder.clone(), rig.folder.path(), clock, &settings(ADMIN_KEY));
    let refused = earlier.access.authorize(&auth("192.0.2.1")).unwrap_err();
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
    ms(&earlier.clock, 60_000);
    assert!(earlier.access.authorize(&auth("192.0.2.1")).is_ok());
}

#[test]
fn beyond_the_maximum_of_windows_callers_share_one() {
    let rig = Rig::new();
    let clock: Arc<dyn Clock> = rig.clock.clone();
    let throttle = Throttle::new(rig.store.clone(), clock).with_most(3);
    let pass = |n: u8| throttle.pass(&[Bucket { window: Window::Auth, of: [n; 16] }]).is_ok();
    assert!((0..3).all(pass));
    assert_eq!((3..30).filter(|n| pass(*n)).count(), 10);
    assert!(pass(0), "a caller with a window keeps it");
    ms(&rig.clock, 60_000);
    assert!((40..42).all(pass), "empty windows make room");
}

#[test]
fn generation_is_not_limited() {
    let rig = Rig::new();
    let key = rig.key("fast");
    assert!((0..2000).all(|_| rig.access.authorize(&with_key(&key.secret)).is_ok()));
}
