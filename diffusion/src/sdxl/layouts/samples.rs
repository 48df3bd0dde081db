//! Names and shapes of published UNets, written by hand from the publishers' code and not from the tables under test.

use crate::testing::samples::{Sample, SampleBuilder};

/// Sizes of a UNet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) base: usize,
    pub(crate) factors: &'static [usize],
    /// Transformer blocks of each attention, by level.
    pub(crate) depths: &'static [usize],
    /// Transformer blocks of the middle; `None` for a middle without attention.
    pub(crate) middle: Option<usize>,
    pub(crate) input: usize,
    pub(crate) context: usize,
    /// Width of the added conditions, if the UNet takes any.
    pub(crate) added: Option<usize>,
    /// Whether the projections around transformer blocks are convolutions.
    pub(crate) convolutions: bool,
}

pub(crate) const SDXL: Sizes = Sizes {
    base: 320,
    factors: &[1, 2, 4],
    depths: &[0, 2, 10],
    middle: Some(10),
    input: 4,
    context: 2048,
    added: Some(2816),
    convolutions: false,
};
pub(crate) const REFINER: Sizes = Sizes {
    base: 384,
    factors: &[1, 2, 4, 4],
    depths: &[0, 4, 4, 0],
    middle: Some(4),
    context: 1280,
    added: Some(2560),
    ..SDXL
};
pub(crate) const SD_1: Sizes = Sizes {
    factors: &[1, 2, 4, 4],
    depths: &[1, 1, 1, 0],
    middle: Some(1),
    context: 768,
    added: None,
    convolutions: true,
    ..SDXL
};
pub(crate) const SD_2: Sizes = Sizes { context: 1024, convolutions: false, ..SD_1 };
pub(crate) const SSD_1B: Sizes = Sizes { depths: &[0, 2, 4], middle: None, ..SDXL };
pub(crate) const VEGA: Sizes = Sizes { depths: &[0, 1, 2], middle: None, ..SDXL };

impl SampleBuilder {
    fn unet_residual(&mut self, name: &str, inputs: usize, outputs: usize, embedding: usize) {
        self.layer(format!("{name}.in_layers.0"), &[inputs]);
        self.layer(format!("{name}.in_layers.2"), &[outputs, inputs, 3, 3]);
        self.layer(format!("{name}.emb_layers.1"), &[outputs, embedding]);
        self.layer(format!("{name}.out_layers.0"), &[outputs]);
        self.layer(format!("{name}.out_layers.3"), &[outputs, outputs, 3, 3]);
        if inputs != outputs {
            self.layer(format!("{name}.skip_connection"), &[outputs, inputs, 1, 1]);
        }
    }

    fn unet_attention(&mut self, name: &str, width: usize, depth: usize, sizes: Sizes) {
        let projection: &[usize] = if sizes.convolutions { &[width, width, 1, 1] } else { &[width, width] };
        self.layer(format!("{name}.norm"), &[width]);
        self.layer(format!("{name}.proj_in"), projection);
        for block in 0..depth {
            let name = format!("{name}.transformer_blocks.{block}");
            for (attention, inputs) in [("attn1", width), ("attn2", sizes.context)] {
                self.put(format!("{name}.{attention}.to_q.weight"), &[width, width]);
                self.put(format!("{name}.{attention}.to_k.weight"), &[width, inputs]);
                self.put(format!("{name}.{attention}.to_v.weight"), &[width, inputs]);
                self.layer(format!("{name}.{attention}.to_out.0"), &[width, width]);
            }
            self.layer(format!("{name}.ff.net.0.proj"), &[width * 8, width]);
            self.layer(format!("{name}.ff.net.2"), &[width, width * 4]);
            for norm in ["norm1", "norm2", "norm3"] {
                self.layer(format!("{name}.{norm}"), &[width]);
            }
        }
        self.layer(format!("{name}.proj_out"), projection);
    }
}

/// The tensors with the block numbers of `openaimodel.py` in the original code.
pub(crate) fn original(sizes: Sizes) -> Sample {
    let mut out = SampleBuilder::default();
    let embedding = sizes.base * 4;
    out.layer("time_embed.0", &[embedding, sizes.base]);
    out.layer("time_embed.2", &[embedding, embedding]);
    if let Some(added) = sizes.added {
        out.layer("label_emb.0.0", &[embedding, added]);
        out.layer("label_emb.0.2", &[embedding, embedding]);
    }
    out.layer("input_blocks.0.0", &[sizes.base, sizes.input, 3, 3]);
    let mut skips = vec![sizes.base];
    let (mut width, mut number) = (sizes.base, 1);
    for (level, factor) in sizes.factors.iter().enumerate() {
        for _ in 0..2 {
            out.unet_residual(&format!("input_blocks.{number}.0"), width, sizes.base * factor, embedding);
            width = sizes.base * factor;
            if sizes.depths[level] > 0 {
                out.unet_attention(&format!("input_blocks.{number}.1"), width, sizes.depths[level], sizes);
            }
            skips.push(width);
            number += 1;
        }
        if level + 1 < sizes.factors.len() {
            out.layer(format!("input_blocks.{number}.0.op"), &[width, width, 3, 3]);
            skips.push(width);
            number += 1;
        }
    }
    out.unet_residual("middle_block.0", width, width, embedding);
    match sizes.middle {
        Some(depth) => {
            out.unet_attention("middle_block.1", width, depth, sizes);
            out.unet_residual("middle_block.2", width, width, embedding);
        }
        None => out.unet_residual("middle_block.1", width, width, embedding),
    }
    number = 0;
    for (level, factor) in sizes.factors.iter().enumerate().rev() {
        for block in 0..3 {
            out.unet_residual(
                &format!("output_blocks.{number}.0"),
                width + skips.pop().unwrap(),
                sizes.base * factor,
                embedding,
            );
            width = sizes.base * factor;
            let mut inner = 1;
            if sizes.depths[level] > 0 {
                out.unet_attention(&format!("output_blocks.{number}.1"), width, sizes.depths[level], sizes);
                inner += 1;
            }
            if level > 0 && block == 2 {
                out.layer(format!("output_blocks.{number}.{inner}.conv"), &[width, width, 3, 3]);
            }
            number += 1;
        }
    }
    out.layer("out.0", &[sizes.base]);
    out.layer("out.2", &[4, sizes.base, 3, 3]);
    out.0
}
