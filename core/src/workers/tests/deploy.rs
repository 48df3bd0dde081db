//! Tests of deployments.

use super::fake::{Fake, Say};
use super::{TOKEN_ID, TOKEN_SECRET, add, caller, gateway_settings, host, until};
use crate::ErrorCode;
use crate::workers::{Account, AccountStatus};
use std::time::{Duration, Instant};

fn script(text: &str) -> Vec<String> {
    ["sh", "-c", text, "deploy", "{workspace}"].map(str::to_owned).to_vec()
}

fn deploy(command: Vec<String>, limit: Duration, address: &str) -> Account {
    let gateway = host(|settings| {
        gateway_settings(settings);
        settings.workers.deploy_command = command;
        settings.workers.deploy_limit = limit;
        settings.workers.health_tries = 3;
    });
    let workers = gateway.platform.workers().unwrap();
    add(&gateway.platform, "team-a", address);
    assert_eq!(workers.deploy("team-a", &caller()).unwrap().status, AccountStatus::Checking);
    until("the deployment ends", || workers.get("team-a").unwrap().status != AccountStatus::Checking);
    workers.get("team-a").unwrap()
}

#[test]
fn a_command_gets_only_what_it_needs_and_its_output_is_masked() {
    let fake = Fake::well(|_| Say::Close);
    let text =
        "echo \"workspace $1\"; env | sort; echo \"$MODAL_TOKEN_SECRET\" >&2; printf %s \"$MODAL_TOKEN_ID\" | base64
         printf %s \"$MODAL_TOKEN_ID:$MODAL_TOKEN_SECRET\" | base64 -w0; printf 'as-can\\000ary-token-secret\\n'";
    let account = deploy(script(text), Duration::from_secs(20), &fake.url());
    assert_eq!(account.status, AccountStatus::Ready);
    let deployment = account.deployment.unwrap();
    assert!(deployment.ok && deployment.finished_at.is_some());
    let output = deployment.output;
    assert!(output.contains("workspace team-a"), "{output}");
    let names: Vec<&str> = output.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // Masked base64 may leave lines with an equals sign, which are no variables.
    let names: Vec<&str> = names.into_iter().filter(|name| !name.starts_with('*')).collect();
    for name in &names {
        // The shell itself adds PWD, SHLVL and _.
        let expected = ["HOME", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET", "PATH", "PWD", "SHLVL", "_", "OLDPWD"];
        assert!(expected.contains(name), "{name} in {names:?}");
    }
    assert!(names.contains(&"MODAL_TOKEN_ID") && output.contains("MODAL_TOKEN_ID=********"), "{output}");
    assert!(
        ![TOKEN_ID, TOKEN_SECRET, "YWstY2FuYXJ5", "token-secret"].iter().any(|part| output.contains(part)),
        "{output}"
    );
}

#[test]
fn health_is_requested_until_it_is_good_or_no_tries_are_left() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let late = Fake::start(move |request| match request.path.as_str() {
        "/health" if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => Say::Close,
        _ => Say::Json(200, serde_json::json!({"ok": true})),
    });
    assert_eq!(deploy(script("true"), Duration::from_secs(20), &late.url()).status, AccountStatus::Ready);
    assert_eq!(late.count("GET", "/health"), 3);
    let never = Fake::start(|_| Say::Json(503, serde_json::json!({})));
    let account = deploy(script("true"), Duration::from_secs(20), &never.url());
    assert_eq!((account.status, never.count("GET", "/health")), (AccountStatus::Failed, 3));
    assert!(account.deployment.unwrap().ok, "the command itself succeeded");
}

#[test]
fn a_command_that_fails_or_does_not_end_fails_the_account() {
    let fake = Fake::well(|_| Say::Close);
    for (command, limit, why) in [
        (script("echo no; exit 3"), 20_000, "code 3"),
        (script("kill -9 $$"), 20_000, "signal"),
        (vec!["/no/such/program".to_owned()], 20_000, "cannot be started"),
        (script("sleep 60 & sleep 60"), 300, "longer than its limit"),
        // A child of the command keeps the output open.
        (script("(trap '' TERM; sleep 60) & exit 4"), 20_000, "code 4"),
        (script("yes | head -c 30000000; exit 5"), 20_000, "code 5"),
        // A child of the command has left its process group and keeps the output open.
        (script("setsid sleep 40 & exit 6"), 20_000, "code 6"),
    ] {
        let began = Instant::now();
        let account = deploy(command, Duration::from_millis(limit), &fake.url());
        assert_eq!(account.status, AccountStatus::Failed);
        let error = account.error.unwrap();
        assert!(error.detail.contains(why), "{} instead of {why}", error.detail);
        let deployment = account.deployment.unwrap();
        assert!(!deployment.ok && deployment.output.len() <= 16 << 10);
        assert!(began.elapsed() < Duration::from_secs(15), "{why}");
    }
    assert_eq!(fake.count("GET", "/health"), 0, "health is not checked after a failed command");
}

#[test]
fn closing_stops_a_deployment_and_the_next_start_checks_the_account() {
    let fake = Fake::well(|_| Say::Close);
    let folder = tempfile::tempdir().unwrap();
    let settings = |settings: &mut crate::Settings| {
        gateway_settings(settings);
        settings.workers.deploy_command = script("sleep 60");
    };
    {
        let platform = super::open(&folder, settings);
        add(&platform, "team-a", &fake.url());
        let workers = platform.workers().unwrap();
        assert_eq!(workers.deploy_all(&caller()).unwrap().len(), 1);
        assert_eq!(workers.deploy("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
        let began = Instant::now();
        platform.close(Duration::from_secs(10)).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    let platform = super::open(&folder, settings);
    until("it is checked", || platform.workers().unwrap().get("team-a").unwrap().status == AccountStatus::Ready);
}

#[test]
fn without_a_command_nothing_is_deployed() {
    let gateway = super::gateway();
    add(&gateway.platform, "team-a", "http://127.0.0.1:1");
    let workers = gateway.platform.workers().unwrap();
    assert_eq!(workers.deploy("team-a", &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(workers.deploy_all(&caller()).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(workers.get("team-a").unwrap().status, AccountStatus::Pending);
}
