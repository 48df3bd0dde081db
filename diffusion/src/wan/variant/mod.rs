//! Recognition of a Wan model in a folder: its variant, its parts, and whether the parts fit each other.
//!
//! Always holds: no tensor is read. A part of another variant is refused with the number that it has and the one that is
//! needed. The error for an incomplete folder says what was recognised, what is missing and which files would complete it.

mod explain;
mod index;
mod kind;
mod recommended;
#[cfg(test)]
mod tests;

use must_tensors::{Error, Result};

use self::explain::{KnownTransformer, Missing};
use self::index::ModelIndex;
pub(crate) use self::kind::{Kind, Variant};
pub(crate) use self::recommended::Recommended;
use super::layouts::{image, text, transformer, vae};
use super::shape::{TransformerShape, image_config};
use crate::parts::{self, Fit, FoundPart};
use crate::text::{T5Config, t5_config};
use crate::vae::VaeConfig;
use crate::vision::ClipVisionConfig;
use crate::weights::{Expert, Experts, FoundNetwork, Inventory, Network, Tensors, Vocabulary, unusable};

/// A complete model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// The variant.
    pub(crate) variant: Variant,
    /// One transformer, or two: high noise, then low noise. Both have the same sizes.
    pub(crate) experts: Vec<FoundPart<TransformerShape>>,
    /// The text encoder.
    pub(crate) text: FoundPart<T5Config>,
    /// The autoencoder.
    pub(crate) vae: FoundPart<VaeConfig>,
    /// The image encoder, if the variant uses one.
    pub(crate) image: Option<FoundPart<ClipVisionConfig>>,
    /// The vocabulary in the model's files. `None` selects the one embedded in the library.
    pub(crate) vocabulary: Option<Vocabulary>,
    /// The sampling settings for requests that leave them open.
    pub(crate) recommended: Recommended,
    /// Log messages for the person who installed the model: what was ignored or assumed.
    pub(crate) notes: Vec<String>,
}

impl Recognised {
    /// Recognises the model in a folder. Fails with `ModelUnavailable`; the error says what is wrong and what to do.
    pub(crate) fn of(inventory: &Inventory) -> Result<Self> {
        let index = ModelIndex::read(inventory.files())?;
        let mut notes = vec![];
        let experts = experts(inventory, &index, &mut notes)?;
        let (Some(first), expand) = (experts.first(), index.expand_timesteps.unwrap_or(false)) else {
            let copies = |network: &Network| inventory.copies(network).is_empty();
            let mut missing = vec![Missing::Transformer(None)];
            missing.extend(copies(&text::NETWORK).then_some(Missing::TextEncoder));
            missing.extend(copies(&vae::NETWORK).then_some(Missing::Vae));
            return Err(explain::incomplete(inventory, &missing, None));
        };
        let shape = first.config.clone();
        let variant = Variant {
            kind: Kind::of(&shape, first.found.tensors(), expand)?,
            experts: experts.len(),
            width: shape.inner_dim(),
        };
        let known = KnownTransformer { variant, shape: &shape };
        let looks = matches!(variant.kind, Kind::ImageToVideo { clip: true, .. });

        let (files, required_by) = (inventory.files(), "the transformer");
        let width = |number: usize| format!("a width of {number}");
        let channels = |number: usize| format!("{number} latent channels");
        let text = Fit {
            required: shape.text_dim,
            required_by,
            describe: width,
            example: "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
        };
        let text = text.find(inventory, &text::NETWORK, |found, tensors| {
            t5_config(files, found, tensors).map(|config| (config.d_model, config))
        })?;
        let latents = if shape.out_channels == 48 { "wan2.2_vae.safetensors" } else { "wan_2.1_vae.safetensors" };
        let vae = Fit { required: shape.out_channels, required_by, describe: channels, example: latents };
        let vae = vae.find(inventory, &vae::NETWORK, |found, tensors| {
            VaeConfig::read(files, found, tensors).map(|config| (config.z_dim, config))
        })?;
        let image = match shape.image_dim.filter(|_| looks) {
            Some(required) => Fit { required, required_by, describe: width, example: "clip_vision_h.safetensors" }
                .find(inventory, &image::NETWORK, |found, tensors| {
                    image_config(files, found, tensors).map(|config| (config.hidden_size, config))
                })?,
            None => None,
        };

        let mut missing = vec![];
        missing.extend(lone_expert(inventory, &index, &mut notes)?.map(|expert| Missing::Transformer(Some(expert))));
        missing.extend(text.is_none().then_some(Missing::TextEncoder));
        missing.extend(vae.is_none().then_some(Missing::Vae));
        missing.extend((looks && image.is_none()).then_some(Missing::ImageEncoder));
        let (Some(text), Some(vae), []) = (text, vae, missing.as_slice()) else {
            return Err(explain::incomplete(inventory, &missing, Some(known)));
        };
        check_together(&shape, first.found.tensors(), &vae.config, image.as_ref())?;
        Ok(Self {
            variant,
            vocabulary: vocabulary(inventory, &text.found),
            recommended: Recommended::of(variant, index.boundary_ratio, files)?,
            experts,
            text,
            vae,
            image,
            notes,
        })
    }

