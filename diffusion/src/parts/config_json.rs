//! The sizes of a network, from the shapes of its tensors and, where shapes do not determine them, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is optional, and must agree with the tensors when it exists; no returned
//! size is zero or absurdly large, so later modules can divide by sizes and allocate for them.

use must_tensors::Result;
use serde::de::DeserializeOwned;

use crate::weights::{FoundNetwork, ModelFiles, Tensors, unusable};

/// The largest accepted axis of a tensor. The largest in any published model is a vocabulary of 256,384.
pub(crate) const LARGEST: usize = 1 << 20;

/// A parsed `config.json`.
pub(crate) struct ConfigJson<T> {
    /// Name of the file, for error messages.
    pub(crate) file: String,
    /// Its fields.
    pub(crate) fields: T,
}

impl<T: DeserializeOwned> ConfigJson<T> {
    /// Reads the `config.json` beside a network. Returns `None` if there is none, or if `concerns` finds that its content
    /// describes another network.
    pub(crate) fn read(
        files: &ModelFiles,
        found: &FoundNetwork,
        concerns: fn(&serde_json::Value) -> bool,
    ) -> Result<Option<Self>> {
        let Some(file) = found.config() else { return Ok(None) };
        let value: serde_json::Value = files.json(file)?;
        if !concerns(&value) {
            return Ok(None);
        }
        let fields = serde_json::from_value(value).map_err(|error| unusable(format!("{file}: {error}")))?;
        Ok(Some(Self { file: file.to_owned(), fields }))
    }
}

impl<T> ConfigJson<T> {
    /// Fails if the field `field` gives a size that differs from the tensors'.
    pub(crate) fn agree(&self, field: &str, says: Option<usize>, tensors: usize) -> Result<()> {
        match says {
            Some(says) if says != tensors => {
                Err(unusable(format!("{}: {field} is {says}, and the tensors say {tensors}", self.file)))
            }
            _ => Ok(()),
        }
    }

    /// Fails with the text of the first rule whose condition is true.
    pub(crate) fn refuse(&self, rules: &[(bool, &str)]) -> Result<()> {
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, what)) => Err(unusable(format!("{}: {what}", self.file))),
            None => Ok(()),
        }
    }
}

/// Returns a string field, or "" when it is absent or no string.
pub(crate) fn text_of<'v>(value: &'v serde_json::Value, field: &str) -> &'v str {
    value.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// Returns the size of axis `at` of a tensor. Fails unless the tensor has `axes` axes.
pub(crate) fn axis(tensors: &Tensors, name: &str, axes: usize, at: usize) -> Result<usize> {
    let shape = tensors.shape(name)?;
    match shape.get(at) {
        Some(&size) if shape.len() == axes => sized(tensors, name, size),
        _ => Err(unusable(format!(
            "{}: tensor {name} has shape {shape:?}, and {axes} axes were expected",
            tensors.origin()
        ))),
    }
}

/// Fails for a size that no model has.
fn sized(tensors: &Tensors, name: &str, size: usize) -> Result<usize> {
    if size == 0 || size > LARGEST {
        return Err(unusable(format!("{}: tensor {name} has an axis of {size}, which no model has", tensors.origin())));
    }
    Ok(size)
}
