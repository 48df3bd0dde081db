//! The image encoder of Wan 2.1: the vision half of CLIP ViT-H/14.

use crate::weights::Dim::{Last, Rest};
use crate::weights::Rule::{Drop, Rename, Split};
use crate::weights::{Layout, Network, Part};

/// The image encoder of Wan 2.1: the vision half of CLIP ViT-H/14.
pub(crate) static NETWORK: Network = Network {
    name: "CLIP image encoder",
    part: Part::ImageEncoder,
    names: &[&[
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.patch_embedding.weight",
        "vision_model.embeddings.position_embedding.weight",
        "vision_model.pre_layrnorm.",
        "vision_model.encoder.layers.*.layer_norm1.",
        "vision_model.encoder.layers.*.self_attn.q_proj.",
        "vision_model.encoder.layers.*.self_attn.k_proj.",
        "vision_model.encoder.layers.*.self_attn.v_proj.",
        "vision_model.encoder.layers.*.self_attn.out_proj.",
        "vision_model.encoder.layers.*.layer_norm2.",
        "vision_model.encoder.layers.*.mlp.fc1.",
        "vision_model.encoder.layers.*.mlp.fc2.",
        "vision_model.post_layernorm.",
    ]],
    shapes: &[
        ("vision_model.embeddings.class_embedding", &[Rest]),
        ("vision_model.embeddings.position_embedding.weight", &[Rest, Last]),
    ],
};

/// The names of transformers 4 and ComfyUI.
pub(super) static TRANSFORMERS: Layout = Layout {
    name: "transformers",
    network: &NETWORK,
    has: &["vision_model.embeddings.class_embedding", "vision_model.encoder.layers.0.layer_norm1.weight"],
    rules: &[&[Drop("text_model.**"), Drop("text_projection.weight"), Drop("visual_projection.weight")]],
};

/// The names of transformers 5.
pub(super) static TRANSFORMERS_5: Layout = Layout {
    name: "transformers 5",
    network: &NETWORK,
    has: &["embeddings.class_embedding", "encoder.layers.0.layer_norm1.weight", "pre_layrnorm.weight"],
    rules: &[&[
        Rename("embeddings.**", "vision_model.embeddings.**"),
        Rename("encoder.**", "vision_model.encoder.**"),
        Rename("pre_layrnorm.", "vision_model.pre_layrnorm."),
        Rename("post_layernorm.", "vision_model.post_layernorm."),
        Drop("visual_projection.weight"),
    ]],
};

/// The names of the original repositories.
pub(super) static ORIGINAL: Layout = Layout {
    name: "original",
    network: &NETWORK,
    has: &["visual.cls_embedding", "visual.transformer.0.attn.to_qkv.weight"],
    rules: &[&[
        Rename("visual.cls_embedding", "vision_model.embeddings.class_embedding"),
        Rename("visual.pos_embedding", "vision_model.embeddings.position_embedding.weight"),
        Rename("visual.patch_embedding.weight", "vision_model.embeddings.patch_embedding.weight"),
        Rename("visual.pre_norm.", "vision_model.pre_layrnorm."),
        Rename("visual.post_norm.", "vision_model.post_layernorm."),
        Rename("visual.transformer.*.norm1.", "vision_model.encoder.layers.*.layer_norm1."),
        Split(
            "visual.transformer.*.attn.to_qkv.",
            &[
                ("vision_model.encoder.layers.*.self_attn.q_proj.", 1),
                ("vision_model.encoder.layers.*.self_attn.k_proj.", 1),
                ("vision_model.encoder.layers.*.self_attn.v_proj.", 1),
            ],
        ),
        Rename("visual.transformer.*.attn.proj.", "vision_model.encoder.layers.*.self_attn.out_proj."),
        Rename("visual.transformer.*.norm2.", "vision_model.encoder.layers.*.layer_norm2."),
        Rename("visual.transformer.*.mlp.0.", "vision_model.encoder.layers.*.mlp.fc1."),
        Rename("visual.transformer.*.mlp.2.", "vision_model.encoder.layers.*.mlp.fc2."),
        Drop("visual.head"),
        Drop("textual.**"),
        Drop("log_scale"),
    ]],
};
