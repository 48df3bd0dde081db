//! Reads a catalog and checks that it is consistent.

use super::parameter::{Kind, Parameter};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::media::OutputFormat;
use crate::request::MediaType;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;

const BUILT_IN: &str = include_str!("../../catalog.json");

/// Name of a mode, such as `t2v`.
pub type Mode = String;

/// Every model, by id and alias.
///
/// ```
/// use must::GenerateRequest;
/// use must::catalog::Catalog;
///
/// let catalog = Catalog::built_in()?;
/// let steps = catalog.model("tiny-image").and_then(|model| model.parameter("steps")).expect("it is in the catalog");
/// assert_eq!((steps.minimum, steps.maximum), (Some(4.0), Some(50.0)));
///
/// let request = GenerateRequest::new("tiny-image", "a red circle");
/// let valid = catalog.validate(&request)?;
/// assert_eq!((valid.mode.as_str(), &valid.values["steps"]), ("txt2img", &20.into()));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    models: Vec<Model>,
    by_name: HashMap<String, usize>,
}

/// One model: its modes and the rules of its parameters.
#[derive(Debug, Clone)]
pub struct Model {
    /// Stable id.
    pub id: String,
    /// Other names that are accepted for it.
    pub aliases: Vec<String>,
    /// A name for people.
    pub name: String,
    /// Picture or clip.
    pub media_type: MediaType,
    /// `anime` or `realistic`.
    pub category: String,
    /// Architecture: `sdxl`, `flux`, `wan`.
    pub family: String,
    /// A sentence for people.
    pub description: String,
    /// The inputs that it can start from.
    pub modes: Vec<Mode>,
    /// The mode when none is asked for.
    pub default_mode: Mode,
    /// How much memory it needs while it is loaded.
    pub weight_class: WeightClass,
    /// Where its weights come from.
    pub weights: Weights,
    /// Sampling settings. They replace those in its files.
    pub sampling: Sampling,
    /// Its parameters, in the order in which people should see them.
    pub parameters: Vec<(String, Parameter)>,
}

/// How much memory a model needs while it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightClass {
    /// It fits beside any other model.
    Light,
    /// Only one such model is loaded on a device at a time.
    Heavy,
}

/// How a model is sampled. A value that is set here replaces the one in the files of the model.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Name of a sampler of its family.
    pub sampler: Option<String>,
    /// How noise levels are spaced: `reference`, `simple` or `beta`.
    pub spacing: Option<String>,
    /// Shift of the noise levels, above 0.
    pub shift: Option<f64>,
    /// For models with two experts: the share of the training steps from which the high-noise expert works, 0 to 1.
    pub boundary: Option<f64>,
}

/// The place that the weights of a model come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case", deny_unknown_fields)]
pub enum Weights {
    /// Inside the library.
    Embedded {
        /// Name of the embedded weights.
        name: String,
    },
    /// A folder under the models folder.
    Folder {
        /// The folder's name.
        folder: String,
        /// What the folder must contain, as a text for people.
        expects: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalog {
    version: u32,
    parameters: Map<String, Value>,
    models: Vec<RawModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    name: String,
    #[serde(rename = "type")]
    media_type: MediaType,
    category: String,
    family: String,
    description: String,
    modes: Vec<Mode>,
    default_mode: Mode,
    weight_class: WeightClass,
    weights: Weights,
    #[serde(default)]
    sampling: Sampling,
    parameters: Fields,
}

impl Catalog {
    /// Reads the catalog that ships with the library.
    ///
    /// # Errors
    /// Never in a released library: its own tests read the catalog.
    pub fn built_in() -> Result<Self> {
        Self::from_json(BUILT_IN)
    }

    /// Reads a catalog and checks that it is consistent.
    ///
    /// # Errors
    /// `validation_error` that names the model and the parameter with the fault.
    pub fn from_json(text: &str) -> Result<Self> {
        let raw: RawCatalog =
            serde_json::from_str(text).map_err(|error| invalid(format!("the catalog cannot be read: {error}")))?;
        if raw.version != 1 {
            return Err(invalid(format!("the catalog has version {}, and this library reads version 1", raw.version)));
        }
        let mut catalog = Self { models: Vec::new(), by_name: HashMap::new() };
        for model in raw.models {
            if let Some(model) = as_built(build(model, &raw.parameters)?) {
                catalog.add(model)?;
            }
        }
        Ok(catalog)
    }

    fn add(&mut self, model: Model) -> Result<()> {
        for name in std::iter::once(&model.id).chain(&model.aliases) {
            if self.by_name.insert(name.clone(), self.models.len()).is_some() {
                return Err(invalid(format!("the catalog uses the name {name} for two models")));
            }
        }
        self.models.push(model);
        Ok(())
    }

    /// Returns every model in the catalog's order.
    #[must_use]
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Returns the model with this id or alias.
    #[must_use]
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.by_name.get(name).and_then(|index| self.models.get(*index))
    }
}

impl Model {
    /// Returns the rules of one parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, parameter)| parameter)
    }
}

