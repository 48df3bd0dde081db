//! Workers that fail in every way they can.

use super::fake::{Fake, Received, Say, Script};
use super::{
    WORKER_KEY, add_ready, done, gateway, gateway_settings, hasty_gateway, host, picture, rows, until, until_ended,
    worker,
};
use crate::keyring::SecretText;
use crate::task::SubmitOptions;
use crate::workers::AccountStatus;
use crate::{ErrorCode, Status};
use serde_json::json;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn accepts(id: &'static str) -> Say {
    Say::Json(202, json!({"task_id": id, "status": "pending"}))
}

/// Whether a worker that fails in this way is blamed for it, and what of it.
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
fn a_worker_that_fails_is_passed_over() {
    for (way, blamed, script) in ways() {
        let bad = Fake::well(script);
        let good = worker(|settings| settings.paused = true);
        let gateway = hasty_gateway();
        add_ready(&gateway.platform, "bad-one", &bad.url());
        add_ready(&gateway.platform, "good-one", &good.address());
        // The bad one is asked first: it was registered first, and neither was used.
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
    assert_eq!(elsewhere.seen().len(), 0, "nothing went there");
}

#[test]
fn a_refusal_is_no_proof_once_a_first_try_may_have_arrived() {
    // It takes the task, breaks the connection, and is then too busy with itself to look for the key.
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
    assert_eq!(bad.count("POST", "/tasks/taken-before/cancel"), 0, "it did not say that it has the task");
    until("it is ended there", || {
        workers.health("bad-one", &super::caller()).unwrap();
        bad.count("POST", "/tasks/taken-before/cancel") > 0
    });
}

#[test]
fn a_task_whose_worker_is_away_is_cancelled_all_the_same_and_the_worker_is_told_later() {
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
    let unheard = fake.count("POST", "/tasks/abc/cancel");
    assert!(unheard > before);
    away.store(false, Ordering::SeqCst);
    until("the worker is told", || fake.count("POST", "/tasks/abc/cancel") > unheard);
}

#[test]
fn tasks_of_an_account_that_is_gone_end() {
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
fn a_worker_whose_files_hang_holds_up_nobody_elses() {
    let files = |hangs: bool| {
        move |request: &Received| match request.path.as_str() {
            "/generate_direct" => accepts("abc"),
            "/status/abc" => Say::Json(200, json!({"status": "done", "progress": 100})),
            _ if hangs => Say::Hang,
            _ => Say::Bytes(200, "image/png", b"\x89PNG\r\n\x1a\n".to_vec()),
        }
    };
    let (bad, good) = (Fake::well(files(true)), Fake::well(files(false)));
    let gateway = hasty_gateway();
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
        assert_eq!(good.count("GET", "/results/"), 1, "it is held for a while");
        assert!(answered.load(Ordering::SeqCst) < 60, "the others still wait");
        assert!(waits.into_iter().all(|wait| wait.join().unwrap() == ErrorCode::RemoteFailed));
    });
    assert!(bad.count("GET", "/results/") < 60, "most were not even asked for");
}

#[test]
fn after_four_failures_it_runs_here_or_not_at_all() {
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
    // Two are left; then nobody, and this platform has not the model.
    let error = gateway.platform.submit(&crate::GenerateRequest::new("pony", "a red circle")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoWorkers);
    assert_eq!(rows(&gateway.platform), 1, "no task is left behind");
    let again = gateway.platform.submit(&crate::GenerateRequest::new("pony", "a red circle")).unwrap_err();
    assert_eq!(again.code(), ErrorCode::NoWorkers);
}

#[test]
fn a_port_where_nobody_listens_is_passed_over() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let fake = Fake::well(|_| accepts("abc"));
    let gateway = gateway();
    let account = add_ready(&gateway.platform, "gone", &fake.url());
    drop(silent);
    let change = crate::workers::AccountChange { address: Some(address), ..Default::default() };
    let changed = gateway.platform.workers().unwrap().update(&account.id, change, &super::caller()).unwrap();
    assert_eq!(changed.status, AccountStatus::Failed, "it was checked at its new address");
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!((task.workspace, fake.count("POST", "/generate_direct")), (None, 0));
}

#[test]
fn what_a_silent_worker_took_is_ended_when_it_is_back() {
    // It takes tasks and never says so.
    let answers = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&answers);
    let bad = Fake::well(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/generate_direct") if switch.load(Ordering::SeqCst) => accepts("taken-before"),
        ("POST", "/generate_direct") => Say::Hang,
        ("POST", "/tasks/taken-before/cancel") => Say::Json(202, json!({})),
        _ => Say::Json(404, json!({})),
    });
    let gateway = hasty_gateway();
    add_ready(&gateway.platform, "bad-one", &bad.url());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!(task.workspace, None, "it runs here");
    answers.store(true, Ordering::SeqCst);
    let account = gateway.platform.workers().unwrap().health("bad-one", &super::caller()).unwrap();
    assert_eq!(account.status, AccountStatus::Ready);
    until("it is ended there", || bad.count("POST", "/tasks/taken-before/cancel") == 1);
    let keys: Vec<String> = bad
        .seen()
        .iter()
        .filter(|seen| seen.path == "/generate_direct")
        .map(|seen| seen.head.lines().find(|line| line.starts_with("idempotency-key")).unwrap().to_owned())
        .collect();
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    gateway.platform.workers().unwrap().health("bad-one", &super::caller()).unwrap();
    assert_eq!(bad.count("POST", "/tasks/taken-before/cancel"), 1, "once is enough");
}

