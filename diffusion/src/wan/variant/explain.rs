//! Error texts for missing parts of a Wan model.

use must_tensors::Error;

use super::super::shape::TransformerShape;
use super::kind::{Kind, Variant};
use crate::parts;
use crate::weights::{Expert, Inventory};

/// A part that a model needs and its folder does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The only transformer, or one of two experts.
    Transformer(Option<Expert>),
    TextEncoder,
    Vae,
    ImageEncoder,
}

/// The facts about the transformer that are known when parts are missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownTransformer<'a> {
    pub(super) variant: Variant,
    pub(super) shape: &'a TransformerShape,
}

impl Missing {
    fn name(self, known: Option<KnownTransformer<'_>>) -> String {
        match self {
            Self::Transformer(None) => "transformer".to_owned(),
            Self::Transformer(Some(expert)) => format!("{} transformer", expert.as_str()),
            Self::TextEncoder if is_published(known) => "text encoder (UMT5-XXL)".to_owned(),
            Self::TextEncoder => "text encoder (UMT5)".to_owned(),
            Self::Vae => "autoencoder".to_owned(),
            Self::ImageEncoder => "image encoder (CLIP ViT-H)".to_owned(),
        }
    }

    /// Returns published files that would fill the gap.
    fn filled_by(self, known: Option<KnownTransformer<'_>>) -> String {
        match (self, known) {
            (Self::Transformer(None), _) => {
                "a Wan transformer such as wan2.1_t2v_1.3B_fp16.safetensors or a GGUF of one, or the transformer \
                 folder of a diffusers repository"
                    .to_owned()
            }
            (Self::Transformer(Some(expert)), known) => {
                let kind = match known.map(|known| known.variant.kind) {
                    Some(Kind::ImageToVideo { .. }) => "i2v",
                    _ => "t2v",
                };
                let (name, folder) = match expert {
                    Expert::High => ("high_noise", "transformer"),
                    Expert::Low => ("low_noise", "transformer_2"),
                };
                format!(
                    "wan2.2_{kind}_{name}_14B_fp8_scaled.safetensors, the {name}_model folder of the original \
                     repository, or the {folder} folder of a diffusers repository"
                )
            }
            (Self::TextEncoder, Some(known)) if !is_published(Some(known)) => {
                format!("a UMT5 encoder of width {}", known.shape.text_dim)
            }
            (Self::TextEncoder, _) => {
                "umt5_xxl_fp8_e4m3fn_scaled.safetensors, umt5-xxl-encoder-Q8_0.gguf, or the text_encoder folder of a \
                 diffusers repository"
                    .to_owned()
            }
            (Self::Vae, Some(known)) if known.shape.out_channels == 48 => {
                "wan2.2_vae.safetensors, or the vae folder of a diffusers repository of Wan 2.2 TI2V 5B".to_owned()
            }
            (Self::Vae, _) => "wan_2.1_vae.safetensors, or the vae folder of a diffusers repository".to_owned(),
            (Self::ImageEncoder, _) => {
                "clip_vision_h.safetensors, or the image_encoder folder of a diffusers repository of Wan 2.1 I2V"
                    .to_owned()
            }
        }
    }
}

/// Returns whether the text encoder is the published one, of width 4096.
fn is_published(known: Option<KnownTransformer<'_>>) -> bool {
    known.is_none_or(|known| known.shape.text_dim == 4096)
}

/// Creates the error for a folder in which parts are missing.
pub(super) fn incomplete(inventory: &Inventory, missing: &[Missing], known: Option<KnownTransformer<'_>>) -> Error {
    let missing: Vec<parts::Missing> = missing
        .iter()
        .map(|part| parts::Missing { name: part.name(known), filled_by: part.filled_by(known) })
        .collect();
    let variant = known.map(|known| known.variant.name());
    parts::incomplete(inventory, "Wan", &missing, |found| parts::describe_network(found, variant.as_deref()))
}
