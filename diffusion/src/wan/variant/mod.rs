//! What a folder is as a model of Wan: the variant, the parts that it needs, and whether they fit each other.
//!
//! Always holds: decided without reading a tensor; a part for another variant is refused with both numbers; a folder
//! that is not whole is answered with what was recognised, what is missing and what would fill it.

mod explain;
mod index;
mod kind;
mod recommended;
#[cfg(test)]
mod tests;

use self::explain::{Known, Missing};
use self::index::ModelIndex;
pub(crate) use self::kind::{Kind, Variant};
pub(crate) use self::recommended::Recommended;
use super::layouts::{image, text, transformer, vae};
use super::shape::{TransformerShape, image_config};
use crate::error::{Error, Result};
use crate::parts::{self, Fit, Piece};
use crate::text::{T5Config, t5_config};
use crate::vae::VaeConfig;
use crate::vision::ClipVisionConfig;
use crate::weights::{Expert, Experts, Found, Inventory, Network, Tensors, Vocabulary, unusable};

/// A whole model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// What it is.
    pub(crate) variant: Variant,
    /// One transformer, or two: high noise, then low noise. All of the same sizes.
    pub(crate) experts: Vec<Piece<TransformerShape>>,
    /// The text encoder.
    pub(crate) text: Piece<T5Config>,
    /// The autoencoder.
    pub(crate) vae: Piece<VaeConfig>,
    /// The image encoder, if the variant looks through one.
    pub(crate) image: Option<Piece<ClipVisionConfig>>,
    /// The vocabulary that came with the model; without one, that of the library.
    pub(crate) vocabulary: Option<Vocabulary>,
    /// How it is sampled where nobody says otherwise.
    pub(crate) recommended: Recommended,
    /// Sentences for whoever installed the model: what was left out or taken for granted.
    pub(crate) notes: Vec<String>,
}

impl Recognised {
    /// The model that a folder holds. Fails with `model_unavailable`, with a sentence on what is wrong and one on what
    /// to do.
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
            kind: Kind::of(&shape, &first.tensors, expand)?,
            experts: experts.len(),
            width: shape.inner_dim(),
        };
        let known = Known { variant, shape: &shape };
        let looks = matches!(variant.kind, Kind::ImageToVideo { clip: true, .. });

        let (files, by) = (inventory.files(), "the transformer");
        let width = |number: usize| format!("a width of {number}");
        let channels = |number: usize| format!("{number} latent channels");
        let text = Fit { want: shape.text_dim, by, words: width, advice: "umt5_xxl_fp8_e4m3fn_scaled.safetensors" };
        let text = text.piece(inventory, &text::NETWORK, |found, tensors| {
            t5_config(files, found, tensors).map(|config| (config.d_model, config))
        })?;
        let latents = if shape.out_channels == 48 { "wan2.2_vae.safetensors" } else { "wan_2.1_vae.safetensors" };
        let vae = Fit { want: shape.out_channels, by, words: channels, advice: latents };
        let vae = vae.piece(inventory, &vae::NETWORK, |found, tensors| {
            VaeConfig::read(files, found, tensors).map(|config| (config.z_dim, config))
        })?;
        let image = match shape.image_dim.filter(|_| looks) {
            Some(want) => Fit { want, by, words: width, advice: "clip_vision_h.safetensors" }.piece(
                inventory,
                &image::NETWORK,
                |found, tensors| image_config(files, found, tensors).map(|config| (config.hidden_size, config)),
            )?,
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
        check_together(&shape, &first.tensors, &vae.config, image.as_ref())?;
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

    /// The sizes of the transformer, or of both.
    pub(crate) fn shape(&self) -> Result<&TransformerShape> {
        self.experts.first().map(|expert| &expert.config).ok_or_else(|| Error::internal("a model without transformer"))
    }

    /// Keeps one of two transformers, for all steps. Fails if there is one only.
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

    /// All parts that the model uses.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Found, &Tensors)> {
        let image = self.image.iter().map(|piece| (&piece.found, &piece.tensors));
        let experts = self.experts.iter().map(|piece| (&piece.found, &piece.tensors));
        experts.chain([(&self.text.found, &self.text.tensors), (&self.vae.found, &self.vae.tensors)]).chain(image)
    }

    /// A sentence for people: the variant, and for each part its file, layout and encodings.
    pub(crate) fn describe(&self) -> String {
        let parts: Vec<String> = self.parts().map(|(found, _)| parts::holds(found, None)).collect();
        format!("{}: {}", self.variant.name(), parts.join(", "))
    }
}

/// The transformers, high noise first, all of the same sizes.
fn experts(inventory: &Inventory, index: &ModelIndex, notes: &mut Vec<String>) -> Result<Vec<Piece<TransformerShape>>> {
    let piece = |found: &Found| -> Result<Piece<TransformerShape>> {
        let tensors = found.tensors()?;
        let config = TransformerShape::read(inventory.files(), found, &tensors)?;
        Ok(Piece { found: found.clone(), tensors, config })
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
        notes.push("model_index.json says no boundary_ratio; the published one is taken".to_owned());
    }
    Ok(vec![high, low])
}

/// The expert that is missing beside a transformer that is only one of two.
fn lone_expert(inventory: &Inventory, index: &ModelIndex, notes: &mut Vec<String>) -> Result<Option<Expert>> {
    let Experts::One(found, expert) = Experts::of(&inventory.copies(&transformer::NETWORK))? else {
        return Ok(None);
    };
    let promised = index.lists_second_expert() || index.boundary_ratio.is_some();
    Ok(match expert {
        // A transformer that was trained for the first steps leaves noise in the picture.
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

/// The first size in which two transformers differ.
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
        ("whether anything else is equal", usize::from(true), usize::from(a == b)),
    ]
    .into_iter()
    .find(|(_, a, b)| a != b)
}

/// Refuses sizes of different parts that do not fit each other, with both numbers.
fn check_together(
    shape: &TransformerShape,
    tensors: &Tensors,
    vae: &VaeConfig,
    image: Option<&Piece<ClipVisionConfig>>,
) -> Result<()> {
    let differ = |what: &str, of_transformer: usize, of_other: usize| {
        Err(unusable(format!("{}: {what}: {of_transformer} and {of_other}", tensors.origin())))
    };
    let control = vae.z_dim * 2 + vae.spatial_factor() * vae.spatial_factor();
    if !shape.vace_layers.is_empty() && shape.vace_in_channels != control {
        return differ(
            "VACE takes other channels than two latents and a mask of the autoencoder's pixels have",
            shape.vace_in_channels,
            control,
        );
    }
    if let (Some(positions), Some(image)) = (shape.pos_embed_seq_len, image)
        && positions != image.config.tokens() * 2
    {
        return differ(
            "there are other position embeddings than the image encoder gives states of two pictures",
            positions,
            image.config.tokens() * 2,
        );
    }
    Ok(())
}

/// The vocabulary to use: one that is a file where the publishers put it, then one inside the text encoder's file.
fn vocabulary(inventory: &Inventory, text: &Found) -> Option<Vocabulary> {
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
            // Other encoders of a model have vocabularies too, as that of CLIP in the original repositories.
            _ => None,
        }
    };
    // In one folder, tokenizer.json is what the reference reads.
    let ranked = |one: &&Vocabulary| (rank(one), !matches!(one, Vocabulary::Json(_)));
    inventory.vocabularies().iter().filter(|one| rank(one).is_some()).min_by_key(ranked).cloned()
}
