//! Tests of a gateway with workers over loopback. Some workers are real, and some are fakes.

use super::fake::{Fake, Say};
use super::{add_ready, done, gateway, gateway_settings, host, open, picture, rows, until, until_ended, worker};
use crate::catalog::Catalog;
use crate::task::{Draft, Partials, Prepared, SendOutcome, SubmitOptions};
use crate::workers::leftovers::{self, Abandoned};
use crate::workers::protocol::submission;
use crate::workers::{AccountStatus, Workers, store};
use crate::{ErrorCode, GenerateRequest, Platform, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn a_task_at_a_worker_has_the_same_calls_as_a_local_one() {
    let worker = worker(|_| {});
    let gateway = gateway();
    let platform = &gateway.platform;
    add_ready(platform, "team-a", &worker.address());
    let task = platform.submit(&picture(7)).unwrap();
    assert_eq!(task.workspace.as_deref(), Some("team-a"));
    let remote_id = task.id.strip_prefix("team-a::").unwrap().to_owned();
    let ended = until_ended(platform, &task.id);
    done(&ended);
    assert_eq!((ended.progress, ended.seed), (100, 7));
    let there = worker.host.platform.status(&remote_id).unwrap();
    assert_eq!((there.seed, &there.prompt, &there.parameters), (7, &ended.prompt, &ended.parameters));
    assert_eq!(rows(&worker.host.platform), 1);

    // The result has the same bytes as that of a local task.
    let result = platform.result(&task.id).unwrap();
    let here = super::host(|_| {});
    let local = here.platform.submit(&picture(7)).unwrap();
    done(&until_ended(&here.platform, &local.id));
    assert_eq!(result.bytes, here.platform.result(&local.id).unwrap().bytes);
    let tail = &remote_id[remote_id.len() - 8..];
    assert_eq!(result.content_type, "image/png");
    assert!(result.file_name.starts_with("tiny-image-7-") && result.file_name.ends_with(&format!("-{tail}.png")));
    let preview = platform.preview(&task.id).unwrap();
    assert!(preview.content_type == "image/jpeg" && preview.file_name.ends_with("-preview.jpg"));
    assert_eq!(platform.gallery(&Default::default()).unwrap().items[0].id, task.id);
    assert!(!platform.cancel(&task.id).unwrap(), "an ended task cannot be cancelled");

    let account = platform.workers().unwrap().get("team-a").unwrap();
    assert_eq!((account.active, account.dispatched), (0, 1));
    assert!(platform.metrics().unwrap().contains("must_dispatches_total{outcome=\"accepted\"} 1"));
    platform.delete(&task.id).unwrap();
    assert_eq!(platform.status(&task.id).unwrap_err().code(), ErrorCode::TaskNotFound);
    assert_eq!(worker.host.platform.status(&remote_id).unwrap_err().code(), ErrorCode::TaskNotFound);
    assert_eq!((rows(platform), rows(&worker.host.platform)), (0, 0));
}

#[test]
fn a_task_with_partial_images_runs_here_or_is_refused() {
    let worker = worker(|_| {});
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &worker.address());
    let partials = Partials::new(2);
    let with_partials = SubmitOptions::default().partials(Some(Arc::clone(&partials)));
    let task = gateway.platform.submit_with(&picture(7), &with_partials).unwrap();
    assert_eq!((task.workspace.as_deref(), rows(&worker.host.platform)), (None, 0));
    done(&until_ended(&gateway.platform, &task.id));
    assert!(partials.get(1).is_some() && partials.get(2).is_none());
    let error = gateway.platform.submit_with(&GenerateRequest::new("pony", "a horse"), &with_partials).unwrap_err();
    assert_eq!((error.code(), error.parameter()), (ErrorCode::ValidationError, Some("partial_images")));
    assert_eq!((rows(&gateway.platform), rows(&worker.host.platform)), (1, 0));
}

