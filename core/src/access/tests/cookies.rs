//! Two platforms and one browser. Browsers keep cookies by host and path, so both platforms write the same ones.

use super::*;
use std::collections::BTreeMap;

/// Keeps cookies as a browser does. There is one host and one path, so they are kept by name.
#[derive(Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    fn sends(&self, facts: RequestFacts) -> RequestFacts {
        let cookies = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        RequestFacts { cookies: vec![cookies], ..facts }
    }

    fn signs_in(&mut self, rig: &Rig) -> String {
        let session = rig.access.open_session(&self.sends(from(RouteClass::Auth, "192.0.2.9"))).unwrap();
        self.0.insert(session.cookie.clone(), session.token.expose().to_owned());
        session.cookie
    }

    fn signs_in_as_admin(&mut self, rig: &Rig) -> String {
        let session = rig.access.open_admin_session(&self.sends(admin_login())).unwrap();
        self.0.insert(session.cookie.clone(), session.token.expose().to_owned());
        session.cookie
    }

    fn is_known(&self, rig: &Rig) -> bool {
        rig.access.authorize(&self.sends(from(RouteClass::Generation, "192.0.2.9"))).is_ok()
    }

    fn is_admin(&self, rig: &Rig) -> bool {
        rig.access.authorize(&self.sends(from(RouteClass::Admin, "192.0.2.9"))).is_ok()
    }

    fn signs_out(&mut self, rig: &Rig, kind: SessionKind) {
        let route = if kind == SessionKind::Admin { RouteClass::Admin } else { RouteClass::Generation };
        let facts = self.sends(from(route, "192.0.2.9"));
        let principal = rig.access.authorize(&facts).unwrap();
        rig.access.revoke_session(kind, &principal.id, &host()).unwrap();
        self.0.remove(&rig.access.carrying_cookie(kind, &facts)).unwrap();
    }
}

#[test]
fn one_platform_uses_the_names_of_the_specification() {
    let (rig, mut browser) = (Rig::new(), Browser::default());
    for _ in 0..3 {
        assert_eq!(browser.signs_in(&rig), "gg_session", "also where its own session is replaced");
        assert_eq!(browser.signs_in_as_admin(&rig), "gg_admin_session");
        assert!(browser.is_known(&rig) && browser.is_admin(&rig));
    }
    browser.signs_out(&rig, SessionKind::Generation);
    browser.signs_out(&rig, SessionKind::Admin);
    assert!(browser.0.is_empty());
    for junk in ["", "junk", "must_gs_junk"] {
        browser.0.insert("gg_session".to_owned(), junk.to_owned());
        assert_eq!(browser.signs_in(&rig), "gg_session", "what is no session is replaced");
    }
}

#[test]
fn two_platforms_on_one_host_leave_each_other_signed_in() {
    let (one, two, mut browser) = (Rig::new(), Rig::new(), Browser::default());
    assert_eq!(browser.signs_in(&one), "gg_session");
    let name = browser.signs_in(&two);
    assert!(name.starts_with("gg_session_") && name.len() == "gg_session_".len() + 8, "{name}");
    assert_eq!(browser.signs_in_as_admin(&two), "gg_admin_session", "the first platform keeps the plain name");
    assert!(browser.signs_in_as_admin(&one).starts_with("gg_admin_session_"));
    let all = |browser: &Browser| [&one, &two].map(|rig| (browser.is_known(rig), browser.is_admin(rig)));
    assert_eq!(all(&browser), [(true, true), (true, true)]);
    assert_eq!(browser.signs_in(&two), name, "and again");
    assert_eq!(browser.signs_in(&one), "gg_session");
    assert_eq!(all(&browser), [(true, true), (true, true)]);
    browser.signs_out(&one, SessionKind::Generation);
    assert_eq!(all(&browser), [(false, true), (true, true)]);
    browser.signs_out(&two, SessionKind::Admin);
    assert_eq!(all(&browser), [(false, true), (true, false)]);
    assert_eq!(browser.signs_in(&one), "gg_session");
    assert!(browser.is_known(&one) && browser.is_known(&two));
    let two = two.reopen(&settings(ADMIN_KEY));
    assert!(browser.is_known(&two), "its name stays the same");
}

/// Two pages that start at the same moment both write the plain name; the one whose session was overwritten gets its own name.
#[test]
fn a_session_that_was_overwritten_is_made_anew_beside_the_other() {
    let (one, two, mut browser) = (Rig::new(), Rig::new(), Browser::default());
    browser.signs_in(&one);
    let lost = two.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    browser.0.insert(lost.cookie, lost.token.expose().to_owned());
    assert!(!browser.is_known(&one) && browser.is_known(&two));
    assert!(browser.signs_in(&one).starts_with("gg_session_"));
    assert!(browser.is_known(&one) && browser.is_known(&two));
}

/// A browser keeps cookies of one name at different paths side by side, and sends them all.
#[test]
fn of_several_sessions_the_valid_one_of_this_platform_is_used() {
    let (one, two) = (Rig::new(), Rig::new());
    let open = |rig: &Rig| rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap();
    let (ended, ours, other) = (open(&one), open(&one), open(&two));
    one.access.revoke_session(SessionKind::Generation, &ended.id, &host()).unwrap();
    let with = |sessions: &[&IssuedSession]| {
        let cookies = sessions.iter().map(|session| format!("gg_session={}", session.token.expose())).collect();
        RequestFacts { cookies, ..RequestFacts::new(RouteClass::Generation) }
    };
    for sessions in [[&other, &ours], [&ours, &other], [&ended, &ours], [&ours, &ours]] {
        assert_eq!(one.access.authorize(&with(&sessions)).unwrap().id, ours.id);
    }
    assert_eq!(one.access.authorize(&with(&[&ended, &other, &ours, &other])).unwrap().id, ours.id);
    assert_eq!(one.code(&with(&[&ended, &other])), ErrorCode::SessionExpired);
    assert_eq!(one.code(&with(&[&other])), ErrorCode::SessionRequired);
    let second = open(&one);
    assert_eq!(one.code(&with(&[&ours, &second])), ErrorCode::SessionRequired, "two that go on are refused");
    let many: Vec<IssuedSession> = (0..9)
        .map(|_| {
            two.clock.advance(Duration::from_secs(10));
            open(&two)
        })
        .collect();
    assert_eq!(one.code(&with(&many.iter().chain([&ours]).collect::<Vec<_>>())), ErrorCode::SessionRequired);
}

#[test]
fn a_suffix_from_the_settings_is_always_used() {
    let with = |suffix: &str| AccessSettings { cookie_suffix: Some(suffix.to_owned()), ..settings(ADMIN_KEY) };
    let (rig, mut browser) = (Rig::new(), Browser::default());
    assert_eq!(browser.signs_in(&rig), "gg_session");
    let rig = rig.reopen(&with("studio"));
    assert!(browser.is_known(&rig), "the session under the old name stays valid");
    assert_eq!(browser.signs_in(&rig), "gg_session_studio");
    assert_eq!(browser.signs_in_as_admin(&rig), "gg_admin_session_studio");
    assert!(browser.is_known(&rig) && browser.is_admin(&rig));
}
