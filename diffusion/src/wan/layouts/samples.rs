//! Names and shapes of published files. They are written by hand from the publishers' code, and not from the tables under
//! test.

use super::LAYOUTS;
use crate::testing::samples::SampleBuilder;
pub(crate) use crate::testing::samples::{Folder, Sample, below, source};
pub(crate) use crate::text::layouts::samples::{umt5, umt5_gguf, umt5_original, umt5_xxl};
use crate::weights::Inventory;

impl Folder {
    pub(crate) fn inventory(&self) -> Inventory {
        self.inventory_of(LAYOUTS)
    }
}

/// Sizes of a transformer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) dim: usize,
    pub(crate) ffn: usize,
    pub(crate) layers: usize,
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) text: usize,
    /// `None` without image tokens. Otherwise the number of image tokens with a position embedding, if they have one.
    pub(crate) image: Option<Option<usize>>,
    /// The number of VACE blocks and of their input channels.
    pub(crate) vace: Option<(usize, usize)>,
}

const fn sizes(dim: usize, ffn: usize, layers: usize, input: usize) -> Sizes {
    Sizes { dim, ffn, layers, input, output: 16, text: 4096, image: None, vace: None }
}

pub(crate) const T2V_1_3B: Sizes = sizes(1536, 8960, 30, 16);
pub(crate) const T2V_14B: Sizes = sizes(5120, 13824, 40, 16);
pub(crate) const I2V_14B: Sizes = Sizes { image: Some(None), ..sizes(5120, 13824, 40, 36) };
pub(crate) const FLF2V_14B: Sizes = Sizes { image: Some(Some(514)), ..I2V_14B };
pub(crate) const VACE_1_3B: Sizes = Sizes { vace: Some((15, 96)), ..T2V_1_3B };
pub(crate) const VACE_14B: Sizes = Sizes { vace: Some((8, 96)), ..T2V_14B };
pub(crate) const I2V_A14B: Sizes = sizes(5120, 13824, 40, 36);
pub(crate) const TI2V_5B: Sizes = Sizes { output: 48, ..sizes(3072, 14336, 30, 48) };

/// The sizes of all published transformers.
pub(crate) const ALL: [Sizes; 8] = [T2V_1_3B, T2V_14B, I2V_14B, FLF2V_14B, VACE_1_3B, VACE_14B, I2V_A14B, TI2V_5B];

/// Returns a transformer with the original repositories' names.
pub(crate) fn original(sizes: Sizes) -> Sample {
    let Sizes { dim, ffn, layers, input, output, text, .. } = sizes;
    let mut writer = SampleBuilder::default();
    let block = |writer: &mut SampleBuilder, name: &str| {
        writer.put(format!("{name}.modulation"), &[1, 6, dim]);
        for attention in ["self_attn", "cross_attn"] {
            for layer in ["q", "k", "v", "o"] {
                writer.layer(format!("{name}.{attention}.{layer}"), &[dim, dim]);
            }
            writer.put(format!("{name}.{attention}.norm_q.weight"), &[dim]);
            writer.put(format!("{name}.{attention}.norm_k.weight"), &[dim]);
        }
        writer.layer(format!("{name}.norm3"), &[dim]);
        writer.layer(format!("{name}.ffn.0"), &[ffn, dim]);
        writer.layer(format!("{name}.ffn.2"), &[dim, ffn]);
    };
    writer.layer("patch_embedding", &[dim, input, 1, 2, 2]);
    writer.layer("text_embedding.0", &[dim, text]);
    writer.layer("text_embedding.2", &[dim, dim]);
    writer.layer("time_embedding.0", &[dim, 256]);
    writer.layer("time_embedding.2", &[dim, dim]);
    writer.layer("time_projection.1", &[6 * dim, dim]);
    for index in 0..layers {
        block(&mut writer, &format!("blocks.{index}"));
        if sizes.image.is_some() {
            writer.layer(format!("blocks.{index}.cross_attn.k_img"), &[dim, dim]);
            writer.layer(format!("blocks.{index}.cross_attn.v_img"), &[dim, dim]);
            writer.put(format!("blocks.{index}.cross_attn.norm_k_img.weight"), &[dim]);
        }
    }
    writer.layer("head.head", &[4 * output, dim]);
    writer.put("head.modulation", &[1, 2, dim]);
    if let Some(positions) = sizes.image {
        writer.layer("img_emb.proj.0", &[1280]);
        writer.layer("img_emb.proj.1", &[1280, 1280]);
        writer.layer("img_emb.proj.3", &[dim, 1280]);
        writer.layer("img_emb.proj.4", &[dim]);
        if let Some(positions) = positions {
            writer.put("img_emb.emb_pos", &[1, positions, 1280]);
        }
    }
    if let Some((blocks, channels)) = sizes.vace {
        writer.layer("vace_patch_embedding", &[dim, channels, 1, 2, 2]);
        for index in 0..blocks {
            block(&mut writer, &format!("vace_blocks.{index}"));
            if index == 0 {
                writer.layer("vace_blocks.0.before_proj", &[dim, dim]);
            }
            writer.layer(format!("vace_blocks.{index}.after_proj"), &[dim, dim]);
        }
    }
    writer.0
}

