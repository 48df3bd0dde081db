//! One call of the HTTP face: where it is, who may make it, what makes it, and what the OpenAPI document says of it.

use super::call::{Call, Reply};
use super::route_access::RouteAccess;
use crate::error::{ErrorCode, Result};
use futures::future::BoxFuture;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// A call under way.
pub(super) type Making = BoxFuture<'static, Result<Reply>>;

/// What makes a call.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Calls the platform and is soon done; on a thread that may block.
    Blocking(fn(&Call) -> Result<Reply>),
    /// Calls the platform and takes memory and a row at most: on the thread of the socket when nothing has to be waited for.
    Brief(fn(&Call) -> Result<Reply>),
    /// Like [`Handler::Blocking`], but waits for a worker's check; few enough run at once that others find a thread.
    Check(fn(&Call) -> Result<Reply>),
    /// Calls the platform and is soon done, but waits for a worker when the task is at one; fewer of these run at once, so that a
    /// worker that hangs holds up nobody else.
    Proxied(fn(&Call) -> Result<Reply>),
    /// Waits without a thread.
    Async(fn(Call) -> Making),
}

/// Makes a schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter in the query or in a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) schema: Value,
    pub(super) description: &'static str,
}

/// What a body may be.
pub(super) enum BodyKind {
    /// A generation request, as the catalog of the platform allows it.
    Generation,
    /// JSON of this schema.
    Json(SchemaOf),
    /// A JSON object with the arguments of one of many calls.
    Arguments,
    /// JSON or a form with files, of these schemas; the field that holds the files.
    JsonOrForm(SchemaOf, SchemaOf, &'static str),
}

/// What a success holds.
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// JSON of this schema.
    Json(SchemaOf),
    /// Other bytes, of one of these types.
    Bytes(&'static [&'static str]),
    /// A JSON object that is known only at run time.
    AnyJson,
    /// What one of many calls answers, in JSON.
    Answer,
}

/// A call.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: RouteAccess,
    pub(super) handler: Handler,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<(BodyKind, bool, Value)>,
    pub(super) status: u16,
    pub(super) content: Content,
    /// The type of a success that comes in pieces, where a caller may ask for that.
    pub(super) stream: Option<&'static str>,
    pub(super) example: Value,
    pub(super) errors: Vec<ErrorCode>,
}

impl Route {
    pub(super) fn new(method: Method, path: &'static str, access: RouteAccess, handler: Handler) -> Self {
        Self {
            method,
            path,
            access,
            handler,
            tag: "",
            summary: "",
            parameters: Vec::new(),
            body: None,
            status: 200,
            content: Content::Empty,
            stream: None,
            example: Value::Null,
            errors: Vec::new(),
        }
    }

    pub(super) fn about(mut self, tag: &'static str, summary: &'static str) -> Self {
        (self.tag, self.summary) = (tag, summary);
        self
    }

    pub(super) fn query(mut self, name: &'static str, schema: Value, description: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "query", schema, description });
        self
    }

    pub(super) fn header(mut self, name: &'static str, schema: Value, description: &'static str) -> Self {
        self.parameters.push(Parameter { name, place: "header", schema, description });
        self
    }

    pub(super) fn takes(mut self, kind: BodyKind, required: bool, example: Value) -> Self {
        self.body = Some((kind, required, example));
        self
    }

    pub(super) fn takes_json<T: JsonSchema>(self, required: bool, example: Value) -> Self {
        self.takes(BodyKind::Json(schema::<T>), required, example)
    }

    pub(super) fn answers<T: JsonSchema>(mut self, status: u16, example: Value) -> Self {
        (self.status, self.content, self.example) = (status, Content::Json(schema::<T>), example);
        self
    }

    pub(super) fn answers_with(mut self, status: u16, content: Content) -> Self {
        (self.status, self.content) = (status, content);
        self
    }

    pub(super) fn streams(mut self, kind: &'static str) -> Self {
        self.stream = Some(kind);
        self
    }

    pub(super) fn fails(mut self, errors: &[ErrorCode]) -> Self {
        self.errors.extend_from_slice(errors);
        self
    }

    /// Whether a body is read for it.
    pub(super) const fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    /// The names in its path.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of a whole number between two bounds.
pub(super) fn whole(minimum: u64, maximum: u64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

/// The schema of one of some words.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}
