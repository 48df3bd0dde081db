//! Handles every request in order: size, origin, throttle, credential, body, handler, headers of the answer. Only a small body is
//! read before the origin is checked, so that one thread does all of it.

use super::address::Base;
use super::body::{self, ContentCoding, drain};
use super::call::{Call, Reply};
use super::compress;
use super::cors;
use super::events;
use super::openai::failure;
use super::route::{Handler, Route};
use super::route_access::RouteAccess;
use super::routes;
use super::state::{SMALL_BODY, Shared, Stopping, blocking, check, peer, proxied};
use crate::access::RequestFacts;
use crate::audit::new_correlation_id;
use crate::error::{Error, ErrorCode, Result};
use crate::pace::Pace;
use crate::task::TraceParent;
use axum::RequestExt as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use futures::FutureExt as _;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes a router with all routes of one platform.
pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let mut paths: BTreeMap<&'static str, Vec<Arc<Route>>> = BTreeMap::new();
    for route in routes::all() {
        paths.entry(route.path).or_default().push(Arc::new(route));
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let mut names: Vec<&str> = routes.iter().map(|route| route.method.as_str()).collect();
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        let methods: Arc<str> = names.join(", ").into();
        let mut method_router = MethodRouter::new();
        for route in routes {
            let Ok(filter) = MethodFilter::try_from(route.method.clone()) else { continue };
            let shared = Arc::clone(shared);
            method_router = method_router
                .merge(on(filter, move |request: Request| dispatch(Arc::clone(&shared), Arc::clone(&route), request)));
        }
        let (shared, methods) = (Arc::clone(shared), Arc::clone(&methods));
        let other = move |request: Request| other_method(Arc::clone(&shared), Arc::clone(&methods), path, request);
        router = router.route(path, method_router.fallback(other));
    }
    let shared = Arc::clone(shared);
    router.fallback(move |request: Request| not_found(Arc::clone(&shared), request))
}

/// Facts about a request that are known before it is authenticated and that every answer needs.
struct Context {
    began: Instant,
    method: Method,
    path: &'static str,
    correlation_id: String,
    origin: Option<String>,
    /// Whether the path is one of OpenAI's, whose clients expect failures in OpenAI's form.
    like_openai: bool,
}

impl Context {
    fn of(parts: &Parts, path: &'static str) -> Self {
        Self {
            began: Instant::now(),
            method: parts.method.clone(),
            path,
            correlation_id: correlation_id(parts),
            origin: parts.headers.get(http::header::ORIGIN).and_then(|value| value.to_str().ok()).map(str::to_owned),
            like_openai: failure::is_read_at(parts.uri.path()),
        }
    }

    /// Makes the span of the request, in the trace of its caller.
    fn span(&self, parts: &Parts) -> Span {
        let (method, correlation_id) = (self.method.as_str(), self.correlation_id.as_str());
        let (path, trace_id, parent_id, status) = (self.path, Empty, Empty, Empty);
        let span = tracing::info_span!("request", method, path, correlation_id, trace_id, parent_id, status);
        let header = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
        if !span.is_disabled()
            && let Some(trace) = header.and_then(TraceParent::parse)
        {
            span.record("trace_id", trace.trace_id());
            span.record("parent_id", trace.parent_id());
        }
        span
    }

