//! With sign-in: each caller sees only their own tasks, and cannot find out that others exist.

use super::*;
use crate::audit::{AuditEvent, AuditQuery, Caller};

struct Person {
    key: String,
    owner: String,
}

fn signing_in() -> Rig {
    rig_with(|settings| settings.sign_in_required = true)
}

fn person(rig: &Rig, name: &str) -> Person {
    let issued = rig.platform.access().unwrap().issue_key(name, None, &Caller::new("test", "test")).unwrap();
    Person { key: issued.secret.expose().to_owned(), owner: issued.key.owner.clone() }
}

fn session_of(rig: &Rig, person: &Person) -> String {
    let (answer, _) = send(rig, "POST", "/auth/session", &[("x-api-key", &person.key)], "");
    assert_eq!(answer.status, 201);
    header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn admin(rig: &Rig) -> String {
    let (answer, _) = send(rig, "POST", "/admin/session", &[("x-admin-key", ADMIN_KEY)], "");
    header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

const REQUEST: &str = r#"{"model": "tiny-video", "prompt": "a red circle moving left"}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

fn submit(rig: &Rig, credential: (&str, &str)) -> String {
    let (answer, body) = send(rig, "POST", "/generate", &[credential, JSON], REQUEST);
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&body));
    value(&body)["task_id"].as_str().unwrap().to_owned()
}

fn events(rig: &Rig, action: &str) -> Vec<AuditEvent> {
    let query = AuditQuery { action: Some(action.to_owned()), ..AuditQuery::default() };
    rig.platform.audit().unwrap().list(&query, &Caller::new("test", "test")).unwrap().logs
}

/// Every call on one task of the generation API: method, path with ID, whether it takes a bearer token.
const CALLS: [(&str, &str, bool); 9] = [
    ("GET", "/status/ID", false),
    ("GET", "/events/ID", false),
    ("GET", "/results/ID", false),
    ("GET", "/preview/ID", false),
    ("POST", "/tasks/ID/cancel", false),
    ("DELETE", "/gallery/ID", false),
    ("GET", "/v1/videos/ID", true),
    ("GET", "/v1/videos/ID/content", true),
    ("DELETE", "/v1/videos/ID", true),
];

#[test]
fn a_task_of_another_owner_looks_like_one_that_does_not_exist() {
    let rig = signing_in();
    let (anna, boris) = (person(&rig, "anna"), person(&rig, "boris"));
    let (annas, bearer) = (("x-api-key", anna.key.as_str()), format!("Bearer {}", boris.key));
    let task = submit(&rig, annas);
    assert_eq!(rig.platform.status(&task).unwrap().owner, Some(anna.owner.clone()));
    let missing = "0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968";
    let cookie = session_of(&rig, &boris);
    for (method, path, is_bearer) in CALLS {
        let by_key = if is_bearer { ("authorization", bearer.as_str()) } else { ("x-api-key", boris.key.as_str()) };
        let ways = if is_bearer { vec![by_key] } else { vec![by_key, ("cookie", cookie.as_str())] };
        for way in ways {
            let ask = |id: &str| {
                let (answer, body) = send(&rig, method, &path.replace("ID", id), &[way], "");
                let names: Vec<String> = answer.headers.iter().map(|(name, _)| name.clone()).collect();
                (answer.status, names, String::from_utf8(body).unwrap().replace(id, "ID"))
            };
            let foreign = ask(&task);
            assert_eq!(foreign, ask(missing), "{method} {path}");
            assert!(foreign.0 == 404 && foreign.2.contains("task_not_found"), "{method} {path}: {foreign:?}");
        }
    }
    let (_, body) = send(&rig, "GET", "/v1/videos", &[("authorization", &bearer)], "");
    assert_eq!(value(&body)["data"], json!([]));
    let after = |id: &str| {
        let (answer, body) = send(&rig, "GET", &format!("/v1/videos?after={id}"), &[("authorization", &bearer)], "");
        (answer.status, String::from_utf8(body).unwrap().replace(id, "ID"))
    };
    assert_eq!(after(&task), after(missing));
    assert_eq!(rig.platform.status(&task).unwrap().status.as_str(), "pending", "nobody else could end it");

    let own = submit(&rig, ("x-api-key", &boris.key));
    for (caller, mine, other) in [(&anna, &task, &own), (&boris, &own, &task)] {
        let bearer = format!("Bearer {}", caller.key);
        let (_, body) = send(&rig, "GET", "/v1/videos", &[("authorization", &bearer)], "");
        assert_eq!(value(&body)["data"].as_array().unwrap().len(), 1);
        let (_, body) = send(&rig, "GET", &format!("/v1/videos/{mine}"), &[("authorization", &bearer)], "");
        assert_eq!(value(&body)["id"], json!(mine));
        let (answer, _) = send(&rig, "GET", &format!("/status/{other}"), &[("x-api-key", &caller.key)], "");
        assert_eq!(answer.status, 404);
    }
}

