//! Describes a file of weights that no layout recognises, by the names of its tensors.

use crate::weights::source::Source;

/// The end of a tensor name that only one kind of file has, and the description of that kind in messages.
const KINDS: &[(&str, &str)] = &[
    (".lora_A.weight", "a LoRA"),
    (".lora_down.weight", "a LoRA"),
    (".lora_A.default.weight", "a LoRA"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", "a T5 text encoder"),
    ("enc.blk.0.attn_q.weight", "a T5 text encoder"),
    ("text_model.encoder.layers.0.self_attn.q_proj.weight", "a CLIP text encoder"),
    ("transformer.resblocks.0.attn.in_proj_weight", "a CLIP text encoder"),
    ("double_blocks.0.img_attn.proj.weight", "a transformer of the FLUX kind"),
    ("transformer_blocks.0.attn.to_q.weight", "a transformer of the FLUX kind"),
    ("input_blocks.0.0.weight", "a Stable Diffusion UNet"),
    ("down_blocks.0.resnets.0.time_emb_proj.weight", "a Stable Diffusion UNet"),
    ("decoder.conv_in.weight", "an autoencoder of another family"),
    ("decoder.22.bias", "a tiny autoencoder for previews"),
    ("vace_blocks.0.after_proj.weight", "the VACE blocks of a Wan transformer without the rest of it"),
    ("time_projection.1.weight", "a part of a Wan transformer"),
];

/// Describes in words a file that holds no known network.
pub(super) fn describe(source: &Source) -> String {
    let kind = KINDS.iter().find(|(end, _)| source.names().any(|name| name.ends_with(end)));
    match (kind, source.names().next()) {
        (Some((_, kind)), _) => format!("holds {kind}"),
        (None, Some(first)) => {
            format!("holds {} tensors that no layout names, {first} first", source.names().count())
        }
        (None, None) => "holds no tensors".to_owned(),
    }
}