#[test]
fn a_clip_with_an_input_picture_runs_at_a_worker_and_reports_progress() {
    let worker = worker(|_| {});
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &worker.address());
    let png = gateway.platform.submit_with(&picture(3), &SubmitOptions::default().local_only()).unwrap();
    assert_eq!(png.workspace, None);
    done(&until_ended(&gateway.platform, &png.id));
    let png = gateway.platform.result(&png.id).unwrap().bytes;
    let request = GenerateRequest::new("tiny-video", "a red circle moving left")
        .mode("i2v")
        .set("seed", 5)
        .image("reference_image", png);
    let task = gateway.platform.submit(&request).unwrap();
    let mut events = gateway.platform.events(&task.id).unwrap();
    let mut seen = Vec::new();
    while let crate::Event::Changed(task) = events.next(Some(Duration::from_secs(60))).unwrap() {
        seen.push((task.status, task.progress));
    }
    done(&gateway.platform.status(&task.id).unwrap());
    assert!(seen.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{seen:?}");
    assert!(seen.iter().any(|(status, _)| *status == Status::Processing), "{seen:?}");
    let there = task.id.strip_prefix("team-a::").unwrap();
    assert_eq!(gateway.platform.result(&task.id).unwrap().bytes, worker.host.platform.result(there).unwrap().bytes);
}

#[test]
fn tasks_are_spread_over_the_least_used_workers() {
    let workers: Vec<_> = (0..3).map(|_| worker(|settings| settings.paused = true)).collect();
    let gateway = gateway();
    for (index, worker) in workers.iter().enumerate() {
        add_ready(&gateway.platform, &format!("team-{index}"), &worker.address());
    }
    for seed in 0..9 {
        gateway.platform.submit(&picture(seed)).unwrap();
    }
    for worker in &workers {
        assert_eq!(rows(&worker.host.platform), 3);
    }
    // A disabled account gets no more tasks.
    gateway.platform.workers().unwrap().disable("team-1", &super::caller()).unwrap();
    for seed in 0..4 {
        gateway.platform.submit(&picture(seed)).unwrap();
    }
    let counts: Vec<u64> = workers.iter().map(|worker| rows(&worker.host.platform)).collect();
    assert_eq!(counts, [5, 3, 5]);
}

#[test]
fn cancelling_reaches_the_worker() {
    let worker = worker(|settings| settings.paused = true);
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &worker.address());
    let task = gateway.platform.submit(&picture(1)).unwrap();
    assert_eq!(gateway.platform.delete(&task.id).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(gateway.platform.result(&task.id).unwrap_err().code(), ErrorCode::ResultNotReady);
    assert!(gateway.platform.cancel(&task.id).unwrap());
    let ended = until_ended(&gateway.platform, &task.id);
    assert_eq!(ended.error.unwrap().code, "cancelled");
    let there = worker.host.platform.status(task.id.strip_prefix("team-a::").unwrap()).unwrap();
    assert_eq!(there.error.unwrap().code, "cancelled");
    assert_eq!(gateway.platform.result(&task.id).unwrap_err().code(), ErrorCode::ResultGone);
    gateway.platform.delete(&task.id).unwrap();
}

#[test]
fn a_task_is_sent_only_to_workers_that_offer_its_model() {
    let pony = |request: &super::fake::Received| match request.path.as_str() {
        "/health" => Say::Json(200, json!({"ok": true})),
        "/models" => Say::Json(200, json!({"models": [{"id": "pony", "available": true}]})),
        "/generate_direct" => Say::Json(202, json!({"task_id": "abc", "status": "pending"})),
        _ => Say::Json(200, json!({"task_id": "abc", "status": "pending", "progress": 0})),
    };
    let (offers, small) = (Fake::start(pony), worker(|settings| settings.paused = true));
    let gateway = gateway();
    let ask = GenerateRequest::new("pony", "a red circle");
    assert_eq!(gateway.platform.submit(&ask).unwrap_err().code(), ErrorCode::ModelUnavailable, "there are no accounts");
    add_ready(&gateway.platform, "small", &small.address());
    assert_eq!(gateway.platform.submit(&ask).unwrap_err().code(), ErrorCode::NoWorkers);
    assert_eq!(rows(&gateway.platform), 0, "no task is left behind");
    add_ready(&gateway.platform, "large", &offers.url());
    assert_eq!(gateway.platform.submit(&ask).unwrap().id, "large::abc");
    assert_eq!(gateway.platform.submit(&picture(1)).unwrap().workspace.as_deref(), Some("small"));
    assert_eq!(gateway.platform.workers().unwrap().get("small").unwrap().status, AccountStatus::Ready);
}

