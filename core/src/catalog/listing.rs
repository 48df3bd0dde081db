//! The list of models as callers and user interfaces see it.

use super::load::{Mode, Model, Weights};
use super::parameter::{Parameter, TextOrNumber};
use crate::fields::Fields;
use crate::request::MediaType;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A model as callers see it. Its JSON form is an entry of the list that `GET /models` and the lists of models in every language
/// return.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Model")]
#[non_exhaustive]
pub struct ModelView {
    /// Stable id.
    pub id: String,
    /// Other names that are accepted for it.
    pub aliases: Vec<String>,
    /// A name for people.
    pub name: String,
    /// Picture or clip.
    #[serde(rename = "type")]
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
    /// Values that apply to every request and cannot be changed.
    #[schemars(with = "Fields<TextOrNumber>")]
    pub fixed_parameters: Fields,
    /// The values that work best.
    #[schemars(with = "Fields<TextOrNumber>")]
    pub recommended_parameters: Fields,
    /// Its parameters, in the order in which people should see them.
    pub parameters_schema: Fields<Parameter>,
    /// Whether the model can run here.
    pub available: bool,
    /// Why the model cannot run here. Absent when it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable_reason: Option<String>,
    /// What makes the model run here. Absent when it can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_action: Option<String>,
    /// A description of the model's files, if it has its own and can run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
}

impl ModelView {
    /// Whether this is the model's id or one of its aliases.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }
}

impl Model {
    /// Returns the model as `GET /models` shows it. `unavailable` is why it cannot run here and what to do; `None` when it can.
    #[must_use]
    pub fn describe(&self, unavailable: Option<(&str, &str)>) -> ModelView {
        let values = |value: fn(&Parameter) -> Option<&Value>| {
            self.parameters
                .iter()
                .filter_map(|(name, parameter)| Some((name.as_str(), value(parameter)?.clone())))
                .collect()
        };
        let (reason, action) = unavailable.unzip();
        ModelView {
            id: self.id.clone(),
            aliases: self.aliases.clone(),
            name: self.name.clone(),
            media_type: self.media_type,
            category: self.category.clone(),
            family: self.family.clone(),
            description: self.description.clone(),
            modes: self.modes.clone(),
            default_mode: self.default_mode.clone(),
            fixed_parameters: values(|parameter| parameter.default.as_ref().filter(|_| parameter.locked)),
            recommended_parameters: values(|parameter| parameter.recommended.as_ref()),
            parameters_schema: self.parameters.iter().cloned().collect(),
            available: unavailable.is_none(),
            unavailable_reason: reason.map(str::to_owned),
            user_action: action.map(str::to_owned),
            files: None,
        }
    }

    /// Returns the model as `GET /models` shows it when its files are here: with a description of them, and only the modes they support.
    #[must_use]
    pub fn describe_found(&self, files: &str, modes: &[&str]) -> ModelView {
        let mut view = self.describe(None);
        view.modes.retain(|mode| modes.contains(&mode.as_str()));
        if !view.modes.contains(&view.default_mode)
            && let Some(first) = view.modes.first()
        {
            view.default_mode.clone_from(first);
        }
        view.files = matches!(self.weights, Weights::Folder { .. }).then(|| files.to_owned());
        view
    }
}
