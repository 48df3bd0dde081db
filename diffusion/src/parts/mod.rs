//! The parts of a recognised model, for every family: which copy of a network is the one, and what to say when one is missing.
//!
//! Always holds: nothing is read but headers; a copy that does not fit is refused with both numbers.

mod described;
mod incomplete;

pub(crate) use self::described::{Described, LARGEST, axis, text_of};
pub(crate) use self::incomplete::{Missing, holds, incomplete};
use crate::error::Result;
use crate::weights::{Found, Inventory, Network, Tensors, unusable};

/// A part of a model: where it is, its tensors and its sizes.
#[derive(Debug, Clone)]
pub(crate) struct Piece<C> {
    /// Files, layout and encodings.
    pub(crate) found: Found,
    /// Tensors under their canonical names.
    pub(crate) tensors: Tensors,
    /// Sizes.
    pub(crate) config: C,
}

/// What a part has to be to fit the denoiser.
pub(crate) struct Fit {
    /// The number that it must have.
    pub(crate) want: usize,
    /// What wants it, in words: "the transformer".
    pub(crate) by: &'static str,
    /// What a number is, in words: "a width of 4096".
    pub(crate) words: fn(usize) -> String,
    /// A published file that fits.
    pub(crate) advice: &'static str,
}

impl Fit {
    /// The copy of a network that fits. `None` if there is no copy; fails if there are copies and none of them fits, or
    /// several that nothing tells apart. `read` gives a copy's number and sizes.
    pub(crate) fn piece<C>(
        &self,
        inventory: &Inventory,
        network: &Network,
        read: impl Fn(&Found, &Tensors) -> Result<(usize, C)>,
    ) -> Result<Option<Piece<C>>> {
        let copies = inventory.copies(network);
        let mut fitting = vec![];
        let mut refusal = None;
        for &found in &copies {
            let tensors = found.tensors()?;
            match read(found, &tensors) {
                Ok((number, config)) if number == self.want => {
                    fitting.push((found, Piece { found: found.clone(), tensors, config }));
                }
                Ok((number, _)) => {
                    let detail = format!(
                        "the {} in {} has {}, and {} wants {}",
                        network.part.as_str(),
                        found.origin(),
                        (self.words)(number),
                        self.by,
                        self.want
                    );
                    let advice = format!("Put one with {} there, such as {}.", (self.words)(self.want), self.advice);
                    refusal = refusal.or(Some(unusable(detail).with_action(advice)));
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        let chosen = Found::choose(&fitting.iter().map(|(found, _)| *found).collect::<Vec<_>>())?;
        let piece = fitting.into_iter().find(|(found, _)| chosen.is_some_and(|chosen| std::ptr::eq(*found, chosen)));
        match (piece, refusal) {
            (Some((_, piece)), _) => Ok(Some(piece)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// Logs what was decided for a model, and how many names of its files no rule knows, with the first few of them.
pub(crate) fn log<'a>(model: &str, notes: &[String], parts: impl Iterator<Item = &'a Found>) {
    const SHOWN: usize = 5;
    for note in notes {
        tracing::info!(model, note, "a model was recognised");
    }
    for found in parts {
        let unknown = found.unknown();
        if !unknown.is_empty() {
            let first = unknown.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                file = found.origin(),
                count = unknown.len(),
                first,
                "names of tensors are not known and not used"
            );
        }
    }
}