#[test]
fn concurrent_submissions_with_one_key_make_one_task() {
    let slow = Fake::well(|request| {
        if request.path == "/generate_direct" {
            std::thread::sleep(Duration::from_millis(300));
            return Say::Json(202, json!({"task_id": "abc", "status": "pending"}));
        }
        Say::Json(200, json!({"status": "processing", "progress": 10}))
    });
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &slow.url());
    let options = SubmitOptions::default().idempotency("someone", "key-1");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let submit = || gateway.platform.submit_with(&picture(1), &options).unwrap().id;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(submit)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| id == "team-a::abc"), "{ids:?}");
    assert_eq!((rows(&gateway.platform), slow.count("POST", "/generate_direct")), (1, 1));
    assert_eq!(gateway.platform.submit_with(&picture(1), &options).unwrap().id, "team-a::abc");
}

/// Stores a task as on its way to team-a without sending it, as if the gateway had died then. Returns its id.
fn strand(workers: &Workers, draft: Draft) -> String {
    let sending = workers.shared.tasks.send_off(draft, |_| Ok(Some(("team-a".to_owned(), ()))));
    let sent = crate::thread::block_on(sending, None).unwrap().unwrap();
    let SendOutcome::Sending(sending, ()) = sent else { panic!("it is on its way") };
    sending.task.id
}

fn draft(platform: &Platform, seed: i64, options: &SubmitOptions) -> Draft {
    match platform.workers().unwrap().shared.tasks.prepare(&picture(seed), options).unwrap() {
        Prepared::New(draft) => draft,
        _ => panic!("it is new"),
    }
}

/// A worker that accepts every task with the id `taken-before` and reports `status` for it.
fn accepts_with_status(status: &'static str) -> impl Fn(&super::fake::Received) -> Say {
    move |request| match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/generate_direct") => Say::Json(202, json!({"task_id": "taken-before", "status": "pending"})),
        ("POST", _) => Say::Json(202, json!({})),
        _ => Say::Json(200, json!({"status": status, "progress": 1})),
    }
}

#[test]
fn a_task_that_a_worker_may_have_from_before_a_crash_is_cancelled_there_later() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::well(accepts_with_status("processing"));
    let address = fake.address;
    let stranded = {
        let platform = open(&folder, gateway_settings);
        add_ready(&platform, "team-a", &fake.url());
        let stranded = strand(platform.workers().unwrap(), draft(&platform, 4, &SubmitOptions::default()));
        platform.close(Duration::from_secs(5)).unwrap();
        stranded
    };
    // The gateway starts again before its worker does.
    drop(fake);
    until("the worker has stopped", || std::net::TcpStream::connect(address).is_err());
    let platform = open(&folder, gateway_settings);
    until("it ran here", || platform.status(&stranded).unwrap().status == Status::Done);
    assert_eq!(platform.status(&stranded).unwrap().workspace, None);
    let fake = Fake::well_at(address, accepts_with_status("processing"));
    platform.workers().unwrap().health("team-a", &super::caller()).unwrap();
    until("it is cancelled there", || fake.count("POST", "/tasks/taken-before/cancel") == 1);
}