/// Returns the model as this build can run it, with only the output formats that were built in. Returns `None` if no output format
/// is left, or if the model needs embedded weights and they are not built in.
fn as_built(mut model: Model) -> Option<Model> {
    if matches!(model.weights, Weights::Embedded { .. }) && !cfg!(feature = "tiny") {
        return None;
    }
    let writable = |name: &str| OutputFormat::from_name(name).is_none_or(OutputFormat::is_built_in);
    for (_, format) in model.parameters.iter_mut().filter(|(name, _)| name == "output_format") {
        format.choices.retain(|choice| choice.as_str().is_none_or(writable));
        let first = format.choices.first()?.clone();
        if format.default.as_ref().and_then(Value::as_str).is_some_and(|default| !writable(default)) {
            format.default = Some(first);
        }
        format.recommended.take_if(|value| value.as_str().is_some_and(|value| !writable(value)));
    }
    Some(model)
}

fn build(raw: RawModel, shared: &Map<String, Value>) -> Result<Model> {
    let id = raw.id;
    if raw.sampling.shift.is_some_and(|shift| !(shift.is_finite() && shift > 0.0)) {
        return Err(invalid(format!("{id}: the shift of its sampling is not above 0")));
    }
    if raw.sampling.boundary.is_some_and(|boundary| !(0.0..=1.0).contains(&boundary)) {
        return Err(invalid(format!("{id}: the boundary of its sampling is not from 0 to 1")));
    }
    if !raw.modes.contains(&raw.default_mode) {
        return Err(invalid(format!("{id}: the default mode {} is not one of its modes", raw.default_mode)));
    }
    let mut parameters = Vec::new();
    for (name, own) in raw.parameters {
        let parameter = merge(shared.get(&name), own).map_err(|why| invalid(format!("{id}.{name}: {why}")))?;
        check_rules(&name, &parameter).map_err(|why| invalid(format!("{id}.{name}: {why}")))?;
        parameters.push((name, parameter));
    }
    for needed in ["prompt", "negative_prompt", "width", "height", "seed", "steps", "output_format"] {
        if !parameters.iter().any(|(name, _)| name == needed) {
            return Err(invalid(format!("{id}: the parameter {needed} is missing")));
        }
    }
    let names: Vec<&String> = parameters.iter().map(|(name, _)| name).collect();
    for (name, parameter) in &parameters {
        for (subject, accepted) in parameter.visible_if.iter().chain(&parameter.required_if).flatten() {
            let known = if subject == "mode" {
                accepted.iter().any(|mode| raw.modes.iter().any(|m| mode.as_str() == Some(m)))
            } else {
                names.contains(&subject)
            };
            if !known {
                let why = match subject.as_str() {
                    "mode" => "a rule names only modes that this model does not have".to_owned(),
                    _ => format!("a rule depends on {subject}, which is not a parameter of this model"),
                };
                return Err(invalid(format!("{id}.{name}: {why}")));
            }
        }
    }
    Ok(Model {
        id,
        aliases: raw.aliases,
        name: raw.name,
        media_type: raw.media_type,
        category: raw.category,
        family: raw.family,
        description: raw.description,
        modes: raw.modes,
        default_mode: raw.default_mode,
        weight_class: raw.weight_class,
        weights: raw.weights,
        sampling: raw.sampling,
        parameters,
    })
}

/// Returns the shared definition with the model's own fields replacing its fields.
fn merge(shared: Option<&Value>, own: Value) -> std::result::Result<Parameter, String> {
    let mut merged = shared.and_then(Value::as_object).cloned().unwrap_or_default();
    let Value::Object(own) = own else { return Err("must be an object".to_owned()) };
    merged.extend(own);
    serde_json::from_value(Value::Object(merged)).map_err(|error| error.to_string())
}

fn check_rules(name: &str, parameter: &Parameter) -> std::result::Result<(), String> {
    if parameter.kind == Kind::Choice && parameter.choices.is_empty() {
        return Err("a parameter of the type choice needs the field choices".to_owned());
    }
    if (parameter.kind == Kind::Frames) != parameter.item.is_some() {
        return Err("a parameter of the type frames needs the field item, and no other type may have it".to_owned());
    }
    if parameter.locked && parameter.default.is_none() {
        return Err("a locked parameter needs a default".to_owned());
    }
    check_values(parameter)?;
    for value in parameter.default.iter().chain(&parameter.recommended) {
        parameter.check(name, value)?;
    }
    Ok(())
}

/// Checks that each value is a text or a number, as the schemas of the API say.
fn check_values(parameter: &Parameter) -> std::result::Result<(), String> {
    let rules = parameter.visible_if.iter().chain(&parameter.required_if).flat_map(|rule| rule.values().flatten());
    let values = parameter.default.iter().chain(&parameter.recommended).chain(&parameter.choices).chain(rules);
    for value in values {
        if !value.is_string() && !value.is_number() {
            return Err(format!("{value} is neither a text nor a number"));
        }
    }
    parameter.item.iter().flatten().try_for_each(|(_, item)| check_values(&item.rules))
}

fn invalid(detail: String) -> Error {
    Error::validation(detail).with_action("Correct the catalog file and open the platform again.")
}
