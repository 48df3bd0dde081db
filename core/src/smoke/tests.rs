//! Runs the smoke test against a platform that works and against servers that do not.

use super::{Options, Outcome, Report, run};
use crate::keyring::SecretText;
use crate::workers::NewAccount;
use crate::{ErrorCode, Platform, Settings};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const API_KEY: &str = "canary-key-of-the-smoke-test";
const ADMIN_KEY: &str = "canary-admin-key-of-the-smoke-test";

fn options(url: &str) -> Options {
    let mut options = Options::new(url);
    options.api_key = Some(SecretText::new(API_KEY));
    options.admin_key = Some(SecretText::new(ADMIN_KEY));
    options.answer_limit = Duration::from_secs(10);
    options
}

fn platform(folder: &std::path::Path) -> Platform {
    let mut settings = Settings::new(folder);
    settings.threads = 1;
    settings.api_key = Some(SecretText::new(API_KEY));
    settings.admin_key = Some(SecretText::new(ADMIN_KEY));
    settings.workers.networks = vec!["127.0.0.0/8".to_owned()];
    settings.workers.api_key = Some(SecretText::new(API_KEY));
    settings.workers.poll_interval = Duration::from_millis(100);
    Platform::open(settings).unwrap()
}

fn full_text(report: &Report) -> String {
    let all = format!("{report:?}{}{}", report.to_json().unwrap(), report.to_markdown());
    assert!(!all.contains("canary"), "{all}");
    all
}

#[test]
fn a_platform_that_works_passes_every_step() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path());
    let server = platform.serve("127.0.0.1:0").unwrap();
    let mut watched = 0;
    let report = run(&options(&format!("http://{}/", server.address())), |_| watched += 1).unwrap();
    assert!(report.passed(), "{}", report.to_markdown());
    assert_eq!((watched, report.count(Outcome::Skipped)), (report.steps.len(), 1), "no account is ready");
    assert!(report.count(Outcome::Passed) >= 20, "{}", report.summary());
    let text = full_text(&report);
    for story in ["A picture and a clip", "The gallery", "Administration"] {
        assert!(text.contains(&format!("## {story}")));
    }
    assert_eq!(platform.tasks(&crate::TaskQuery::default()).unwrap().total, 0, "it cleans up after itself");
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!((&json["passed"], json["steps"].as_array().unwrap().len()), (&true.into(), report.steps.len()));
    for step in &report.steps {
        assert!(
            report.to_markdown().lines().any(|line| line.contains(&step.name) && line.contains(step.outcome.as_str()))
        );
    }
}

#[test]
fn a_gateway_with_a_ready_account_passes_without_a_skip() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [worker, gateway] = folders.each_ref().map(|folder| platform(folder.path()));
    let (there, here) = (worker.serve("127.0.0.1:0").unwrap(), gateway.serve("127.0.0.1:0").unwrap());
    let new = NewAccount::new("team-a", SecretText::new("id"), SecretText::new("secret"));
    let caller = crate::audit::Caller::new("test", "test");
    gateway.workers().unwrap().add(new.address(format!("http://{}", there.address())), &caller).unwrap();
    gateway.workers().unwrap().health("team-a", &caller).unwrap();
    let report = run(&options(&format!("http://{}", here.address())), |_| {}).unwrap();
    assert!(report.passed() && report.count(Outcome::Skipped) == 0, "{}", report.to_markdown());
    assert!(full_text(&report).contains("team-a::"));
    assert_eq!(worker.tasks(&crate::TaskQuery::default()).unwrap().total, 0);
}

#[test]
fn without_keys_the_steps_that_need_them_fail_or_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path());
    let server = platform.serve("127.0.0.1:0").unwrap();
    let mut options = Options::new(format!("http://{}", server.address()));
    options.api_key = Some(SecretText::new("another-key-altogether"));
    let report = run(&options, |_| {}).unwrap();
    assert!(!report.passed());
    let text = full_text(&report);
    assert!(text.contains("403 invalid_api_key") && text.contains("no admin key"), "{text}");
}

/// Starts a server that answers `/health` correctly and every other request with `answer`, or never if it is `None`.
fn serve_one_answer(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut request = [0; 65536];
                let count = stream.read(&mut request).unwrap_or(0);
                let is_health = request[..count].starts_with(b"GET /health");
                match (is_health, answer) {
                    (true, _) => {
                        drop(stream.write_all(
                            b"HTTP/1.1 200 X\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{\"ok\":true}",
                        ))
                    }
                    (false, Some(answer)) => drop(stream.write_all(answer.as_bytes())),
                    (false, None) => std::thread::sleep(Duration::from_secs(5)),
                }
            });
        }
    });
    url
}

#[test]
fn tests_of_broken_servers_end_in_bounded_time_with_a_reason() {
    for (answer, reason) in [
        (Some("HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "| 500 |"),
        (Some("HTTP/1.1 200 X\r\ncontent-length: 500\r\nconnection: close\r\n\r\nhalf"), "no complete answer"),
        (
            Some(
                "HTTP/1.1 202 X\r\ncontent-length: 30\r\nconnection: close\r\n\r\n{\"task_id\": \"../../etc/passwd\"}",
            ),
            "202",
        ),
        (
            Some("HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
            "| 302 |",
        ),
        (Some("nonsense\r\n\r\n"), "no complete answer"),
        (None, "no answer in time"),
    ] {
        let mut options = options(&serve_one_answer(answer));
        options.answer_limit = Duration::from_secs(1);
        options.generation_limit = Duration::from_secs(1);
        let began = Instant::now();
        let report = run(&options, |_| {}).unwrap();
        assert!(!report.passed() && began.elapsed() < Duration::from_secs(60), "{answer:?}");
        assert!(full_text(&report).contains(reason), "{answer:?}: {}", report.to_markdown());
    }
}

#[test]
fn a_malformed_address_and_one_without_a_server_are_refused() {
    for (url, code) in [
        ("nowhere", ErrorCode::ValidationError),
        ("ftp://127.0.0.1", ErrorCode::ValidationError),
        ("http://user:canary@127.0.0.1", ErrorCode::ValidationError),
        ("http://127.0.0.1:1", ErrorCode::RemoteFailed),
    ] {
        let error = run(&options(url), |_| {}).unwrap_err();
        assert_eq!(error.code(), code, "{url}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}
