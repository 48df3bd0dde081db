//! The parts of a recognised model, for every family: choosing between copies of a network, and the error for a missing one.
//!
//! Always holds: only headers of files and `config.json` are read; a copy that does not fit is refused, and the error names its
//! size and the required one.

mod config_json;
mod incomplete;

pub(crate) use self::config_json::{ConfigJson, LARGEST, axis, text_of};
pub(crate) use self::incomplete::{Missing, describe_network, incomplete};

use must_tensors::Result;

use crate::weights::{FoundNetwork, Inventory, Network, Tensors, unusable};

/// A part of a model that was found in its files, with its sizes.
#[derive(Debug, Clone)]
pub(crate) struct FoundPart<C> {
    /// Files, layout, encodings and tensors.
    pub(crate) found: FoundNetwork,
    /// Sizes.
    pub(crate) config: C,
}

/// The condition under which a part fits the denoiser: one of its numbers must have the required value.
pub(crate) struct Fit {
    /// The required value.
    pub(crate) required: usize,
    /// What requires it: "the transformer".
    pub(crate) required_by: &'static str,
    /// Describes a value: "a width of 4096".
    pub(crate) describe: fn(usize) -> String,
    /// A published file that fits.
    pub(crate) example: &'static str,
}

impl Fit {
    /// Returns the copy of a network that fits, or `None` if there is no copy. Fails if no copy fits, or if several fit and
    /// nothing distinguishes them. `read` returns the number of a copy that must equal `required`, and its sizes.
    pub(crate) fn find<C>(
        &self,
        inventory: &Inventory,
        network: &Network,
        read: impl Fn(&FoundNetwork, &Tensors) -> Result<(usize, C)>,
    ) -> Result<Option<FoundPart<C>>> {
        let copies = inventory.copies(network);
        let mut fitting = vec![];
        let mut refusal = None;
        for &found in &copies {
            match read(found, found.tensors()) {
                Ok((number, config)) if number == self.required => {
                    fitting.push((found, FoundPart { found: found.clone(), config }));
                }
                Ok((number, _)) => {
                    let detail = format!(
                        "the {} in {} has {}, and {} wants {}",
                        network.part.as_str(),
                        found.origin(),
                        (self.describe)(number),
                        self.required_by,
                        self.required
                    );
                    let advice =
                        format!("Put a file with {} there, such as {}.", (self.describe)(self.required), self.example);
                    refusal = refusal.or(Some(unusable(detail).with_action(advice)));
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let chosen = FoundNetwork::choose(&fitting.iter().map(|(found, _)| *found).collect::<Vec<_>>())?;
        let part = fitting.into_iter().find(|(found, _)| chosen.is_some_and(|chosen| std::ptr::eq(*found, chosen)));
        match (part, refusal) {
            (Some((_, part)), _) => Ok(Some(part)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// Logs the decisions made for a model, and how many tensor names in its files are unknown, with the first few of them.
pub(crate) fn log<'a>(model: &str, notes: &[String], parts: impl IntoIterator<Item = &'a FoundNetwork>) {
    const SHOWN: usize = 5;
    for note in notes {
        tracing::info!(model, note, "a model was recognised");
    }
    for found in parts {
        let unknown = found.unknown();
        if !unknown.is_empty() {
            let first = unknown.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(file = found.origin(), count = unknown.len(), first, "unknown tensor names are ignored");
        }
    }
}
