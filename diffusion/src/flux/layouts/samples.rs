//! Names and shapes of published files, written by hand from the publishers' code and not from the tables under test.

pub(crate) use crate::testing::samples::{Folder, Sample, SampleBuilder, below, source};

/// Sizes of a transformer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) width: usize,
    pub(crate) double: usize,
    pub(crate) single: usize,
    pub(crate) input: usize,
    pub(crate) guided: bool,
}

pub(crate) const DEV: Sizes = Sizes { width: 3072, double: 19, single: 38, input: 64, guided: true };
pub(crate) const SCHNELL: Sizes = Sizes { guided: false, ..DEV };
pub(crate) const FILL: Sizes = Sizes { input: 384, ..DEV };
pub(crate) const DEPTH: Sizes = Sizes { input: 128, ..DEV };
/// Flex.1 and other models with fewer blocks.
pub(crate) const PRUNED: Sizes = Sizes { double: 8, ..DEV };

/// The transformer as Black Forest Labs names it: `Flux` in `src/flux/model.py`.
pub(crate) fn original(sizes: Sizes) -> Sample {
    let Sizes { width, .. } = sizes;
    let mut writer = SampleBuilder::default();
    writer.layer("img_in", &[width, sizes.input]);
    writer.layer("txt_in", &[width, 4096]);
    for (part, inputs) in [("time_in", 256), ("vector_in", 768), ("guidance_in", 256)] {
        if part != "guidance_in" || sizes.guided {
            writer.layer(format!("{part}.in_layer"), &[width, inputs]);
            writer.layer(format!("{part}.out_layer"), &[width, width]);
        }
    }
    for index in 0..sizes.double {
        for stream in ["img", "txt"] {
            let name = format!("double_blocks.{index}.{stream}");
            writer.layer(format!("{name}_mod.lin"), &[6 * width, width]);
            writer.layer(format!("{name}_attn.qkv"), &[3 * width, width]);
            writer.put(format!("{name}_attn.norm.query_norm.scale"), &[128]);
            writer.put(format!("{name}_attn.norm.key_norm.scale"), &[128]);
            writer.layer(format!("{name}_attn.proj"), &[width, width]);
            writer.layer(format!("{name}_mlp.0"), &[4 * width, width]);
            writer.layer(format!("{name}_mlp.2"), &[width, 4 * width]);
        }
    }
    for index in 0..sizes.single {
        let name = format!("single_blocks.{index}");
        writer.layer(format!("{name}.linear1"), &[7 * width, width]);
        writer.layer(format!("{name}.linear2"), &[width, 5 * width]);
        writer.put(format!("{name}.norm.query_norm.scale"), &[128]);
        writer.put(format!("{name}.norm.key_norm.scale"), &[128]);
        writer.layer(format!("{name}.modulation.lin"), &[3 * width, width]);
    }
    writer.layer("final_layer.linear", &[64, width]);
    writer.layer("final_layer.adaLN_modulation.1", &[2 * width, width]);
    writer.0
}

/// The transformer as diffusers names it.
pub(crate) fn diffusers(sizes: Sizes) -> Sample {
    let Sizes { width, .. } = sizes;
    let mut writer = SampleBuilder::default();
    writer.layer("x_embedder", &[width, sizes.input]);
    writer.layer("context_embedder", &[width, 4096]);
    for (part, inputs) in [("timestep_embedder", 256), ("text_embedder", 768), ("guidance_embedder", 256)] {
        if part != "guidance_embedder" || sizes.guided {
            writer.layer(format!("time_text_embed.{part}.linear_1"), &[width, inputs]);
            writer.layer(format!("time_text_embed.{part}.linear_2"), &[width, width]);
        }
    }
    for index in 0..sizes.double {
        let name = format!("transformer_blocks.{index}");
        writer.layer(format!("{name}.norm1.linear"), &[6 * width, width]);
        writer.layer(format!("{name}.norm1_context.linear"), &[6 * width, width]);
        for layer in ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"] {
            writer.layer(format!("{name}.attn.{layer}"), &[width, width]);
        }
        for norm in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
            writer.put(format!("{name}.attn.{norm}.weight"), &[128]);
        }
        for feed in ["ff", "ff_context"] {
            writer.layer(format!("{name}.{feed}.net.0.proj"), &[4 * width, width]);
            writer.layer(format!("{name}.{feed}.net.2"), &[width, 4 * width]);
        }
    }
    for index in 0..sizes.single {
        let name = format!("single_transformer_blocks.{index}");
        writer.layer(format!("{name}.norm.linear"), &[3 * width, width]);
        for layer in ["to_q", "to_k", "to_v"] {
            writer.layer(format!("{name}.attn.{layer}"), &[width, width]);
        }
        writer.put(format!("{name}.attn.norm_q.weight"), &[128]);
        writer.put(format!("{name}.attn.norm_k.weight"), &[128]);
        writer.layer(format!("{name}.proj_mlp"), &[4 * width, width]);
        writer.layer(format!("{name}.proj_out"), &[width, 5 * width]);
    }
    writer.layer("norm_out.linear", &[2 * width, width]);
    writer.layer("proj_out", &[64, width]);
    writer.0
}

