//! One parameter of one model: its kind, default, bounds, and the rules for when it applies.

use crate::fields::Fields;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The kind of value that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ParameterKind")]
pub enum Kind {
    /// Text.
    String,
    /// A whole number; `30.0` is one, as in JSON Schema.
    Integer,
    /// Any finite number.
    Number,
    /// One of `choices`.
    Choice,
    /// A picture: data URI or raw bytes.
    Image,
    /// A list of pictures placed at frames of a clip.
    Frames,
}

/// The accepted values of each named parameter (or of `mode`). The rule holds when all of them match.
pub type Rule = BTreeMap<String, Vec<Value>>;

/// The schema of a value that is a text or a number.
pub(super) struct TextOrNumber;

impl JsonSchema for TextOrNumber {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TextOrNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"type": ["string", "number"]})
    }
}

/// The rules of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The kind of value.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// A short name for people.
    pub label: String,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Whether every request must give it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// The value that is used when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TextOrNumber>")]
    pub default: Option<Value>,
    /// Least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Distance between allowed values, counted from `minimum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// Fewest characters. If this is above 0, the text must not be blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    /// Largest number of characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// Fewest entries of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_items: Option<usize>,
    /// The allowed values of a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<TextOrNumber>")]
    pub choices: Vec<Value>,
    /// Whether every value but the default is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
    /// The value that works best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TextOrNumber>")]
    pub recommended: Option<Value>,
    /// The rule under which it may be given. Without a rule, it may always be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, Vec<TextOrNumber>>>")]
    pub visible_if: Option<Rule>,
    /// The rule under which it must be given. Without a rule, `required` alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, Vec<TextOrNumber>>>")]
    pub required_if: Option<Rule>,
    /// The fields of an entry of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<BTreeMap<String, Item>>,
}

/// One field of an entry of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ParameterItem")]
pub struct Item {
    /// Name of the parameter whose value the field's value must be below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// All other rules.
    #[serde(flatten)]
    pub rules: Parameter,
}

/// Whether `rule` holds for the mode and the values.
pub(super) fn holds(rule: &Rule, mode: &str, values: &Fields) -> bool {
    rule.iter().all(|(name, accepted)| {
        if name == "mode" {
            accepted.iter().any(|value| value.as_str() == Some(mode))
        } else {
            values.get(name).is_some_and(|value| accepted.contains(value))
        }
    })
}

impl Parameter {
    /// Whether the parameter may be given in this mode with these values.
    #[must_use]
    pub fn is_visible(&self, mode: &str, values: &Fields) -> bool {
        self.visible_if.as_ref().is_none_or(|rule| holds(rule, mode, values))
    }

    /// Whether the parameter must be given in this mode with these values.
    #[must_use]
    pub fn is_required(&self, mode: &str, values: &Fields) -> bool {
        self.required || self.required_if.as_ref().is_some_and(|rule| holds(rule, mode, values))
    }

    /// Whether the parameter takes pictures.
    #[must_use]
    pub const fn is_media(&self) -> bool {
        matches!(self.kind, Kind::Image | Kind::Frames)
    }

    /// Checks one value and returns it in its canonical form (whole numbers as integers). The error says what is allowed.
    pub(crate) fn check(&self, name: &str, value: &Value) -> Result<Value, String> {
        let value = match self.kind {
            Kind::String => self.check_text(name, value)?,
            Kind::Integer => self.check_number(name, value, true)?,
            Kind::Number => self.check_number(name, value, false)?,
            Kind::Choice => self
                .choices
                .iter()
                .find(|choice| same(choice, value))
                .cloned()
                .ok_or_else(|| format!("{name} must be one of {}", list(&self.choices)))?,
            Kind::Image | Kind::Frames => value.clone(),
        };
        if self.locked && self.default.as_ref().is_some_and(|default| !same(default, &value)) {
            return Err(format!("{name} is fixed at {} for this model", show(self.default.as_ref())));
        }
        Ok(value)
    }

    fn check_text(&self, name: &str, value: &Value) -> Result<Value, String> {
        let text = value.as_str().ok_or_else(|| format!("{name} must be a string, not {}", type_name(value)))?;
        let length = text.chars().count();
        if self.min_length.is_some_and(|least| least > 0) && text.trim().is_empty() {
            return Err(format!("{name} must not be blank"));
        }
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return Err(format!("{name} must have at least {least} characters, and has {length}"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return Err(format!("{name} must have at most {most} characters, and has {length}"));
        }
        Ok(Value::String(text.to_owned()))
    }

    fn check_number(&self, name: &str, value: &Value, whole: bool) -> Result<Value, String> {
        let wanted = if whole { "a whole number" } else { "a number" };
        let number = value
            .as_f64()
            .filter(|n| n.is_finite())
            .ok_or_else(|| format!("{name} must be {wanted}, not {}", type_name(value)))?;
        if whole && (number.fract() != 0.0 || number.abs() > 9_007_199_254_740_991.0) {
            return Err(format!("{name} must be {wanted}, not {value}"));
        }
        // For a locked parameter the error names the fixed value, not the bounds.
        if !self.locked
            && (self.minimum.is_some_and(|least| number < least) || self.maximum.is_some_and(|most| number > most))
        {
            return Err(format!("{name} must be {}, and is {value}", self.range()));
        }
        // The default is always allowed: the catalog's default width of a clip, 720, is not a multiple of 64 above 512.
        let is_default = self.default.as_ref().is_some_and(|default| same(default, value));
        if let Some(step) = self.step.filter(|step| *step > 0.0 && !self.locked && !is_default) {
            let steps = (number - self.minimum.unwrap_or(0.0)) / step;
            if (steps - steps.round()).abs() > 1e-6 {
                return Err(format!("{name} must be {} in steps of {}, and is {value}", self.range(), trim(step)));
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, checked above")]
        Ok(if whole { Value::from(number as i64) } else { Value::from(number) })
    }

    fn range(&self) -> String {
        match (self.minimum, self.maximum) {
            (Some(least), Some(most)) => format!("from {} to {}", trim(least), trim(most)),
            (Some(least), None) => format!("at least {}", trim(least)),
            (None, Some(most)) => format!("at most {}", trim(most)),
            (None, None) => "a number".to_owned(),
        }
    }
}

/// Whether two JSON values are equal, with numbers compared as numbers: 8 equals 8.0.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON,
        _ => a == b,
    }
}

fn trim(number: f64) -> String {
    format!("{number}")
}

fn show(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "nothing".to_owned(),
    }
}

fn list(values: &[Value]) -> String {
    values.iter().map(|value| show(Some(value))).collect::<Vec<_>>().join(", ")
}

/// Returns the JSON type of a value, for messages.
pub(super) const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
