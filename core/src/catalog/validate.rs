//! Checks a whole request, and fills in the defaults.

use super::load::{Catalog, Model};
use super::parameter::{Kind, type_name};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::media::ImageSource;
use crate::request::GenerateRequest;
use serde_json::{Map, Value};

/// An optional field that states the type of the result, `image` or `video`; the model already determines it.
const TYPE: &str = "type";

/// A picture of a request.
#[derive(Debug, Clone)]
pub struct ImageSlot<'a> {
    /// The parameter, such as `reference_image` or `arbitrary_frames[0].image`.
    pub name: String,
    /// The picture as it was given, not yet decoded.
    pub source: ImageSource<'a>,
}

/// A request that the catalog allows, with the alias resolved, the defaults filled in and the pictures separated.
#[derive(Debug)]
pub struct ValidRequest<'a> {
    /// The model.
    pub model: &'a Model,
    /// One of its modes.
    pub mode: String,
    /// Every applicable parameter that is not a picture, in the catalog's order.
    pub values: Fields,
    /// The pictures.
    pub images: Vec<ImageSlot<'a>>,
}

impl Catalog {
    /// Checks a request against the rules of its model.
    ///
    /// # Errors
    /// `validation_error` whose detail names the parameter, what is allowed and what was given.
    pub fn validate<'a>(&'a self, request: &'a GenerateRequest) -> Result<ValidRequest<'a>> {
        let model = self.model(&request.model).ok_or_else(|| {
            let known = self.models().iter().map(|model| model.id.as_str()).collect::<Vec<_>>().join(", ");
            Error::validation(format!("there is no model {}; the models are {known}", quoted(&request.model)))
                .with_parameter("model")
        })?;
        let mode = request.mode.clone().unwrap_or_else(|| model.default_mode.clone());
        if !model.modes.contains(&mode) {
            return Err(Error::validation(format!(
                "{} has no mode {}; its modes are {}",
                model.id,
                quoted(&mode),
                model.modes.join(", ")
            ))
            .with_parameter("mode"));
        }
        let values = Fields::with_capacity(model.parameters.len());
        let mut check = Check { model, mode: &mode, values, images: Vec::new() };
        check.known_names(request)?;
        check.plain_values(request)?;
        check.pictures(request)?;
        let Check { values, images, .. } = check;
        Ok(ValidRequest { model, mode, values, images })
    }
}

struct Check<'a, 'm> {
    model: &'a Model,
    mode: &'m str,
    values: Fields,
    images: Vec<ImageSlot<'a>>,
}

