//! Models related to FLUX.1 that share the names of its blocks but need code that MUST does not have. They are recognised so
//! that the error can name them.

use crate::weights::{Layout, Network, Part};

/// The transformer of FLUX.2.
pub(crate) static FLUX_2: Network =
    Network { name: "FLUX.2 transformer", part: Part::Transformer, names: &[], shapes: &[] };

/// The transformer of Chroma.
pub(crate) static CHROMA: Network =
    Network { name: "Chroma transformer", part: Part::Transformer, names: &[], shapes: &[] };

/// Creates a layout that identifies a file and maps none of its tensors.
const fn marked(name: &'static str, network: &'static Network, has: &'static [&'static str]) -> Layout {
    Layout { name, network, has, rules: &[] }
}

pub(super) static FLUX_2_DIFFUSERS: Layout = marked(
    "diffusers",
    &FLUX_2,
    &["double_stream_modulation_img.linear.weight", "transformer_blocks.0.attn.to_q.weight"],
);
pub(super) static FLUX_2_ORIGINAL: Layout =
    marked("original", &FLUX_2, &["double_stream_modulation_img.lin.weight", "double_blocks.0.img_attn.qkv.weight"]);
pub(super) static CHROMA_DIFFUSERS: Layout =
    marked("diffusers", &CHROMA, &["distilled_guidance_layer.in_proj.weight", "transformer_blocks.0.attn.to_q.weight"]);
pub(super) static CHROMA_ORIGINAL: Layout =
    marked("original", &CHROMA, &["distilled_guidance_layer.in_proj.weight", "double_blocks.0.img_attn.qkv.weight"]);
