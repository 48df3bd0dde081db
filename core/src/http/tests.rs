//! Tests of the HTTP API in process: the credential of each route, the form of failures, and the OpenAPI document.

mod administration;
mod keys;
mod openai;
mod retries;

use super::{Answer, HttpService};
use crate::catalog::Catalog;
use crate::keyring::SecretText;
use crate::{Platform, Settings};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::path::Path;

mod owners;
mod web_types;

const API_KEY: &str = "an api key of the settings";
const ADMIN_KEY: &str = "an admin key of the settings";

struct Rig {
    service: HttpService,
    platform: Platform,
    _folder: tempfile::TempDir,
}

fn rig() -> Rig {
    rig_with(|_| ())
}

fn rig_with(change: impl FnOnce(&mut Settings)) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(folder.path());
    settings.paused = true;
    settings.api_key = Some(SecretText::new(API_KEY));
    settings.admin_key = Some(SecretText::new(ADMIN_KEY));
    settings.frontend_origins = vec!["https://studio.example".to_owned()];
    change(&mut settings);
    let platform = Platform::open(settings).unwrap();
    Rig { service: platform.http_service().unwrap(), platform, _folder: folder }
}

fn send(rig: &Rig, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> (Answer, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(target).header("host", "must.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let mut answer = rig.service.wait_handle(request, Some("192.0.2.1".parse().unwrap())).unwrap();
    let body = answer.wait_body();
    (answer, body)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(known, _)| known == name).map(|(_, value)| std::str::from_utf8(value).unwrap())
}

fn failure(answer: &Answer, body: &[u8]) -> String {
    failure_at("/", answer, body)
}

/// Returns the code of a failure, after checking that it has the form of failures at this address.
fn failure_at(target: &str, answer: &Answer, body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap();
    let names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    if target.starts_with("/v1/") {
        assert_eq!(names, ["code", "detail", "error", "user_action"], "{target}");
        assert!(value["error"]["message"].as_str().unwrap().starts_with(value["detail"].as_str().unwrap()));
        assert_eq!(value["error"]["code"], value["code"]);
    } else {
        assert_eq!(names, ["code", "detail", "user_action"], "{target}");
    }
    let code = value["code"].as_str().unwrap();
    assert_eq!(crate::ErrorCode::from_name(code).unwrap().http_status(), answer.status, "{code}");
    code.to_owned()
}

#[test]
fn every_route_requires_the_credential_of_its_access() {
    use super::route_access::RouteAccess;
    let rig = rig();
    for route in super::routes::all() {
        let target =
            route.path.replace("{id}", "x").replace("{name}", "x").replace("{model}", "x").replace("{file}", "app.js");
        let (answer, body) = send(&rig, route.method.as_str(), &target, &[], "");
        let code = (answer.status >= 400).then(|| failure_at(&target, &answer, &body));
        let expected = match route.access {
            RouteAccess::Open => None,
            RouteAccess::Generation | RouteAccess::Media | RouteAccess::ApiKey | RouteAccess::Bearer => {
                Some("session_required")
            }
            RouteAccess::Session if route.method == http::Method::POST => None,
            RouteAccess::Session => Some("session_required"),
            RouteAccess::AdminLogin => Some("admin_key_invalid"),
            RouteAccess::Admin | RouteAccess::Scrape => Some("admin_session_required"),
        };
        assert_eq!(code.as_deref(), expected, "{} {target}", route.method);
        let (answer, body) = send(&rig, route.method.as_str(), &target, &[("origin", "https://evil.example")], "");
        assert_eq!(failure_at(&target, &answer, &body), "cors_origin_blocked", "{} {target}", route.method);
        assert!(header(&answer, "access-control-allow-origin").is_none());
        let (answer, body) = send(&rig, "PUT", &target, &[], "");
        assert_eq!(failure_at(&target, &answer, &body), "method_not_allowed", "{target}");
        assert!(header(&answer, "allow").unwrap().contains(route.method.as_str()));
    }
    for target in ["/nowhere", "/v1/nowhere"] {
        let (answer, body) = send(&rig, "GET", target, &[], "");
        assert_eq!(failure_at(target, &answer, &body), "not_found");
    }
}

/// Returns the number of counted refusals.
fn denials(rig: &Rig) -> u64 {
    let metrics = rig.platform.metrics().unwrap();
    let counts = metrics.lines().filter(|line| line.starts_with("must_denials_total{"));
    counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn a_call_on_the_socket_thread_is_checked_and_answered_like_any_other() {
    let rig = rig();
    let (key, json_type) = (("x-api-key", API_KEY), ("content-type", "application/json"));
    let request = json!({"model": "tiny-image", "prompt": "a red circle", "seed": 5}).to_string();
    for round in 0..3 {
        let (answer, body) = send(&rig, "POST", "/generate", &[key, json_type], &request);
        assert_eq!(answer.status, 202);
        let id = serde_json::from_slice::<Value>(&body).unwrap()["task_id"].as_str().unwrap().to_owned();
        let status = format!("/status/{id}");
        let (answer, body) = send(&rig, "GET", &status, &[key], "");
        assert_eq!((answer.status, serde_json::from_slice::<Value>(&body).unwrap()["seed"].as_i64()), (200, Some(5)));
        rig.platform.cancel(&id).unwrap();
        let (_, body) = send(&rig, "GET", &status, &[key], "");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error_code"], "cancelled");
        assert!(rig.platform.has_idle_reader());

        let before = denials(&rig);
        for target in ["/generate", &status] {
            let method = if target == "/generate" { "POST" } else { "GET" };
            let (answer, body) = send(&rig, method, target, &[("x-api-key", "wrong"), json_type], &request);
            assert_eq!(failure(&answer, &body), "invalid_api_key", "{round} {target}");
            let (answer, body) =
                send(&rig, method, target, &[key, json_type, ("origin", "https://evil.example")], &request);
            assert_eq!(failure(&answer, &body), "cors_origin_blocked", "{round} {target}");
        }
        assert_eq!(denials(&rig), before + 4, "each refusal is counted once");
        let (answer, body) =
            send(&rig, "POST", "/generate", &[key, json_type], r#"{"model": "tiny-image", "prompt": ""}"#);
        assert_eq!(failure(&answer, &body), "validation_error");
        let (answer, body) = send(&rig, "GET", &format!("{status}?surprise=1"), &[key], "");
        assert_eq!(failure(&answer, &body), "validation_error");
        let (answer, body) = send(&rig, "GET", "/status/nobody", &[key], "");
        assert_eq!(failure(&answer, &body), "task_not_found");
    }
}

#[test]
fn a_task_is_submitted_followed_listed_and_removed() {
    let rig = rig();
    let key = ("x-api-key", API_KEY);
    let json_type = ("content-type", "application/json");
    let request = json!({"model": "tiny-image", "prompt": "a red circle", "seed": 5}).to_string();
    let keyed = [key, json_type, ("idempotency-key", "one")];
    let (answer, body) = send(&rig, "POST", "/generate", &keyed, &request);
    assert_eq!(answer.status, 202);
    let id = serde_json::from_slice::<Value>(&body).unwrap()["task_id"].as_str().unwrap().to_owned();
    let (_, again) = send(&rig, "POST", "/generate", &keyed, &request);
    assert_eq!(body, again);
    let (answer, body) = send(&rig, "GET", &format!("/status/{id}"), &[key], "");
    let status: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((answer.status, &status["status"], &status["seed"]), (200, &json!("pending"), &json!(5)));
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert!(header(&answer, "x-request-id").is_some());
    let (answer, body) = send(&rig, "GET", &format!("/results/{id}"), &[key], "");
    assert_eq!(failure(&answer, &body), "result_not_ready");
    let (answer, body) = send(&rig, "DELETE", &format!("/gallery/{id}"), &[key], "");
    assert_eq!(failure(&answer, &body), "invalid_state");
    assert_eq!(send(&rig, "POST", &format!("/tasks/{id}/cancel"), &[key], "").0.status, 202);
    let (answer, body) = send(&rig, "GET", &format!("/events/{id}"), &[key], "");
    let text = String::from_utf8(body).unwrap();
    assert!(answer.status == 200 && text.contains("event: status") && text.contains("cancelled"), "{text}");
    assert_eq!(send(&rig, "DELETE", &format!("/gallery/{id}"), &[key], "").0.status, 200);
    let (answer, body) = send(&rig, "GET", &format!("/status/{id}"), &[key], "");
    assert_eq!(failure(&answer, &body), "task_not_found");
    for (body, kind) in [("[]", json_type), ("{", json_type), (request.as_str(), ("content-type", "text/plain"))] {
        let (answer, body) = send(&rig, "POST", "/generate", &[key, kind], body);
        assert_eq!(failure(&answer, &body), "validation_error");
    }
}

#[test]
fn sessions_are_carried_by_cookies() {
    let rig = rig();
    let (answer, _) = send(&rig, "POST", "/auth/session", &[("x-api-key", API_KEY)], "");
    let set = header(&answer, "set-cookie").unwrap();
    assert!(set.starts_with("gg_session=") && set.contains("HttpOnly") && set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    assert_eq!(send(&rig, "GET", "/models", &[("cookie", &cookie)], "").0.status, 200);
    let (answer, body) =
        send(&rig, "DELETE", "/auth/session", &[("cookie", &cookie), ("sec-fetch-site", "cross-site")], "");
    assert_eq!(failure(&answer, &body), "cors_origin_blocked", "a change from another site");
    assert_eq!(send(&rig, "GET", "/auth/session", &[("cookie", &cookie)], "").0.status, 200);
    assert_eq!(send(&rig, "DELETE", "/auth/session", &[("cookie", &cookie)], "").0.status, 204);
    let (answer, body) = send(&rig, "GET", "/models", &[("cookie", &cookie)], "");
    assert_eq!(failure(&answer, &body), "session_expired");

    let (answer, _) = send(&rig, "POST", "/admin/session", &[("x-admin-key", ADMIN_KEY)], "");
    assert_eq!(answer.status, 204);
    let cookie = header(&answer, "set-cookie").unwrap().split(';').next().unwrap().to_owned();
    for path in ["/admin/session", "/admin/health", "/admin/logs", "/admin/audit/verify", "/admin/secrets", "/metrics"]
    {
        let (answer, body) = send(&rig, "GET", path, &[("cookie", &cookie)], "");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    }
    assert!(rig.platform.audit().unwrap().verify().unwrap().ok);
}

#[test]
fn browsers_of_allowed_origins_get_credentialed_headers() {
    let rig = rig();
    let origin = ("origin", "https://studio.example");
    let (answer, _) = send(&rig, "OPTIONS", "/generate", &[origin, ("access-control-request-method", "POST")], "");
    assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (204, Some("https://studio.example")));
    assert_eq!(header(&answer, "access-control-allow-credentials"), Some("true"));
    assert!(header(&answer, "access-control-allow-methods").unwrap().contains("POST"));
    let (answer, _) = send(&rig, "GET", "/models", &[origin], "");
    assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (401, Some("https://studio.example")));
    let own = ("origin", "https://must.test");
    let (answer, _) = send(&rig, "GET", "/health", &[own], "");
    assert_eq!(
        (answer.status, header(&answer, "access-control-allow-origin")),
        (200, None),
        "the platform's own pages"
    );
}

#[test]
fn the_document_matches_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let (routes, catalog) = (super::routes::all(), Catalog::built_in().unwrap());
    let order = super::reading_order::ReadingOrder::of(&routes, &catalog);
    let made =
        serde_json::to_string_pretty(&order.written(&super::openapi::document(&routes, &catalog))).unwrap() + "\n";
    if std::env::var_os("MUST_REGEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "docs/openapi.json is out of date: run `cargo xtask regen`");
}

#[test]
fn a_server_that_stops_ends_its_own_streams_and_no_others() {
    use std::io::{Read as _, Write as _};
    let rig = rig();
    let task = rig.platform.submit(&crate::GenerateRequest::new("tiny-image", "a circle")).unwrap();
    let target = format!("/events/{}?api_key={}", task.id, API_KEY.replace(' ', "+"));
    let mounted = Request::get(&target).header("host", "must.test").body(Bytes::new()).unwrap();
    let mut mounted = rig.service.wait_handle(mounted, None).unwrap();
    assert!(mounted.wait_chunk(None).is_some());

    let server = rig.service.clone().serve("127.0.0.1:0").unwrap();
    let mut served = std::net::TcpStream::connect(server.address()).unwrap();
    served.write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    let mut first = [0; 64];
    served.read_exact(&mut first).unwrap();
    assert!(server.stop(std::time::Duration::from_secs(10)), "a running stream is ended");
    let mut rest = Vec::new();
    served.read_to_end(&mut rest).unwrap();
    assert!(String::from_utf8(rest).unwrap().ends_with("0\r\n\r\n"), "ended with the last chunk of HTTP");

    rig.platform.cancel(&task.id).unwrap();
    assert!(String::from_utf8(mounted.wait_body()).unwrap().contains("cancelled"), "the other stream continues");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_compressed_body_is_decompressed_after_the_access_check() {
    let rig = rig();
    let request = json!({"model": "tiny-image", "prompt": "a red circle"}).to_string();
    let post = |key: &str, encoding: &str, body: &[u8]| {
        let request = Request::post("/generate")
            .header("host", "must.test")
            .header("x-api-key", key)
            .header("content-type", "application/json")
            .header("content-encoding", encoding)
            .body(Bytes::copy_from_slice(body))
            .unwrap();
        let mut answer = rig.service.wait_handle(request, None).unwrap();
        let body = answer.wait_body();
        (answer, body)
    };
    assert_eq!(post(API_KEY, "gzip", &gzip(request.as_bytes())).0.status, 202);
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let (answer, body) = post(API_KEY, "gzip", &bomb);
    assert_eq!(failure(&answer, &body), "payload_too_large");
    let (answer, body) = post("wrong", "gzip", &bomb);
    assert_eq!(failure(&answer, &body), "invalid_api_key");
    let (answer, body) = post(API_KEY, "br", request.as_bytes());
    assert_eq!((answer.status, header(&answer, "accept-encoding")), (415, Some("gzip, deflate")));
    assert!(String::from_utf8(body).unwrap().contains("\"validation_error\""));
}

#[test]
fn an_answer_is_compressed_for_clients_that_accept_it() {
    use std::io::Read as _;
    let rig = rig();
    let key = ("x-api-key", API_KEY);
    let (plain, text) = send(&rig, "GET", "/models", &[key], "");
    let (packed, bytes) = send(&rig, "GET", "/models", &[key, ("accept-encoding", "gzip, br")], "");
    assert_eq!((header(&plain, "content-encoding"), header(&packed, "content-encoding")), (None, Some("gzip")));
    let mut decompressed = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut decompressed).unwrap();
    assert_eq!(decompressed, text);
    let varies =
        |answer: &Answer| answer.headers.iter().any(|(name, value)| name == "vary" && value == b"accept-encoding");
    assert!(varies(&plain) && varies(&packed));
}

#[test]
fn a_client_that_saw_the_last_event_gets_204() {
    let rig = rig();
    let key = ("x-api-key", API_KEY);
    let task = rig.platform.submit(&crate::GenerateRequest::new("tiny-image", "a circle")).unwrap();
    let target = format!("/events/{}", task.id);
    let name = |text: &str| text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    let mut waiting = rig
        .service
        .wait_handle(Request::get(&target).header("x-api-key", API_KEY).body(Bytes::new()).unwrap(), None)
        .unwrap();
    let pending = name(std::str::from_utf8(&waiting.wait_chunk(None).unwrap()).unwrap());
    rig.platform.cancel(&task.id).unwrap();
    let (answer, body) = send(&rig, "GET", &target, &[key, ("last-event-id", &pending)], "");
    let text = String::from_utf8(body).unwrap();
    assert!(answer.status == 200 && text.contains("cancelled"), "the end was not seen yet: {text}");
    assert_eq!(header(&answer, "x-accel-buffering"), Some("no"));
    assert_eq!(header(&answer, "cache-control"), Some("no-cache, no-transform"));
    assert_ne!(name(&text), pending);
    let (answer, body) = send(&rig, "GET", &target, &[key, ("last-event-id", &name(&text))], "");
    assert_eq!((answer.status, body.len()), (204, 0));
}
