//! The table of all calls of the HTTP API.

#[cfg(feature = "workers")]
use super::accounts::{self, Accounts, Removed};
use super::admin::{self, AdminHealth, SecretDone, Secrets};
use super::all_tasks::{self, AllTasks};
use super::call::{Call, Reply};
use super::openai::{edits, images, models, remix, request, videos};
use super::route::{BodyKind, Content, Handler, Route, one_of, schema, whole};
use super::route_access::RouteAccess;
#[cfg(feature = "web")]
use super::studio::{self, Studio};
use super::views::{
    AdminSessionView, Cancelling, Deleted, GalleryPage, Health, Models, NewSession, SessionView, StatusView, Submitted,
};
#[cfg(feature = "web")]
use super::web;
use super::{auth, events, generation, media, metrics, openapi};
use crate::audit::{AuditPage, Verdict};
use crate::error::{ErrorCode as E, Result};
use crate::platform::{Revocation, Rotation};
#[cfg(feature = "workers")]
use crate::workers::{Account, AccountChange, NewAccount};
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

const MOMENT: &str = "2026-01-31T12:00:00.000Z";
const ACCOUNT: &str = "0198c9f2-7a10-7c55-a1b2-3c4d5e6f7081";
const TASK: &str = "0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968";

/// The errors that any call on a task may end with.
const TASK_ERRORS: &[E] = &[E::TaskNotFound, E::ProxyTargetInvalid, E::RemoteFailed];

/// The errors that any submission may end with.
const SUBMISSION_ERRORS: &[E] =
    &[E::ModelUnavailable, E::QueueOverloaded, E::NoWorkers, E::StorageFull, E::RemoteFailed];

fn get(path: &'static str, access: RouteAccess, handler: Handler) -> Route {
    Route::new(Method::GET, path, access, handler)
}

fn post(path: &'static str, access: RouteAccess, handler: Handler) -> Route {
    Route::new(Method::POST, path, access, handler)
}

fn delete(path: &'static str, access: RouteAccess, handler: Handler) -> Route {
    Route::new(Method::DELETE, path, access, handler)
}

/// Returns every call.
pub(super) fn all() -> Vec<Route> {
    let mut groups = vec![platform(), generating(), sessions(), administration(), tasks_of_all()];
    #[cfg(feature = "workers")]
    groups.push(accounts());
    groups.push(like_openai());
    groups.into_iter().flatten().collect()
}

fn platform() -> Vec<Route> {
    let mut routes = vec![
        get("/health", RouteAccess::Open, Handler::Brief(generation::health))
            .about("platform", "Check that the platform is running")
            .answers::<Health>(200, json!({"ok": true, "status": "ok", "version": "0.1.0", "app": "must"})),
    ];
    #[cfg(feature = "web")]
    routes.extend(web_ui());
    routes.extend([
        get("/openapi.json", RouteAccess::Open, Handler::Blocking(document))
            .about("platform", "This document")
            .answers_with(200, Content::AnyJson),
        get("/metrics", RouteAccess::Scrape, Handler::Blocking(metrics::scrape))
            .about("platform", "Metrics in the text format of Prometheus")
            .answers_with(200, Content::Bytes(&["text/plain"])),
    ]);
    routes
}

#[cfg(feature = "web")]
fn web_ui() -> Vec<Route> {
    vec![
        get("/", RouteAccess::Open, Handler::Brief(web::page))
            .about("platform", "The web UI")
            .answers_with(200, Content::Bytes(&["text/html"])),
        get("/assets/{file}", RouteAccess::Open, Handler::Brief(web::asset))
            .about("platform", "A file of the web UI: `app.js`, `style.css`, `icon.svg`")
            .answers_with(200, Content::Bytes(&["text/javascript", "text/css", "image/svg+xml"]))
            .fails(&[E::NotFound]),
        get("/studio", RouteAccess::Open, Handler::Blocking(studio::show))
            .about("platform", "Information for the web UI before it has a session")
            .answers::<Studio>(200, Value::Null),
    ]
}