/// Returns a transformer with the names of diffusers.
pub(crate) fn diffusers(sizes: Sizes) -> Sample {
    let Sizes { dim, ffn, layers, input, output, text, .. } = sizes;
    let mut writer = SampleBuilder::default();
    let block = |writer: &mut SampleBuilder, name: &str| {
        writer.put(format!("{name}.scale_shift_table"), &[1, 6, dim]);
        for attention in ["attn1", "attn2"] {
            for layer in ["to_q", "to_k", "to_v", "to_out.0"] {
                writer.layer(format!("{name}.{attention}.{layer}"), &[dim, dim]);
            }
            writer.put(format!("{name}.{attention}.norm_q.weight"), &[dim]);
            writer.put(format!("{name}.{attention}.norm_k.weight"), &[dim]);
        }
        writer.layer(format!("{name}.norm2"), &[dim]);
        writer.layer(format!("{name}.ffn.net.0.proj"), &[ffn, dim]);
        writer.layer(format!("{name}.ffn.net.2"), &[dim, ffn]);
    };
    writer.put("scale_shift_table", &[1, 2, dim]);
    writer.layer("patch_embedding", &[dim, input, 1, 2, 2]);
    writer.layer("condition_embedder.time_embedder.linear_1", &[dim, 256]);
    writer.layer("condition_embedder.time_embedder.linear_2", &[dim, dim]);
    writer.layer("condition_embedder.time_proj", &[6 * dim, dim]);
    writer.layer("condition_embedder.text_embedder.linear_1", &[dim, text]);
    writer.layer("condition_embedder.text_embedder.linear_2", &[dim, dim]);
    if let Some(positions) = sizes.image {
        let image = "condition_embedder.image_embedder";
        writer.layer(format!("{image}.norm1"), &[1280]);
        writer.layer(format!("{image}.ff.net.0.proj"), &[1280, 1280]);
        writer.layer(format!("{image}.ff.net.2"), &[dim, 1280]);
        writer.layer(format!("{image}.norm2"), &[dim]);
        if let Some(positions) = positions {
            writer.put(format!("{image}.pos_embed"), &[1, positions, 1280]);
        }
    }
    for index in 0..layers {
        block(&mut writer, &format!("blocks.{index}"));
        if sizes.image.is_some() {
            writer.layer(format!("blocks.{index}.attn2.add_k_proj"), &[dim, dim]);
            writer.layer(format!("blocks.{index}.attn2.add_v_proj"), &[dim, dim]);
            writer.put(format!("blocks.{index}.attn2.norm_added_k.weight"), &[dim]);
        }
    }
    writer.layer("proj_out", &[4 * output, dim]);
    if let Some((blocks, channels)) = sizes.vace {
        writer.layer("vace_patch_embedding", &[dim, channels, 1, 2, 2]);
        for index in 0..blocks {
            block(&mut writer, &format!("vace_blocks.{index}"));
            if index == 0 {
                writer.layer("vace_blocks.0.proj_in", &[dim, dim]);
            }
            writer.layer(format!("vace_blocks.{index}.proj_out"), &[dim, dim]);
        }
    }
    writer.0
}

