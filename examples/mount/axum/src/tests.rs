//! The app's own routes need a valid key.

use super::app;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use must::audit::Caller;
use must::{Platform, Settings};
use serde_json::Value;
use std::net::SocketAddr;
use tower::ServiceExt as _;

async fn ask(app: &Router, request: Request<Body>) -> (StatusCode, Value) {
    let mut request = request;
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 50000))));
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn generate(key: Option<&str>) -> Request<Body> {
    let mut request = Request::post("/generate");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    request.body(Body::from(r#"{"model": "tiny-image", "prompt": "a red circle", "steps": 4}"#)).unwrap()
}

#[test]
fn the_routes_need_a_valid_key() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::open(Settings::new(folder.path())).unwrap();
    let app = app(&platform).unwrap();
    let issued = platform.access().unwrap().issue_key("studio", None, &Caller::new("host", "test")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (status, refused) = ask(&app, generate(None)).await;
        assert_eq!((status, refused["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("session_required")));
        let (status, wrong) = ask(&app, generate(Some("not-a-credential"))).await;
        assert_eq!((status, wrong["code"].as_str()), (StatusCode::FORBIDDEN, Some("invalid_api_key")));

        let (status, taken) = ask(&app, generate(Some(issued.secret.expose()))).await;
        assert_eq!((status, &taken["for"]), (StatusCode::ACCEPTED, &format!("key:{}", issued.key.id).into()));
        let path = format!("/status/{}", taken["id"].as_str().unwrap());
        let with_key = Request::get(&path).header("x-api-key", issued.secret.expose());
        let (status, task) = ask(&app, with_key.body(Body::empty()).unwrap()).await;
        assert_eq!((status, &task["id"]), (StatusCode::OK, &taken["id"]));
        let (status, _) = ask(&app, Request::get(&path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);

        let (status, health) = ask(&app, Request::get("/must/health").body(Body::empty()).unwrap()).await;
        assert_eq!((status, health["app"].as_str()), (StatusCode::OK, Some("must")));
    });
}