    /// Returns the sizes of the transformer. Two experts have the same sizes.
    pub(crate) fn shape(&self) -> Result<&TransformerShape> {
        self.experts.first().map(|expert| &expert.config).ok_or_else(|| Error::internal("a model without transformer"))
    }

    /// Keeps one of two transformers for all steps. Fails if there is only one.
    pub(crate) fn keep_expert(&mut self, expert: Expert) -> Result<()> {
        if self.experts.len() != 2 {
            return Err(Error::invalid_request(
                "the model has one transformer, so there is no choice between one for high and one for low noise",
            ));
        }
        self.experts.swap_remove(match expert {
            Expert::High => 1,
            Expert::Low => 0,
        });
        self.variant.experts = 1;
        self.recommended.boundary = None;
        Ok(())
    }

    /// Returns all parts that the model uses.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &FoundNetwork> {
        let image = self.image.iter().map(|part| &part.found);
        let experts = self.experts.iter().map(|part| &part.found);
        experts.chain([&self.text.found, &self.vae.found]).chain(image)
    }

    /// Describes the model in one sentence: the variant, and the file, layout and encodings of each part.
    pub(crate) fn describe(&self) -> String {
        let parts: Vec<String> = self.parts().map(|part| parts::describe_network(part, None)).collect();
        format!("{}: {}", self.variant.name(), parts.join(", "))
    }
}

/// Returns the transformers, high noise first. All have the same sizes.
fn experts(
    inventory: &Inventory,
    index: &ModelIndex,
    notes: &mut Vec<String>,
) -> Result<Vec<FoundPart<TransformerShape>>> {
    let piece = |found: &FoundNetwork| -> Result<FoundPart<TransformerShape>> {
        let config = TransformerShape::read(inventory.files(), found, found.tensors())?;
        Ok(FoundPart { found: found.clone(), config })
    };
    let (high, low) = match Experts::of(&inventory.copies(&transformer::NETWORK))? {
        Experts::None => return Ok(vec![]),
        Experts::One(found, _) => return Ok(vec![piece(found)?]),
        Experts::Two { high, low } => (piece(high)?, piece(low)?),
    };
    if let Some((field, of_high, of_low)) = difference(&high.config, &low.config) {
        return Err(unusable(format!(
            "{} and {} cannot be two experts of one model: {field} is {of_high} and {of_low}",
            high.found.origin(),
            low.found.origin()
        ))
        .with_action("Leave the two transformers that belong together, or only one, in the folder."));
    }
    if index.boundary_ratio.is_none() && inventory.files().has("model_index.json") {
        notes.push("model_index.json has no boundary_ratio; the published one is used".to_owned());
    }
    Ok(vec![high, low])
}

