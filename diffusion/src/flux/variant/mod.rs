//! What a folder is as a model of FLUX.1: the variant, the parts that it needs, and whether they fit each other.
//!
//! Always holds: decided without reading a tensor; a part for another variant is refused with both numbers; a folder that is not
//! whole is answered with what was recognised, what is missing and what would fill it.

mod index;
mod kind;
#[cfg(test)]
mod tests;

use self::index::ModelIndex;
pub(crate) use self::kind::Variant;
use super::layouts::transformer;
use super::shape::TransformerShape;
use crate::error::{Error, Result};
use crate::parts::{self, Fit, Missing, Piece};
use crate::text::{ClipConfig, T5Config, clip_config, layouts, t5_config};
use crate::vae::kl::{self, KlConfig, Scaling};
use crate::weights::{Found, Inventory, Network, Tensors};

/// A whole model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// What it is.
    pub(crate) variant: Variant,
    /// The denoiser.
    pub(crate) transformer: Piece<TransformerShape>,
    /// T5, whose states the transformer reads.
    pub(crate) t5: Piece<T5Config>,
    /// CLIP, of which the transformer reads the pooled state.
    pub(crate) clip: Piece<ClipConfig>,
    /// The autoencoder.
    pub(crate) vae: Piece<KlConfig>,
}

/// What wants a part to have a number.
const BY: &str = "the transformer";

impl Recognised {
    /// The model that a folder holds. Fails with `model_unavailable`, with a sentence on what is wrong and one on what to do.
    pub(crate) fn of(inventory: &Inventory) -> Result<Self> {
        let files = inventory.files();
        ModelIndex::check(files)?;
        let copies = inventory.copies(&transformer::NETWORK);
        let chosen = Found::choose(&copies).map_err(|error| error.with_action("Leave one of them in the folder."))?;
        let Some(found) = chosen else {
            return Err(kind::relative(inventory).unwrap_or_else(|| without_transformer(inventory)));
        };
        let tensors = found.tensors()?;
        let shape = TransformerShape::read(files, found, &tensors)?;
        let variant = Variant::of(found, &shape, &tensors)?;

        let width = |number: usize| format!("a width of {number}");
        let channels = |number: usize| format!("{number} latent channels");
        let t5 = Fit { want: shape.joint_attention_dim, by: BY, words: width, advice: "t5xxl_fp8_e4m3fn.safetensors" }
            .piece(inventory, &layouts::t5::NETWORK, |found, tensors| {
                t5_config(files, found, tensors).map(|config| (config.d_model, config))
            })?;
        let clip = Fit { want: shape.pooled_projection_dim, by: BY, words: width, advice: "clip_l.safetensors" }
            .piece(inventory, &layouts::clip::NETWORK, |found, tensors| {
                // The pooled state is read before any projection, which some files bring.
                let config = ClipConfig { projection: None, ..clip_config(files, found, tensors)? };
                Ok((config.width, config))
            })?;
        let vae = Fit { want: shape.latent_channels(), by: BY, words: channels, advice: "ae.safetensors" }.piece(
            inventory,
            &kl::layout::NETWORK,
            |found, tensors| {
                let config = KlConfig::read(files, found, tensors, Scaling::FLUX)?;
                Ok((config.latent_channels, config))
            },
        )?;
        match (t5, clip, vae) {
            (Some(t5), Some(clip), Some(vae)) => {
                let transformer = Piece { found: found.clone(), tensors, config: shape };
                Ok(Self { variant, transformer, t5, clip, vae })
            }
            (t5, clip, vae) => {
                let mut missing = vec![];
                missing.extend(t5.is_none().then(|| missing_t5(Some(&shape))));
                missing.extend(clip.is_none().then(missing_clip));
                missing.extend(vae.is_none().then(missing_vae));
                Err(incomplete(inventory, &missing, Some(variant)))
            }
        }
    }

    /// All parts that the model uses.
    pub(crate) fn parts(&self) -> [(&Found, &Tensors); 4] {
        [
            (&self.transformer.found, &self.transformer.tensors),
            (&self.t5.found, &self.t5.tensors),
            (&self.clip.found, &self.clip.tensors),
            (&self.vae.found, &self.vae.tensors),
        ]
    }

    /// A sentence for people: the variant, and for each part its file, layout and encodings.
    pub(crate) fn describe(&self) -> String {
        let parts = self.parts().map(|(found, _)| holds(found, None));
        format!("{}: {}", self.variant.name(), parts.join(", "))
    }
}

/// The error of a folder whose denoiser is missing.
fn without_transformer(inventory: &Inventory) -> Error {
    let lacks = |network: &Network| inventory.copies(network).is_empty();
    let mut missing = vec![Missing {
        name: "transformer".to_owned(),
        filled_by:
            "a FLUX.1 transformer such as flux1-dev.safetensors or a GGUF of one, or the transformer folder of a \
                    diffusers repository"
                .to_owned(),
    }];
    missing.extend(lacks(&layouts::t5::NETWORK).then(|| missing_t5(None)));
    missing.extend(lacks(&layouts::clip::NETWORK).then(missing_clip));
    missing.extend(lacks(&kl::layout::NETWORK).then(missing_vae));
    incomplete(inventory, &missing, None)
}

fn incomplete(inventory: &Inventory, missing: &[Missing], variant: Option<Variant>) -> Error {
    let variant = variant.map(|variant| variant.name());
    parts::incomplete(inventory, "FLUX.1", missing, |found| holds(found, variant.as_deref()))
}

/// One network in words. FLUX.1 has two text encoders.
fn holds(found: &Found, variant: Option<&str>) -> String {
    let words = parts::holds(found, variant);
    let name = found.network().name;
    match words.strip_prefix("the text encoder") {
        Some(rest) => format!("the {name}{rest}"),
        None => words,
    }
}

fn missing_t5(shape: Option<&TransformerShape>) -> Missing {
    let filled_by = match shape.map(|shape| shape.joint_attention_dim) {
        Some(width) if width != 4096 => format!("a T5 v1.1 encoder of width {width}"),
        _ => "t5xxl_fp16.safetensors, t5xxl_fp8_e4m3fn.safetensors, t5-v1_1-xxl-encoder-Q8_0.gguf, or the text_encoder_2 \
              folder of a diffusers repository"
            .to_owned(),
    };
    Missing { name: "text encoder T5-XXL".to_owned(), filled_by }
}

fn missing_clip() -> Missing {
    Missing {
        name: "text encoder CLIP-L".to_owned(),
        filled_by: "clip_l.safetensors, or the text_encoder folder of a diffusers repository".to_owned(),
    }
}

fn missing_vae() -> Missing {
    Missing {
        name: "autoencoder".to_owned(),
        filled_by: "ae.safetensors, or the vae folder of a diffusers repository of FLUX.1".to_owned(),
    }
}