#[test]
fn sessions_of_one_key_share_their_tasks_and_a_session_needs_a_key() {
    let rig = signing_in();
    let (answer, body) = send(&rig, "POST", "/auth/session", &[], "");
    assert_eq!(failure(&answer, &body), "session_required");
    assert!(value(&body)["user_action"].as_str().unwrap().contains("access key"));
    let anna = person(&rig, "anna");
    let (first, second) = (session_of(&rig, &anna), session_of(&rig, &anna));
    let task = submit(&rig, ("cookie", &first));
    for way in [("cookie", first.as_str()), ("cookie", &second), ("x-api-key", &anna.key)] {
        assert_eq!(send(&rig, "GET", &format!("/status/{task}"), &[way], "").0.status, 200, "{way:?}");
    }
    let once = |way| {
        let (_, body) = send(&rig, "POST", "/generate", &[way, JSON, ("idempotency-key", "one")], REQUEST);
        value(&body)["task_id"].as_str().unwrap().to_owned()
    };
    let made = once(("cookie", &first));
    assert_eq!(once(("cookie", &second)), made, "the key finds the same submission after signing in again");
    let boris = person(&rig, "boris");
    assert_ne!(once(("x-api-key", &boris.key)), made);
}

#[test]
fn administrators_see_all_tasks_and_their_changes_are_noted() {
    let rig = signing_in();
    let (anna, boris) = (person(&rig, "anna"), person(&rig, "boris"));
    let (first, second) = (submit(&rig, ("x-api-key", &anna.key)), submit(&rig, ("x-api-key", &boris.key)));
    let nobodys = rig.platform.submit(&crate::GenerateRequest::new("tiny-image", "a circle")).unwrap().id;
    let cookie = admin(&rig);
    let ask = |method: &str, path: &str| send(&rig, method, path, &[("cookie", &cookie)], "");
    let ids = |query: &str| -> Vec<String> {
        let (answer, body) = ask("GET", &format!("/admin/tasks{query}"));
        assert_eq!(answer.status, 200, "{query}: {}", String::from_utf8_lossy(&body));
        value(&body)["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("?sort=oldest"), [first.as_str(), &second, &nobodys]);
    assert_eq!(ids(&format!("?owner={}", anna.owner)), [first.as_str()]);
    assert_eq!(ids("?owner="), [nobodys.as_str()]);
    assert_eq!(ids("?status=done"), [""; 0]);
    assert_eq!(ids("?type=video&per_page=1&page=2"), [first.as_str()]);
    let (_, body) = ask("GET", &format!("/admin/tasks?owner={}", boris.owner));
    let shown = value(&body)["items"][0].clone();
    assert_eq!((&shown["owner"], &shown["owner_name"]), (&json!(boris.owner), &json!("boris")));
    assert_eq!((&shown["result_url"], &shown["status"]), (&Value::Null, &json!("pending")));
    let (answer, body) = ask("GET", "/admin/tasks?status=nonsense");
    assert_eq!(failure(&answer, &body), "validation_error");

    for kind in ["result", "preview"] {
        let (answer, body) = ask("GET", &format!("/admin/tasks/{first}/{kind}"));
        assert_eq!(failure(&answer, &body), "result_not_ready");
    }
    let (answer, body) = ask("DELETE", &format!("/admin/tasks/{first}"));
    assert_eq!(failure(&answer, &body), "invalid_state");
    assert_eq!(ask("POST", &format!("/admin/tasks/{first}/cancel")).0.status, 202);
    assert_eq!(ask("POST", &format!("/admin/tasks/{first}/cancel")).0.status, 409);
    assert_eq!(ask("DELETE", &format!("/admin/tasks/{first}")).0.status, 200);
    let (answer, body) = ask("DELETE", &format!("/admin/tasks/{first}"));
    assert_eq!(failure(&answer, &body), "task_not_found");
    let cancelled = events(&rig, "task_cancel");
    assert!(cancelled.iter().all(|event| event.actor.starts_with("admin:") && event.details["owner"] == anna.owner));
    assert_eq!(cancelled.len(), 2);
    let deleted = events(&rig, "task_delete");
    assert_eq!((deleted.len(), &deleted[0].target), (1, &format!("task:{first}")));

    let theirs = ("x-api-key", boris.key.as_str());
    assert_eq!(send(&rig, "POST", &format!("/tasks/{second}/cancel"), &[theirs], "").0.status, 202);
    assert_eq!(send(&rig, "DELETE", &format!("/gallery/{second}"), &[theirs], "").0.status, 200);
    assert_eq!(events(&rig, "task_cancel").len(), 2, "one's own task");
    let deleted = events(&rig, "task_delete");
    assert_eq!((deleted.len(), deleted[0].actor.as_str()), (2, boris.owner.as_str()));
    assert_eq!(deleted[0].source, "192.0.2.1");
}

#[test]
fn without_sign_in_tasks_have_no_owner_and_deletions_are_not_noted() {
    let rig = rig();
    let (answer, _) = send(&rig, "POST", "/auth/session", &[], "");
    let cookie = header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let task = submit(&rig, ("x-api-key", API_KEY));
    assert_eq!(rig.platform.status(&task).unwrap().owner, None);
    let way = ("cookie", cookie.as_str());
    assert_eq!(send(&rig, "GET", &format!("/status/{task}"), &[way], "").0.status, 200);
    assert_eq!(send(&rig, "POST", &format!("/tasks/{task}/cancel"), &[way], "").0.status, 202);
    assert_eq!(send(&rig, "DELETE", &format!("/gallery/{task}"), &[way], "").0.status, 200);
    rig.platform.delete(&task).unwrap_err();
    assert!(events(&rig, "task_delete").is_empty() && events(&rig, "task_cancel").is_empty());
}

#[test]
fn a_page_reads_the_data_that_it_begins_with() {
    let open = rig();
    let studio = |rig: &Rig, headers: &[(&str, &str)]| {
        let (answer, body) = send(rig, "GET", "/studio", headers, "");
        assert_eq!((answer.status, header(&answer, "cache-control")), (200, Some("no-store")));
        value(&body)
    };
    let shown = studio(&open, &[]);
    assert_eq!((&shown["sign_in_required"], &shown["session"]), (&json!(false), &Value::Null));
    assert_eq!(shown["models"].as_array().unwrap().len(), open.platform.models().unwrap().len());
    let (answer, body) = send(&open, "POST", "/auth/session", &[], "");
    let expires = value(&body)["expires_at"].clone();
    let cookie = header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = studio(&open, &[("cookie", &cookie)])["session"].clone();
    assert_eq!(session, json!({"expires_at": expires, "name": "", "owner": null}));
    assert_eq!(studio(&open, &[("cookie", "gg_session=nonsense")])["session"], Value::Null);
    assert_eq!(denials(&open), 0, "reading this data counts as no refusal");

    let rig = signing_in();
    assert_eq!(studio(&rig, &[]), json!({"sign_in_required": true, "session": null, "models": null}));
    let anna = person(&rig, "anna");
    let shown = studio(&rig, &[("cookie", &session_of(&rig, &anna))]);
    assert_eq!((&shown["session"]["name"], &shown["session"]["owner"]), (&json!("anna"), &json!(anna.owner)));
    assert!(shown["models"].is_array());
}
