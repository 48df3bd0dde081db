//! Tests of workers that fail in many ways.

use super::fake::{Fake, Received, Say, Script};
use super::{
    WORKER_KEY, add_ready, done, gateway, gateway_settings, gateway_with_short_waits, host, picture, rows, until,
    until_ended, worker,
};
use crate::keyring::SecretText;
use crate::task::SubmitOptions;
use crate::workers::AccountStatus;
use crate::{ErrorCode, Status};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn accepts(id: &'static str) -> Say {
    Say::Json(202, json!({"task_id": id, "status": "pending"}))
}

/// Ways in which a worker fails: a name, whether its account is marked as failed, and the server's behaviour.
fn ways() -> Vec<(&'static str, bool, Box<Script>)> {
    let failure = |status: u16, code: &'static str| {
        move |_: &Received| Say::Json(status, json!({"code": code, "detail": "no", "user_action": "none"}))
    };
    vec![
        ("closes", true, Box::new(|_| Say::Close)),
        ("hangs", true, Box::new(|_| Say::Hang)),
        ("status 500", true, Box::new(|_| Say::Json(500, json!({})))),
        ("status 404", true, Box::new(|_| Say::Json(404, json!({})))),
        ("accepts without an id", true, Box::new(|_| Say::Json(202, json!({"status": "pending"})))),
        ("an id that leads elsewhere", true, Box::new(|_| accepts("../../admin/session"))),
        ("no JSON", true, Box::new(|_| Say::Bytes(202, "application/json", b"<html>".to_vec()))),
        ("never ends", true, Box::new(|_| Say::Endless(None))),
        ("ten gigabytes", true, Box::new(|_| Say::Endless(Some(10_000_000_000)))),
        ("refuses our key", true, Box::new(failure(403, "invalid_api_key"))),
        ("its disk is full", true, Box::new(failure(507, "storage_full"))),
        ("has no place", false, Box::new(failure(503, "queue_overloaded"))),
        ("has not the model", false, Box::new(failure(503, "model_unavailable"))),
        ("knows another catalog", false, Box::new(failure(422, "validation_error"))),
    ]
}