fn generating() -> Vec<Route> {
    let status = json!({
        "task_id": TASK, "status": "processing", "progress": 41, "stage": "denoising", "stage_detail": "step 8 of 20",
        "result_url": null, "preview_url": null, "error": null, "error_code": null, "seed": 1234,
        "created_at": MOMENT, "updated_at": MOMENT,
    });
    let submission = |path: &'static str, access, handler, summary| {
        post(path, access, handler)
            .about("generation", summary)
            .header(
                "Idempotency-Key",
                json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
                "Makes the submission safe to repeat for a day",
            )
            .takes(BodyKind::Generation, true, Value::Null)
            .answers::<Submitted>(202, json!({"task_id": TASK, "status": "pending"}))
            .fails(SUBMISSION_ERRORS)
    };
    let media = |path: &'static str, handler, summary, types| {
        get(path, RouteAccess::Media, handler)
            .about("media", summary)
            .header("Range", json!({"type": "string"}), "One range of bytes")
            .header("If-None-Match", json!({"type": "string"}), "The ETag that the caller has")
            .answers_with(200, Content::Bytes(types))
            .fails(TASK_ERRORS)
            .fails(&[E::ResultGone, E::ResultNotReady])
    };
    vec![
        get("/models", RouteAccess::Generation, Handler::Blocking(generation::models))
            .about("generation", "The catalog, and which models can run on this machine")
            .answers::<Models>(200, Value::Null),
        submission("/generate", RouteAccess::Generation, Handler::Async(generation::generate), "Submit a task"),
        submission(
            "/generate_direct",
            RouteAccess::ApiKey,
            Handler::Async(generation::generate_direct),
            "Submit a task that must run on this machine",
        ),
        get("/status/{id}", RouteAccess::Generation, Handler::Brief(generation::status))
            .about("generation", "The status of a task")
            .answers::<StatusView<'_>>(200, status)
            .fails(TASK_ERRORS),
        get("/events/{id}", RouteAccess::Generation, Handler::Async(events::follow))
            .about("generation", "The status of a task, sent at each change until it has ended")
            .header(
                "Last-Event-ID",
                json!({"type": "string"}),
                "The last event that the caller saw, as `EventSource` sends it",
            )
            .answers_with(200, Content::Bytes(&["text/event-stream"]))
            .fails(TASK_ERRORS),
        post("/tasks/{id}/cancel", RouteAccess::Generation, Handler::Blocking(generation::cancel))
            .about("generation", "Ask a task to end")
            .answers::<Cancelling>(202, json!({"task_id": TASK, "status": "cancelling"}))
            .fails(TASK_ERRORS)
            .fails(&[E::InvalidState]),
        media(
            "/results/{id}",
            Handler::Proxied(media::result),
            "The result",
            &["image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm"],
        ),
        media("/preview/{id}", Handler::Proxied(media::preview), "The preview", &["image/jpeg"]),
        get("/gallery", RouteAccess::Generation, Handler::Blocking(generation::gallery))
            .about("gallery", "Finished tasks")
            .query("page", whole(1, u64::from(u32::MAX)), "From 1")
            .query("per_page", whole(1, 100), "Items on a page; 20 by default")
            .query("sort", one_of(&["newest", "oldest"]), "Newest first by default")
            .query("model", json!({"type": "string"}), "Only tasks of this model")
            .query("type", one_of(&["image", "video"]), "Only pictures or only clips")
            .answers::<GalleryPage>(200, Value::Null),
        delete("/gallery/{id}", RouteAccess::Generation, Handler::Proxied(generation::delete))
            .about("gallery", "Remove an ended task and its files")
            .answers::<Deleted>(200, json!({"deleted": true, "id": TASK}))
            .fails(TASK_ERRORS)
            .fails(&[E::InvalidState]),
    ]
}

fn sessions() -> Vec<Route> {
    vec![
        post("/auth/session", RouteAccess::Session, Handler::Blocking(auth::open))
            .about("sessions", "Start a generation session")
            .answers::<NewSession>(201, json!({"active": true, "session_status": "active", "expires_at": MOMENT})),
        get("/auth/session", RouteAccess::Session, Handler::Blocking(auth::state))
            .about("sessions", "The state of the cookie's session")
            .answers::<SessionView>(200, json!({"active": true, "valid": true, "expires_at": MOMENT})),
        delete("/auth/session", RouteAccess::Session, Handler::Blocking(auth::close))
            .about("sessions", "End the cookie's session")
            .answers_with(204, Content::Empty),
        post("/admin/session", RouteAccess::AdminLogin, Handler::Blocking(auth::open_admin))
            .about("sessions", "Sign in as an administrator")
            .answers_with(204, Content::Empty),
        get("/admin/session", RouteAccess::Admin, Handler::Blocking(auth::admin_state))
            .about("sessions", "The state of the admin session")
            .answers::<AdminSessionView>(
                200,
                json!({"active": true, "idle_timeout_seconds": 43200, "last_activity_at": MOMENT}),
            ),
        delete("/admin/session", RouteAccess::Admin, Handler::Blocking(auth::close_admin))
            .about("sessions", "Sign out")
            .answers_with(204, Content::Empty),
    ]
}