#[test]
fn a_task_that_the_worker_accepts_after_a_crash_is_not_cancelled_there() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::well(accepts_with_status("processing"));
    {
        let platform = open(&folder, gateway_settings);
        add_ready(&platform, "team-a", &fake.url());
        strand(platform.workers().unwrap(), draft(&platform, 4, &SubmitOptions::default()));
        platform.close(Duration::from_secs(5)).unwrap();
    }
    let platform = open(&folder, gateway_settings);
    until("it is there", || platform.status("team-a::taken-before").is_ok());
    platform.workers().unwrap().health("team-a", &super::caller()).unwrap();
    // After a second check, the cancellations that followed the first one have ended.
    platform.workers().unwrap().health("team-a", &super::caller()).unwrap();
    assert_eq!(fake.count("POST", "/tasks/taken-before/cancel"), 0);
    assert_eq!(fake.count("POST", "/generate_direct"), 1);
}

#[test]
fn a_worker_with_an_abandoned_submission_is_not_chosen_again_for_that_task() {
    let gateway = gateway();
    let account = add_ready(&gateway.platform, "team-a", &Fake::well(|_| Say::Close).url());
    let shared = &gateway.platform.workers().unwrap().shared;
    let left = Abandoned { workspace: "team-a".to_owned(), key: "key-1".to_owned(), request: Vec::new().into() };
    let chosen = |key: &str| shared.store.read(|db| store::choose(db, key, "tiny-image", &[])).unwrap();
    let kept = left.clone();
    shared.store.write(move |db| leftovers::keep(db, &kept, crate::time::Timestamp::now())).unwrap();
    assert_eq!((chosen("key-1"), chosen("key-2").map(|account| account.id)), (None, Some(account.id.clone())));
    shared.store.write(|db| leftovers::forget(db, "team-a", "key-1")).unwrap();
    assert_eq!(chosen("key-1").map(|account| account.id), Some(account.id));
    // Nothing is recorded for a workspace that was removed.
    gateway.platform.workers().unwrap().remove("team-a", &super::caller()).unwrap();
    shared.store.write(move |db| leftovers::keep(db, &left, crate::time::Timestamp::now())).unwrap();
    let count = |db: &rusqlite::Connection| {
        Ok(db.query_row("SELECT count(*) FROM worker_abandoned", [], |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(shared.store.read(count).unwrap(), 0);
}

#[test]
fn a_gateway_that_was_closed_past_the_limit_asks_the_worker_before_failing_a_task() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&ended);
    let fake = Fake::well(move |request| match switch.load(Ordering::SeqCst) {
        false => accepts_with_status("processing")(request),
        true => accepts_with_status("done")(request),
    });
    let settings = |settings: &mut crate::Settings| {
        gateway_settings(settings);
        settings.image_stale = Duration::from_secs(2);
    };
    {
        let platform = open(&folder, settings);
        add_ready(&platform, "team-a", &fake.url());
        let task = platform.submit(&picture(1)).unwrap();
        until("it runs", || platform.status(&task.id).unwrap().status == Status::Processing);
        platform.close(Duration::from_secs(5)).unwrap();
    }
    ended.store(true, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(2200));
    let platform = open(&folder, settings);
    done(&until_ended(&platform, "team-a::taken-before"));
}

#[test]
fn of_equally_busy_workers_the_least_recently_used_one_is_chosen() {
    let fakes: Vec<_> = (0..2).map(|_| Fake::well(done_at_once())).collect();
    let gateway = gateway();
    for (index, fake) in fakes.iter().enumerate() {
        add_ready(&gateway.platform, &format!("team-{index}"), &fake.url());
    }
    let mut seed = 0;
    let mut next = || {
        seed += 1;
        let task = gateway.platform.submit(&picture(seed)).unwrap();
        done(&until_ended(&gateway.platform, &task.id));
        task.workspace.unwrap()
    };
    assert_eq!([next(), next()], ["team-0", "team-1"]);
    let workers = gateway.platform.workers().unwrap();
    workers.disable("team-0", &super::caller()).unwrap();
    assert_eq!([next(), next(), next()], ["team-1"; 3]);
    workers.enable("team-0", &super::caller()).unwrap();
    assert_eq!([next(), next()], ["team-0", "team-1"], "the last use decides, not the number of tasks");
}

/// A worker that gives each task a new id and reports it as done at once.
fn done_at_once() -> impl Fn(&super::fake::Received) -> Say {
    let count = AtomicUsize::new(0);
    move |request| match request.path.as_str() {
        "/generate_direct" => {
            let id = format!("task-{}", count.fetch_add(1, Ordering::SeqCst));
            Say::Json(202, json!({"task_id": id, "status": "pending"}))
        }
        _ => Say::Json(200, json!({"status": "done", "progress": 100})),
    }
}

#[test]
fn a_reopened_gateway_follows_its_tasks_and_resumes_those_on_their_way() {
    let worker = worker(|_| {});
    let folder = tempfile::tempdir().unwrap();
    let (followed, stranded) = {
        let platform = open(&folder, gateway_settings);
        add_ready(&platform, "team-a", &worker.address());
        let followed = platform.submit(&GenerateRequest::new("tiny-video", "a red circle")).unwrap().id;
        // This is the state after the gateway died between the commit and the request.
        let workers = platform.workers().unwrap();
        let options = SubmitOptions::default().idempotency("someone", "key-1");
        let draft = draft(&platform, 4, &options);
        let stranded = strand(workers, draft);
        platform.close(Duration::from_secs(5)).unwrap();
        (followed, stranded)
    };
    let platform = open(&folder, gateway_settings);
    done(&until_ended(&platform, &followed));
    until("the stranded task gets its place", || platform.status(&stranded).is_err());
    let options = SubmitOptions::default().idempotency("someone", "key-1");
    let again = platform.submit_with(&picture(4), &options).unwrap();
    assert!(again.id.starts_with("team-a::"));
    done(&until_ended(&platform, &again.id));
    assert_eq!((rows(&platform), rows(&worker.host.platform)), (2, 2));
}

#[test]
fn an_id_of_an_unknown_workspace_is_refused_and_nothing_is_sent() {
    let fake = Fake::well(|_| Say::Close);
    let gateway = gateway();
    let platform = &gateway.platform;
    add_ready(platform, "team-a", &fake.url());
    let before = fake.seen().len();
    for id in [
        "team-b::abc",
        "127::abc",
        "TEAM-A::abc",
        "team-a::../../admin",
        "::abc",
        "team-a::",
        "team-a::a/b",
        "a@b::abc",
    ] {
        for error in [
            platform.status(id).map(drop).unwrap_err(),
            platform.events(id).map(drop).unwrap_err(),
            platform.cancel(id).map(drop).unwrap_err(),
            platform.result(id).map(drop).unwrap_err(),
            platform.preview(id).map(drop).unwrap_err(),
            platform.delete(id).unwrap_err(),
        ] {
            assert_eq!(error.code(), ErrorCode::ProxyTargetInvalid, "{id}");
        }
    }
    // The id of an account is not the name of its workspace.
    let account = platform.workers().unwrap().get("team-a").unwrap();
    assert_eq!(platform.status(&format!("{}::abc", account.id)).unwrap_err().code(), ErrorCode::ProxyTargetInvalid);
    assert_eq!(platform.status("team-a::unknown").unwrap_err().code(), ErrorCode::TaskNotFound);
    assert_eq!(fake.seen().len(), before);
}

#[test]
fn a_sent_task_has_the_same_parameters_at_the_worker() {
    let catalog = Catalog::built_in().unwrap();
    let gateway = host(|settings| settings.paused = true);
    let tasks = &gateway.platform.workers().unwrap().shared.tasks;
    let png = {
        let frames = must_diffusion::Frames { width: 8, height: 8, rgb: vec![100; 8 * 8 * 3] };
        crate::media::encode(&frames, 0, crate::media::OutputFormat::Png, &mut || Ok(())).unwrap()
    };
    let uri = {
        use base64::Engine as _;
        format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(&png))
    };
    let mut checked = 0;
    for model in catalog.models() {
        for mode in &model.modes {
            let mut request = GenerateRequest::new(&model.id, "a red circle").mode(mode).set("negative_prompt", "blue");
            match mode.as_str() {
                "img2img" | "i2v" => request = request.image("reference_image", png.clone()),
                "first_last_frame" => {
                    request = request.image("first_frame_image", png.clone()).set("last_frame_image", uri.clone());
                }
                "arbitrary_frame" => {
                    let frame = |index: u32| json!({"frame_index": index, "image": uri, "strength": 0.5});
                    request = request.set("arbitrary_frames", json!([frame(0), frame(7)]));
                }
                _ => {}
            }
            let draft = |request: &GenerateRequest| match tasks.prepare(request, &SubmitOptions::default()).unwrap() {
                Prepared::New(draft) => draft,
                _ => panic!("it is new"),
            };
            let here = draft(&request);
            let body = submission(&here.task, &here.inputs).unwrap();
            let value: Value = serde_json::from_slice(&body).unwrap();
            let there = draft(&GenerateRequest::from_json(&value.to_string()).unwrap());
            assert_eq!(
                (&here.task.model, &here.task.mode, here.task.seed),
                (&there.task.model, &there.task.mode, there.task.seed)
            );
            assert_eq!((here.task.width, here.task.height), (there.task.width, there.task.height));
            assert_eq!(
                (&here.task.prompt, &here.task.negative_prompt),
                (&there.task.prompt, &there.task.negative_prompt)
            );
            let without_picture_sizes = |task: &crate::Task| {
                let mut values = task.parameters.clone();
                values.retain(|name, _| !name.ends_with("_image"));
                values
            };
            assert_eq!(without_picture_sizes(&here.task), without_picture_sizes(&there.task), "{} {mode}", model.id);
            assert_eq!(here.inputs, there.inputs, "{} {mode}", model.id);
            checked += 1;
        }
    }
    assert!(checked >= 14, "{checked}");
}

