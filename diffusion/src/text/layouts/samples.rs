//! Names and shapes of published text encoders. They are written by hand from the publishers' code, and not from the tables
//! under test.

use crate::testing::samples::{Sample, SampleBuilder, below};

/// Returns UMT5 with the names of transformers: `width`, feed-forward width, blocks, heads of 64 channels.
pub(crate) fn umt5(width: usize, feed: usize, blocks: usize, vocabulary: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("shared.weight", &[vocabulary, width]);
    for index in 0..blocks {
        let name = format!("encoder.block.{index}.layer.0");
        writer.put(format!("{name}.layer_norm.weight"), &[width]);
        for layer in ["q", "k", "v", "o"] {
            writer.put(format!("{name}.SelfAttention.{layer}.weight"), &[width, width]);
        }
        writer.put(format!("{name}.SelfAttention.relative_attention_bias.weight"), &[32, width / 64]);
        let name = format!("encoder.block.{index}.layer.1");
        writer.put(format!("{name}.layer_norm.weight"), &[width]);
        writer.put(format!("{name}.DenseReluDense.wi_0.weight"), &[feed, width]);
        writer.put(format!("{name}.DenseReluDense.wi_1.weight"), &[feed, width]);
        writer.put(format!("{name}.DenseReluDense.wo.weight"), &[width, feed]);
    }
    writer.put("encoder.final_layer_norm.weight", &[width]);
    writer.0
}

/// Returns UMT5-XXL.
pub(crate) fn umt5_xxl() -> Sample {
    umt5(4096, 10_240, 24, 256_384)
}

/// Returns UMT5 with the names of the original repositories.
pub(crate) fn umt5_original(width: usize, feed: usize, blocks: usize, vocabulary: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("token_embedding.weight", &[vocabulary, width]);
    for index in 0..blocks {
        writer.put(format!("blocks.{index}.norm1.weight"), &[width]);
        for layer in ["q", "k", "v", "o"] {
            writer.put(format!("blocks.{index}.attn.{layer}.weight"), &[width, width]);
        }
        writer.put(format!("blocks.{index}.norm2.weight"), &[width]);
        writer.put(format!("blocks.{index}.ffn.gate.0.weight"), &[feed, width]);
        writer.put(format!("blocks.{index}.ffn.fc1.weight"), &[feed, width]);
        writer.put(format!("blocks.{index}.ffn.fc2.weight"), &[width, feed]);
        writer.put(format!("blocks.{index}.pos_embedding.embedding.weight"), &[32, width / 64]);
    }
    writer.put("norm.weight", &[width]);
    writer.0
}

/// Returns UMT5 with the names of llama.cpp.
pub(crate) fn umt5_gguf(width: usize, feed: usize, blocks: usize, vocabulary: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("token_embd.weight", &[vocabulary, width]);
    for index in 0..blocks {
        for layer in ["q", "k", "v", "o"] {
            writer.put(format!("enc.blk.{index}.attn_{layer}.weight"), &[width, width]);
        }
        writer.put(format!("enc.blk.{index}.attn_norm.weight"), &[width]);
        writer.put(format!("enc.blk.{index}.attn_rel_b.weight"), &[32, width / 64]);
        writer.put(format!("enc.blk.{index}.ffn_gate.weight"), &[feed, width]);
        writer.put(format!("enc.blk.{index}.ffn_up.weight"), &[feed, width]);
        writer.put(format!("enc.blk.{index}.ffn_down.weight"), &[width, feed]);
        writer.put(format!("enc.blk.{index}.ffn_norm.weight"), &[width]);
    }
    writer.put("enc.output_norm.weight", &[width]);
    writer.0
}

/// Returns T5 with the names of transformers. Only the first block has a bias.
pub(crate) fn t5(width: usize, feed: usize, blocks: usize, vocabulary: usize) -> Sample {
    let own = |name: &str| name.contains("relative_attention_bias") && !name.starts_with("encoder.block.0.");
    umt5(width, feed, blocks, vocabulary).into_iter().filter(|(name, _)| !own(name)).collect()
}

/// Returns T5 with the names of llama.cpp.
pub(crate) fn t5_gguf(width: usize, feed: usize, blocks: usize, vocabulary: usize) -> Sample {
    let own = |name: &str| name.contains("attn_rel_b") && !name.starts_with("enc.blk.0.");
    umt5_gguf(width, feed, blocks, vocabulary).into_iter().filter(|(name, _)| !own(name)).collect()
}

/// Returns T5-XXL v1.1.
pub(crate) fn t5_xxl() -> Sample {
    t5(4096, 10_240, 24, 32_128)
}

/// Returns CLIP's text encoder with the names of transformers 5, without `text_model.`
pub(crate) fn clip_text(width: usize, layers: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("embeddings.token_embedding.weight", &[49_408, width]);
    writer.put("embeddings.position_embedding.weight", &[77, width]);
    for index in 0..layers {
        let name = format!("encoder.layers.{index}");
        for layer in ["k_proj", "v_proj", "q_proj", "out_proj"] {
            writer.layer(format!("{name}.self_attn.{layer}"), &[width, width]);
        }
        writer.layer(format!("{name}.layer_norm1"), &[width]);
        writer.layer(format!("{name}.mlp.fc1"), &[4 * width, width]);
        writer.layer(format!("{name}.mlp.fc2"), &[width, 4 * width]);
        writer.layer(format!("{name}.layer_norm2"), &[width]);
    }
    writer.layer("final_layer_norm", &[width]);
    writer.0
}

/// Returns L with the names of transformers 4, of ComfyUI and of files with all parts of a model.
pub(crate) fn clip_l() -> Sample {
    below("text_model.", &clip_text(768, 12))
}

/// Returns bigG with the names of transformers and ComfyUI.
pub(crate) fn clip_g() -> Sample {
    let mut sample = below("text_model.", &clip_text(1280, 32));
    sample.push(("text_projection.weight".to_owned(), vec![1280, 1280]));
    sample
}

/// Returns CLIP's text encoder with the names of OpenAI and OpenCLIP, with a projection to `projected` numbers.
pub(crate) fn clip_open(width: usize, layers: usize, projected: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("positional_embedding", &[77, width]);
    writer.put("text_projection", &[width, projected]);
    writer.put("logit_scale", &[]);
    writer.put("token_embedding.weight", &[49_408, width]);
    for index in 0..layers {
        let name = format!("transformer.resblocks.{index}");
        writer.put(format!("{name}.attn.in_proj_weight"), &[3 * width, width]);
        writer.put(format!("{name}.attn.in_proj_bias"), &[3 * width]);
        writer.layer(format!("{name}.attn.out_proj"), &[width, width]);
        writer.layer(format!("{name}.ln_1"), &[width]);
        writer.layer(format!("{name}.mlp.c_fc"), &[4 * width, width]);
        writer.layer(format!("{name}.mlp.c_proj"), &[width, 4 * width]);
        writer.layer(format!("{name}.ln_2"), &[width]);
    }
    writer.layer("ln_final", &[width]);
    writer.0
}
