//! Checks that a task keeps the trace of its request: a subscriber of `tracing` finds the request, the run and its stages in one
//! trace.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use must::secrets::SecretText;
use must::{Platform, Settings, Status};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const KEY: &str = "a key of the operator";

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

struct Span {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<String, String>,
}

/// A subscriber that records every span of the library.
#[derive(Default, Clone)]
struct Listener {
    spans: Arc<Mutex<BTreeMap<u64, Span>>>,
    last: Arc<AtomicU64>,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("must")
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let (name, parent) = (attributes.metadata().name(), attributes.parent().map(Id::into_u64));
        self.spans.lock().unwrap().insert(id, Span { name, parent, fields: fields.0 });
        Id::from_u64(id)
    }
    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.spans.lock().unwrap().get_mut(&id.into_u64()).unwrap().fields.extend(fields.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn request_run_and_stages_are_in_the_callers_trace() {
    let listener = Listener::default();
    tracing::subscriber::set_global_default(listener.clone()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.api_key = Some(SecretText::new(KEY));
    let platform = Platform::open(settings).unwrap();
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let headers: [(&[u8], &[u8]); 3] = [
        (b"x-api-key", KEY.as_bytes()),
        (b"content-type", b"application/json"),
        (b"traceparent", traceparent.as_bytes()),
    ];
    let body = br#"{"model": "tiny-image", "prompt": "a red circle", "steps": 4}"#.to_vec();
    let request = must::http::HttpService::request("POST", "/generate", headers, body).unwrap();
    let mut answer = platform.http_service().unwrap().wait_handle(request, None).unwrap();
    let body = answer.wait_body();
    assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&body));
    let submitted: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let id = submitted["task_id"].as_str().unwrap();
    assert_eq!(platform.wait(id, Some(Duration::from_secs(120))).unwrap().status, Status::Done);
    platform.close(Duration::from_secs(10)).unwrap();

    let spans = listener.spans.lock().unwrap();
    let named = |name: &'static str| spans.iter().filter(move |(_, span)| span.name == name);
    let in_trace =
        |span: &Span| (span.fields["trace_id"].as_str(), span.fields["parent_id"].as_str()) == (TRACE, PARENT);
    let (_, request) = named("request").next().unwrap();
    assert!(in_trace(request));
    let of_request = ["method", "path", "status", "correlation_id"].map(|name| request.fields[name].as_str());
    assert_eq!(of_request, ["POST", "/generate", "202", TRACE]);
    let (run, task) = named("task").next().unwrap();
    assert!(in_trace(task));
    assert_eq!((task.fields["task"].as_str(), task.fields["model"].as_str()), (id, "tiny-image"));
    let stages: Vec<&str> = named("stage")
        .filter(|(_, span)| span.parent == Some(*run))
        .map(|(_, span)| span.fields["name"].as_str())
        .collect();
    assert_eq!(stages, ["loading", "encoding", "denoising", "decoding", "saving"]);
    assert!(!spans.values().any(|span| span.fields.values().any(|value| value.contains("circle") || value == KEY)));
}
