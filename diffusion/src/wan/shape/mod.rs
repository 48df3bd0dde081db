//! The sizes of Wan's networks, from the shapes of their tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is not needed, and where there is one it has to agree with the
//! tensors; a field of it that changes the computation is either honoured or refused by name; sizes that are handed out
//! cannot make a later module divide by zero or ask for absurd amounts.

mod image;
#[cfg(test)]
mod tests;
mod text;
mod transformer;
mod vae;

use serde::de::DeserializeOwned;

pub(super) use self::image::image_config;
pub(super) use self::text::text_config;
pub(crate) use self::transformer::TransformerShape;
use crate::error::Result;
use crate::weights::{Found, ModelFiles, Tensors, unusable};

/// The largest size of any axis that any published model has is a vocabulary of 256,384.
const LARGEST: usize = 1 << 20;

/// A `config.json` and its name.
struct Described<T> {
    file: String,
    fields: T,
}

impl<T: DeserializeOwned> Described<T> {
    /// The `config.json` beside a network, if there is one and `concerns` says of its content that it is about that
    /// network.
    fn read(files: &ModelFiles, found: &Found, concerns: fn(&serde_json::Value) -> bool) -> Result<Option<Self>> {
        let Some(file) = found.config() else { return Ok(None) };
        let value: serde_json::Value = files.json(file)?;
        if !concerns(&value) {
            return Ok(None);
        }
        let fields = serde_json::from_value(value).map_err(|error| unusable(format!("{file}: {error}")))?;
        Ok(Some(Self { file: file.to_owned(), fields }))
    }
}

impl<T> Described<T> {
    /// Refuses a field that says another size than the tensors.
    fn agree(&self, field: &str, says: Option<usize>, tensors: usize) -> Result<()> {
        match says {
            Some(says) if says != tensors => {
                Err(unusable(format!("{}: {field} is {says}, and the tensors say {tensors}", self.file)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses the first rule that is broken, by its words.
    fn refuse(&self, rules: &[(bool, &str)]) -> Result<()> {
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, what)) => Err(unusable(format!("{}: {what}", self.file))),
            None => Ok(()),
        }
    }
}

/// The text of a field, or an empty one.
fn text_of<'v>(value: &'v serde_json::Value, field: &str) -> &'v str {
    value.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// One axis of a tensor's shape, in which a tensor of `axes` axes is expected.
fn axis(tensors: &Tensors, name: &str, axes: usize, at: usize) -> Result<usize> {
    let shape = tensors.shape(name)?;
    match shape.get(at) {
        Some(&size) if shape.len() == axes => sized(tensors, name, size),
        _ => Err(unusable(format!(
            "{}: tensor {name} has shape {shape:?}, and {axes} axes were expected",
            tensors.origin()
        ))),
    }
}

/// Refuses a size that no model has.
fn sized(tensors: &Tensors, name: &str, size: usize) -> Result<usize> {
    if size == 0 || size > LARGEST {
        return Err(unusable(format!("{}: tensor {name} has an axis of {size}", tensors.origin())));
    }
    Ok(size)
}
