//! One call of the HTTP API: its path, who may make it, the function that handles it, and what the OpenAPI document says about it.

use super::call::{Call, Reply};
use super::route_access::RouteAccess;
use crate::error::{ErrorCode, Result};
use futures::future::BoxFuture;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

/// The answer of a handler that waits without a thread.
pub(super) type ReplyFuture = BoxFuture<'static, Result<Reply>>;

/// The function that handles a call.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Calls the platform and finishes soon; runs on a thread that may block.
    Blocking(fn(&Call) -> Result<Reply>),
    /// Calls the platform and needs at most memory and one row; runs on the thread of the socket when nothing has to be waited for.
    Brief(fn(&Call) -> Result<Reply>),
    /// Like [`Handler::Blocking`], but waits for a worker's check. The number of these is limited, so that other calls find a thread.
    Check(fn(&Call) -> Result<Reply>),
    /// Like [`Handler::Blocking`], but waits for a worker if the task of the call is at a worker. The number of these is limited, so that
    /// a hanging worker delays no other call.
    Proxied(fn(&Call) -> Result<Reply>),
    /// Waits without using a thread.
    Async(fn(Call) -> ReplyFuture),
}

/// A function that makes a schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter in the query or in a header.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: &'static str,
    pub(super) schema: Value,
    pub(super) description: &'static str,
}

/// The kind of body that a call takes.
pub(super) enum BodyKind {
    /// A generation request, as the platform's catalog allows it.
    Generation,
    /// JSON with this schema.
    Json(SchemaOf),
    /// A JSON object with the arguments of one of many calls.
    Arguments,
    /// JSON or a form with files, with these schemas; the last part is the field that holds the files.
    JsonOrForm(SchemaOf, SchemaOf, &'static str),
}

/// The content of a successful answer.
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// JSON with this schema.
    Json(SchemaOf),
    /// Other bytes, of one of these types.
    Bytes(&'static [&'static str]),
    /// A JSON object that is known only at run time.
    AnyJson,
    /// The JSON answer of one of many calls.
    Answer,
}

/// One call of the HTTP API.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: RouteAccess,
    pub(super) handler: Handler,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) parameters: Vec<Parameter>,
    /// The kind of body, whether a body is required, and an example.
    pub(super) body: Option<(BodyKind, bool, Value)>,
    pub(super) status: u16,
    pub(super) content: Content,
    /// The content type of a successful answer in pieces, if a caller may ask for that.
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

    /// Whether the call takes a body.
    pub(super) const fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    /// Returns the names in its path.
    pub(super) fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}

pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Returns the schema of a whole number between two bounds.
pub(super) fn whole(minimum: u64, maximum: u64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

/// Returns the schema of a text with a fixed set of values.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}
