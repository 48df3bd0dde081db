//! The answer to "which models are there": the catalog as callers and user interfaces see it.

use super::load::{Model, Weights};
use serde_json::{Map, Value, json};

impl Model {
    /// The model as `GET /models` shows it. `unavailable` says why it cannot run here and what to do, when it cannot.
    #[must_use]
    pub fn describe(&self, unavailable: Option<(&str, &str)>) -> Value {
        let fixed: Map<String, Value> = self
            .parameters
            .iter()
            .filter(|(_, p)| p.locked)
            .filter_map(|(name, p)| Some((name.clone(), p.default.clone()?)))
            .collect();
        let recommended: Map<String, Value> =
            self.parameters.iter().filter_map(|(name, p)| Some((name.clone(), p.recommended.clone()?))).collect();
        let schema: Map<String, Value> = self
            .parameters
            .iter()
            .map(|(name, p)| (name.clone(), serde_json::to_value(p).unwrap_or(Value::Null)))
            .collect();
        let mut entry = json!({
            "id": self.id,
            "aliases": self.aliases,
            "name": self.name,
            "type": self.media_type,
            "category": self.category,
            "family": self.family,
            "description": self.description,
            "modes": self.modes,
            "default_mode": self.default_mode,
            "fixed_parameters": fixed,
            "recommended_parameters": recommended,
            "parameters_schema": schema,
            "available": unavailable.is_none(),
        });
        if let (Some((reason, action)), Some(entry)) = (unavailable, entry.as_object_mut()) {
            entry.insert("unavailable_reason".to_owned(), Value::from(reason));
            entry.insert("user_action".to_owned(), Value::from(action));
        }
        entry
    }

    /// The model as `GET /models` shows it where its files are here: with what they are, and with the modes that they can do.
    #[must_use]
    pub fn describe_found(&self, files: &str, modes: &[&str]) -> Value {
        let mut entry = self.describe(None);
        let able: Vec<&str> = self.modes.iter().map(String::as_str).filter(|mode| modes.contains(mode)).collect();
        let first = match able.first() {
            Some(first) if !able.contains(&self.default_mode.as_str()) => *first,
            _ => self.default_mode.as_str(),
        };
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("default_mode".to_owned(), Value::from(first));
            entry.insert("modes".to_owned(), Value::from(able));
            if matches!(self.weights, Weights::Folder { .. }) {
                entry.insert("files".to_owned(), Value::from(files));
            }
        }
        entry
    }
}
