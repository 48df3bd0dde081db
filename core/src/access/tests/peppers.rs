//! The effects of a revoked pepper.

use super::*;

#[test]
fn credentials_of_a_revoked_pepper_are_shown_as_ended_and_new_ones_are_made() {
    let rig = Rig::new();
    let vault = |rig: &Rig| Arc::clone(&rig.access.vault);
    let (old, session) = (rig.key("old"), rig.access.open_session(&from(RouteClass::Auth, "192.0.2.9")).unwrap());
    let admin = rig.access.open_admin_session(&admin_login()).unwrap();
    assert_eq!(rig.access.usable().unwrap(), (1, 2));
    vault(&rig).revoke("pepper", &host()).unwrap();
    assert_eq!(rig.code(&with_key(&old.secret)), ErrorCode::InvalidApiKey);
    assert_eq!(rig.code(&with_session(&session.token)), ErrorCode::SessionRequired);
    assert_eq!(rig.code(&with_admin_session(&admin.token)), ErrorCode::AdminSessionRequired);
    let admin = rig.access.open_admin_session(&admin_login()).unwrap();
    assert!(rig.access.authorize(&with_admin_session(&admin.token)).is_ok(), "the admin key opens a session as before");
    let new = rig.key("new");
    assert!(rig.access.authorize(&with_key(&new.secret)).is_ok());
    rig.access.end_credentials_of_revoked_peppers(&host()).unwrap();
    let keys = rig.access.keys().unwrap();
    assert_eq!(keys.iter().map(|key| key.status).collect::<Vec<_>>(), [KeyStatus::Active, KeyStatus::Revoked]);
    assert_eq!(rig.access.usable().unwrap(), (1, 1));
    let event = &rig.events("credentials_revoke")[0];
    assert_eq!((event.details["api_keys"].as_str(), event.details["sessions"].as_str()), ("1", "2"));
    rig.access.end_credentials_of_revoked_peppers(&host()).unwrap();
    assert_eq!(rig.events("credentials_revoke").len(), 1, "nothing more to end");
    vault(&rig).rotate("pepper", None, Duration::ZERO, &host()).unwrap();
    rig.access.end_credentials_of_revoked_peppers(&host()).unwrap();
    assert!(rig.access.authorize(&with_key(&new.secret)).is_ok(), "a pepper that is replaced ends nothing");
}
