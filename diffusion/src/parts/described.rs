//! The sizes of a part, from the shapes of its tensors and, for what shapes do not tell, from `config.json`.
//!
//! Always holds: no tensor is read; a `config.json` is not needed, and where there is one it has to agree with the
//! tensors; sizes that are handed out cannot make a later module divide by zero or ask for absurd amounts.

use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::weights::{Found, ModelFiles, Tensors, unusable};

/// The largest size of any axis that any published model has is a vocabulary of 256,384.
pub(crate) const LARGEST: usize = 1 << 20;

/// A `config.json` and its name.
pub(crate) struct Described<T> {
    /// What messages call it.
    pub(crate) file: String,
    /// What it says.
    pub(crate) fields: T,
}

impl<T: DeserializeOwned> Described<T> {
    /// The `config.json` beside a network, if there is one and `concerns` says of its content that it is about that
    /// network.
    pub(crate) fn read(
        files: &ModelFiles,
        found: &Found,
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

impl<T> Described<T> {
    /// Refuses a field that says another size than the tensors.
    pub(crate) fn agree(&self, field: &str, says: Option<usize>, tensors: usize) -> Result<()> {
        match says {
            Some(says) if says != tensors => {
                Err(unusable(format!("{}: {field} is {says}, and the tensors say {tensors}", self.file)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses the first rule that is broken, by its words.
    pub(crate) fn refuse(&self, rules: &[(bool, &str)]) -> Result<()> {
        match rules.iter().find(|(broken, _)| *broken) {
            Some((_, what)) => Err(unusable(format!("{}: {what}", self.file))),
            None => Ok(()),
        }
    }
}

/// The text of a field, or an empty one.
pub(crate) fn text_of<'v>(value: &'v serde_json::Value, field: &str) -> &'v str {
    value.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
}

/// One axis of a tensor's shape, in which a tensor of `axes` axes is expected.
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

/// Refuses a size that no model has.
fn sized(tensors: &Tensors, name: &str, size: usize) -> Result<usize> {
    if size == 0 || size > LARGEST {
        return Err(unusable(format!("{}: tensor {name} has an axis of {size}", tensors.origin())));
    }
    Ok(size)
}