fn administration() -> Vec<Route> {
    let moment = json!({"anyOf": [
        {"type": "string", "format": "date-time"}, {"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX},
    ]});
    vec![
        get("/admin/health", RouteAccess::Admin, Handler::Blocking(admin::health))
            .about("administration", "The state of storage, secrets, audit log, accounts and lanes")
            .answers::<AdminHealth>(200, Value::Null),
        get("/admin/logs", RouteAccess::Admin, Handler::Blocking(admin::logs))
            .about("administration", "The audit log, newest first")
            .query("limit", whole(1, 1000), "Events on a page; 100 by default")
            .query("before", whole(0, u64::MAX), "Only events with a smaller number")
            .query("actor", json!({"type": "string"}), "Only events of this actor")
            .query("action", json!({"type": "string"}), "Only events with this action")
            .query("outcome", one_of(&["success", "failure", "denied"]), "Only events with this outcome")
            .query("since", moment.clone(), "Only events at or after this time; numbers are milliseconds since 1970")
            .query("until", moment, "Only events before this time")
            .answers::<AuditPage>(200, Value::Null),
        get("/admin/audit/verify", RouteAccess::Admin, Handler::Blocking(admin::verify))
            .about("administration", "Verify the audit log")
            .answers::<Verdict>(200, Value::Null),
        post("/admin/calls/{call}", RouteAccess::Admin, Handler::Async(admin::call))
            .about("administration", "Make any administrative call by its name, like the program `must`")
            .takes(BodyKind::Arguments, true, json!({}))
            .answers_with(200, Content::Answer)
            .fails(TASK_ERRORS)
            .fails(SUBMISSION_ERRORS)
            .fails(&[E::NotFound, E::InvalidState, E::ResultGone, E::ResultNotReady, E::StorageCorrupt]),
        get("/admin/secrets", RouteAccess::Admin, Handler::Blocking(admin::secrets))
            .about("administration", "The state of every secret, without its value")
            .answers::<Secrets>(200, Value::Null),
        post("/admin/secrets/{name}/rotate", RouteAccess::Admin, Handler::Blocking(admin::rotate))
            .about("administration", "Replace a secret")
            .takes_json::<Rotation>(false, json!({"value": "the new one", "overlap_seconds": 86400}))
            .answers::<SecretDone>(200, json!({"name": "hub", "done": "rotated"}))
            .fails(&[E::NotFound]),
        post("/admin/secrets/{name}/revoke", RouteAccess::Admin, Handler::Blocking(admin::revoke))
            .about("administration", "Revoke a secret and everything made with it; the pepper requires `confirm`")
            .takes_json::<Revocation>(false, json!({"confirm": "hub"}))
            .answers::<SecretDone>(200, json!({"name": "hub", "done": "revoked"}))
            .fails(&[E::NotFound]),
    ]
}

fn tasks_of_all() -> Vec<Route> {
    let media = |path: &'static str, handler, summary, types| {
        get(path, RouteAccess::Admin, handler)
            .about("tasks", summary)
            .header("Range", json!({"type": "string"}), "One range of bytes")
            .header("If-None-Match", json!({"type": "string"}), "The ETag that the caller has")
            .answers_with(200, Content::Bytes(types))
            .fails(TASK_ERRORS)
            .fails(&[E::ResultGone, E::ResultNotReady])
    };
    vec![
        get("/admin/tasks", RouteAccess::Admin, Handler::Blocking(all_tasks::list))
            .about("tasks", "Tasks of every owner and every status")
            .query("page", whole(1, u64::from(u32::MAX)), "Number of the page, from 1")
            .query("per_page", whole(1, 100), "Tasks on a page; 20 by default")
            .query("sort", one_of(&["newest", "oldest"]), "Newest first by default")
            .query("model", json!({"type": "string"}), "Only tasks of this model")
            .query("type", one_of(&["image", "video"]), "Only pictures or only clips")
            .query("status", one_of(&["pending", "processing", "done", "failed"]), "Only tasks with this status")
            .query(
                "owner",
                json!({"type": "string"}),
                "Only tasks of this owner; the empty text means tasks without an owner",
            )
            .answers::<AllTasks>(200, Value::Null),
        media(
            "/admin/tasks/{id}/result",
            Handler::Proxied(all_tasks::result),
            "The result of a task of any owner",
            &["image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm"],
        ),
        media(
            "/admin/tasks/{id}/preview",
            Handler::Proxied(all_tasks::preview),
            "The preview of a task of any owner",
            &["image/jpeg"],
        ),
        post("/admin/tasks/{id}/cancel", RouteAccess::Admin, Handler::Blocking(all_tasks::cancel))
            .about("tasks", "Ask a task of any owner to end")
            .answers::<Cancelling>(202, json!({"task_id": TASK, "status": "cancelling"}))
            .fails(TASK_ERRORS)
            .fails(&[E::InvalidState]),
        delete("/admin/tasks/{id}", RouteAccess::Admin, Handler::Proxied(all_tasks::delete))
            .about("tasks", "Remove an ended task of any owner and its files")
            .answers::<Deleted>(200, json!({"deleted": true, "id": TASK}))
            .fails(TASK_ERRORS)
            .fails(&[E::InvalidState]),
    ]
}

