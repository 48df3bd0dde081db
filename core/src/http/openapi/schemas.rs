//! The schemas that the OpenAPI document takes from the catalog: of requests for a generation and of their parameters.

use super::set;
use crate::catalog::{Catalog, Kind, Model, Parameter};
use crate::fields::Fields;
use crate::request::MediaType;
use serde_json::{Map, Value, json};

/// Writes the models and sizes of the catalog into the schema of a request of OpenAI's clients.
pub(super) fn narrow(properties: &mut Value, catalog: &Catalog, kind: MediaType) {
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
pub(super) fn names(model: &Model) -> impl Iterator<Item = &str> {
    std::iter::once(model.id.as_str()).chain(model.aliases.iter().map(String::as_str))
}

/// Returns the schema of `POST /generate`: one alternative for each mode of each model.
pub(super) fn generation_schema(catalog: &Catalog) -> Value {
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

/// Largest number of values that are listed one by one.
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