#[test]
fn a_connection_that_breaks_is_tried_once_more_under_the_same_key() {
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
fn what_a_worker_says_moves_a_task_forward_only() {
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
    // What it gives out as a result is looked at.
    for outcome in [gateway.platform.result(&task.id), gateway.platform.preview(&task.id)] {
        assert_eq!(outcome.unwrap_err().code(), ErrorCode::RemoteFailed);
    }
    assert_eq!(gateway.platform.delete(&task.id).unwrap_err().code(), ErrorCode::RemoteFailed);
    assert_eq!(rows(&gateway.platform), 1, "what could not be deleted there stays here");
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
fn a_worker_that_falls_silent_loses_its_tasks_in_the_end_and_is_blamed_before() {
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
    // Whichever comes first: the worker's silence or the age of the task.
    let code = ended.error.unwrap().code;
    assert!(code == "remote_failed" || code == "task_stale", "{code}");
    assert_eq!(gateway.platform.workers().unwrap().get("team-a").unwrap().status, AccountStatus::Failed);
}

#[test]
fn what_was_given_up_at_a_silent_worker_is_ended_when_it_is_back() {
    let away = Arc::new(AtomicBool::new(false));
    let (switch, stopping) = (Arc::clone(&away), AtomicBool::new(true));
    let fake = Fake::well(move |request| match (request.method.as_str(), request.path.as_str()) {
        (_, "/generate_direct") => accepts("abc"),
        _ if switch.load(Ordering::SeqCst) => Say::Close,
        ("POST", "/tasks/abc/cancel") => Say::Json(202, json!({})),
        // It is only being stopped at first.
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
    // Even when it is no longer here.
    gateway.platform.delete(&task.id).unwrap();
    // Whoever followed it has given that up too.
    std::thread::sleep(Duration::from_secs(3));
    let before = fake.count("DELETE", "/gallery/abc");
    away.store(false, Ordering::SeqCst);
    until("it is removed there", || fake.count("DELETE", "/gallery/abc") == before + 2);
    let count = "SELECT count(*) FROM worker_given_up";
    let workers = gateway.platform.workers().unwrap();
    let left = || workers.shared.store.read(|db| Ok(db.query_row(count, [], |row| row.get::<_, i64>(0))?)).unwrap();
    until("nothing is left to end", || left() == 0);
}

#[test]
fn a_task_that_its_worker_forgot_fails() {
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
fn two_tasks_with_one_id_are_not_believed() {
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
fn a_stranger_sees_no_credential() {
    // A caller's own key opens the gateway; the worker gets its own key and nothing else of ours.
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
    let face = gateway.platform.face().unwrap();
    let ask = |method: &str, target: &str, body: &str| {
        let headers: [(&[u8], &[u8]); 6] = [
            (b"host", b"gateway.test"),
            (b"x-api-key", b"canary-key-of-a-caller"),
            (b"cookie", b"gg_session=canary-cookie"),
            (b"authorization", b"Bearer canary-bearer"),
            (b"x-forwarded-for", b"203.0.113.7"),
            (b"content-type", b"application/json"),
        ];
        let request = crate::http::Face::request(method, target, headers, body.as_bytes().to_vec()).unwrap();
        let mut answer = face.wait_handle(request, None).unwrap();
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
    assert_eq!(thief.seen().len(), 0, "where a redirect leads, nothing is sent");
}

#[test]
fn a_cancelled_task_on_its_way_is_ended_where_it_arrives() {
    let fake = Fake::well(|request| match request.path.as_str() {
        "/generate_direct" => {
            std::thread::sleep(Duration::from_millis(400));
            accepts("abc")
        }
        _ => Say::Json(202, json!({})),
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &fake.url());
    let platform = gateway.platform.clone();
    let submitting = std::thread::spawn(move || platform.submit_with(&picture(1), &SubmitOptions::default()));
    until("it is on its way", || fake.count("POST", "/generate_direct") == 1);
    assert_eq!(rows(&gateway.platform), 0, "nobody is shown its id");
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
    let task = submitting.join().unwrap().unwrap();
    assert_eq!(task.error.unwrap().code, "cancelled");
    until("it is ended there", || fake.count("POST", "/tasks/abc/cancel") == 1);
}