#[cfg(feature = "workers")]
fn accounts() -> Vec<Route> {
    let account = json!({
        "id": ACCOUNT, "label": "Team A", "workspace": "team-a", "address": "https://team-a--must.modal.run",
        "status": "ready", "error": null, "models": ["tiny-image", "tiny-video"], "active": 0, "dispatched": 12,
        "created_at": MOMENT, "updated_at": MOMENT, "checked_at": MOMENT, "used_at": MOMENT, "deployment": null,
    });
    let on_account = |path: &'static str, handler, summary| {
        post(path, RouteAccess::Admin, handler)
            .about("accounts", summary)
            .answers::<Account>(200, account.clone())
            .fails(&[E::NotFound, E::InvalidState])
    };
    let new = json!({"label": "Team A", "workspace": "team-a", "token_id": "ak-1", "token_secret": "as-1"});
    vec![
        get("/admin/accounts", RouteAccess::Admin, Handler::Blocking(accounts::list))
            .about("accounts", "Every worker account, without its tokens")
            .answers::<Accounts>(200, json!({"accounts": [account]})),
        post("/admin/accounts", RouteAccess::Admin, Handler::Blocking(accounts::add))
            .about("accounts", "Register an account; it is pending until it is checked")
            .takes_json::<NewAccount>(true, new)
            .answers::<Account>(201, account.clone()),
        get("/admin/accounts/{id}", RouteAccess::Admin, Handler::Blocking(accounts::show))
            .about("accounts", "One account, by its id or its workspace")
            .answers::<Account>(200, account.clone())
            .fails(&[E::NotFound]),
        Route::new(Method::PATCH, "/admin/accounts/{id}", RouteAccess::Admin, Handler::Check(accounts::change))
            .about("accounts", "Change an account; a ready one is checked again")
            .takes_json::<AccountChange>(true, json!({"label": "Team B"}))
            .answers::<Account>(200, account.clone())
            .fails(&[E::NotFound, E::InvalidState]),
        delete("/admin/accounts/{id}", RouteAccess::Admin, Handler::Blocking(accounts::remove))
            .about("accounts", "Remove an account; its unfinished tasks fail")
            .answers::<Removed>(200, json!({"removed": true, "id": ACCOUNT}))
            .fails(&[E::NotFound]),
        on_account(
            "/admin/accounts/{id}/enable",
            Handler::Check(accounts::enable),
            "Check a disabled account and use it again",
        ),
        on_account(
            "/admin/accounts/{id}/disable",
            Handler::Blocking(accounts::disable),
            "Send no more tasks to an account",
        ),
        on_account("/admin/accounts/{id}/health", Handler::Check(accounts::health), "Ask a worker for its health"),
        post("/admin/accounts/{id}/deploy", RouteAccess::Admin, Handler::Blocking(accounts::deploy))
            .about("accounts", "Deploy a workspace in the background")
            .answers::<Account>(202, account.clone())
            .fails(&[E::NotFound, E::InvalidState]),
        post("/admin/deploy-all", RouteAccess::Admin, Handler::Blocking(accounts::deploy_all))
            .about("accounts", "Deploy every account that is not disabled")
            .answers::<Accounts>(202, json!({"accounts": [account]})),
    ]
}

