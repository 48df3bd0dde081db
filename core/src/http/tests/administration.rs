//! Tests that calls of administrators never wait for other callers.

use super::keys::sign_in;
use super::*;
use crate::Status;
use crate::thread::block_on;
use futures::FutureExt as _;
use std::time::{Duration, Instant};

fn request(cookie: &str, target: &str, body: &Value) -> Request<Bytes> {
    let request = Request::post(target).header("host", "must.test").header("cookie", cookie);
    let request = request.header("x-api-key", API_KEY).header("content-type", "application/json");
    request.body(Bytes::from(body.to_string())).unwrap()
}

/// Returns the answer, which must come within seconds.
fn soon(rig: &Rig, request: Request<Bytes>) -> (u16, Value) {
    let answering = rig.service.handle(request, None);
    let mut answer = block_on(answering, Some(Instant::now() + Duration::from_secs(20))).expect("it hangs").unwrap();
    let body = answer.wait_body();
    (answer.status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_call_is_made_while_all_permits_for_checks_are_taken() {
    let rig = rig();
    let admin = sign_in(&rig);
    let checks = &rig.service.shared.checks;
    let most = checks.available_permits();
    let all = checks.try_acquire_many(u32::try_from(most).unwrap()).unwrap();
    let issue = request(&admin, "/admin/calls/auth.issue_key", &json!({"name": "studio"}));
    let (status, issued) = soon(&rig, issue);
    assert_eq!((status, &issued["key"]["name"]), (200, &json!("studio")));
    let id = json!({"id": issued["key"]["id"]});
    assert_eq!(soon(&rig, request(&admin, "/admin/calls/auth.revoke_key", &id)).0, 200);
    let missing = soon(&rig, request(&admin, "/admin/calls/tasks.result", &json!({"id": "nothing"})));
    assert_eq!((missing.0, &missing.1["code"]), (404, &json!("task_not_found")));
    assert_eq!(soon(&rig, request(&admin, "/admin/calls/tasks.result", &json!([]))).0, 422);
    // A call that asks a worker does wait for a permit.
    let check = request(&admin, "/admin/calls/accounts.health", &json!({"id": "team-a"}));
    let mut checking = Box::pin(rig.service.handle(check, None));
    assert!(block_on(&mut checking, Some(Instant::now() + Duration::from_millis(300))).is_none());
    drop(all);
    assert_eq!(block_on(checking, Some(Instant::now() + Duration::from_secs(20))).unwrap().unwrap().status, 404);
    assert_eq!(checks.available_permits(), most);
}

#[test]
fn submissions_by_name_wait_for_a_place_in_the_queue_without_delaying_others() {
    let rig = rig_with(|settings| {
        (settings.paused, settings.queue_depth, settings.queue_wait) = (false, 1, Duration::from_secs(120));
    });
    let admin = sign_in(&rig);
    let long = json!({"prompt": "a circle", "model": "tiny-video", "steps": 50});
    let full: Vec<Value> = (0..3).map(|_| soon(&rig, request("", "/generate", &long)).1).collect();
    assert!(full.iter().all(|task| task["status"] == "pending"), "{full:?}");
    let wanted = json!({"model": "tiny-video", "parameters": {"prompt": "a circle", "steps": 4}});
    let submit = || request(&admin, "/admin/calls/tasks.submit", &wanted);
    // Fewer calls than an administrator may make in a minute.
    let mut waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut answering = Box::pin(rig.service.handle(submit(), None));
            assert!((&mut answering).now_or_never().is_none());
            answering
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(soon(&rig, request(&admin, "/admin/calls/auth.keys", &json!({}))).0, 200);
    let wrong = json!({"prompt": "", "model": "tiny-image"});
    assert_eq!(soon(&rig, request(&admin, "/generate", &wrong)).0, 422);
    // The first of them gets its task once there is a place.
    for task in &full {
        let _ = rig.platform.cancel(task["task_id"].as_str().unwrap());
    }
    let mut first =
        block_on(waiting.remove(0), Some(Instant::now() + Duration::from_secs(180))).expect("it hangs").unwrap();
    let task: Value = serde_json::from_slice(&first.wait_body()).unwrap();
    assert_eq!((first.status, &task["model"]), (200, &json!("tiny-video")), "{task}");
    drop(waiting);
    let ended = rig.platform.wait(task["id"].as_str().unwrap(), Some(Duration::from_secs(180))).unwrap();
    assert_eq!(ended.status, Status::Done);
}
