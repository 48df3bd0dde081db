//! The OpenAPI 3.1 document: made from the table of routes, the types of answers and the catalog, so that it always agrees with
//! them. `docs/openapi.json` is the document for the built-in catalog; a test compares it.

mod operations;
mod schemas;

use super::openai::failure;
use super::reading_order::ReadingOrder;
use super::route::{Route, schema};
use super::views::Failure;
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::json::without_examples;
use crate::request::MediaType;
use bytes::Bytes;
use operations::operation;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use schemas::{generation_schema, narrow};
use serde_json::{Map, Value, json};

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

/// Makes the schemas of bodies, in which fields with a default may be left out, and of answers, in which these fields are present.
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

/// Puts a value into an object, if there is one.
fn set(schema: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(value), Some(schema)) = (value, schema.as_object_mut()) {
        schema.insert(name.to_owned(), value);
    }
}
