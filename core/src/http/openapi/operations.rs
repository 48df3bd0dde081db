//! The operations of the OpenAPI document: one for each route.

use super::schemas::names;
use super::{Schemas, set};
use crate::catalog::{Catalog, Model};
use crate::error::ErrorCode;
use crate::fields::Fields;
use crate::http::route::{BodyKind, Content, Route, one_of};
use crate::http::route_access::RouteAccess;
use crate::platform::outside::{self, Entry};
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Describes one route.
pub(super) fn operation(route: &Route, catalog: &Catalog, schemas: &mut Schemas, failure: &Value) -> Value {
    let mut parameters: Vec<Value> = route
        .path_parameters()
        .map(|name| {
            let schema = match name {
                "call" => one_of(&outside::over_http().map(|entry| entry.name).collect::<Vec<_>>()),
                _ => json!({"type": "string", "minLength": 1}),
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema, "description": path_parameter(name)})
        })
        .collect();
    parameters.extend(route.parameters.iter().map(|parameter| {
        let schema = if parameter.name == "model" {
            json!({"type": "string", "enum": catalog.models().iter().flat_map(names).collect::<Vec<_>>()})
        } else {
            parameter.schema.clone()
        };
        json!({"name": parameter.name, "in": parameter.place, "required": false, "schema": schema,
               "description": parameter.description})
    }));
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
        "security": security(route.access),
        "responses": responses(route, &mut schemas.answers, failure),
    });
    if let Some(operation) = operation.as_object_mut() {
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if let Some((kind, required, example)) = &route.body {
            operation.insert("requestBody".to_owned(), body(kind, *required, example, catalog, &mut schemas.bodies));
        }
        if let Some((BodyKind::Arguments, ..)) = &route.body {
            operation.insert("x-calls".to_owned(), calls(schemas));
        }
    }
    operation
}

/// Describes the arguments and the answer of each administrative call, by its name. The argument `caller` is left out, because over HTTP
/// the caller is always the administrator of the session.
fn calls(schemas: &mut Schemas) -> Value {
    let described = |entry: &'static Entry| {
        let mut arguments = (entry.arguments)(&mut schemas.bodies);
        arguments.insert("title".to_owned(), json!((entry.arguments_name)()));
        if let Some(properties) = arguments.get_mut("properties").and_then(Value::as_object_mut) {
            properties.remove("caller");
        }
        let failures = if entry.fails.is_empty() { String::new() } else { format!(" Fails with {}.", entry.fails) };
        let about = format!("{}{failures}", entry.about);
        let answer = (entry.answer)(&mut schemas.answers);
        (entry.name.to_owned(), json!({"description": about, "arguments": arguments, "answer": answer}))
    };
    Value::Object(outside::over_http().map(described).collect())
}

fn operation_id(route: &Route) -> String {
    let words = route.path.split('/').filter(|part| !part.is_empty());
    let words = words.map(|part| part.trim_matches(['{', '}']).replace(['-', '.'], "_"));
    std::iter::once(route.method.as_str().to_ascii_lowercase()).chain(words).collect::<Vec<_>>().join("_")
}

fn path_parameter(name: &str) -> &'static str {
    match name {
        "call" => "Name of the call; docs/calls.md describes its arguments and its answer.",
        "file" => "Name of the file.",
        "name" => "Name of the secret.",
        "model" => "Id or alias of the model.",
        _ => "The id.",
    }
}

fn security(access: RouteAccess) -> Value {
    match access {
        RouteAccess::Open => json!([]),
        RouteAccess::Generation | RouteAccess::Media => {
            json!([{"api_key_header": []}, {"api_key_query": []}, {"session": []}])
        }
        RouteAccess::ApiKey => json!([{"api_key_header": []}]),
        RouteAccess::Bearer => json!([{"bearer": []}]),
        RouteAccess::Session => json!([{}, {"session": []}, {"api_key_header": []}]),
        RouteAccess::AdminLogin => json!([{"admin_key": []}]),
        RouteAccess::Admin => json!([{"admin_session": []}]),
        RouteAccess::Scrape => json!([{"scrape_token": []}, {"admin_session": []}]),
    }
}

