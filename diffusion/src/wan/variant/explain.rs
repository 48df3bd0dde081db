//! Sentences for a folder that is not whole: what was recognised, what is missing, what would fill it.

use super::super::shape::TransformerShape;
use super::kind::{Kind, Variant};
use crate::error::Error;
use crate::weights::{Expert, Found, Inventory, Part, unusable};

/// Files that are of no use and that a sentence names.
const NAMED: usize = 3;

/// A part that a model needs and that its folder does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Either the only transformer, or one of two.
    Transformer(Option<Expert>),
    TextEncoder,
    Vae,
    ImageEncoder,
}

/// What is known of the transformer when parts are missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) variant: Variant,
    pub(super) shape: &'a TransformerShape,
}

impl Missing {
    fn name(self, known: Option<Known<'_>>) -> String {
        match self {
            Self::Transformer(None) => "transformer".to_owned(),
            Self::Transformer(Some(expert)) => format!("{} transformer", expert.as_str()),
            Self::TextEncoder if is_published(known) => "text encoder (UMT5-XXL)".to_owned(),
            Self::TextEncoder => "text encoder (UMT5)".to_owned(),
            Self::Vae => "autoencoder".to_owned(),
            Self::ImageEncoder => "image encoder (CLIP ViT-H)".to_owned(),
        }
    }

    /// Published files that would fill the gap.
    fn filled_by(self, known: Option<Known<'_>>) -> String {
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

/// Whether the text encoder is the published one, of width 4096.
fn is_published(known: Option<Known<'_>>) -> bool {
    known.is_none_or(|known| known.shape.text_dim == 4096)
}

/// The error of a folder without some parts: one sentence on what is missing and what is there, one on what to add.
pub(super) fn incomplete(inventory: &Inventory, missing: &[Missing], known: Option<Known<'_>>) -> Error {
    let names: Vec<String> = missing.iter().map(|part| part.name(known)).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let has: Vec<String> = inventory.all().iter().map(|found| holds(found, known)).collect();
    let has = if has.is_empty() { "nothing of Wan".to_owned() } else { and(&has) };
    let mut reason = format!("the {} {verb} missing; the folder holds {has}", and(&names));
    if let Some(aside) = unused(inventory) {
        reason.push_str(&aside);
    }
    let filled: Vec<String> = missing.iter().map(|part| part.filled_by(known)).collect();
    unusable(reason).with_action(format!("Add {} to the model's folder.", filled.join("; and ")))
}

/// One network in words: what, where, how it is written.
pub(super) fn holds(found: &Found, known: Option<Known<'_>>) -> String {
    let what = match (found.network().part, known) {
        (Part::Transformer, Some(known)) => format!("the transformer ({})", known.variant.name()),
        (part, _) => format!("the {}", part.as_str()),
    };
    format!("{what} in {} ({} names, {})", found.origin(), found.layout(), found.encodings())
}

/// The files that were set aside, as the end of a sentence.
fn unused(inventory: &Inventory) -> Option<String> {
    let aside = inventory.set_aside();
    let named: Vec<String> = aside.iter().take(NAMED).map(|aside| format!("{} {}", aside.file, aside.reason)).collect();
    let more = match aside.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!named.is_empty()).then(|| format!("; not used: {}{more}", named.join("; ")))
}

/// `a`, `a and b`, `a, b and c`.
fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
