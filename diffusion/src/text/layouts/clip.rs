//! The layouts of CLIP's text encoders in SDXL (L and bigG) and FLUX (L).

use crate::weights::Rule::{Drop, Rename, Split, Transpose};
use crate::weights::{Layout, Network, Part};

/// The text encoder. A file may hold several with different widths.
pub(crate) static NETWORK: Network = Network {
    name: "CLIP text encoder",
    part: Part::TextEncoder,
    names: &[&[
        "text_model.embeddings.token_embedding.weight",
        "text_model.embeddings.position_embedding.weight",
        "text_model.encoder.layers.*.layer_norm1.",
        "text_model.encoder.layers.*.self_attn.q_proj.",
        "text_model.encoder.layers.*.self_attn.k_proj.",
        "text_model.encoder.layers.*.self_attn.v_proj.",
        "text_model.encoder.layers.*.self_attn.out_proj.",
        "text_model.encoder.layers.*.layer_norm2.",
        "text_model.encoder.layers.*.mlp.fc1.",
        "text_model.encoder.layers.*.mlp.fc2.",
        "text_model.final_layer_norm.",
        "text_projection.weight",
    ]],
    shapes: &[],
};

/// The names of transformers 4 and ComfyUI, and of the encoder L in a file with all parts of a model.
pub(crate) static TRANSFORMERS: Layout = Layout {
    name: "transformers",
    network: &NETWORK,
    has: &[
        "text_model.embeddings.token_embedding.weight",
        "text_model.encoder.layers.0.self_attn.q_proj.weight",
        "text_model.final_layer_norm.weight",
    ],
    // A file with the whole of CLIP also holds the image encoder.
    rules: &[&[Drop("vision_model.**"), Drop("visual_projection.weight")]],
};

/// The names of transformers 5 and of very old files.
pub(crate) static TRANSFORMERS_5: Layout = Layout {
    name: "transformers 5",
    network: &NETWORK,
    has: &["embeddings.token_embedding.weight", "encoder.layers.0.self_attn.q_proj.weight", "final_layer_norm.weight"],
    rules: &[&[
        Rename("embeddings.**", "text_model.embeddings.**"),
        Rename("encoder.**", "text_model.encoder.**"),
        Rename("final_layer_norm.", "text_model.final_layer_norm."),
    ]],
};

/// The names of OpenAI and OpenCLIP, and of the encoder bigG in a file with all parts of a model.
pub(crate) static OPEN_CLIP: Layout = Layout {
    name: "OpenCLIP",
    network: &NETWORK,
    has: &[
        "transformer.resblocks.0.attn.in_proj_weight",
        "token_embedding.weight",
        "positional_embedding",
        "ln_final.weight",
    ],
    rules: &[&[
        Rename("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
        Rename("positional_embedding", "text_model.embeddings.position_embedding.weight"),
        Rename("transformer.resblocks.*.ln_1.", "text_model.encoder.layers.*.layer_norm1."),
        // These names have no dot before `weight`.
        Split(
            "transformer.resblocks.*.attn.in_proj_weight",
            &[
                ("text_model.encoder.layers.*.self_attn.q_proj.weight", 1),
                ("text_model.encoder.layers.*.self_attn.k_proj.weight", 1),
                ("text_model.encoder.layers.*.self_attn.v_proj.weight", 1),
            ],
        ),
        Split(
            "transformer.resblocks.*.attn.in_proj_bias",
            &[
                ("text_model.encoder.layers.*.self_attn.q_proj.bias", 1),
                ("text_model.encoder.layers.*.self_attn.k_proj.bias", 1),
                ("text_model.encoder.layers.*.self_attn.v_proj.bias", 1),
            ],
        ),
        Rename("transformer.resblocks.*.attn.out_proj.", "text_model.encoder.layers.*.self_attn.out_proj."),
        Rename("transformer.resblocks.*.ln_2.", "text_model.encoder.layers.*.layer_norm2."),
        Rename("transformer.resblocks.*.mlp.c_fc.", "text_model.encoder.layers.*.mlp.fc1."),
        Rename("transformer.resblocks.*.mlp.c_proj.", "text_model.encoder.layers.*.mlp.fc2."),
        Rename("ln_final.", "text_model.final_layer_norm."),
        // The parameter `text_projection` is transposed. The layer `text_projection.weight` is not.
        Transpose("text_projection", "text_projection.weight"),
        Drop("visual.**"),
        Drop("attn_mask"),
    ]],
};
