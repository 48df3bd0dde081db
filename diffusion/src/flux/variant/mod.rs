//! Recognition of a FLUX.1 model in a folder: its variant, its parts, and whether the parts fit each other.
//!
//! Always holds: no tensor is read; a part of another variant is refused with the number that it has and the one that is
//! needed; the error for an incomplete folder says what was recognised, what is missing and which files would complete it.

mod index;
mod kind;
#[cfg(test)]
mod tests;

use must_tensors::{Error, Result};

use self::index::ModelIndex;
pub(crate) use self::kind::Variant;
use super::layouts::transformer;
use super::shape::TransformerShape;
use crate::parts::{self, Fit, FoundPart, Missing};
use crate::text::{ClipConfig, T5Config, clip_config, layouts, t5_config};
use crate::vae::kl::{self, KlConfig, Scaling};
use crate::weights::{FoundNetwork, Inventory, Network};

/// A complete model.
#[derive(Debug)]
pub(crate) struct Recognised {
    /// The variant.
    pub(crate) variant: Variant,
    /// The denoiser.
    pub(crate) transformer: FoundPart<TransformerShape>,
    /// T5, whose states the transformer attends to.
    pub(crate) t5: FoundPart<T5Config>,
    /// CLIP, whose pooled state the transformer uses.
    pub(crate) clip: FoundPart<ClipConfig>,
    /// The autoencoder.
    pub(crate) vae: FoundPart<KlConfig>,
}

/// The network whose sizes the other parts must fit.
const DENOISER: &str = "the transformer";

impl Recognised {
    /// Recognises the model in a folder. Fails with `ModelUnavailable`; the error says what is wrong and what to do.
    pub(crate) fn of(inventory: &Inventory) -> Result<Self> {
        let files = inventory.files();
        ModelIndex::check(files)?;
        let copies = inventory.copies(&transformer::NETWORK);
        let chosen =
            FoundNetwork::choose(&copies).map_err(|error| error.with_action("Leave one of them in the folder."))?;
        let Some(found) = chosen else {
            return Err(kind::relative(inventory).unwrap_or_else(|| without_transformer(inventory)));
        };
        let tensors = found.tensors();
        let shape = TransformerShape::read(files, found, tensors)?;
        let variant = Variant::of(found, &shape, tensors)?;

        let width = |number: usize| format!("a width of {number}");
        let channels = |number: usize| format!("{number} latent channels");
        let t5 = Fit {
            required: shape.joint_attention_dim,
            required_by: DENOISER,
            describe: width,
            example: "t5xxl_fp8_e4m3fn.safetensors",
        }
        .find(inventory, &layouts::t5::NETWORK, |found, tensors| {
            t5_config(files, found, tensors).map(|config| (config.d_model, config))
        })?;
        let clip = Fit {
            required: shape.pooled_projection_dim,
            required_by: DENOISER,
            describe: width,
            example: "clip_l.safetensors",
        }
        .find(inventory, &layouts::clip::NETWORK, |found, tensors| {
            // Some files contain a projection; FLUX.1 uses the pooled state before it.
            let config = ClipConfig { projection: None, ..clip_config(files, found, tensors)? };
            Ok((config.width, config))
        })?;
        let vae = Fit {
            required: shape.latent_channels(),
            required_by: DENOISER,
            describe: channels,
            example: "ae.safetensors",
        }
        .find(inventory, &kl::layout::NETWORK, |found, tensors| {
            let config = KlConfig::read(files, found, tensors, Scaling::FLUX)?;
            Ok((config.latent_channels, config))
        })?;
        match (t5, clip, vae) {
            (Some(t5), Some(clip), Some(vae)) => {
                let transformer = FoundPart { found: found.clone(), config: shape };
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

    /// Returns all parts that the model uses.
    pub(crate) fn parts(&self) -> [&FoundNetwork; 4] {
        [&self.transformer.found, &self.t5.found, &self.clip.found, &self.vae.found]
    }

    /// Describes the model in one sentence: the variant, and the file, layout and encodings of each part.
    pub(crate) fn describe(&self) -> String {
        let parts = self.parts().map(|part| describe_network(part, None));
        format!("{}: {}", self.variant.name(), parts.join(", "))
    }
}

/// Returns the error for a folder without a transformer.
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
    parts::incomplete(inventory, "FLUX.1", missing, |found| describe_network(found, variant.as_deref()))
}

/// Describes one network. FLUX.1 has two text encoders, so the description gives the encoder's name.
fn describe_network(found: &FoundNetwork, variant: Option<&str>) -> String {
    let description = parts::describe_network(found, variant);
    let name = found.network().name;
    match description.strip_prefix("the text encoder") {
        Some(rest) => format!("the {name}{rest}"),
        None => description,
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