/// Returns the expert that is missing when the only transformer is one of two.
fn lone_expert(inventory: &Inventory, index: &ModelIndex, notes: &mut Vec<String>) -> Result<Option<Expert>> {
    let Experts::One(found, expert) = Experts::of(&inventory.copies(&transformer::NETWORK))? else {
        return Ok(None);
    };
    let promised = index.lists_second_expert() || index.boundary_ratio.is_some();
    Ok(match expert {
        // A transformer that was trained for the first steps alone would leave noise in the picture.
        Some(Expert::High) => Some(Expert::Low),
        Some(Expert::Low) if promised => Some(Expert::High),
        None if promised => Some(Expert::Low),
        Some(Expert::Low) => {
            notes
                .push(format!("{} does all steps, since there is no high-noise transformer beside it", found.origin()));
            None
        }
        None => None,
    })
}

/// Returns the first size in which two transformers differ.
fn difference(a: &TransformerShape, b: &TransformerShape) -> Option<(&'static str, usize, usize)> {
    [
        ("the width", a.inner_dim(), b.inner_dim()),
        ("the number of blocks", a.num_layers, b.num_layers),
        ("the number of input channels", a.in_channels, b.in_channels),
        ("the number of output channels", a.out_channels, b.out_channels),
        ("the width of the feed-forward part", a.ffn_dim, b.ffn_dim),
        ("the width of the text states", a.text_dim, b.text_dim),
        ("the width of the image tokens", a.image_dim.unwrap_or(0), b.image_dim.unwrap_or(0)),
        ("the number of VACE blocks", a.vace_layers.len(), b.vace_layers.len()),
        ("the agreement of all other sizes (1 where they agree)", usize::from(true), usize::from(a == b)),
    ]
    .into_iter()
    .find(|(_, a, b)| a != b)
}

/// Fails when the sizes of different parts do not fit each other. The error gives both numbers.
fn check_together(
    shape: &TransformerShape,
    tensors: &Tensors,
    vae: &VaeConfig,
    image: Option<&FoundPart<ClipVisionConfig>>,
) -> Result<()> {
    let differ = |what: &str, of_transformer: usize, of_other: usize| {
        Err(unusable(format!("{}: {what}: {of_transformer} and {of_other}", tensors.origin())))
    };
    let control = vae.z_dim * 2 + vae.spatial_factor() * vae.spatial_factor();
    if !shape.vace_layers.is_empty() && shape.vace_in_channels != control {
        return differ(
            "the channels of VACE differ from those of two latents and a mask of the autoencoder's pixels",
            shape.vace_in_channels,
            control,
        );
    }
    if let (Some(positions), Some(image)) = (shape.pos_embed_seq_len, image)
        && positions != image.config.tokens() * 2
    {
        return differ(
            "the number of position embeddings differs from the number of the image encoder's states of two pictures",
            positions,
            image.config.tokens() * 2,
        );
    }
    Ok(())
}

/// Returns the vocabulary to use. A file in the publishers' usual place comes first, then a vocabulary inside the text
/// encoder's file.
fn vocabulary(inventory: &Inventory, text: &FoundNetwork) -> Option<Vocabulary> {
    let folder = text.files().first().and_then(|file| file.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let rank = |vocabulary: &Vocabulary| -> Option<usize> {
        let file = vocabulary.file();
        let place = file.rsplit_once('/').map_or("", |(place, _)| place);
        let inside = matches!(vocabulary, Vocabulary::Tensor(..) | Vocabulary::Gguf(..));
        match place {
            _ if matches!(vocabulary, Vocabulary::Pairs(_)) => None,
            _ if inside => (file == text.origin()).then_some(4),
            "tokenizer" => Some(0),
            _ if place.to_ascii_lowercase().contains("umt5") => Some(1),
            _ if place == folder => Some(2),
            "" => Some(3),
            // Other encoders of the folder have vocabularies too, such as CLIP's in the original repositories.
            _ => None,
        }
    };
    // Of several files in one folder, the reference reads tokenizer.json.
    let ranked = |one: &&Vocabulary| (rank(one), !matches!(one, Vocabulary::Json(_)));
    inventory.vocabularies().iter().filter(|one| rank(one).is_some()).min_by_key(ranked).cloned()
}