#[test]
fn a_task_at_a_worker_keeps_its_owner_even_after_its_account_is_removed() {
    let worker = worker(|settings| settings.paused = true);
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &worker.address());
    let options = SubmitOptions::default().owner("key:anna").idempotency("x", "one");
    let task = gateway.platform.submit_with(&picture(1), &options).unwrap();
    assert!(task.id.starts_with("team-a::"), "{}", task.id);
    assert_eq!(task.owner.as_deref(), Some("key:anna"));
    assert_eq!(gateway.platform.submit_with(&picture(1), &options).unwrap().id, task.id);
    let there = worker.host.platform.status(task.id.strip_prefix("team-a::").unwrap()).unwrap();
    assert_eq!(there.owner, None, "the owner is not sent to the worker");
    let owned = |owner: &str| {
        let query = crate::TaskQuery { owner: Some(owner.to_owned()), ..Default::default() };
        gateway.platform.tasks(&query).unwrap().total
    };
    assert_eq!((owned("key:anna"), owned("key:boris"), owned("")), (1, 0, 0));
    let code = |id: &str, owner: &str| gateway.platform.admit(id, Some(owner)).map_err(|error| error.code());
    assert_eq!(code(&task.id, "key:anna"), Ok(()));
    let known = (code(&task.id, "key:boris"), code("team-a::nothing", "key:boris"));
    assert_eq!(known, (Err(ErrorCode::TaskNotFound), Err(ErrorCode::TaskNotFound)));
    assert!(gateway.platform.cancel(&task.id).unwrap());
    until_ended(&gateway.platform, &task.id);
    gateway.platform.workers().unwrap().remove("team-a", &super::caller()).unwrap();
    let orphan = (code(&task.id, "key:boris"), code("team-a::nothing", "key:boris"));
    assert_eq!(orphan, (Err(ErrorCode::ProxyTargetInvalid), Err(ErrorCode::ProxyTargetInvalid)));
    assert_eq!(code(&task.id, "key:anna"), Ok(()));
    gateway.platform.delete(&task.id).unwrap();
}
