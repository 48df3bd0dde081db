//! The variant of FLUX.1 that a transformer belongs to.
//!
//! Always holds: tensor names and shapes determine the variant. Kontext has the names and shapes of dev: it is recognised by its
//! file's metadata or file name, and a Kontext file with neither runs as dev.

use must_tensors::{Error, Result};

use super::super::layouts::relatives;
use super::super::shape::TransformerShape;
use crate::weights::{FoundNetwork, Inventory, Metadata, Network, Tensors, unusable};

/// A variant of FLUX.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Whether the model takes a guidance scale, with which it was distilled: true for dev, false for schnell.
    pub(crate) guided: bool,
    /// Width of the transformer.
    pub(crate) width: usize,
    /// Numbers of double and single blocks.
    pub(crate) blocks: (usize, usize),
}

/// Sizes of the published models.
const WIDTH: usize = 3072;
const BLOCKS: (usize, usize) = (19, 38);

/// Networks of other families, with the families' names.
const RELATIVES: [(&Network, &str); 2] = [(&relatives::FLUX_2, "FLUX.2"), (&relatives::CHROMA, "Chroma")];

/// Metadata entries that identify a file: those of safetensors files, after
/// <https://github.com/Stability-AI/ModelSpec>, and of GGUF.
const TITLES: [&str; 6] = [
    "modelspec.architecture",
    "modelspec.title",
    "general.name",
    "general.basename",
    "general.finetune",
    "general.base_model.0.name",
];

impl Variant {
    /// Determines the variant of the transformer `found` from its sizes and canonical tensors.
    pub(super) fn of(found: &FoundNetwork, shape: &TransformerShape, tensors: &Tensors) -> Result<Self> {
        if says_kontext(found) {
            return Err(refused(tensors, "is FLUX.1 Kontext, which MUST does not run"));
        }
        if shape.in_channels != shape.out_channels {
            let what = match shape.in_channels {
                384 => "is FLUX.1 Fill, which MUST does not run".to_owned(),
                128 => "is FLUX.1 Depth or Canny, which MUST does not run".to_owned(),
                196 => "is Flex.2, which MUST does not run".to_owned(),
                channels => format!(
                    "takes {channels} channels a token and gives {}, which is no variant of FLUX.1 that MUST runs",
                    shape.out_channels
                ),
            };
            return Err(refused(tensors, &what));
        }
        Ok(Self {
            guided: shape.guidance_embeds,
            width: shape.inner_dim(),
            blocks: (shape.num_layers, shape.num_single_layers),
        })
    }

    /// Returns the variant's name for people, as far as its tensors reveal it.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("FLUX.1 {}", if self.guided { "dev" } else { "schnell" });
        if self.width != WIDTH {
            name += &format!(" of width {}", self.width);
        }
        if self.blocks != BLOCKS {
            name += &format!(" with {} and {} blocks", self.blocks.0, self.blocks.1);
        }
        name
    }

    /// Returns the number of T5 tokens the model was trained with: `max_sequence_length` in the cards of both models, `T5` in
    /// <https://github.com/black-forest-labs/flux/blob/main/src/flux/util.py>.
    pub(crate) const fn text_tokens(&self) -> usize {
        if self.guided { 512 } else { 256 }
    }
}

/// Returns the error for a folder whose transformer belongs to another family, if it does.
pub(super) fn relative(inventory: &Inventory) -> Option<Error> {
    RELATIVES.iter().find_map(|(network, name)| {
        let found = *inventory.copies(network).first()?;
        let detail = format!("{}: the transformer is {name}, which MUST does not run", found.origin());
        Some(unusable(detail).with_action(ADVICE))
    })
}

const ADVICE: &str =
    "Use FLUX.1 dev or schnell, or a model that was made from one of them for text to image, such as Krea.";

fn refused(tensors: &Tensors, what: &str) -> Error {
    unusable(format!("{}: the transformer {what}", tensors.origin())).with_action(ADVICE)
}

/// Returns whether a file's metadata or name identifies it as Kontext.
fn says_kontext(found: &FoundNetwork) -> bool {
    let is = |text: &str| text.to_ascii_lowercase().contains("kontext");
    TITLES.iter().any(|key| found.metadata(key).and_then(Metadata::text).is_some_and(is))
        || found.files().iter().any(|file| is(file))
}
