//! The order of names in the OpenAPI document, for people who read it: the description of a thing before its contents, routes in
//! the order of their table, and parameters in the order of the catalog.
//!
//! JSON objects have no order, and the maps that the document is made from sort their names. So the order is applied when the
//! document is written.

use super::route::Route;
use crate::catalog::Catalog;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Names that OpenAPI and JSON Schema define, and a few of this API, in the order in which a person wants to read them.
const WORDS: &[&str] = &[
    "openapi",
    "info",
    "servers",
    "paths",
    "components",
    "operationId",
    "tags",
    "title",
    "name",
    "in",
    "version",
    "summary",
    "$ref",
    "type",
    "const",
    "enum",
    "format",
    "contentMediaType",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "items",
    "oneOf",
    "anyOf",
    "properties",
    "required",
    "additionalProperties",
    "schema",
    "content",
    "description",
    "arguments",
    "answer",
    "default",
    "example",
    "examples",
    "encoding",
    "security",
    "responses",
    "parameters",
    "requestBody",
    "license",
    "identifier",
    "url",
    "schemas",
    "securitySchemes",
    "get",
    "post",
    "put",
    "delete",
    "model",
    "mode",
];

/// The order of names. Unknown names come last, alphabetically.
pub(super) struct ReadingOrder(HashMap<String, usize>);

impl ReadingOrder {
    pub(super) fn of(routes: &[Route], catalog: &Catalog) -> Self {
        let mut places = HashMap::new();
        let words = WORDS.iter().map(|word| (*word).to_owned());
        let paths = routes.iter().map(|route| route.path.to_owned());
        let parameters =
            catalog.models().iter().flat_map(|model| model.parameters.iter().map(|(name, _)| name.clone()));
        for name in words.chain(paths).chain(parameters) {
            let next = places.len();
            places.entry(name).or_insert(next);
        }
        Self(places)
    }

    /// Returns the document in a form that serialises in this order.
    pub(super) fn written<'a>(&'a self, document: &'a Value) -> impl Serialize + 'a {
        Ordered { value: document, first: &[], order: self }
    }
}

/// A value whose objects are written in order.
struct Ordered<'a> {
    value: &'a Value,
    /// Names that come first if this value is an object.
    first: &'a [Value],
    order: &'a ReadingOrder,
}

impl Ordered<'_> {
    fn sorted<'v>(&self, members: &'v Map<String, Value>) -> Vec<(&'v String, &'v Value)> {
        let mut sorted: Vec<_> = members.iter().collect();
        sorted.sort_by_cached_key(|(name, _)| {
            let first = self.first.iter().position(|known| known == *name).unwrap_or(usize::MAX);
            (first, self.order.0.get(*name).copied().unwrap_or(usize::MAX), (*name).clone())
        });
        sorted
    }
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let inner = |value, first| Ordered { value, first, order: self.order };
        match self.value {
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&inner(item, &[])))?;
                list.end()
            }
            Value::Object(members) => {
                // `required` lists the fields in the order in which their Rust type declares them. They come first, in this order.
                let required = members.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in self.sorted(members) {
                    map.serialize_entry(name, &inner(value, if name == "properties" { required } else { &[] }))?;
                }
                map.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}
