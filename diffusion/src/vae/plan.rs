//! The layers of the encoder and of the decoder, as lists of names and widths. Loading and the memory estimate use the same
//! list.
//!
//! The names are those of diffusers. Reference:
//! <https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/autoencoders/autoencoder_kl_wan.py>

use super::config::VaeConfig;

/// Input and output channels of a layer.
pub(super) type Widths = (usize, usize);

/// A change of size at the end of a level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResamplePlan {
    /// The prefix of its tensors' names.
    pub(super) name: String,
    /// Input and output channels.
    pub(super) widths: Widths,
    /// Whether it also halves or doubles the number of frames.
    pub(super) time: bool,
}

/// One level: residual blocks, then a change of size, with an optional shortcut around both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LevelPlan {
    /// The prefix of each block's tensor names, with its channels.
    pub(super) blocks: Vec<(String, Widths)>,
    /// The change of size. The last level has none.
    pub(super) resample: Option<ResamplePlan>,
    /// Whether the level has a shortcut.
    pub(super) shortcut: bool,
}

impl LevelPlan {
    /// Returns the input and output channels of the whole level.
    pub(super) fn widths(&self) -> Widths {
        let inputs = self.blocks.first().map_or(0, |(_, widths)| widths.0);
        let outputs = self.blocks.last().map_or(0, |(_, widths)| widths.1);
        (inputs, self.resample.as_ref().map_or(outputs, |resample| resample.widths.1))
    }
}

/// The encoder or the decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TowerPlan {
    /// Whether sizes grow, as in the decoder, whose middle comes before its levels.
    pub(super) up: bool,
    /// The prefix of its tensors' names.
    pub(super) name: &'static str,
    /// Channels of the first convolution.
    pub(super) input: Widths,
    /// Channels in the middle.
    pub(super) middle: usize,
    /// The levels in the order in which they run.
    pub(super) levels: Vec<LevelPlan>,
    /// Channels of the last convolution.
    pub(super) output: Widths,
}

/// Returns the layers that encode clips to the moments of latents.
pub(super) fn encoder(config: &VaeConfig) -> TowerPlan {
    let base = config.base_dim;
    let mut levels = vec![];
    let mut width = base;
    // Without shortcuts, the checkpoint has blocks and changes of size in one list.
    let mut layer = 0;
    for (index, multiple) in config.dim_mult.iter().enumerate() {
        let outputs = base * multiple;
        let mut blocks = vec![];
        for block in 0..config.num_res_blocks {
            let name = match config.is_residual {
                true => format!("down_blocks.{index}.resnets.{block}"),
                false => format!("down_blocks.{layer}"),
            };
            layer += 1;
            blocks.push((name, (width, outputs)));
            width = outputs;
        }
        let resample = config.temperal_downsample.get(index).map(|&time| {
            let name = match config.is_residual {
                true => format!("down_blocks.{index}.downsampler"),
                false => format!("down_blocks.{layer}"),
            };
            layer += 1;
            ResamplePlan { name, widths: (width, width), time }
        });
        levels.push(LevelPlan { blocks, resample, shortcut: config.is_residual });
    }
    TowerPlan {
        up: false,
        name: "encoder",
        input: (config.colours(), base),
        middle: width,
        levels,
        output: (width, config.z_dim * 2),
    }
}

/// Returns the layers that decode latents to clips.
pub(super) fn decoder(config: &VaeConfig) -> TowerPlan {
    let base = config.decoder_base_dim;
    let middle = base * config.dim_mult.last().copied().unwrap_or(1);
    let mut levels = vec![];
    let mut width = middle;
    for (index, multiple) in config.dim_mult.iter().rev().enumerate() {
        let outputs = base * multiple;
        let mut blocks = vec![];
        for block in 0..=config.num_res_blocks {
            blocks.push((format!("up_blocks.{index}.resnets.{block}"), (width, outputs)));
            width = outputs;
        }
        let resample = config.temperal_downsample.iter().rev().nth(index).map(|&time| {
            let (name, after) = match config.is_residual {
                true => (format!("up_blocks.{index}.upsampler"), width),
                false => (format!("up_blocks.{index}.upsamplers.0"), width / 2),
            };
            let widths = (width, after);
            width = after;
            ResamplePlan { name, widths, time }
        });
        let shortcut = config.is_residual && resample.is_some();
        levels.push(LevelPlan { blocks, resample, shortcut });
    }
    TowerPlan {
        up: true,
        name: "decoder",
        input: (config.z_dim, middle),
        middle,
        levels,
        output: (width, config.colours()),
    }
}
