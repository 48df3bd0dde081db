//! JSON objects whose fields keep their order. They hold the parameters of a task in the catalog's order, and the fields of a log
//! record in the order in which they were recorded.
//!
//! `serde_json` can keep the order of its own maps with a feature, which would then apply to every crate of the host's program. A
//! library should not decide that, so objects whose order people see have this type. They are small: a lookup visits all fields.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// Named values in the order in which they were inserted. In JSON this is an object.
///
/// Two values are equal if they have the same fields in any order.
///
/// ```
/// let mut fields = must::Fields::new();
/// fields.insert("width", serde_json::json!(512));
/// fields.insert("height", serde_json::json!(768));
/// assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"width":512,"height":768}"#);
/// assert_eq!(fields.get("height").and_then(|value| value.as_u64()), Some(768));
/// ```
#[derive(Debug, Clone)]
pub struct Fields<V = Value>(Vec<(String, V)>);

impl<V> Fields<V> {
    /// An object without fields.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An object without fields, with space for `capacity` of them.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Returns the number of fields.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns the value of a field for changing it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns whether there is a field with this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a field. A new field is added at the end. An existing one keeps its place, and its old value is returned.
    pub fn insert(&mut self, name: impl Into<String>, value: V) -> Option<V> {
        let name = name.into();
        match self.get_mut(&name) {
            Some(known) => Some(std::mem::replace(known, value)),
            None => {
                self.0.push((name, value));
                None
            }
        }
    }

    /// Removes a field and returns its value. The others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let index = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(index).1)
    }

    /// Keeps only the fields for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut V) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// Returns names and values in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &V)> + ExactSizeIterator + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the names in their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator + Clone {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the values in the order of their names.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

impl<V> Default for Fields<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V: PartialEq> PartialEq for Fields<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<V: Eq> Eq for Fields<V> {}

/// Like a JSON object, this returns null for a field that does not exist.
impl std::ops::Index<&str> for Fields {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

impl<V> IntoIterator for Fields<V> {
    type Item = (String, V);
    type IntoIter = std::vec::IntoIter<(String, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<String>, V> FromIterator<(N, V)> for Fields<V> {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        fields.extend(pairs);
        fields
    }
}

impl<N: Into<String>, V> Extend<(N, V)> for Fields<V> {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.insert(name, value);
        }
    }
}

impl<V: Serialize> Serialize for Fields<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Fields<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Read<V> {
            type Value = Fields<V>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Fields::with_capacity(map.size_hint().unwrap_or(0).min(64));
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    fields.insert(name, value);
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Read(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Fields<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, V>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_keep_their_order_through_json() {
        let text = r#"{"z":1,"a":{"b":2},"m":[3],"a":4}"#;
        let mut fields: Fields = serde_json::from_str(text).unwrap();
        assert_eq!(
            fields.keys().collect::<Vec<_>>(),
            ["z", "a", "m"],
            "of two fields with one name the last value counts"
        );
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"z":1,"a":4,"m":[3]}"#);
        assert_eq!((&fields["a"], &fields["b"]), (&json!(4), &json!(null)));
        assert_eq!(fields.remove("z"), Some(json!(1)));
        assert_eq!(fields.insert("m", json!(null)), Some(json!([3])));
        assert_eq!(fields.insert("b", json!(5)), None);
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"a":4,"m":null,"b":5}"#);
        assert_eq!(fields, Fields::from_iter([("b", json!(5)), ("m", json!(null)), ("a", json!(4))]));
        assert_ne!(fields, Fields::from_iter([("b", json!(5)), ("m", json!(null)), ("c", json!(4))]));
        assert!(serde_json::from_str::<Fields>("[1]").is_err());
    }
}