    /// Adds the headers that every answer has.
    fn finish(self, shared: &Shared, outcome: Result<Reply>) -> Response {
        let blocked = matches!(&outcome, Err(error) if error.code() == ErrorCode::CorsOriginBlocked);
        if let Err(error) = &outcome
            && error.code() == ErrorCode::Internal
        {
            tracing::error!(
                path = self.path,
                correlation_id = self.correlation_id,
                detail = error.detail(),
                "a call failed"
            );
        }
        let mut reply = outcome.unwrap_or_else(|error| Reply::failure(&error));
        if let (true, Some(error)) = (self.like_openai, reply.failure.take()) {
            failure::rewrite(&mut reply, &error);
        }
        let headers = &mut reply.headers;
        events::pass_proxies(headers);
        headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
        if reply.status == StatusCode::UNAUTHORIZED && self.like_openai {
            headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Ok(id) = HeaderValue::from_str(&self.correlation_id) {
            headers.insert(REQUEST_ID, id);
        }
        if !blocked {
            let origin = self
                .origin
                .as_deref()
                .filter(|origin| shared.platform.access().is_ok_and(|access| access.allows_origin(origin)));
            cors::decorate(headers, origin);
        }
        shared.metrics.http(self.method.as_str(), self.path, reply.status.as_u16(), self.began.elapsed());
        let mut response = Response::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}

async fn dispatch(shared: Arc<Shared>, route: Arc<Route>, mut request: Request) -> Response {
    let path = request.extract_parts::<RawPathParams>().await;
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts, route.path);
    let coding = compress::may_be_compressed(route.access).then(|| compress::accepts_gzip(&parts.headers));
    let outcome = match path {
        Ok(path) => {
            let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let span = context.span(&parts);
            let making = make(&shared, &route, parts, body, path, &context.correlation_id).instrument(span.clone());
            let made = AssertUnwindSafe(making).catch_unwind().await;
            let outcome = made.unwrap_or_else(|_| Err(Error::internal("the call panicked")));
            span.record(
                "status",
                outcome.as_ref().map_or_else(|error| error.code().http_status(), |reply| reply.status.as_u16()),
            );
            outcome
        }
        Err(_) => Err(Error::new(ErrorCode::NotFound, "the path is not UTF-8 in percent encoding")),
    };
    let outcome = match (outcome, coding) {
        (Ok(mut reply), Some(taken)) if compress::is_compressible(&reply) => {
            compress::varies(&mut reply.headers);
            if taken { blocking(&shared, move || Ok(compress::packed(reply))).await } else { Ok(reply) }
        }
        (outcome, _) => outcome,
    };
    context.finish(&shared, outcome)
}

async fn make(
    shared: &Arc<Shared>,
    route: &Arc<Route>,
    parts: Parts,
    body: Body,
    path: Vec<(String, String)>,
    correlation_id: &str,
) -> Result<Reply> {
    let limit = if route.takes_body() { shared.settings.max_body_bytes } else { 64 << 10 };
    if body.size_hint().lower() > limit as u64 {
        drain(body).await;
        return Err(body::too_large(limit));
    }
    let coding = match ContentCoding::of(&parts.headers) {
        Ok(coding) => coding,
        Err(error) => {
            drain(body).await;
            return Ok(unsupported_encoding(&error));
        }
    };
    let query = match read_query(&parts) {
        Ok(query) => query,
        Err(error) => {
            drain(body).await;
            return Err(error);
        }
    };
    let facts = route.access.facts(&parts, &query, peer(&parts), correlation_id);
    let base = Base::of(shared, &parts);
    let mut call = Call {
        shared: Arc::clone(shared),
        route: route.path,
        path,
        query,
        headers: parts.headers,
        body: Bytes::new(),
        facts,
        principal: None,
        base,
        stopping: parts.extensions.get::<Stopping>().cloned(),
    };
    // A few compressed bytes may expand to many, so they are decompressed only after access has allowed the request.
    let checked_late = coding.is_none() && body.size_hint().upper().is_some_and(|size| size <= SMALL_BODY);
    if !checked_late {
        let access = route.access;
        let checked = blocking(shared, move || {
            let principal = access.authenticate(&call);
            Ok((principal, call))
        });
        let (principal, returned) = checked.await?;
        call = returned;
        match principal {
            Ok(principal) => call.principal = principal,
            Err(error) => {
                drain(body).await;
                return Err(error);
            }
        }
    }
    call.body = body::read(body, limit, Pace::of(&shared.settings)).await?;
    if let Some(coding) = coding {
        let packed = std::mem::take(&mut call.body);
        call.body = blocking(shared, move || coding.decompress(&packed, limit)).await?;
        call.headers.remove(CONTENT_ENCODING);
        call.headers.remove(CONTENT_LENGTH);
    }
    // Runs on this thread if the check needs at most memory and one row, and if a reader of the database is idle. Otherwise it runs
    // on a thread that may block.
    let on_this_thread = checked_late
        && matches!(route.handler, Handler::Brief(_) | Handler::Async(_))
        && shared.platform.has_idle_reader();
    let mut checked = !checked_late;
    if on_this_thread && let Some(outcome) = route.access.authenticate_briefly(shared.platform.access()?, &call.facts) {
        match outcome {
            Ok(principal) => call.principal = principal,
            Err(refusal) => {
                let refuse = move || Err(call.platform().access()?.refuse(&call.facts, refusal));
                return blocking(shared, refuse).await;
            }
        }
        checked = true;
    }
    let access = route.access;
    let authenticate = move |call: &mut Call| -> Result<()> {
        if !checked {
            call.principal = access.authenticate(call)?;
        }
        Ok(())
    };
    let whole = move |mut call: Call, handler: fn(&Call) -> Result<Reply>| {
        authenticate(&mut call)?;
        handler(&call)
    };
    match route.handler {
        Handler::Brief(handler) if on_this_thread && checked => shared.platform.logged(|| handler(&call)),
        Handler::Blocking(handler) | Handler::Brief(handler) => blocking(shared, move || whole(call, handler)).await,
        Handler::Check(handler) => {
            let _permit = check(shared).await?;
            blocking(shared, move || whole(call, handler)).await
        }
        Handler::Proxied(handler) => {
            let _permit = proxied(shared, call.part("id")).await?;
            blocking(shared, move || whole(call, handler)).await
        }
        Handler::Async(handler) if checked => handler(call).await,
        Handler::Async(handler) => {
            let call = blocking(shared, move || {
                authenticate(&mut call)?;
                Ok(call)
            });
            handler(call.await?).await
        }
    }
}

/// Makes the answer to a body with an unknown compression.
fn unsupported_encoding(error: &Error) -> Reply {
    let mut reply = Reply::failure(error);
    reply.status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    reply.with(ACCEPT_ENCODING, HeaderValue::from_static(ContentCoding::KNOWN))
}

async fn other_method(shared: Arc<Shared>, methods: Arc<str>, path: &'static str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts, path);
    let preflight = cors::is_preflight(&parts);
    let facts = open_facts(&parts, &context);
    let admitted = blocking(&shared, {
        let shared = Arc::clone(&shared);
        move || cors::admit(&shared.platform, &facts)
    });
    let outcome = admitted.await.map(|()| {
        if preflight {
            let mut reply = Reply::empty();
            cors::preflight(&mut reply.headers, &methods);
            return reply;
        }
        let allow = HeaderValue::from_str(&methods).unwrap_or(HeaderValue::from_static(""));
        if parts.method == Method::OPTIONS {
            return Reply::empty().with(ALLOW, allow);
        }
        let error =
            Error::new(ErrorCode::MethodNotAllowed, format!("{} is not a method of this address", parts.method));
        Reply::failure(&error).with(ALLOW, allow)
    });
    drain(body).await;
    context.finish(&shared, outcome)
}

async fn not_found(shared: Arc<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let context = Context::of(&parts, "");
    let facts = open_facts(&parts, &context);
    let admitted = blocking(&shared, {
        let shared = Arc::clone(&shared);
        move || cors::admit(&shared.platform, &facts)
    });
    let outcome = admitted.await.and(Err(Error::new(ErrorCode::NotFound, "there is nothing at this address")));
    drain(body).await;
    context.finish(&shared, outcome)
}

fn open_facts(parts: &Parts, context: &Context) -> RequestFacts {
    RouteAccess::Open.facts(parts, &[], peer(parts), &context.correlation_id)
}

/// Returns the caller's own id for the request, the id of its trace, or a new id.
fn correlation_id(parts: &Parts) -> String {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let usable = |id: &&str| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    let own = ["x-correlation-id", "x-request-id"].into_iter().find_map(|name| header(name).filter(usable));
    let trace = || header("traceparent").and_then(TraceParent::parse).map(|trace| trace.trace_id().to_owned());
    own.map(str::to_owned).or_else(trace).unwrap_or_else(new_correlation_id)
}

/// # Errors
/// `validation_error` for a query that is not percent-encoded UTF-8.
fn read_query(parts: &Parts) -> Result<Vec<(String, String)>> {
    let text = parts.uri.query().unwrap_or_default();
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned)
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        })
        .collect::<std::result::Result<_, std::str::Utf8Error>>()
        .map_err(|_| Error::validation("the query is not UTF-8 in percent encoding"))
}