impl<'a> Check<'a, '_> {
    /// Checks that the type of result that the caller states is the one the model makes.
    fn check_type(&self, kind: Option<&Value>) -> Result<()> {
        let made = self.model.media_type.as_str();
        match kind {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(kind)) if kind == made => Ok(()),
            Some(_) => Err(Error::validation(format!("{TYPE} must be {made:?}, which {} makes", self.model.id))
                .with_action("Leave type out, or choose a model of the other type.")
                .with_parameter(TYPE)),
        }
    }

    fn known_names(&self, request: &GenerateRequest) -> Result<()> {
        let raw_names = request.images.keys().map(|name| name.split('[').next().unwrap_or(name));
        for name in request.parameters.keys().map(String::as_str).chain(raw_names) {
            let Some(parameter) = self.model.parameter(name) else {
                if name == TYPE {
                    self.check_type(request.parameters.get(name))?;
                    continue;
                }
                let known = self.model.parameters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Error::validation(format!(
                    "{} has no parameter {}; its parameters are {known}",
                    self.model.id,
                    quoted(name)
                ))
                .with_parameter(name));
            };
            let only_by_mode = parameter.visible_if.as_ref().is_some_and(|rule| rule.keys().all(|key| key == "mode"));
            if only_by_mode && !parameter.is_visible(self.mode, &self.values) {
                return Err(Error::validation(format!(
                    "{name} does not apply to the mode {} of {}",
                    self.mode, self.model.id
                ))
                .with_parameter(name));
            }
        }
        Ok(())
    }

    fn plain_values(&mut self, request: &GenerateRequest) -> Result<()> {
        for (name, parameter) in self.model.parameters.iter().filter(|(_, parameter)| !parameter.is_media()) {
            let given = request.parameters.get(name).filter(|value| !value.is_null());
            if !parameter.is_visible(self.mode, &self.values) {
                match given {
                    Some(_) => {
                        return Err(Error::validation(format!(
                            "{name} does not apply to this combination of parameters"
                        ))
                        .with_parameter(name));
                    }
                    None => continue,
                }
            }
            match given.or(parameter.default.as_ref()) {
                Some(value) => {
                    let value = parameter
                        .check(name, value)
                        .map_err(|detail| Error::validation(detail).with_parameter(name))?;
                    self.values.insert(name.as_str(), value);
                }
                None if parameter.is_required(self.mode, &self.values) => {
                    return Err(Error::validation(format!("{name} is required")).with_parameter(name));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn pictures(&mut self, request: &'a GenerateRequest) -> Result<()> {
        let model = self.model;
        for (name, parameter) in model.parameters.iter().filter(|(_, parameter)| parameter.is_media()) {
            let given = request.parameters.get(name).filter(|value| !value.is_null());
            let found = if parameter.kind == Kind::Image {
                self.picture(request, name, given)?
            } else {
                self.frames(request, name, given).map_err(|error| match error.parameter() {
                    Some(_) => error,
                    None => error.with_parameter(name),
                })?
            };
            if !found && parameter.is_required(self.mode, &self.values) {
                return Err(
                    Error::validation(format!("{name} is required in the mode {}", self.mode)).with_parameter(name)
                );
            }
        }
        match request.images.keys().find(|name| !self.images.iter().any(|slot| slot.name == **name)) {
            Some(name) => {
                Err(Error::validation(format!("the image {} belongs to no parameter of this request", quoted(name)))
                    .with_parameter(name))
            }
            None => Ok(()),
        }
    }

    fn picture(&mut self, request: &'a GenerateRequest, name: &str, given: Option<&'a Value>) -> Result<bool> {
        let raw = request.images.get(name);
        let source = match (given, raw) {
            (Some(_), Some(_)) => {
                return Err(Error::validation(format!("{name} is given twice: as a data URI and as bytes"))
                    .with_parameter(name));
            }
            (Some(Value::String(uri)), None) => ImageSource::DataUri(uri),
            (Some(other), None) => {
                return Err(Error::validation(format!(
                    "{name} must be an image (data URI or bytes), not {}",
                    type_name(other)
                ))
                .with_parameter(name));
            }
            (None, Some(bytes)) => ImageSource::Bytes(bytes),
            (None, None) => return Ok(false),
        };
        self.images.push(ImageSlot { name: name.to_owned(), source });
        Ok(true)
    }

    fn frames(&mut self, request: &'a GenerateRequest, name: &str, given: Option<&'a Value>) -> Result<bool> {
        let model = self.model;
        let Some((parameter, item)) = model.parameter(name).and_then(|p| p.item.as_ref().map(|item| (p, item))) else {
            return Ok(false);
        };
        let Some(given) = given else { return Ok(false) };
        let entries = given
            .as_array()
            .ok_or_else(|| Error::validation(format!("{name} must be a list, not {}", type_name(given))))?;
        if entries.len() < parameter.min_items.unwrap_or(0) {
            return Err(Error::validation(format!(
                "{name} needs at least {} entries",
                parameter.min_items.unwrap_or(0)
            )));
        }
        let mut checked = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let at = format!("{name}[{index}]");
            let fields = entry
                .as_object()
                .ok_or_else(|| Error::validation(format!("{at} must be an object, not {}", type_name(entry))))?;
            if let Some(unknown) = fields.keys().find(|key| !item.contains_key(*key)) {
                return Err(Error::validation(format!("{at} has no field {}", quoted(unknown))));
            }
            let mut values = Map::new();
            for (field, rules) in item {
                let path = format!("{at}.{field}");
                let value = fields.get(field).filter(|value| !value.is_null());
                if rules.rules.kind == Kind::Image {
                    if !self.picture(request, &path, value)? && rules.rules.required {
                        return Err(Error::validation(format!("{path} is required")));
                    }
                    continue;
                }
                let Some(value) = value.or(rules.rules.default.as_ref()) else {
                    if rules.rules.required {
                        return Err(Error::validation(format!("{path} is required")));
                    }
                    continue;
                };
                let value = rules.rules.check(&path, value).map_err(Error::validation)?;
                if let Some((limit, most)) =
                    rules.below.as_ref().and_then(|limit| Some((limit, self.values.get(limit)?.as_f64()?)))
                    && value.as_f64().is_some_and(|value| value >= most)
                {
                    return Err(Error::validation(format!("{path} must be below {limit}, which is {most}")));
                }
                values.insert(field.clone(), value);
            }
            checked.push(Value::Object(values));
        }
        self.values.insert(name, Value::Array(checked));
        Ok(true)
    }
}

/// Returns text from the caller for a message, cut to 40 characters and escaped.
fn quoted(word: &str) -> String {
    let short: String = word.chars().take(40).collect();
    format!("{short:?}")
}
