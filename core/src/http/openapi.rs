//! The OpenAPI 3.1 document: made from the table of routes, the types of answers and the catalog, so that it always agrees with
//! them. `docs/openapi.json` is the document for the built-in catalog; a test compares it.

use super::openai::failure;
use super::reading_order::ReadingOrder;
use super::route::{BodyKind, Content, Route, one_of, schema};
use super::route_access::RouteAccess;
use super::views::Failure;
use crate::catalog::{Catalog, Kind, Model, Parameter};
use crate::error::{Error, ErrorCode, Result};
use crate::fields::Fields;
use crate::json::without_examples;
use crate::platform::outside::{self, Entry};
use crate::request::MediaType;
use bytes::Bytes;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Returns the document as it is served.
///
/// # Errors
/// `internal`.
pub(super) fn written(routes: &[Route], catalog: &Catalog) -> Result<Bytes> {
    let text = serde_json::to_vec(&ReadingOrder::of(routes, catalog).written(&document(routes, catalog)));
    text.map(Bytes::from).map_err(|error| Error::internal(error.to_string()))
}

/// Returns the document of a platform with these routes and this catalog.
pub(super) fn document(routes: &[Route], catalog: &Catalog) -> Value {
    let mut schemas = Schemas::new();
    let failure = schema::<Failure>(&mut schemas.answers);
    let like_openai = schema::<failure::Failure>(&mut schemas.answers);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let failure = if failure::is_read_at(route.path) { &like_openai } else { &failure };
        let operation = operation(route, catalog, &mut schemas, failure.as_value());
        if let Some(path) = paths.entry(route.path).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    let mut schemas = schemas.definitions();
    schemas.insert("GenerateRequest".to_owned(), generation_schema(catalog));
    for (name, kind) in [
        ("ImageRequest", MediaType::Image),
        ("ImageEditRequest", MediaType::Image),
        ("ImageEditForm", MediaType::Image),
        ("VideoRequest", MediaType::Video),
        ("VideoForm", MediaType::Video),
    ] {
        if let Some(properties) = schemas.get_mut(name).and_then(|schema| schema.get_mut("properties")) {
            narrow(properties, catalog, kind);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MUST",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Image and video generation.",
            "description": "Every answer that is not a success is a Failure, under /v1 an OpenAiFailure. Codes are listed in docs/errors.md.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "api_key_header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "api_key_query": {"type": "apiKey", "in": "query", "name": "api_key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "gg_session"},
                "admin_key": {"type": "apiKey", "in": "header", "name": "X-Admin-Key"},
                "admin_session": {"type": "apiKey", "in": "cookie", "name": "gg_admin_session"},
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "scrape_token": {"type": "http", "scheme": "bearer", "description": "The scrape token of the settings."},
            },
        },
    });
    remove_examples(&mut document);
    document
}

/// Removes the examples in Rust from all descriptions.
fn remove_examples(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "description" => *text = without_examples(text).to_owned(),
                    member => remove_examples(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_examples),
        _ => {}
    }
}

/// Makes the schemas of bodies, whose fields may be left out, and of answers, which always have all their fields.
struct Schemas {
    bodies: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            "/components/schemas".clone_into(settings.definitions_path.to_mut());
            settings.meta_schema = None;
        });

        Self {
            bodies: SchemaGenerator::new(settings.clone().for_deserialize()),
            answers: SchemaGenerator::new(settings.for_serialize()),
        }
    }

    /// Returns every named schema. A schema that bodies and answers share is the same in both.
    fn definitions(mut self) -> Map<String, Value> {
        let mut all = self.bodies.take_definitions(true);
        for (name, schema) in self.answers.take_definitions(true) {
            debug_assert!(all.get(&name).is_none_or(|known| *known == schema), "two schemas are called {name}");
            all.insert(name, schema);
        }
        all
    }
}

