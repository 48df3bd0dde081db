//! An axum app with its own routes, which the platform's access control protects, and all of MUST below /must.
//!
//!     ADMIN_KEY=... cargo run -p must-example-axum

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use must::access::{RequestFacts, RouteClass};
use must::secrets::SecretText;
use must::{Error, GenerateRequest, Platform, Settings, SubmitOptions};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;

/// Returns the app, which uses an open platform.
fn app(platform: &Platform) -> must::Result<Router> {
    Ok(Router::new()
        .route("/generate", post(generate))
        .route("/status/{id}", get(status))
        .with_state(platform.clone())
        .nest_service("/must", platform.http_service()?.router()))
}

async fn generate(
    State(platform): State<Platform>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let facts = facts(&headers, peer);
    answer(StatusCode::ACCEPTED, move || {
        let principal = platform.access()?.authorize(&facts)?;
        let request = GenerateRequest::from_json(&String::from_utf8_lossy(&body))?;
        let mut options = SubmitOptions::default();
        options.owner = principal.owner.clone();
        let task = platform.submit_with(&request, &options)?;
        Ok(json!({"id": task.id, "for": principal.actor()}))
    })
    .await
}

async fn status(
    State(platform): State<Platform>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let facts = facts(&headers, peer);
    answer(StatusCode::OK, move || {
        platform.access()?.authorize(&facts)?;
        let task = platform.status(&id)?;
        Ok(json!({"id": task.id, "status": task.status.as_str(), "progress": task.progress}))
    })
    .await
}

/// The parts of a request that access depends on.
fn facts(headers: &HeaderMap, peer: SocketAddr) -> RequestFacts {
    let every = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let mut facts = RequestFacts::new(RouteClass::Generation);
    facts.header_keys = every("x-api-key");
    facts.cookies = every("cookie");
    facts.origin = every("origin").into_iter().reduce(|one, other| format!("{one}, {other}"));
    facts.forwarded_for = every("x-forwarded-for");
    facts.peer = Some(peer.ip());
    facts
}

/// Runs the blocking `work` on a thread for blocking calls, and answers a failure with its own status.
async fn answer(status: StatusCode, work: impl FnOnce() -> must::Result<Value> + Send + 'static) -> Response {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.unwrap_or_else(|_| Err(Error::internal("the call panicked")));
    let (status, body) = match done {
        Ok(body) => (status, body),
        Err(error) => (
            StatusCode::from_u16(error.code().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            json!({"code": error.code().as_str(), "detail": error.detail(), "user_action": error.user_action()}),
        ),
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn main() -> must::Result<()> {
    let mut settings = Settings::new("data");
    settings.admin_key = std::env::var("ADMIN_KEY").ok().map(SecretText::new);
    let platform = Platform::open(settings)?;
    let service = app(&platform)?.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async { drop(tokio::signal::ctrl_c().await) };
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:8000").await?;
        axum::serve(listener, service).with_graceful_shutdown(stopped).await
    })?;
    platform.close(Duration::from_secs(10))
}