fn like_openai() -> Vec<Route> {
    vec![
        get("/v1/models", RouteAccess::Bearer, Handler::Blocking(models::list))
            .about("openai", "The models that can run")
            .answers::<models::List>(200, Value::Null),
        get("/v1/models/{model}", RouteAccess::Bearer, Handler::Blocking(models::retrieve))
            .about("openai", "One model")
            .answers::<models::ModelObject>(200, Value::Null)
            .fails(&[E::NotFound]),
        post("/v1/images/generations", RouteAccess::Bearer, Handler::Async(images::generate))
            .about("openai", "Make pictures, and wait for them")
            .takes_json::<request::Request>(true, json!({"prompt": "a red circle", "model": "tiny-image", "n": 1}))
            .answers::<images::Images>(200, Value::Null)
            .streams("text/event-stream")
            .fails(SUBMISSION_ERRORS)
            .fails(&[E::TaskTimeout, E::GpuMemoryExceeded, E::Cancelled]),
        post("/v1/images/edits", RouteAccess::Bearer, Handler::Async(edits::edit))
            .about("openai", "Make pictures from pictures, and wait for them")
            .takes(
                BodyKind::JsonOrForm(schema::<edits::EditRequest>, schema::<edits::EditForm>, "image"),
                true,
                json!({"prompt": "a red circle", "model": "tiny-image", "images": ["data:image/png;base64,..."]}),
            )
            .answers::<images::Images>(200, Value::Null)
            .streams("text/event-stream")
            .fails(SUBMISSION_ERRORS)
            .fails(&[E::TaskTimeout, E::GpuMemoryExceeded, E::Cancelled]),
        post("/v1/videos", RouteAccess::Bearer, Handler::Async(videos::create))
            .about("openai", "Submit a clip")
            .takes(
                BodyKind::JsonOrForm(schema::<videos::Request>, schema::<videos::Form>, "input_reference"),
                true,
                json!({"prompt": "a red circle moving left", "model": "tiny-video"}),
            )
            .answers::<videos::Video>(200, Value::Null)
            .fails(SUBMISSION_ERRORS),
        get("/v1/videos", RouteAccess::Bearer, Handler::Blocking(videos::list))
            .about("openai", "Clips, page by page")
            .query("after", json!({"type": "string"}), "Id of the last clip of the previous page")
            .query("limit", whole(1, 100), "Clips on a page; 20 by default")
            .query("order", one_of(&["asc", "desc"]), "Newest first by default")
            .answers::<videos::Page>(200, Value::Null)
            .fails(&[E::TaskNotFound]),
        get("/v1/videos/{id}", RouteAccess::Bearer, Handler::Blocking(videos::retrieve))
            .about("openai", "The status of a clip")
            .answers::<videos::Video>(200, Value::Null)
            .fails(TASK_ERRORS),
        get("/v1/videos/{id}/content", RouteAccess::Bearer, Handler::Proxied(videos::content))
            .about("openai", "The clip or its preview")
            .query("variant", one_of(&["video", "thumbnail"]), "The clip by default")
            .answers_with(200, Content::Bytes(&["video/mp4", "video/webm", "image/jpeg"]))
            .fails(TASK_ERRORS)
            .fails(&[E::ResultGone, E::ResultNotReady]),
        post("/v1/videos/{id}/remix", RouteAccess::Bearer, Handler::Async(remix::remix))
            .about("openai", "Make a clip again with another prompt")
            .takes_json::<remix::Request>(true, json!({"prompt": "a blue circle moving left"}))
            .answers::<videos::Video>(200, Value::Null)
            .fails(SUBMISSION_ERRORS)
            .fails(TASK_ERRORS)
            .fails(&[E::ResultGone, E::ResultNotReady]),
        delete("/v1/videos/{id}", RouteAccess::Bearer, Handler::Proxied(videos::delete))
            .about("openai", "Remove an ended clip")
            .answers::<videos::Removed>(200, Value::Null)
            .fails(TASK_ERRORS)
            .fails(&[E::InvalidState]),
    ]
}

/// Returns the OpenAPI document of the platform, which is made once.
fn document(call: &Call) -> Result<Reply> {
    call.only(&[])?;
    let document = match call.shared.document.get() {
        Some(document) => document.clone(),
        None => {
            let document = openapi::written(&all(), call.platform().catalog()?)?;
            call.shared.document.get_or_init(|| document).clone()
        }
    };
    Ok(Reply::new(StatusCode::OK, Body::from(document))
        .with(CONTENT_TYPE, HeaderValue::from_static("application/json")))
}
