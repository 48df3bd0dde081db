//! The options of a submission: their JSON form, and the source of a remix.

use super::picture;
use crate::error::ErrorCode;
use crate::task::{SubmitOptions, TaskQuery, TraceParent};
use crate::{Platform, Settings};

#[test]
fn the_options_of_a_submission_are_read_from_json() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let all = serde_json::json!({
        "owner": "anna",
        "idempotency": {"owner": "shop", "key": "order-1"},
        "trace_parent": trace,
        "local_only": true,
        "remix_of": "a-task",
    });
    let read = SubmitOptions::from_json(&all.to_string()).unwrap();
    let options = SubmitOptions::default().owner("anna").idempotency("shop", "order-1").local_only().remix_of("a-task");
    assert_eq!(read, options.trace_parent(TraceParent::parse(trace)));
    assert_eq!(SubmitOptions::from_json("{}").unwrap(), SubmitOptions::default());
    for (wrong, field) in [
        (r#"{"owners": "anna"}"#, "owners"),
        (r#"{"partial_images": 1}"#, "partial_images"),
        (r#"{"trace_parent": "00-1-2-3"}"#, "trace_parent"),
        (r#"{"idempotency": {"key": "order-1"}}"#, "owner"),
        (r#"{"idempotency": {"owner": "shop", "key": "order-1", "day": 1}}"#, "day"),
        (r#"{"local_only": "yes"}"#, "local_only"),
    ] {
        let error = SubmitOptions::from_json(wrong).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationError);
        assert!(error.detail().contains(field), "{wrong}: {error}");
    }
}

#[test]
fn only_a_task_can_be_remixed() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    let platform = Platform::open(settings).unwrap();
    let submit = |source: &str| platform.submit_with(&picture("a circle"), &SubmitOptions::default().remix_of(source));
    let error = submit("no-such-task").unwrap_err();
    assert_eq!((error.code(), error.parameter()), (ErrorCode::ValidationError, Some("remix_of")));
    assert_eq!(platform.tasks(&TaskQuery::default()).unwrap().total, 0, "a refused submission stores nothing");
    let first = platform.submit(&picture("a circle")).unwrap();
    assert_ne!(submit(&first.id).unwrap().id, first.id);
}
