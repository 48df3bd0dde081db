//! Calls whose caller goes away, and the same calls again.

use super::*;
use crate::{Status, TaskQuery};
use std::pin::pin;
use std::time::{Duration, Instant};

const JSON: (&str, &str) = ("content-type", "application/json");

/// Asks for a picture and leaves after `patience`. Returns the status if the answer came within that time.
fn ask(rig: &Rig, key: Option<&str>, patience: Duration) -> Option<u16> {
    let until = Instant::now() + patience;
    ask_while(rig, key, || Instant::now() < until)
}

/// Asks for a picture and leaves once there are `count` tasks.
fn ask_until_stored(rig: &Rig, key: Option<&str>, count: usize) {
    assert_eq!(ask_while(rig, key, || tasks(rig).len() < count), None);
}

/// Asks for a picture and leaves when `stays` is false. Returns the status if the answer came before.
fn ask_while(rig: &Rig, key: Option<&str>, stays: impl Fn() -> bool) -> Option<u16> {
    let body = json!({"model": "tiny-image", "prompt": "a red circle", "seed": 5}).to_string();
    let bearer = format!("Bearer {API_KEY}");
    let mut request = Request::post("/v1/images/generations").header("host", "must.test");
    for (name, value) in
        [("authorization", bearer.as_str()), JSON].into_iter().chain(key.map(|key| ("idempotency-key", key)))
    {
        request = request.header(name, value);
    }
    let request = request.body(Bytes::from(body)).unwrap();
    let mut answering = pin!(rig.service.handle(request, None));
    loop {
        let soon = Some(Instant::now() + Duration::from_millis(1));
        if let Some(answer) = crate::thread::block_on(answering.as_mut(), soon) {
            return Some(answer.unwrap().status);
        }
        if !stays() {
            return None;
        }
    }
}

fn tasks(rig: &Rig) -> Vec<crate::Task> {
    rig.platform.tasks(&TaskQuery { sort: crate::Sort::Oldest, ..TaskQuery::default() }).unwrap().items
}

fn statuses(rig: &Rig) -> Vec<Status> {
    tasks(rig).iter().map(|task| task.status).collect()
}

fn wait_for(rig: &Rig, wanted: &[Status]) {
    let until = Instant::now() + Duration::from_secs(20);
    while statuses(rig) != wanted {
        assert!(Instant::now() < until, "{:?}", statuses(rig));
        std::thread::sleep(Duration::from_millis(10));
    }
}

const SOON: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_task_without_a_key_is_ended_when_its_caller_has_gone() {
    let rig = rig();
    ask_until_stored(&rig, None, 1);
    wait_for(&rig, &[Status::Failed]);
    assert_eq!(tasks(&rig)[0].error.as_ref().unwrap().code, "cancelled");
}

#[test]
fn a_repeated_call_gets_the_picture_of_the_first_one() {
    let rig = rig_with(|settings| settings.paused = false);
    assert_eq!(ask(&rig, Some("once"), Duration::from_millis(1)), None);
    assert_eq!(ask(&rig, Some("once"), LONG), Some(200));
    assert_eq!(ask(&rig, Some("once"), LONG), Some(200));
    assert_eq!(statuses(&rig), [Status::Done], "it was made once");
}

#[test]
fn a_retry_after_its_task_was_ended_gets_a_new_task() {
    let rig = rig_with(|settings| settings.http.retry_window = Duration::from_secs(2));
    ask_until_stored(&rig, Some("once"), 1);
    assert_eq!(statuses(&rig), [Status::Pending], "the task continues for a while");
    assert_eq!(ask(&rig, Some("once"), Duration::from_secs(3)), None);
    assert_eq!(statuses(&rig), [Status::Pending], "as long as somebody waits for it");
    wait_for(&rig, &[Status::Failed]);
    ask_until_stored(&rig, Some("once"), 2);
    assert_eq!(statuses(&rig), [Status::Failed, Status::Pending], "a new one");
    let id = tasks(&rig)[1].id.clone();
    rig.platform.cancel(&id).unwrap();
    assert!(ask(&rig, Some("once"), LONG).unwrap() >= 400, "a task that was cancelled deliberately stays the answer");
    assert_eq!(statuses(&rig).len(), 2);
}

#[test]
fn a_caller_that_leaves_does_not_affect_the_other_one() {
    let rig = rig();
    std::thread::scope(|scope| {
        let stays = scope.spawn(|| ask(&rig, Some("shared"), LONG));
        while statuses(&rig).is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(ask(&rig, Some("shared"), SOON), None);
        std::thread::sleep(SOON);
        assert_eq!(statuses(&rig), [Status::Pending]);
        rig.platform.cancel(&tasks(&rig)[0].id).unwrap();
        assert!(stays.join().unwrap().unwrap() >= 400);
    });
}

/// A server that stops drops its calls: their pictures are made after the next start, and the key finds them.
#[test]
fn a_stop_of_the_server_keeps_the_picture_for_the_retry() {
    let folder = tempfile::tempdir().unwrap();
    let open = |paused: bool| {
        let mut settings = Settings::new(folder.path());
        settings.paused = paused;
        settings.api_key = Some(SecretText::new(API_KEY));
        let platform = Platform::open(settings).unwrap();
        Rig { service: platform.http_service().unwrap(), platform, _folder: tempfile::tempdir().unwrap() }
    };
    let rig = open(true);
    ask_until_stored(&rig, Some("once"), 1);
    let Rig { service, platform, .. } = rig;
    drop(service);
    platform.close(Duration::from_secs(10)).unwrap();
    drop(platform);
    let rig = open(false);
    assert_eq!(ask(&rig, Some("once"), LONG), Some(200));
    assert_eq!(statuses(&rig), [Status::Done]);
}