fn body(kind: &BodyKind, required: bool, example: &Value, catalog: &Catalog, generator: &mut SchemaGenerator) -> Value {
    let content = match kind {
        BodyKind::Generation => {
            let examples: Map<String, Value> = catalog
                .models()
                .iter()
                .map(|model| (model.id.clone(), json!({"value": {"model": model.id, "prompt": "a red circle"}})))
                .filter(|(name, _)| catalog.model(name).is_some_and(starts_from_text))
                .collect();
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/GenerateRequest"}, "examples": examples}})
        }
        BodyKind::Arguments => json!({"application/json": {"schema": {"type": "object"}, "example": example}}),
        BodyKind::Json(schema) => json!({"application/json": {"schema": schema(generator), "example": example}}),
        BodyKind::JsonOrForm(schema, form, files) => json!({
            "application/json": {"schema": schema(generator), "example": example},
            "multipart/form-data": {
                "schema": form(generator),
                "encoding": {*files: {"contentType": "image/png, image/jpeg, image/webp"}},
            },
        }),
    };
    json!({"required": required, "content": content})
}

/// Whether the default mode needs nothing but a prompt.
fn starts_from_text(model: &Model) -> bool {
    let none = Fields::new();
    model
        .parameters
        .iter()
        .all(|(name, parameter)| name == "prompt" || !parameter.is_required(&model.default_mode, &none))
}

fn responses(route: &Route, generator: &mut SchemaGenerator, failure: &Value) -> Value {
    let mut success = json!({"description": route.summary});
    let content = match &route.content {
        Content::Empty => None,
        Content::Json(schema) => {
            let mut entry = json!({"schema": schema(generator)});
            if let (false, Some(entry)) = (route.example.is_null(), entry.as_object_mut()) {
                entry.insert("example".to_owned(), route.example.clone());
            }
            Some(json!({"application/json": entry}))
        }
        Content::Answer => Some(json!({"application/json": {"schema": {}}})),
        Content::AnyJson => Some(json!({"application/json": {"schema": {"type": "object"}}})),
        Content::Bytes(types) => {
            let schema = |kind: &&str| if *kind == "text/plain" { json!({"type": "string"}) } else { json!({}) };
            let types: Map<String, Value> =
                types.iter().map(|kind| ((*kind).to_owned(), json!({"schema": schema(kind)}))).collect();
            Some(Value::Object(types))
        }
    };
    if let (Some(mut content), Some(success)) = (content, success.as_object_mut()) {
        set(
            &mut content,
            route.stream.unwrap_or_default(),
            route.stream.map(|_| json!({"schema": {"type": "string"}})),
        );
        success.insert("content".to_owned(), content);
    }
    let mut responses = Map::new();
    responses.insert(route.status.to_string(), success.clone());
    if route.parameters.iter().any(|parameter| parameter.name == "Range") {
        responses.insert(
            "206".to_owned(),
            json!({"description": "The part that was asked for", "content": success.get("content")}),
        );
        responses.insert("304".to_owned(), json!({"description": "The client already has it"}));
        responses.insert("416".to_owned(), failures("The range lies beyond the end", failure));
    }
    if route.path.starts_with("/events/") {
        responses.insert(
            "204".to_owned(),
            json!({"description": "The task has ended, and `Last-Event-ID` names its last event"}),
        );
    }
    if route.takes_body() {
        responses.insert(
            "415".to_owned(),
            failures("`validation_error`: the body's `Content-Encoding` is unknown", failure),
        );
    }
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in errors(route) {
        by_status.entry(code.http_status()).or_default().push(code.as_str());
    }
    for (status, mut codes) in by_status {
        codes.sort_unstable();
        codes.dedup();
        responses.insert(status.to_string(), failures(&format!("`{}`", codes.join("`, `")), failure));
    }
    Value::Object(responses)
}

fn failures(description: &str, failure: &Value) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": failure}}})
}

/// Returns every code that a call may fail with: its own, those of its access, and those of all calls.
fn errors(route: &Route) -> Vec<ErrorCode> {
    use ErrorCode as E;
    let mut all = route.errors.clone();
    all.extend([E::CorsOriginBlocked, E::DependencyUnavailable, E::Internal, E::ValidationError, E::PayloadTooLarge]);
    all.extend_from_slice(match route.access {
        RouteAccess::Open => &[],
        RouteAccess::Generation | RouteAccess::Media | RouteAccess::ApiKey | RouteAccess::Bearer => {
            &[E::InvalidApiKey, E::SessionRequired, E::SessionExpired]
        }
        RouteAccess::Session => &[E::InvalidApiKey, E::SessionRequired, E::SessionExpired, E::RateLimited],
        RouteAccess::AdminLogin => &[E::AdminMisconfigured, E::AdminKeyInvalid, E::RateLimited],
        RouteAccess::Admin | RouteAccess::Scrape => {
            &[E::AdminSessionRequired, E::AdminSessionExpired, E::AdminKeyInvalid, E::RateLimited]
        }
    });
    all
}
