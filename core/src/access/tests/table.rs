//! Runs the table of cases that every language runs.

use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Table {
    values: BTreeMap<String, String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    facts: serde_json::Value,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

#[test]
fn every_case_of_the_table_gets_its_expected_answer() {
    let mut table: Table = serde_json::from_str(include_str!("../../../../tests/conformance/access.json")).unwrap();
    let rig = Rig::new();
    let values = &mut table.values;
    let mut set = |name: &str, secret: &SecretText| values.insert(name.to_owned(), secret.expose().to_owned());
    let open = |peer: &str| rig.access.open_session(&from(RouteClass::Auth, peer)).unwrap();
    let (key, session, admin) = (
        rig.access.issue_key("expired", Some(days(1)), &host()).unwrap(),
        open("198.51.100.1"),
        rig.access.open_admin_session(&admin_login()).unwrap(),
    );
    for (name, secret) in
        [("key.expired", &key.secret), ("session.expired", &session.token), ("admin_session.expired", &admin.token)]
    {
        set(name, secret);
    }
    rig.clock.advance(days(1));
    let (key, session, admin) =
        (rig.key("revoked"), open("198.51.100.1"), rig.access.open_admin_session(&admin_login()).unwrap());
    rig.access.revoke_key(&key.key.id, &host()).unwrap();
    rig.access.revoke_session(SessionKind::Generation, &session.id, &host()).unwrap();
    rig.access.revoke_session(SessionKind::Admin, &admin.id, &host()).unwrap();
    for (name, secret) in
        [("key.revoked", &key.secret), ("session.revoked", &session.token), ("admin_session.revoked", &admin.token)]
    {
        set(name, secret);
    }
    set("key.right", &rig.key("right").secret);
    set("key.other", &rig.key("other").secret);
    set("session.right", &open("198.51.100.1").token);
    set("session.other", &open("198.51.100.1").token);
    set("admin_session.right", &rig.access.open_admin_session(&admin_login()).unwrap().token);
    assert_eq!(table.values["admin_key.right"], ADMIN_KEY);
    assert!(table.cases.len() >= 216 + 20);
    for case in table.cases {
        let facts = table
            .values
            .iter()
            .fold(case.facts.to_string(), |facts, (name, value)| facts.replace(&format!("{{{{{name}}}}}"), value));
        assert!(!facts.contains("{{"), "{}: a value is missing", case.name);
        let answer = rig.access.authorize(&RequestFacts::from_json(&facts).unwrap());
        let (principal, error) = match answer {
            Ok(principal) => (Some(serde_json::to_value(principal.kind).unwrap().as_str().unwrap().to_owned()), None),
            Err(error) => (None, Some(error.code().as_str().to_owned())),
        };
        assert_eq!((principal, error), (case.principal, case.error), "{}", case.name);
    }
}