/// The names inside one block of an autoencoder: norms, convolutions and the shortcut.
struct Residual([&'static str; 5]);

const ORIGINAL_BLOCK: Residual =
    Residual(["residual.0.gamma", "residual.2", "residual.3.gamma", "residual.6", "shortcut"]);
const DIFFUSERS_BLOCK: Residual = Residual(["norm1.gamma", "conv1", "norm2.gamma", "conv2", "conv_shortcut"]);

impl SampleBuilder {
    fn residual(&mut self, names: &Residual, at: &str, inputs: usize, outputs: usize) {
        let [norm1, conv1, norm2, conv2, shortcut] = names.0;
        self.put(format!("{at}.{norm1}"), &[inputs, 1, 1, 1]);
        self.layer(format!("{at}.{conv1}"), &[outputs, inputs, 3, 3, 3]);
        self.put(format!("{at}.{norm2}"), &[outputs, 1, 1, 1]);
        self.layer(format!("{at}.{conv2}"), &[outputs, outputs, 3, 3, 3]);
        if inputs != outputs {
            self.layer(format!("{at}.{shortcut}"), &[outputs, inputs, 1, 1, 1]);
        }
    }

    fn middle(&mut self, names: &Residual, at: [String; 3], width: usize) {
        let [first, attention, second] = at;
        self.residual(names, &first, width, width);
        self.put(format!("{attention}.norm.gamma"), &[width, 1, 1]);
        self.layer(format!("{attention}.to_qkv"), &[3 * width, width, 1, 1]);
        self.layer(format!("{attention}.proj"), &[width, width, 1, 1]);
        self.residual(names, &second, width, width);
    }
}

/// Returns the autoencoder of 2.1 with `base` channels and `blocks` residual blocks a level, with the names of diffusers or
/// the original ones.
pub(crate) fn vae_2_1(base: usize, blocks: usize, diffusers: bool) -> Sample {
    let mut writer = SampleBuilder::default();
    let names = if diffusers { DIFFUSERS_BLOCK } else { ORIGINAL_BLOCK };
    let widths = [base, 2 * base, 4 * base, 4 * base];
    let half = |part: &str, own: &str| if diffusers { format!("{part}.{own}") } else { part.to_owned() };
    let top = 4 * base;
    for part in ["encoder", "decoder"] {
        let middle = if diffusers {
            ["resnets.0", "attentions.0", "resnets.1"].map(|name| format!("{part}.mid_block.{name}"))
        } else {
            [0, 1, 2].map(|index| format!("{part}.middle.{index}"))
        };
        let ends =
            if diffusers { ["conv_in", "norm_out.gamma", "conv_out"] } else { ["conv1", "head.0.gamma", "head.2"] };
        let [first, norm, last] = ends.map(|name| format!("{part}.{name}"));
        let (inputs, outputs) = if part == "encoder" { ([base, 3], [32, top]) } else { ([top, 16], [3, base]) };
        writer.layer(first, &[inputs[0], inputs[1], 3, 3, 3]);
        writer.middle(&names, middle, top);
        writer.put(norm, &[outputs[1], 1, 1, 1]);
        writer.layer(last, &[outputs[0], outputs[1], 3, 3, 3]);
    }
    writer.layer(if diffusers { "quant_conv" } else { "conv1" }, &[32, 32, 1, 1, 1]);
    writer.layer(if diffusers { "post_quant_conv" } else { "conv2" }, &[16, 16, 1, 1, 1]);

    let downs = if diffusers { half("encoder", "down_blocks") } else { "encoder.downsamples".to_owned() };
    let (mut index, mut width) = (0, base);
    for (level, &next) in widths.iter().enumerate() {
        for _ in 0..blocks {
            writer.residual(&names, &format!("{downs}.{index}"), width, next);
            (index, width) = (index + 1, next);
        }
        if level < 3 {
            writer.layer(format!("{downs}.{index}.resample.1"), &[width, width, 3, 3]);
            if level > 0 {
                writer.layer(format!("{downs}.{index}.time_conv"), &[width, width, 3, 1, 1]);
            }
            index += 1;
        }
    }

    // Each upsampling halves the width, and the blocks after it double it again.
    let (mut index, mut width) = (0, top);
    for (level, &next) in widths.iter().rev().enumerate() {
        for block in 0..=blocks {
            let at = if diffusers {
                format!("decoder.up_blocks.{level}.resnets.{block}")
            } else {
                format!("decoder.upsamples.{index}")
            };
            writer.residual(&names, &at, width, next);
            (index, width) = (index + 1, next);
        }
        if level < 3 {
            let at = if diffusers {
                format!("decoder.up_blocks.{level}.upsamplers.0")
            } else {
                format!("decoder.upsamples.{index}")
            };
            writer.layer(format!("{at}.resample.1"), &[width / 2, width, 3, 3]);
            if level < 2 {
                writer.layer(format!("{at}.time_conv"), &[2 * width, width, 3, 1, 1]);
            }
            (index, width) = (index + 1, width / 2);
        }
    }
    writer.0
}

/// Returns the autoencoder of 2.2 in its published size, with the names of diffusers or the original ones.
pub(crate) fn vae_2_2(diffusers: bool) -> Sample {
    let mut writer = SampleBuilder::default();
    let names = if diffusers { DIFFUSERS_BLOCK } else { ORIGINAL_BLOCK };
    let name = |original: &'static str, other: &'static str| if diffusers { other } else { original };
    for (part, width, input, top, output) in [("encoder", 160, 12, 640, 96), ("decoder", 256, 48, 1024, 12)] {
        let first = if part == "encoder" { width } else { top };
        let last = if part == "encoder" { top } else { width };
        let middle = if diffusers {
            ["resnets.0", "attentions.0", "resnets.1"].map(|name| format!("{part}.mid_block.{name}"))
        } else {
            [0, 1, 2].map(|index| format!("{part}.middle.{index}"))
        };
        writer.layer(format!("{part}.{}", name("conv1", "conv_in")), &[first, input, 3, 3, 3]);
        writer.middle(&names, middle, top);
        writer.put(format!("{part}.{}", name("head.0.gamma", "norm_out.gamma")), &[last, 1, 1, 1]);
        writer.layer(format!("{part}.{}", name("head.2", "conv_out")), &[output, last, 3, 3, 3]);
    }
    writer.layer(name("conv1", "quant_conv"), &[96, 96, 1, 1, 1]);
    writer.layer(name("conv2", "post_quant_conv"), &[48, 48, 1, 1, 1]);
    let mut width = 160;
    for (level, next) in [160, 320, 640, 640].into_iter().enumerate() {
        let at = |block: usize| match diffusers {
            true => format!("encoder.down_blocks.{level}.resnets.{block}"),
            false => format!("encoder.downsamples.{level}.downsamples.{block}"),
        };
        for block in 0..2 {
            writer.residual(&names, &at(block), width, next);
            width = next;
        }
        if level < 3 {
            let at = if diffusers { format!("encoder.down_blocks.{level}.downsampler") } else { at(2) };
            writer.layer(format!("{at}.resample.1"), &[width, width, 3, 3]);
            if level > 0 {
                writer.layer(format!("{at}.time_conv"), &[width, width, 3, 1, 1]);
            }
        }
    }
    let mut width = 1024;
    for (level, next) in [1024, 1024, 512, 256].into_iter().enumerate() {
        let at = |block: usize| match diffusers {
            true => format!("decoder.up_blocks.{level}.resnets.{block}"),
            false => format!("decoder.upsamples.{level}.upsamples.{block}"),
        };
        for block in 0..3 {
            writer.residual(&names, &at(block), width, next);
            width = next;
        }
        if level < 3 {
            let at = if diffusers { format!("decoder.up_blocks.{level}.upsampler") } else { at(3) };
            writer.layer(format!("{at}.resample.1"), &[width, width, 3, 3]);
            if level < 2 {
                writer.layer(format!("{at}.time_conv"), &[2 * width, width, 3, 1, 1]);
            }
        }
    }
    writer.0
}

/// Returns the CLIP image encoder with the names of transformers, without `vision_model.`
pub(crate) fn clip(width: usize, layers: usize) -> Sample {
    let mut writer = SampleBuilder::default();
    writer.put("embeddings.class_embedding", &[width]);
    writer.put("embeddings.patch_embedding.weight", &[width, 3, 14, 14]);
    writer.put("embeddings.position_embedding.weight", &[257, width]);
    writer.layer("pre_layrnorm", &[width]);
    for index in 0..layers {
        let name = format!("encoder.layers.{index}");
        writer.layer(format!("{name}.layer_norm1"), &[width]);
        for layer in ["q_proj", "k_proj", "v_proj", "out_proj"] {
            writer.layer(format!("{name}.self_attn.{layer}"), &[width, width]);
        }
        writer.layer(format!("{name}.layer_norm2"), &[width]);
        writer.layer(format!("{name}.mlp.fc1"), &[4 * width, width]);
        writer.layer(format!("{name}.mlp.fc2"), &[width, 4 * width]);
    }
    writer.layer("post_layernorm", &[width]);
    writer.0
}

/// Returns ViT-H/14 with the names of ComfyUI.
pub(crate) fn clip_vision_h() -> Sample {
    let mut sample = below("vision_model.", &clip(1280, 32));
    sample.push(("visual_projection.weight".to_owned(), vec![1024, 1280]));
    sample
}

/// Returns ViT-H/14 with the names of the original repositories, and with some tensors of its text half.
pub(crate) fn clip_original() -> Sample {
    let width = 1280;
    let mut writer = SampleBuilder::default();
    writer.put("log_scale", &[]);
    writer.put("visual.cls_embedding", &[1, 1, width]);
    writer.put("visual.pos_embedding", &[1, 257, width]);
    writer.put("visual.patch_embedding.weight", &[width, 3, 14, 14]);
    writer.layer("visual.pre_norm", &[width]);
    for index in 0..32 {
        let name = format!("visual.transformer.{index}");
        writer.layer(format!("{name}.norm1"), &[width]);
        writer.layer(format!("{name}.attn.to_qkv"), &[3 * width, width]);
        writer.layer(format!("{name}.attn.proj"), &[width, width]);
        writer.layer(format!("{name}.norm2"), &[width]);
        writer.layer(format!("{name}.mlp.0"), &[4 * width, width]);
        writer.layer(format!("{name}.mlp.2"), &[width, 4 * width]);
    }
    writer.layer("visual.post_norm", &[width]);
    writer.put("visual.head", &[width, 1024]);
    writer.put("textual.token_embedding.weight", &[250_002, 1024]);
    writer.layer("textual.blocks.0.attn.q", &[1024, 1024]);
    writer.0
}
