//! Recognises the variant of a Wan transformer.
//!
//! Always holds: names and shapes decide. Relatives of Wan that share its blocks but need more than this code computes are
//! refused by name.

use must_tensors::{Error, Result};

use super::super::shape::TransformerShape;
use crate::weights::{Tensors, unusable};

/// The inputs that a transformer was trained to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A prompt alone.
    TextToVideo,
    /// Given frames, as extra channels: a mask and their latents.
    ImageToVideo {
        /// Whether it also uses the image encoder's states of the picture, as Wan 2.1 does.
        clip: bool,
        /// Whether it was trained on first and last frames, with position embeddings for the states of both.
        last: bool,
    },
    /// Frames and masks, processed by control blocks.
    Vace,
    /// A prompt, or a first frame that replaces the first latent frame. Each token has a time of its own. This is Wan 2.2
    /// 5B.
    TextImageToVideo,
}

/// A variant of Wan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    /// The inputs that it starts from.
    pub(crate) kind: Kind,
    /// Number of transformers that share the steps: 1, or 2 of which the first handles the high noise levels.
    pub(crate) experts: usize,
    /// Width of the transformer.
    pub(crate) width: usize,
}

/// Modules that only relatives of Wan have, with descriptions of the relatives.
const RELATIVES: &[(&str, &str)] = &[
    ("audio_proj.audio_proj_glob_1.", "HuMo"),
    ("casual_audio_encoder.", "Wan 2.2 S2V"),
    ("audio_injector.", "Wan 2.2 S2V"),
    ("face_adapter.", "Wan 2.2 Animate"),
    ("motion_encoder.", "Wan 2.2 Animate"),
    ("audio_proj.", "a Wan that is driven by sound"),
    ("control_adapter.", "Wan Fun with camera control"),
    ("ref_conv.", "Wan Fun Control with a reference picture"),
];

impl Kind {
    /// Determines the kind of the transformer with these sizes. `tensors` are its canonical tensors, and `expand_timesteps`
    /// is the setting of that name in `model_index.json`.
    pub(super) fn of(shape: &TransformerShape, tensors: &Tensors, expand_timesteps: bool) -> Result<Self> {
        let relative = RELATIVES
            .iter()
            .find(|(module, _)| tensors.unknown.iter().any(|name| has_module(name, module)))
            .map(|(_, relative)| *relative)
            .or_else(|| relative_by_channels(shape));
        if let Some(relative) = relative {
            return Err(refused(tensors, &format!("is {relative}, which MUST does not run")));
        }
        let clip = shape.image_dim.is_some();
        if clip != shape.added_kv_proj_dim.is_some() || (shape.pos_embed_seq_len.is_some() && !clip) {
            return Err(refused(tensors, "has only some of the tensors that image tokens need"));
        }
        let kind = match shape.in_channels {
            channels if channels == shape.out_channels && !shape.vace_layers.is_empty() && !clip => Self::Vace,
            channels if channels == shape.out_channels && shape.vace_layers.is_empty() && !clip => {
                // Only the 5B model has latents of 48 channels.
                if expand_timesteps || channels == 48 { Self::TextImageToVideo } else { Self::TextToVideo }
            }
            channels if channels == shape.out_channels * 2 + 4 && shape.vace_layers.is_empty() => {
                Self::ImageToVideo { clip, last: shape.pos_embed_seq_len.is_some() }
            }
            channels => {
                let what = format!(
                    "takes {channels} channels{} and gives {}, which no variant of Wan that MUST runs does",
                    if clip { " and image tokens" } else { "" },
                    shape.out_channels
                );
                return Err(refused(tensors, &what));
            }
        };
        if expand_timesteps && kind != Self::TextImageToVideo {
            return Err(unusable("model_index.json: expand_timesteps is for a transformer without condition channels"));
        }
        if kind == Self::Vace && shape.vace_in_channels == 0 {
            return Err(refused(tensors, "has VACE blocks but no vace_patch_embedding"));
        }
        Ok(kind)
    }
}

/// Returns whether a name is inside `module`, below any prefix.
fn has_module(name: &str, module: &str) -> bool {
    name.match_indices(module).any(|(at, _)| at == 0 || name.as_bytes().get(at - 1) == Some(&b'.'))
}

fn relative_by_channels(shape: &TransformerShape) -> Option<&'static str> {
    match (shape.in_channels, shape.out_channels, shape.image_dim.is_some()) {
        (48, 16, _) => Some("Wan 2.1 Fun Control"),
        (52, 16, false) => Some("Wan 2.2 Fun Control"),
        (32, 16, _) => Some("Wan Fun with camera control"),
        _ => None,
    }
}

fn refused(tensors: &Tensors, what: &str) -> Error {
    unusable(format!("{}: the transformer {what}", tensors.origin()))
        .with_action("Use a transformer of Wan 2.1 or 2.2 for text, image or first and last frame to video, or VACE.")
}

impl Variant {
    /// Returns the variant's name for people, as far as its tensors reveal it.
    pub(crate) fn name(&self) -> String {
        let size = match self.width {
            1536 => "1.3B".to_owned(),
            3072 => "5B".to_owned(),
            5120 if self.experts == 2 => "A14B".to_owned(),
            5120 => "14B".to_owned(),
            width => format!("of width {width}"),
        };
        let (version, kind) = match (self.kind, self.experts) {
            (Kind::TextToVideo, 2) => ("2.2 ", "T2V"),
            (Kind::TextToVideo, _) => ("", "T2V"),
            (Kind::ImageToVideo { last: true, .. }, _) => ("2.1 ", "FLF2V"),
            (Kind::ImageToVideo { clip: true, .. }, _) => ("2.1 ", "I2V"),
            (Kind::ImageToVideo { clip: false, .. }, _) => ("2.2 ", "I2V"),
            (Kind::Vace, 2) => ("2.2 ", "VACE"),
            (Kind::Vace, _) => ("", "VACE"),
            (Kind::TextImageToVideo, _) => ("2.2 ", "TI2V"),
        };
        format!("Wan {version}{kind} {size}")
    }
}