#[test]
fn a_task_goes_to_the_next_worker_if_one_fails() {
    for (way, blamed, script) in ways() {
        let bad = Fake::well(script);
        let good = worker(|settings| settings.paused = true);
        let gateway = gateway_with_short_waits();
        add_ready(&gateway.platform, "bad-one", &bad.url());
        add_ready(&gateway.platform, "good-one", &good.address());
        // The bad worker is asked first, because neither was used and it was registered first.
        let task = gateway.platform.submit(&picture(1)).unwrap();
        assert!(task.id.starts_with("good-one::"), "{way}: {}", task.id);
        let account = gateway.platform.workers().unwrap().get("bad-one").unwrap();
        let expected = if blamed { AccountStatus::Failed } else { AccountStatus::Ready };
        assert_eq!((account.status, account.error.is_some()), (expected, blamed), "{way}");
        assert_eq!((rows(&gateway.platform), rows(&good.host.platform)), (1, 1), "{way}");
        assert!(bad.count("POST", "/generate_direct") >= 1, "{way}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Fake::well(|_| accepts("abc"));
    let to = elsewhere.url();
    let bad = Fake::well(move |_| Say::Redirect(format!("{to}/generate_direct")));
    let gateway = gateway();
    add_ready(&gateway.platform, "bad-one", &bad.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!((task.workspace, bad.count("POST", "/generate_direct")), (None, 1));
    assert_eq!(elsewhere.seen().len(), 0, "nothing was sent to the redirect's target");
}

#[test]
fn a_refusal_does_not_count_if_an_earlier_request_may_have_arrived() {
    // The worker takes the task, breaks the connection, and then fails before it looks up the key.
    let step = AtomicUsize::new(0);
    let bad = Fake::well(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/generate_direct") => match step.fetch_add(1, Ordering::SeqCst) {
            0 => Say::Close,
            1 | 2 => Say::Json(503, json!({"code": "dependency_unavailable", "detail": "no", "user_action": "none"})),
            _ => accepts("taken-before"),
        },
        ("POST", "/tasks/taken-before/cancel") => Say::Json(202, json!({})),
        _ => Say::Json(404, json!({})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "bad-one", &bad.url());
    assert_eq!(gateway.platform.submit(&picture(1)).unwrap().workspace, None, "it runs here");
    let workers = gateway.platform.workers().unwrap();
    workers.health("bad-one", &super::caller()).unwrap();
    until("it is asked again", || bad.count("POST", "/generate_direct") == 3);
    assert_eq!(bad.count("POST", "/tasks/taken-before/cancel"), 0, "the worker has not reported that it has the task");
    until("it is cancelled there", || {
        workers.health("bad-one", &super::caller()).unwrap();
        bad.count("POST", "/tasks/taken-before/cancel") > 0
    });
}

#[test]
fn a_task_whose_worker_is_away_is_cancelled_here_at_once_and_there_later() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&away);
    let fake = Fake::well(move |request| match (switch.load(Ordering::SeqCst), request.path.as_str()) {
        (_, "/generate_direct") => accepts("abc"),
        (true, _) => Say::Close,
        (false, "/tasks/abc/cancel") => Say::Json(202, json!({})),
        (false, _) => Say::Json(200, json!({"status": "processing", "progress": 20})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    until("it runs", || gateway.platform.status(&task.id).unwrap().progress == 20);
    away.store(true, Ordering::SeqCst);
    let before = fake.count("POST", "/tasks/abc/cancel");
    assert!(gateway.platform.cancel(&task.id).unwrap());
    assert_eq!(until_ended(&gateway.platform, &task.id).error.unwrap().code, "cancelled");
    let while_away = fake.count("POST", "/tasks/abc/cancel");
    assert!(while_away > before);
    away.store(false, Ordering::SeqCst);
    until("the worker is told", || fake.count("POST", "/tasks/abc/cancel") > while_away);
}

#[test]
fn tasks_of_a_deleted_account_fail() {
    let fake = Fake::well(|request| match request.path.as_str() {
        "/generate_direct" => accepts("abc"),
        _ => Say::Json(200, json!({"status": "processing", "progress": 20})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    let mut events = gateway.platform.events(&task.id).unwrap();
    let shared = &gateway.platform.workers().unwrap().shared;
    shared.store.write(|db| Ok(db.execute("DELETE FROM worker_account", [])?)).unwrap();
    let last = loop {
        match events.next(Some(Duration::from_secs(20))).unwrap() {
            crate::Event::Changed(task) if task.status.is_terminal() => break task,
            crate::Event::Changed(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(last.error.unwrap().code, "remote_failed");
}

#[test]
fn a_worker_whose_files_hang_does_not_delay_other_workers() {
    let files = |hangs: bool| {
        move |request: &Received| match request.path.as_str() {
            "/generate_direct" => accepts("abc"),
            "/status/abc" => Say::Json(200, json!({"status": "done", "progress": 100})),
            _ if hangs => Say::Hang,
            _ => Say::Bytes(200, "image/png", b"\x89PNG\r\n\x1a\n".to_vec()),
        }
    };
    let (bad, good) = (Fake::well(files(true)), Fake::well(files(false)));
    let gateway = gateway();
    add_ready(&gateway.platform, "bad-one", &bad.url());
    let hung = gateway.platform.submit(&picture(1)).unwrap().id;
    add_ready(&gateway.platform, "good-one", &good.url());
    let well = gateway.platform.submit(&picture(2)).unwrap().id;
    for id in [&hung, &well] {
        done(&until_ended(&gateway.platform, id));
    }
    assert!(well.starts_with("good-one::"), "{well}");
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let waits: Vec<_> = (0..60)
            .map(|_| {
                scope.spawn(|| {
                    let error = gateway.platform.result(&hung).unwrap_err();
                    answered.fetch_add(1, Ordering::SeqCst);
                    error.code()
                })
            })
            .collect();
        until("they wait", || bad.count("GET", "/results/") >= 8);
        assert_eq!(gateway.platform.result(&well).unwrap(), gateway.platform.result(&well).unwrap());
        assert_eq!(good.count("GET", "/results/"), 1, "the file is cached");
        assert!(answered.load(Ordering::SeqCst) < 60, "the others still wait");
        assert!(waits.into_iter().all(|wait| wait.join().unwrap() == ErrorCode::RemoteFailed));
    });
    assert!(bad.count("GET", "/results/") < 60, "most files were not requested");
}

#[test]
fn after_four_failures_a_task_runs_here_or_is_refused() {
    let bad: Vec<Fake> = (0..6).map(|_| Fake::well(|_| Say::Close)).collect();
    let gateway = gateway();
    for (index, fake) in bad.iter().enumerate() {
        add_ready(&gateway.platform, &format!("bad-{index}"), &fake.url());
    }
    let task = gateway.platform.submit(&picture(2)).unwrap();
    assert_eq!(task.workspace, None);
    done(&until_ended(&gateway.platform, &task.id));
    let tried = bad.iter().filter(|fake| fake.count("POST", "/generate_direct") > 0).count();
    assert_eq!(tried, 4, "one worker and up to three others");
    // Two workers are left, and then none. This platform does not have the model.
    let error = gateway.platform.submit(&crate::GenerateRequest::new("pony", "a red circle")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoWorkers);
    assert_eq!(rows(&gateway.platform), 1, "no task is left behind");
    let again = gateway.platform.submit(&crate::GenerateRequest::new("pony", "a red circle")).unwrap_err();
    assert_eq!(again.code(), ErrorCode::NoWorkers);
}

#[test]
fn a_worker_whose_port_is_closed_is_skipped() {
    let fake = Fake::well(|_| accepts("abc"));
    let gateway = gateway();
    let account = add_ready(&gateway.platform, "gone", &fake.url());
    let closed = Some("http://127.0.0.1:1".to_owned());
    let change = crate::workers::AccountChange { address: closed, ..Default::default() };
    let changed = gateway.platform.workers().unwrap().update(&account.id, change, &super::caller()).unwrap();
    assert_eq!(changed.status, AccountStatus::Failed, "it was checked at its new address");
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!((task.workspace, fake.count("POST", "/generate_direct")), (None, 0));
}

#[test]
fn a_task_that_a_silent_worker_took_is_cancelled_there_when_it_answers_again() {
    // The worker takes tasks but never answers.
    let answers = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&answers);
    let bad = Fake::well(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/generate_direct") if switch.load(Ordering::SeqCst) => accepts("taken-before"),
        ("POST", "/generate_direct") => Say::Hang,
        ("POST", "/tasks/taken-before/cancel") => Say::Json(202, json!({})),
        _ => Say::Json(404, json!({})),
    });
    let gateway = gateway_with_short_waits();
    add_ready(&gateway.platform, "bad-one", &bad.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!(task.workspace, None, "it runs here");
    answers.store(true, Ordering::SeqCst);
    let account = gateway.platform.workers().unwrap().health("bad-one", &super::caller()).unwrap();
    assert_eq!(account.status, AccountStatus::Ready);
    until("it is cancelled there", || bad.count("POST", "/tasks/taken-before/cancel") == 1);
    let keys: Vec<String> = bad
        .seen()
        .iter()
        .filter(|seen| seen.path == "/generate_direct")
        .map(|seen| seen.head.lines().find(|line| line.starts_with("idempotency-key")).unwrap().to_owned())
        .collect();
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    gateway.platform.workers().unwrap().health("bad-one", &super::caller()).unwrap();
    assert_eq!(bad.count("POST", "/tasks/taken-before/cancel"), 1, "it is cancelled only once");
}

#[test]
fn after_a_broken_connection_the_request_is_repeated_with_the_same_key() {
    let tries = AtomicUsize::new(0);
    let fake = Fake::well(move |request| match request.path.as_str() {
        "/generate_direct" if tries.fetch_add(1, Ordering::SeqCst) == 0 => Say::Close,
        "/generate_direct" => accepts("abc"),
        _ => Say::Json(200, json!({"status": "pending"})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    assert_eq!(gateway.platform.submit(&picture(1)).unwrap().id, "team-a::abc");
    assert_eq!(gateway.platform.workers().unwrap().get("team-a").unwrap().status, AccountStatus::Ready);
}

#[test]
fn a_report_of_a_worker_moves_a_task_only_forward() {
    let step = AtomicUsize::new(0);
    let fake = Fake::well(move |request| match request.path.as_str() {
        "/generate_direct" => accepts("abc"),
        "/status/abc" => match step.fetch_add(1, Ordering::SeqCst) {
            0 => Say::Json(200, json!({"status": "processing", "progress": 50, "stage": "denoising\u{1b}[31m"})),
            1 => Say::Json(200, json!({"status": "pending", "progress": 10})),
            2 => Say::Json(200, json!({"status": "processing", "progress": 255})),
            3 => Say::Json(200, json!({"status": "won", "progress": -4})),
            4 => Say::Json(200, json!(["processing"])),
            _ => Say::Json(200, json!({"status": "done", "progress": 3})),
        },
        "/results/abc" => Say::Bytes(200, "image/png", b"<html>".to_vec()),
        "/preview/abc" => Say::Bytes(200, "text/html", b"\xff\xd8\xff".to_vec()),
        _ => Say::Json(500, json!({})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    let mut events = gateway.platform.events(&task.id).unwrap();
    let mut seen = Vec::new();
    while let crate::Event::Changed(task) = events.next(Some(Duration::from_secs(20))).unwrap() {
        assert!(!task.stage.contains('\u{1b}'));
        seen.push((task.status, task.progress));
    }
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{seen:?}");
    let processing = seen.iter().position(|(status, _)| *status == Status::Processing).unwrap();
    assert!(seen[processing..].iter().all(|(status, _)| *status != Status::Pending), "{seen:?}");
    assert_eq!(seen.last().unwrap(), &(Status::Done, 100));
    // The content of a result is checked.
    for outcome in [gateway.platform.result(&task.id), gateway.platform.preview(&task.id)] {
        assert_eq!(outcome.unwrap_err().code(), ErrorCode::RemoteFailed);
    }
    assert_eq!(gateway.platform.delete(&task.id).unwrap_err().code(), ErrorCode::RemoteFailed);
    assert_eq!(rows(&gateway.platform), 1, "a task that could not be deleted there is not deleted here");
}

#[test]
fn a_result_without_end_is_cut_off() {
    for length in [None, Some(10_000_000_000)] {
        let fake = Fake::well(move |request| match request.path.as_str() {
            "/generate_direct" => accepts("abc"),
            "/status/abc" => Say::Json(200, json!({"status": "done", "progress": 100})),
            _ => Say::Endless(length),
        });
        let gateway = gateway();
        add_ready(&gateway.platform, "team-a", &fake.url());
        let task = gateway.platform.submit(&picture(1)).unwrap();
        done(&until_ended(&gateway.platform, &task.id));
        let began = Instant::now();
        let error = gateway.platform.result(&task.id).unwrap_err();
        assert_eq!(error.code(), ErrorCode::RemoteFailed);
        assert!(error.detail().contains("more than 1048576 bytes"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn if_a_worker_stops_answering_its_account_fails_and_later_its_tasks() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&away);
    let fake = Fake::well(move |request| match (switch.load(Ordering::SeqCst), request.path.as_str()) {
        (_, "/generate_direct") => accepts("abc"),
        (false, _) => Say::Json(200, json!({"status": "processing", "progress": 20})),
        (true, _) => Say::Close,
    });
    let gateway = host(|settings| {
        gateway_settings(settings);
        settings.image_stale = Duration::from_secs(2);
    });
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    until("it runs", || gateway.platform.status(&task.id).unwrap().progress == 20);
    away.store(true, Ordering::SeqCst);
    let ended = until_ended(&gateway.platform, &task.id);
    assert_eq!(ended.status, Status::Failed);
    // The code depends on which limit passes first: that of the worker's silence or that of the task's age.
    let code = ended.error.unwrap().code;
    assert!(code == "remote_failed" || code == "task_stale", "{code}");
    assert_eq!(gateway.platform.workers().unwrap().get("team-a").unwrap().status, AccountStatus::Failed);
}

#[test]
fn a_task_that_failed_here_is_cancelled_at_its_silent_worker_when_it_answers_again() {
    let away = Arc::new(AtomicBool::new(false));
    let (switch, stopping) = (Arc::clone(&away), AtomicBool::new(true));
    let fake = Fake::well(move |request| match (request.method.as_str(), request.path.as_str()) {
        (_, "/generate_direct") => accepts("abc"),
        _ if switch.load(Ordering::SeqCst) => Say::Close,
        ("POST", "/tasks/abc/cancel") => Say::Json(202, json!({})),
        // At first the worker is still stopping the task.
        ("DELETE", "/gallery/abc") if stopping.swap(false, Ordering::SeqCst) => {
            Say::Json(409, json!({"code": "invalid_state", "detail": "no", "user_action": "none"}))
        }
        ("DELETE", "/gallery/abc") => Say::Json(200, json!({})),
        _ => Say::Json(200, json!({"status": "processing", "progress": 20})),
    });
    let gateway = host(|settings| {
        gateway_settings(settings);
        settings.image_stale = Duration::from_secs(2);
        settings.workers.recheck_interval = Duration::from_millis(100);
    });
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    until("it runs", || gateway.platform.status(&task.id).unwrap().progress == 20);
    away.store(true, Ordering::SeqCst);
    assert_eq!(until_ended(&gateway.platform, &task.id).status, Status::Failed);
    // The worker is told even if the task was deleted here.
    gateway.platform.delete(&task.id).unwrap();
    // By now the code that followed the task has stopped too.
    std::thread::sleep(Duration::from_secs(3));
    let before = fake.count("DELETE", "/gallery/abc");
    away.store(false, Ordering::SeqCst);
    until("it is removed there", || fake.count("DELETE", "/gallery/abc") == before + 2);
    let count = "SELECT count(*) FROM worker_given_up";
    let workers = gateway.platform.workers().unwrap();
    let left = || workers.shared.store.read(|db| Ok(db.query_row(count, [], |row| row.get::<_, i64>(0))?)).unwrap();
    until("no record is left", || left() == 0);
}

#[test]
fn a_task_that_its_worker_does_not_have_fails() {
    let fake = Fake::well(|request| match request.path.as_str() {
        "/generate_direct" => accepts("abc"),
        _ => Say::Json(404, json!({"code": "task_not_found", "detail": "no", "user_action": "none"})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    let ended = until_ended(&gateway.platform, &task.id);
    assert_eq!(ended.error.unwrap().code, "remote_failed");
    gateway.platform.delete(&task.id).unwrap();
}

#[test]
fn a_worker_that_gives_two_tasks_the_same_id_fails() {
    let fake = Fake::well(|request| match request.path.as_str() {
        "/generate_direct" => accepts("abc"),
        _ => Say::Json(200, json!({"status": "processing"})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    assert_eq!(gateway.platform.submit(&picture(1)).unwrap().id, "team-a::abc");
    let second = gateway.platform.submit(&picture(2)).unwrap();
    assert_eq!(second.workspace, None, "it runs here");
    assert_eq!(gateway.platform.workers().unwrap().get("team-a").unwrap().status, AccountStatus::Failed);
}

#[test]
fn no_credential_is_sent_to_the_wrong_host() {
    // The caller's key is for the gateway. The worker gets only its own key.
    let thief = Fake::well(|_| Say::Close);
    let to = format!("{}/steal", thief.url());
    let fake = Fake::well(move |request| match request.path.as_str() {
        "/generate_direct" => accepts("abc"),
        "/status/abc" => Say::Json(200, json!({"status": "done"})),
        "/results/abc" => Say::Redirect(to.clone()),
        _ => Say::Close,
    });
    let gateway = host(|settings| {
        gateway_settings(settings);
        settings.api_key = Some(SecretText::new("canary-key-of-a-caller"));
    });
    add_ready(&gateway.platform, "team-a", &fake.url());
    let service = gateway.platform.http_service().unwrap();
    let ask = |method: &str, target: &str, body: &str| {
        let headers: [(&[u8], &[u8]); 6] = [
            (b"host", b"gateway.test"),
            (b"x-api-key", b"canary-key-of-a-caller"),
            (b"cookie", b"gg_session=canary-cookie"),
            (b"authorization", b"Bearer canary-bearer"),
            (b"x-forwarded-for", b"203.0.113.7"),
            (b"content-type", b"application/json"),
        ];
        let request = crate::http::HttpService::request(method, target, headers, body.as_bytes().to_vec()).unwrap();
        let mut answer = service.wait_handle(request, None).unwrap();
        (answer.status, String::from_utf8(answer.wait_body()).unwrap())
    };
    let body = json!({"model": "tiny-image", "prompt": "a red circle"}).to_string();
    let (status, text) = ask("POST", "/generate?api_key=canary-in-query", &body);
    assert_eq!(status, 202, "{text}");
    done(&until_ended(&gateway.platform, "team-a::abc"));
    let (status, text) = ask("GET", "/results/team-a::abc", "");
    assert_eq!(status, 502, "{text}");
    let (status, text) = ask("GET", "/status/team-b::abc", "");
    assert!(status == 400 && text.contains("proxy_target_invalid"), "{text}");
    for seen in fake.seen() {
        assert!(seen.head.contains(&format!("x-api-key: {WORKER_KEY}")), "{}", seen.head);
        let all = format!("{}{}", seen.head, seen.body).to_lowercase();
        for strange in ["canary", "cookie", "authorization", "forwarded", "gateway.test"] {
            assert!(!all.contains(strange), "{strange} in {all}");
        }
    }
    assert_eq!(thief.seen().len(), 0, "nothing is sent to the target of a redirect");
}

#[test]
fn a_task_that_is_cancelled_on_its_way_is_cancelled_at_its_worker() {
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let cancelled = Arc::clone(&is_cancelled);
    let fake = Fake::well(move |request| match request.path.as_str() {
        "/generate_direct" => {
            until("it is cancelled here", || cancelled.load(Ordering::SeqCst));
            accepts("abc")
        }
        _ => Say::Json(202, json!({})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let platform = gateway.platform.clone();
    let submitting = std::thread::spawn(move || platform.submit_with(&picture(1), &SubmitOptions::default()));
    until("it is on its way", || fake.count("POST", "/generate_direct") == 1);
    assert_eq!(rows(&gateway.platform), 0, "a task on its way is not listed");
    let id = fake
        .seen()
        .last()
        .unwrap()
        .head
        .lines()
        .find_map(|line| line.strip_prefix("idempotency-key: "))
        .unwrap()
        .to_owned();
    assert!(gateway.platform.cancel(&id).unwrap());
    is_cancelled.store(true, Ordering::SeqCst);
    let task = submitting.join().unwrap().unwrap();
    assert_eq!(task.error.unwrap().code, "cancelled");
    until("it is cancelled there", || fake.count("POST", "/tasks/abc/cancel") == 1);
}
