//! The states of accounts and the calls on them.

use super::super::account::AccountStatus;
use super::fake::{Fake, Say};
use super::{
    TOKEN_ID, TOKEN_SECRET, WORKER_KEY, add, add_ready, caller, gateway, gateway_settings, open, until, worker,
};
use crate::keyring::SecretText;
use crate::workers::{AccountChange, NewAccount};
use crate::{ErrorCode, Platform, Status};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn new_token(change: AccountChange) -> AccountChange {
    let (id, token) = (SecretText::new("canary-new-id"), SecretText::new("canary-new-secret"));
    AccountChange { token_id: Some(id), token_secret: Some(token), ..change }
}

fn status(platform: &Platform, id: &str) -> AccountStatus {
    platform.workers().unwrap().get(id).unwrap().status
}

#[test]
fn an_account_becomes_ready_only_by_a_passed_check() {
    let well = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&well);
    let fake = Fake::start(move |request| match (switch.load(Ordering::SeqCst), request.path.as_str()) {
        (true, "/health") => Say::Json(200, json!({"ok": true})),
        (true, _) => {
            Say::Json(200, json!({"models": [{"id": "one", "available": true}, {"id": "two", "available": false}]}))
        }
        (false, _) => Say::Json(500, json!({})),
    });
    let gateway = gateway();
    let workers = gateway.platform.workers().unwrap();
    let account = add(&gateway.platform, "team-a", &fake.url());
    assert_eq!((account.status, account.models), (AccountStatus::Pending, None));
    let checked = workers.health(&account.id, &caller()).unwrap();
    assert_eq!((checked.status, checked.models), (AccountStatus::Ready, Some(vec!["one".to_owned()])));
    assert!(checked.checked_at.is_some());
    well.store(false, Ordering::SeqCst);
    assert_eq!(
        status(&gateway.platform, "team-a"),
        AccountStatus::Ready,
        "it stays ready until a check or a task fails"
    );
    let failed = workers.health("team-a", &caller()).unwrap();
    assert_eq!(failed.status, AccountStatus::Failed);
    assert_eq!(failed.error.unwrap().code, "remote_failed");
    assert_eq!(workers.enable("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(workers.disable("team-a", &caller()).unwrap().status, AccountStatus::Disabled);
    assert_eq!(workers.disable("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(workers.health("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(workers.enable("team-a", &caller()).unwrap().status, AccountStatus::Failed);
    well.store(true, Ordering::SeqCst);
    workers.disable("team-a", &caller()).unwrap();
    assert_eq!(workers.enable("team-a", &caller()).unwrap().status, AccountStatus::Ready);
    workers.remove("team-a", &caller()).unwrap();
    assert_eq!(workers.get("team-a").unwrap_err().code(), ErrorCode::NotFound);
    assert!(workers.list().unwrap().is_empty());
    let events = gateway.platform.audit().unwrap().list(&Default::default(), &caller()).unwrap().logs;
    for action in ["create", "health", "ready", "failed", "disable", "enable", "remove"] {
        assert!(events.iter().any(|event| event.action == format!("account_{action}")), "{action}");
    }
}

#[test]
fn every_sequence_of_states_follows_the_table() {
    // Every sequence of four states is tried against `may_become` and the database's trigger.
    let gateway = gateway();
    let store = &gateway.platform.workers().unwrap().shared.store;
    let all = AccountStatus::ALL;
    let account = add(&gateway.platform, "team-a", "http://127.0.0.1:1");
    for walk in 0..all.len().pow(4) {
        let steps: Vec<AccountStatus> = (0..4).map(|at| all[walk / all.len().pow(at) % all.len()]).collect();
        let id = account.id.clone();
        let reached = store.write(move |connection| {
            connection.execute("DELETE FROM worker_account", [])?;
            super::super::store::insert(connection, &account_row(&id))?;
            let mut at = AccountStatus::Pending;
            for next in steps {
                let changed = connection.execute(
                    "UPDATE worker_account SET status = ?1, error_code = CASE WHEN ?1 = 'failed' THEN 'x' END",
                    [next.as_str()],
                );
                assert_eq!(changed.is_ok(), at == next || at.may_become(next), "{at:?} to {next:?}");
                if changed.is_ok() {
                    at = next;
                }
            }
            Ok(at)
        });
        assert!(reached.is_ok());
    }
    assert!(!AccountStatus::Ready.may_become(AccountStatus::Pending));
    assert!(!AccountStatus::Failed.may_become(AccountStatus::Ready));
    let to_ready: Vec<_> = all.into_iter().filter(|from| from.may_become(AccountStatus::Ready)).collect();
    assert_eq!(to_ready, [AccountStatus::Checking]);
    let from_disabled: Vec<_> = all.into_iter().filter(|next| AccountStatus::Disabled.may_become(*next)).collect();
    assert_eq!(from_disabled, [AccountStatus::Checking]);
}

fn account_row(id: &str) -> crate::workers::Account {
    let now = crate::time::Timestamp(0);
    crate::workers::Account {
        id: id.to_owned(),
        label: "a".to_owned(),
        workspace: "team-a".to_owned(),
        address: String::new(),
        status: AccountStatus::Pending,
        error: None,
        models: None,
        active: 0,
        dispatched: 0,
        created_at: now,
        updated_at: now,
        checked_at: None,
        used_at: None,
        deployment: None,
    }
}

#[test]
fn a_refused_account_stores_nothing() {
    let gateway = gateway();
    let workers = gateway.platform.workers().unwrap();
    let secret = |text: &str| SecretText::new(text);
    let new =
        |label: &str| NewAccount::new(label, secret(TOKEN_ID), secret(TOKEN_SECRET)).address("http://127.0.0.1:1");
    add(&gateway.platform, "team-a", "http://127.0.0.1:1");
    for account in [
        new("team-a"),
        new("Team A"),
        new(" "),
        new(&"x".repeat(65)),
        new("ok-label").workspace("UPPER"),
        new("ok-label").address("http://8.8.8.8"),
        new("ok-label").api_key(secret("two words")),
        NewAccount::new("ok-label", secret(""), secret(TOKEN_SECRET)).address("http://127.0.0.1:1"),
        NewAccount::new("ok-label", secret(TOKEN_ID), secret("line\nbreak")).address("http://127.0.0.1:1"),
        NewAccount::new("ok-label", secret(TOKEN_ID), secret(TOKEN_SECRET)),
    ] {
        let error = workers.add(account, &caller()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{error}");
        assert!(!format!("{error:?}").contains("canary"));
    }
    assert_eq!(workers.list().unwrap().len(), 1);
    let half = AccountChange { token_secret: None, ..new_token(AccountChange::default()) };
    for change in [AccountChange::default(), half] {
        assert_eq!(workers.update("team-a", change, &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    }
    for call in [
        workers.get("nobody").map(drop),
        workers.health("nobody", &caller()).map(drop),
        workers.remove("nobody", &caller()),
    ] {
        assert_eq!(call.unwrap_err().code(), ErrorCode::NotFound);
    }
}

#[test]
fn tokens_are_sealed_and_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::well(|_| Say::Close);
    {
        let platform = open(&folder, gateway_settings);
        let workers = platform.workers().unwrap();
        let account = add_ready(&platform, "team-a", &fake.url());
        assert!(fake.seen().iter().all(|seen| seen.head.contains(&format!("x-api-key: {WORKER_KEY}"))));
        let change = AccountChange { api_key: Some(SecretText::new("canary-own-key")), ..AccountChange::default() };
        assert_eq!(workers.update(&account.id, change, &caller()).unwrap().status, AccountStatus::Ready);
        assert!(
            fake.seen().last().unwrap().head.contains("x-api-key: canary-own-key"),
            "it is checked with the new key"
        );
        workers.update(&account.id, new_token(AccountChange::default()), &caller()).unwrap();
        assert!(fake.seen().last().unwrap().head.contains("canary-own-key"), "the key is unchanged");
        let shown = serde_json::to_string(&workers.list().unwrap()).unwrap() + &format!("{:?}", workers.list());
        assert!(!shown.contains("canary"), "{shown}");
        let status = platform.secret_status().unwrap();
        assert!(status.iter().any(|secret| secret.name == format!("account-{}", account.id)));
        platform.close(std::time::Duration::from_secs(5)).unwrap();
    }
    for entry in std::fs::read_dir(folder.path()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(6).any(|six| six == b"canary"), "{:?}", entry.path());
    }
}

#[test]
fn a_failed_account_is_rechecked_if_the_settings_say_so() {
    let well = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&well);
    let fake = Fake::start(move |_| match switch.load(Ordering::SeqCst) {
        true => Say::Json(200, json!({"ok": true})),
        false => Say::Close,
    });
    let gateway = super::host(|settings| {
        gateway_settings(settings);
        settings.workers.recheck_interval = std::time::Duration::from_millis(50);
    });
    add(&gateway.platform, "team-a", &fake.url());
    let account = gateway.platform.workers().unwrap().health("team-a", &caller()).unwrap();
    assert_eq!(account.status, AccountStatus::Failed);
    until("it is asked again", || fake.count("GET", "/health") > 3);
    assert_eq!(status(&gateway.platform, "team-a"), AccountStatus::Failed);
    well.store(true, Ordering::SeqCst);
    until("it is ready", || status(&gateway.platform, "team-a") == AccountStatus::Ready);
}

#[test]
fn removing_an_account_fails_its_unfinished_tasks() {
    let worker = worker(|settings| settings.paused = true);
    let gateway = gateway();
    add_ready(&gateway.platform, "team-a", &worker.address());
    let task = gateway.platform.submit(&super::picture(1)).unwrap();
    assert_eq!(gateway.platform.workers().unwrap().get("team-a").unwrap().active, 1);
    let mut events = gateway.platform.events(&task.id).unwrap();
    gateway.platform.workers().unwrap().remove("team-a", &caller()).unwrap();
    let last = loop {
        match events.next(Some(std::time::Duration::from_secs(10))).unwrap() {
            crate::Event::Changed(task) if task.status.is_terminal() => break task,
            crate::Event::Changed(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((last.status, last.error.unwrap().code.as_str()), (Status::Failed, "remote_failed"));
    assert_eq!(gateway.platform.status(&task.id).unwrap_err().code(), ErrorCode::ProxyTargetInvalid);
    // The failed task can be deleted here.
    gateway.platform.delete(&task.id).unwrap();
    assert_eq!(super::rows(&gateway.platform), 0);
    assert_eq!(gateway.platform.delete(&task.id).unwrap_err().code(), ErrorCode::ProxyTargetInvalid);
}

#[test]
fn an_account_with_expired_tokens_fails_and_new_tokens_keep_its_key() {
    let fake = Fake::well(|_| Say::Close);
    let clock = Arc::new(crate::time::ManualClock::new(crate::time::Timestamp(1_700_000_000_000)));
    let folder = tempfile::tempdir().unwrap();
    let mut settings = crate::Settings::new(folder.path());
    gateway_settings(&mut settings);
    let host = crate::Host { clock: Arc::clone(&clock) as Arc<dyn crate::time::Clock>, ..crate::Host::default() };
    let platform = Platform::open_with(settings, host).unwrap();
    let workers = platform.workers().unwrap();
    let account = NewAccount::new("team-a", SecretText::new(TOKEN_ID), SecretText::new(TOKEN_SECRET));
    let account = account.address(fake.url()).api_key(SecretText::new("canary-own-key"));
    let id = workers.add(account, &caller()).unwrap().id;
    assert_eq!(workers.health(&id, &caller()).unwrap().status, AccountStatus::Ready);
    clock.advance(std::time::Duration::from_secs(91 * 24 * 3600));
    let failed = workers.health(&id, &caller()).unwrap();
    assert_eq!(failed.error.unwrap().code, "dependency_unavailable");
    workers.update(&id, new_token(AccountChange::default()), &caller()).unwrap();
    assert_eq!(workers.health(&id, &caller()).unwrap().status, AccountStatus::Ready);
    assert!(fake.seen().last().unwrap().head.contains("canary-own-key"), "its own key is unchanged");
    let (secret, text) = (format!("account-{id}"), SecretText::new("no tokens"));
    let error = platform.rotate_secret(&secret, Some(&text), std::time::Duration::ZERO, &caller()).unwrap_err();
    assert_eq!(
        (error.code(), error.user_action()),
        (ErrorCode::ValidationError, "Give the account itself new tokens.")
    );
    assert_eq!(workers.health(&id, &caller()).unwrap().status, AccountStatus::Ready, "its tokens are unchanged");
    platform.revoke_secret(&secret, None, &caller()).unwrap();
    assert_eq!(workers.health(&id, &caller()).unwrap().status, AccountStatus::Failed);
    let change = || AccountChange { api_key: Some(SecretText::new("another-key")), ..AccountChange::default() };
    assert_eq!(workers.update(&id, change(), &caller()).unwrap_err().code(), ErrorCode::DependencyUnavailable);
    workers.update(&id, new_token(change()), &caller()).unwrap();
    assert_eq!(workers.health(&id, &caller()).unwrap().status, AccountStatus::Ready);
}

#[test]
fn an_account_that_is_disabled_during_a_recheck_stays_disabled() {
    let slow = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&slow);
    let fake = Fake::start(move |_| {
        if !switch.load(Ordering::SeqCst) {
            return Say::Close;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
        Say::Json(200, json!({"ok": true}))
    });
    let gateway = super::host(|settings| {
        gateway_settings(settings);
        settings.workers.recheck_interval = std::time::Duration::from_millis(50);
    });
    add(&gateway.platform, "team-a", &fake.url());
    let workers = gateway.platform.workers().unwrap();
    workers.health("team-a", &caller()).unwrap();
    slow.store(true, Ordering::SeqCst);
    let before = fake.count("GET", "/health");
    until("it is asked again", || fake.count("GET", "/health") > before);
    // The worker has received the request and not yet answered.
    workers.disable("team-a", &caller()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(900));
    assert_eq!(status(&gateway.platform, "team-a"), AccountStatus::Disabled);
    assert_eq!(workers.health("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
    assert_eq!(workers.enable("team-a", &caller()).unwrap().status, AccountStatus::Ready);
    assert_eq!(workers.enable("team-a", &caller()).unwrap_err().code(), ErrorCode::InvalidState);
}

#[test]
fn a_check_of_the_old_address_does_not_count_for_the_new_one() {
    let old = Fake::start(|_| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        Say::Json(200, json!({"ok": true}))
    });
    let new = Fake::start(|_| Say::Json(503, json!({})));
    let gateway = gateway();
    let workers = gateway.platform.workers().unwrap();
    let account = add(&gateway.platform, "team-a", &old.url());
    std::thread::scope(|scope| {
        let check = scope.spawn(|| workers.health("team-a", &caller()).unwrap());
        until("it is being checked", || status(&gateway.platform, "team-a") == AccountStatus::Checking);
        let change = AccountChange { address: Some(new.url()), ..AccountChange::default() };
        let changed = workers.update(&account.id, change, &caller()).unwrap();
        assert_eq!(changed.status, AccountStatus::Failed);
        check.join().unwrap();
    });
    assert_eq!(status(&gateway.platform, "team-a"), AccountStatus::Failed);
}

#[test]
fn an_own_key_is_not_sent_to_another_host() {
    let (fake, other) = (Fake::well(|_| Say::Close), Fake::well(|_| Say::Close));
    let gateway = gateway();
    let workers = gateway.platform.workers().unwrap();
    let new = NewAccount::new("team-a", SecretText::new(TOKEN_ID), SecretText::new(TOKEN_SECRET));
    let id = workers.add(new.address(fake.url()).api_key(SecretText::new("canary-own-key")), &caller()).unwrap().id;
    let there = || AccountChange { address: Some(other.url()), ..AccountChange::default() };
    assert_eq!(workers.update(&id, there(), &caller()).unwrap_err().code(), ErrorCode::ValidationError);
    assert_eq!(workers.get(&id).unwrap().address, fake.url());
    let change = AccountChange { api_key: Some(SecretText::new("another-key")), ..there() };
    assert_eq!(workers.update(&id, change, &caller()).unwrap().address, other.url());
    workers.health(&id, &caller()).unwrap();
    assert!(other.seen().iter().all(|seen| seen.head.contains("another-key")));
}

#[test]
fn every_address_of_a_name_is_checked() {
    let fake = Fake::well(|_| Say::Close);
    let named = format!("http://localhost:{}", fake.address.port());
    for (network, expected) in [("127.0.0.0/8", AccountStatus::Ready), ("10.0.0.0/8", AccountStatus::Failed)] {
        let gateway = super::host(|settings| {
            gateway_settings(settings);
            settings.workers.networks = vec![network.to_owned(), "::1/128".to_owned()];
        });
        add(&gateway.platform, "team-a", &named);
        let before = fake.seen().len();
        let account = gateway.platform.workers().unwrap().health("team-a", &caller()).unwrap();
        assert_eq!(account.status, expected, "{network}: {:?}", account.error);
        assert_eq!(fake.seen().len() > before, expected == AccountStatus::Ready, "{network}");
    }
}