/// The canonical tensors: those of diffusers, with the modulation before the output split in two.
pub(crate) fn canonical(sizes: Sizes) -> Sample {
    let mut writer = SampleBuilder(diffusers(sizes));
    writer.0.retain(|(name, _)| !name.starts_with("norm_out."));
    writer.layer("norm_out.scale", &[sizes.width, sizes.width]);
    writer.layer("norm_out.shift", &[sizes.width, sizes.width]);
    writer.0
}

/// Some tensor names of FLUX.2, in its original repository or in diffusers.
pub(crate) fn flux_2(diffusers: bool) -> Sample {
    let mut writer = SampleBuilder::default();
    if diffusers {
        writer.layer("x_embedder", &[6144, 128]);
        writer.layer("context_embedder", &[6144, 15_360]);
        writer.put("double_stream_modulation_img.linear.weight", &[36_864, 6144]);
        writer.put("transformer_blocks.0.attn.to_q.weight", &[6144, 6144]);
        writer.put("transformer_blocks.0.attn.add_q_proj.weight", &[6144, 6144]);
        writer.put("single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight", &[5000, 6144]);
        writer.put("norm_out.linear.weight", &[12_288, 6144]);
        writer.put("proj_out.weight", &[128, 6144]);
    } else {
        writer.put("img_in.weight", &[6144, 128]);
        writer.put("double_stream_modulation_img.lin.weight", &[36_864, 6144]);
        writer.put("double_blocks.0.img_attn.qkv.weight", &[18_432, 6144]);
        writer.put("single_blocks.0.linear1.weight", &[5000, 6144]);
        writer.put("final_layer.linear.weight", &[128, 6144]);
    }
    writer.0
}

/// Some tensor names of Chroma, by its author or in diffusers.
pub(crate) fn chroma(diffusers: bool) -> Sample {
    let dev = Sizes { guided: false, ..DEV };
    let mut sample = if diffusers { self::diffusers(dev) } else { original(dev) };
    let missing = ["_mod.", ".modulation.", "norm1", ".norm.linear", "time_", "vector_in", "adaLN", "norm_out"];
    sample.retain(|(name, _)| !missing.iter().any(|part| name.contains(part)));
    let mut writer = SampleBuilder(sample);
    writer.layer("distilled_guidance_layer.in_proj", &[5120, 64]);
    writer.layer("distilled_guidance_layer.out_proj", &[3072, 5120]);
    writer.0
}

/// The autoencoder as Black Forest Labs names it: `AutoEncoder` in `src/flux/modules/autoencoder.py`, with `channels` latent
/// channels. That of Stable Diffusion (4 channels) also has 1x1 convolutions before and after the latents.
pub(crate) fn autoencoder(channels: usize) -> Sample {
    const WIDTHS: [usize; 4] = [128, 256, 512, 512];
    let mut writer = SampleBuilder::default();
    let block = |writer: &mut SampleBuilder, name: String, inputs: usize, outputs: usize| {
        writer.layer(format!("{name}.norm1"), &[inputs]);
        writer.layer(format!("{name}.conv1"), &[outputs, inputs, 3, 3]);
        writer.layer(format!("{name}.norm2"), &[outputs]);
        writer.layer(format!("{name}.conv2"), &[outputs, outputs, 3, 3]);
        if inputs != outputs {
            writer.layer(format!("{name}.nin_shortcut"), &[outputs, inputs, 1, 1]);
        }
    };
    for (half, ends) in [("encoder", [(128, 3), (2 * channels, 512)]), ("decoder", [(512, channels), (3, 128)])] {
        writer.layer(format!("{half}.conv_in"), &[ends[0].0, ends[0].1, 3, 3]);
        block(&mut writer, format!("{half}.mid.block_1"), 512, 512);
        writer.layer(format!("{half}.mid.attn_1.norm"), &[512]);
        for layer in ["q", "k", "v", "proj_out"] {
            writer.layer(format!("{half}.mid.attn_1.{layer}"), &[512, 512, 1, 1]);
        }
        block(&mut writer, format!("{half}.mid.block_2"), 512, 512);
        writer.layer(format!("{half}.norm_out"), &[ends[1].1]);
        writer.layer(format!("{half}.conv_out"), &[ends[1].0, ends[1].1, 3, 3]);
    }
    let mut width = 128;
    for (level, &next) in WIDTHS.iter().enumerate() {
        for index in 0..2 {
            block(&mut writer, format!("encoder.down.{level}.block.{index}"), width, next);
            width = next;
        }
        if level < 3 {
            writer.layer(format!("encoder.down.{level}.downsample.conv"), &[next, next, 3, 3]);
        }
    }
    for (level, &next) in WIDTHS.iter().enumerate().rev() {
        for index in 0..3 {
            block(&mut writer, format!("decoder.up.{level}.block.{index}"), width, next);
            width = next;
        }
        if level > 0 {
            writer.layer(format!("decoder.up.{level}.upsample.conv"), &[next, next, 3, 3]);
        }
    }
    if channels == 4 {
        writer.layer("quant_conv", &[8, 8, 1, 1]);
        writer.layer("post_quant_conv", &[4, 4, 1, 1]);
    }
    writer.0
}

/// The published files of a transformer of these sizes.
pub(crate) fn published(sizes: Sizes) -> Folder {
    use crate::text::layouts::samples as text;
    Folder::new()
        .with("flux1.safetensors", original(sizes))
        .with("t5xxl_fp16.safetensors", text::t5_xxl())
        .with("clip_l.safetensors", text::clip_l())
        .with("ae.safetensors", autoencoder(16))
}
