//! Owners of tasks: listings by owner, idempotency keys, and the audit of an owner's tasks.

use super::picture;
use crate::audit::Caller;
use crate::error::ErrorCode;
use crate::task::{SubmitOptions, TaskQuery};
use crate::{Platform, Settings};
use std::time::Duration;

#[test]
fn a_task_keeps_its_owner_and_listings_can_select_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let open = || Platform::open(settings.clone()).unwrap();
    let platform = open();
    let submit = |owner: Option<&str>, seed: i64| {
        let options = owner.map_or_else(SubmitOptions::default, |owner| SubmitOptions::default().owner(owner));
        platform.submit_with(&picture("a circle").set("seed", seed), &options).unwrap()
    };
    let ids: Vec<String> = (0..3)
        .flat_map(|seed| [Some("anna"), Some("Борис"), None].map(|owner| submit(owner, seed)))
        .map(|task| task.id)
        .collect();
    assert_eq!(platform.status(&ids[0]).unwrap().owner.as_deref(), Some("anna"));
    assert_eq!(platform.status(&ids[2]).unwrap().owner, None);
    platform.close(Duration::from_secs(5)).unwrap();
    let platform = open();
    let list = |owner: Option<&str>, after: Option<&str>| {
        let query =
            TaskQuery { owner: owner.map(str::to_owned), after: after.map(str::to_owned), ..TaskQuery::default() };
        platform.tasks(&query)
    };
    for (owner, at) in [("anna", 0), ("Борис", 1), ("", 2)] {
        let page = list(Some(owner), None).unwrap();
        let expected: Vec<&String> = ids.iter().skip(at).step_by(3).rev().collect();
        assert_eq!(page.items.iter().map(|task| &task.id).collect::<Vec<_>>(), expected, "{owner}");
        assert_eq!((page.total, page.has_more), (3, false));
        let own = page.items[1].id.clone();
        assert_eq!(list(Some(owner), Some(&own)).unwrap().items.len(), 1);
    }
    assert_eq!(list(None, None).unwrap().total, 9);
    let stranger = list(Some("anna"), Some(&ids[1])).unwrap_err();
    assert_eq!(
        stranger.detail(),
        list(Some("anna"), Some("nothing")).unwrap_err().detail().replace("nothing", &ids[1])
    );
    assert_eq!(list(Some("nobody"), None).unwrap().total, 0);
    assert_eq!(list(Some("anna"), None).unwrap().items[0].owner.as_deref(), Some("anna"));
    for wrong in ["", "a\nb", &"x".repeat(201)] {
        let error = platform.submit_with(&picture("a circle"), &SubmitOptions::default().owner(wrong)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError, "{wrong:?}");
    }
    assert_eq!(platform.tasks(&TaskQuery::default()).unwrap().total, 9, "a refused submission stores nothing");
}

#[test]
fn equal_idempotency_keys_of_different_task_owners_are_independent() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let platform = Platform::open(settings).unwrap();
    let submit = |options: SubmitOptions| {
        platform.submit_with(&picture("a circle").set("seed", 1), &options.idempotency("host", "one")).unwrap()
    };
    let anna = submit(SubmitOptions::default().owner("anna"));
    assert_eq!(submit(SubmitOptions::default().owner("anna")).id, anna.id);
    let (boris, nobody) = (submit(SubmitOptions::default().owner("boris")), submit(SubmitOptions::default()));
    assert_ne!(boris.id, anna.id);
    assert_ne!(nobody.id, anna.id);
    assert_eq!((boris.owner.as_deref(), nobody.owner), (Some("boris"), None));
}

#[test]
fn deleting_or_cancelling_a_task_for_its_owner_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    (settings.paused, settings.sign_in_required) = (true, true);
    let platform = Platform::open(settings).unwrap();
    let submit = || {
        let options = SubmitOptions::default().owner("key:anna");
        platform.submit_with(&picture("a secret circle"), &options).unwrap().id
    };
    let events = |action: &str| {
        let query = crate::audit::AuditQuery { action: Some(action.to_owned()), ..Default::default() };
        platform.audit().unwrap().list(&query, &Caller::new("test", "test")).unwrap().logs
    };
    let admin = Caller::new("admin:x", "192.0.2.7");
    let task = submit();
    assert_eq!(platform.delete_as(&task, &admin).unwrap_err().code(), ErrorCode::InvalidState);
    assert!(platform.cancel_as(&task, &admin).unwrap());
    assert!(!platform.cancel_as(&task, &admin).unwrap());
    let noted = events("task_cancel");
    assert_eq!(noted.iter().map(|event| event.details["was_active"].as_str()).collect::<Vec<_>>(), ["false", "true"]);
    assert_eq!((noted[0].actor.as_str(), noted[0].source.as_str()), ("admin:x", "192.0.2.7"));
    assert_eq!((&noted[0].target, noted[0].details["owner"].as_str()), (&format!("task:{task}"), "key:anna"));
    platform.delete_as(&task, &admin).unwrap();
    assert_eq!(platform.delete_as(&task, &admin).unwrap_err().code(), ErrorCode::TaskNotFound);
    let own = submit();
    assert!(platform.cancel(&own).unwrap());
    platform.delete(&own).unwrap();
    let noted = events("task_delete");
    assert_eq!(noted.iter().map(|event| event.actor.as_str()).collect::<Vec<_>>(), ["host", "admin:x"]);
    assert_eq!(noted[0].details["status"], "failed");
    assert!(noted.iter().all(|event| event.details.values().all(|value| !value.contains("circle"))));
    assert_eq!(events("task_cancel").len(), 2, "a cancellation by the host itself is not audited");
    assert!(platform.audit().unwrap().verify().unwrap().ok);
}