fn operation(route: &Route, catalog: &Catalog, schemas: &mut Schemas, failure: &Value) -> Value {
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

/// Describes the arguments and the answer of each administrative call, by its name. The caller is the administrator of the session.
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

/// Writes the models and sizes of the catalog into the schema of a request of OpenAI's clients.
fn narrow(properties: &mut Value, catalog: &Catalog, kind: MediaType) {
    let models: Vec<&Model> = catalog.models().iter().filter(|model| model.media_type == kind).collect();
    let names: Vec<&str> = models.iter().copied().flat_map(names).collect();
    let mut sizes = vec!["auto".to_owned()];
    for model in &models {
        let values = |name: &str| -> Vec<f64> {
            let schema = model.parameter(name).map(number_schema).unwrap_or_default();
            schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        for width in values("width") {
            sizes.extend(values("height").iter().map(|height| format!("{width}x{height}")));
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    let words = |words: &[&str]| words.iter().map(|word| json!(word)).collect::<Vec<_>>();
    // A form cannot contain null.
    let is_form = ["/input_reference", "/image/items"]
        .iter()
        .any(|file| properties.pointer(&format!("{file}/format")).is_some_and(|format| format == "binary"));
    let entry = |mut values: Vec<Value>| {
        if !is_form {
            values.push(Value::Null);
        }
        json!({ "enum": values })
    };
    set(properties, "model", Some(entry(words(&names))));
    set(properties, "size", Some(entry(words(&sizes.iter().map(String::as_str).collect::<Vec<_>>()))));
}

/// Returns the id and the aliases of a model.
fn names(model: &Model) -> impl Iterator<Item = &str> {
    std::iter::once(model.id.as_str()).chain(model.aliases.iter().map(String::as_str))
}

/// Returns the schema of `POST /generate`: one alternative for each mode of each model.
fn generation_schema(catalog: &Catalog) -> Value {
    let alternatives: Vec<Value> = catalog
        .models()
        .iter()
        .flat_map(|model| model.modes.iter().map(move |mode| mode_schema(model, mode)))
        .collect();
    json!({"oneOf": alternatives, "title": "GenerateRequest"})
}

fn mode_schema(model: &Model, mode: &str) -> Value {
    let none = Fields::new();
    let names: Vec<&str> = names(model).collect();
    let mut properties = Map::new();
    properties.insert("model".to_owned(), json!({"type": "string", "enum": names}));
    properties.insert("type".to_owned(), json!({"enum": [model.media_type.as_str(), null]}));
    let mut required = vec!["model"];
    if mode == model.default_mode {
        properties.insert("mode".to_owned(), json!({"enum": [mode, null]}));
    } else {
        properties.insert("mode".to_owned(), json!({"type": "string", "const": mode}));
        required.push("mode");
    }
    for (name, parameter) in &model.parameters {
        let by_mode = parameter.visible_if.as_ref().is_none_or(|rule| rule.keys().all(|key| key == "mode"));
        if by_mode && !parameter.is_visible(mode, &none) {
            continue;
        }
        let needed = parameter.is_required(mode, &none);
        properties.insert(name.clone(), parameter_schema(parameter, needed));
        if needed {
            required.push(name);
        }
    }
    json!({
        "type": "object",
        "title": format!("{} {mode}", model.id),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// Returns the schema of a parameter; null means "left out" where that is allowed.
fn parameter_schema(parameter: &Parameter, needed: bool) -> Value {
    let mut schema = value_schema(parameter);
    if let Some(object) = schema.as_object_mut() {
        if let Some(kind) = object.get("type").cloned().filter(|_| !needed) {
            object.insert("type".to_owned(), json!([kind, "null"]));
        }
        if let Some(Value::Array(values)) = object.get_mut("enum").filter(|_| !needed) {
            values.push(Value::Null);
        }
        object.insert("title".to_owned(), json!(parameter.label));
        if !parameter.help.is_empty() {
            object.insert("description".to_owned(), json!(parameter.help));
        }
        if let Some(default) = &parameter.default {
            object.insert("default".to_owned(), default.clone());
        }
    }
    schema
}

/// Most values that are listed one by one.
const MOST_VALUES: f64 = 256.0;

fn value_schema(parameter: &Parameter) -> Value {
    if parameter.locked
        && let Some(default) = &parameter.default
    {
        return json!({"enum": [default]});
    }
    match parameter.kind {
        Kind::String => {
            let mut schema = json!({"type": "string"});
            set(&mut schema, "minLength", parameter.min_length.map(Value::from));
            set(&mut schema, "maxLength", parameter.max_length.map(Value::from));
            // The text must not be blank.
            set(&mut schema, "pattern", parameter.min_length.filter(|least| *least > 0).map(|_| json!("\\S")));
            schema
        }
        Kind::Integer | Kind::Number => number_schema(parameter),
        Kind::Choice => json!({"enum": parameter.choices}),
        Kind::Image => json!({"type": "string", "format": "data-uri-image", "contentMediaType": "image/*"}),
        Kind::Frames => {
            let fields = parameter.item.iter().flatten();
            let properties: Map<String, Value> = fields
                .clone()
                .map(|(name, item)| (name.clone(), parameter_schema(&item.rules, item.rules.required)))
                .collect();
            let required: Vec<&String> = fields.filter(|(_, item)| item.rules.required).map(|(name, _)| name).collect();
            json!({
                "type": "array",
                "minItems": parameter.min_items.unwrap_or(0),
                "items": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
            })
        }
    }
}

/// Returns the schema of a number: its bounds, or all its values when it has steps and few values.
fn number_schema(parameter: &Parameter) -> Value {
    let whole = parameter.kind == Kind::Integer;
    if let (Some(least), Some(most), Some(step)) = (parameter.minimum, parameter.maximum, parameter.step)
        && step > 0.0
        && (most - least) / step <= MOST_VALUES
        && !(whole && (step - 1.0).abs() < f64::EPSILON)
    {
        let mut values: Vec<Value> = Vec::new();
        let mut index = 0.0;
        while least + index * step <= most + 1e-9 {
            // Tenths are not exact in binary; rounding gives the intended decimal.
            values.push(number(((least + index * step) * 1e6).round() / 1e6, whole));
            index += 1.0;
        }
        if let Some(default) = &parameter.default
            && !values.iter().any(|value| value.as_f64() == default.as_f64())
        {
            values.push(default.clone());
        }
        return json!({"enum": values});
    }
    let mut schema = json!({"type": if whole { "integer" } else { "number" }});
    set(&mut schema, "minimum", parameter.minimum.map(|least| number(least, whole)));
    set(&mut schema, "maximum", parameter.maximum.map(|most| number(most, whole)));
    schema
}

fn number(value: f64, whole: bool) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "bounds in the catalog are small")]
    if whole { Value::from(value as i64) } else { Value::from(value) }
}

fn set(schema: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(value), Some(schema)) = (value, schema.as_object_mut()) {
        schema.insert(name.to_owned(), value);
    }
}
