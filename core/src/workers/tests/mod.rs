//! Tests with real workers, which are platforms over loopback, and with fake ones, which misbehave.

mod accounts;
mod addresses;
mod deploy;
mod dispatch;
mod failing;
mod fake;
mod uploads;

use super::{Account, NewAccount};
use crate::audit::Caller;
use crate::http::Server;
use crate::keyring::SecretText;
use crate::{GenerateRequest, Platform, Settings, Status, Task};
use std::time::{Duration, Instant};

const WORKER_KEY: &str = "a key that workers require";
const TOKEN_ID: &str = "ak-canary-token-id";
const TOKEN_SECRET: &str = "as-canary-token-secret";

/// A platform with its folder.
struct Host {
    platform: Platform,
    _folder: tempfile::TempDir,
}

fn host(change: impl FnOnce(&mut Settings)) -> Host {
    let folder = tempfile::tempdir().unwrap();
    let platform = open(&folder, change);
    Host { platform, _folder: folder }
}

fn open(folder: &tempfile::TempDir, change: impl FnOnce(&mut Settings)) -> Platform {
    let mut settings = Settings::new(folder.path());
    settings.threads = 1;
    change(&mut settings);
    Platform::open(settings).unwrap()
}

/// The settings of a gateway in these tests.
fn gateway_settings(settings: &mut Settings) {
    settings.workers.networks = vec!["127.0.0.0/8".to_owned()];
    settings.workers.api_key = Some(SecretText::new(WORKER_KEY));
    settings.workers.answer_timeout = Duration::from_secs(10);
    settings.workers.connect_timeout = Duration::from_secs(5);
    settings.workers.poll_interval = Duration::from_millis(100);
    settings.workers.recheck_interval = Duration::ZERO;
    settings.workers.max_result_bytes = 1 << 20;
    settings.workers.health_pause = Duration::from_millis(50);
}

fn gateway() -> Host {
    host(gateway_settings)
}

/// A gateway with a short time limit for answers.
fn gateway_with_short_waits() -> Host {
    host(|settings| {
        gateway_settings(settings);
        settings.workers.answer_timeout = Duration::from_millis(1500);
    })
}

/// A real worker over loopback.
struct Worker {
    host: Host,
    server: Server,
}

impl Worker {
    fn address(&self) -> String {
        format!("http://{}", self.server.address())
    }
}

fn worker(change: impl FnOnce(&mut Settings)) -> Worker {
    let host = host(|settings| {
        settings.api_key = Some(SecretText::new(WORKER_KEY));
        change(settings);
    });
    let server = host.platform.serve("127.0.0.1:0").unwrap();
    Worker { host, server }
}

fn caller() -> Caller {
    Caller::new("admin:test", "test")
}

fn add(gateway: &Platform, workspace: &str, address: &str) -> Account {
    let new = NewAccount::new(workspace, SecretText::new(TOKEN_ID), SecretText::new(TOKEN_SECRET)).address(address);
    gateway.workers().unwrap().add(new, &caller()).unwrap()
}

/// Registers a worker and checks it.
fn add_ready(gateway: &Platform, workspace: &str, address: &str) -> Account {
    add(gateway, workspace, address);
    let account = gateway.workers().unwrap().health(workspace, &caller()).unwrap();
    assert_eq!(account.status.as_str(), "ready", "{:?}", account.error);
    account
}

fn picture(seed: i64) -> GenerateRequest {
    GenerateRequest::new("tiny-image", "a red circle").set("seed", seed)
}

fn until_ended(platform: &Platform, id: &str) -> Task {
    platform.wait(id, Some(Duration::from_secs(60))).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn rows(platform: &Platform) -> u64 {
    platform.tasks(&crate::TaskQuery::default()).unwrap().total
}

fn done(task: &Task) {
    assert_eq!(task.status, Status::Done, "{:?}", task.error);
}
