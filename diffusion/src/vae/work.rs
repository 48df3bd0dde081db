//! The peak memory of encoding and decoding, computed from the widths of the layers before any of them is loaded.
//!
//! Always holds: the estimate counts the tensors that the layers hold while they run on the CPU. It excludes weights, the
//! clip or latents of the caller, and the part of the result that the caller keeps.

use super::config::VaeConfig;
use super::plan::{LevelPlan, ResamplePlan, TowerPlan, Widths, decoder, encoder};
use super::tiling::{Axis, Depth, Tiling};

/// Bytes of a float32.
const NUMBER: u64 = 4;
/// Bytes of one number of the picture to which the decoded tiles are added.
const CANVAS_NUMBER: u64 = 2;
/// Colour channels of a pixel.
const COLOURS: u64 = 3;

impl VaeConfig {
    /// Returns the bytes that decoding a clip of these frames, height and width takes.
    pub(crate) fn decode_bytes(&self, size: (usize, usize, usize), tiling: Option<Tiling>) -> u64 {
        let plan = decoder(self);
        let (clip, tile) = (Grid::new(self, size, None), Grid::new(self, size, tiling));
        if !clip.is_cut(&tile) {
            return clip.work(&plan, 1, &[Depth::Deep, Depth::Wide]);
        }
        // The frames on the canvas, and the frames of the chunk that is passed on.
        let frames = clip.pixels() * COLOURS * (clip.frames() * CANVAS_NUMBER + clip.chunk() * NUMBER);
        let deep = clip.work(&plan, 1, &[Depth::Deep]);
        let wide = tile.work(&plan, 1, &[Depth::Wide]) + frames;
        deep.max(wide) + clip.features(plan.middle)
    }

    /// Returns the bytes that encoding a clip of these frames, height and width takes.
    pub(crate) fn encode_bytes(&self, size: (usize, usize, usize), tiling: Option<Tiling>) -> u64 {
        let plan = encoder(self);
        let (clip, tile) = (Grid::new(self, size, None), Grid::new(self, size, tiling));
        let latents = clip.features(self.z_dim);
        // The frames of a chunk as the clip returns them, and a copy: cut to a tile, or rearranged for the first layer.
        let frames = clip.chunk() * COLOURS * NUMBER * (clip.pixels() + tile.pixels());
        if !clip.is_cut(&tile) {
            return clip.work(&plan, clip.chunk(), &[Depth::Wide, Depth::Deep]) + frames + latents;
        }
        let wide = tile.work(&plan, clip.chunk(), &[Depth::Wide]) + frames;
        let deep = clip.work(&plan, 1, &[Depth::Deep]) + latents;
        deep.max(wide) + clip.features(plan.middle)
    }
}

/// The latents of a clip or of one tile of it.
struct Grid {
    latents: u64,
    rows: u64,
    columns: u64,
    spatial: u64,
    temporal: u64,
    /// Number of rows and columns in the widest layer for each latent row and column.
    scale: u64,
}

impl Grid {
    fn new(config: &VaeConfig, (frames, height, width): (usize, usize, usize), tiling: Option<Tiling>) -> Self {
        let (spatial, temporal) = (config.spatial_factor().max(1), config.temporal_factor().max(1));
        let side = |pixels: usize| Axis::new(pixels / spatial, spatial, tiling).size as u64;
        Self {
            latents: (frames.saturating_sub(1) / temporal + 1) as u64,
            rows: side(height),
            columns: side(width),
            spatial: spatial as u64,
            temporal: temporal as u64,
            scale: (spatial / config.patch_size.max(1)) as u64,
        }
    }

    fn is_cut(&self, tile: &Self) -> bool {
        (self.rows, self.columns) != (tile.rows, tile.columns)
    }

    fn frames(&self) -> u64 {
        1 + self.temporal * (self.latents - 1)
    }

    /// Returns the frames of the longest chunk.
    fn chunk(&self) -> u64 {
        self.temporal.min(self.frames())
    }

    fn pixels(&self) -> u64 {
        self.rows * self.columns * self.spatial * self.spatial
    }

    /// Returns the bytes of `channels` channels at the size of latents.
    fn features(&self, channels: usize) -> u64 {
        self.latents * self.rows * self.columns * channels as u64 * NUMBER
    }

    /// Returns the bytes that some layers of one direction take when the first of them processes `frames` frames at a time.
    fn work(&self, plan: &TowerPlan, frames: u64, depths: &[Depth]) -> u64 {
        let scale = if plan.up || !depths.contains(&Depth::Wide) { 1 } else { self.scale };
        let size = Size { frames, rows: self.rows * scale, columns: self.columns * scale };
        let mut simulation = Simulation { size, alone: self.latents == 1, held: 0, moments: vec![] };
        for depth in depths {
            match depth {
                Depth::Deep => simulation.deep(plan),
                Depth::Wide => simulation.wide(plan),
            }
        }
        simulation.peak(self.latents)
    }
}

/// The frames, rows and columns that a layer processes.
#[derive(Clone, Copy)]
struct Size {
    frames: u64,
    rows: u64,
    columns: u64,
}

impl Size {
    fn bytes(self, channels: usize) -> u64 {
        self.frames * self.frame(channels)
    }

    fn frame(self, channels: usize) -> u64 {
        self.rows * self.columns * channels as u64 * NUMBER
    }
}

/// The memory while one layer runs.
struct Moment {
    /// Bytes of the layer's own tensors.
    work: u64,
    /// Bytes of one kept frame, and the number of kept frames after the first chunk and after later chunks.
    tail: (u64, u64, u64),
}

/// Simulates the layers in the order in which they run, at the size of a chunk that is not the first of several.
struct Simulation {
    size: Size,
    /// Whether the chunk is the only one. Its frames are neither halved nor doubled then.
    alone: bool,
    /// Bytes of a level's input, which is kept for its shortcut.
    held: u64,
    moments: Vec<Moment>,
}

impl Simulation {
    fn moment(&mut self, work: u64) {
        self.moments.push(Moment { work: self.held + work, tail: (0, 0, 0) });
    }

    /// Records a causal convolution that reads `channels` channels, while `work` bytes are held otherwise.
    fn causal(&mut self, work: u64, channels: usize) {
        self.moments.push(Moment { work: self.held + work, tail: (self.size.frame(channels), 1, 2) });
    }

    fn deep(&mut self, plan: &TowerPlan) {
        if plan.up {
            self.first(plan);
            self.middle(plan.middle);
        } else {
            self.middle(plan.middle);
            self.last(plan);
        }
    }

    fn wide(&mut self, plan: &TowerPlan) {
        if !plan.up {
            self.first(plan);
        }
        for level in &plan.levels {
            self.level(level, plan.up);
        }
        if plan.up {
            self.last(plan);
        }
    }

    fn first(&mut self, plan: &TowerPlan) {
        let (inputs, outputs) = plan.input;
        self.causal(self.size.bytes(inputs) + self.size.bytes(outputs), inputs);
    }

    fn last(&mut self, plan: &TowerPlan) {
        let (inputs, outputs) = plan.output;
        self.moment(2 * self.size.bytes(inputs));
        self.causal(self.size.bytes(inputs) + self.size.bytes(outputs), inputs);
        self.moment(3 * self.size.bytes(outputs));
    }

    fn level(&mut self, plan: &LevelPlan, up: bool) {
        let (inputs, outputs) = plan.widths();
        let input = self.size.bytes(inputs);
        for (index, (_, widths)) in plan.blocks.iter().enumerate() {
            // The input of the first block is the input of the level.
            self.held = if plan.shortcut && index > 0 { input } else { 0 };
            self.residual(*widths, plan.shortcut && index == 0);
        }
        self.held = if plan.shortcut { input } else { 0 };
        if let Some(resample) = &plan.resample {
            let frames = self.size.frames;
            self.resample(resample, up);
            let output = self.size.bytes(outputs);
            if plan.shortcut && up {
                self.moment(output + 2 * output / frames.max(1));
            } else if plan.shortcut {
                self.moment(input + 3 * output);
            }
        } else if plan.shortcut {
            self.moment(2 * input + 2 * self.size.bytes(outputs));
        }
        self.held = 0;
    }

    /// Records a block. If `kept`, its input stays in memory after it.
    fn residual(&mut self, (inputs, outputs): Widths, kept: bool) {
        let (input, output) = (self.size.bytes(inputs), self.size.bytes(outputs));
        self.causal(2 * input + output, inputs);
        self.causal(input + 2 * output, outputs);
        self.moment(3 * output + if kept && inputs != outputs { input } else { 0 });
    }

    fn resample(&mut self, plan: &ResamplePlan, up: bool) {
        let (inputs, outputs) = plan.widths;
        if !up {
            let before = self.size.bytes(inputs);
            self.size.rows /= 2;
            self.size.columns /= 2;
            let after = self.size.bytes(outputs);
            self.moment(before + after);
            if plan.time && !self.alone {
                let frame = self.size.frame(outputs);
                // The result of the change of height and width, with the frame before it, and half of that result.
                let work = self.held + 2 * after + frame + after / 2;
                self.moments.push(Moment { work, tail: (frame, 1, 1) });
                self.size.frames = (self.size.frames / 2).max(1);
            }
            return;
        }
        if plan.time && !self.alone {
            self.causal(3 * self.size.bytes(inputs), inputs);
            self.size.frames *= 2;
            self.moment(2 * self.size.bytes(inputs));
        }
        let before = self.size.bytes(inputs);
        self.size.rows *= 2;
        self.size.columns *= 2;
        self.moment(before + self.size.bytes(outputs));
    }

    fn middle(&mut self, width: usize) {
        self.residual((width, width), false);
        // Input, rows, query with key and value, those of one frame separately and packed, and the result.
        let state = self.size.bytes(width);
        self.moment(6 * state + 5 * self.size.frame(width));
        self.residual((width, width), false);
    }

    /// Returns the peak of a clip with this number of chunks, including all kept frames.
    fn peak(&self, chunks: u64) -> u64 {
        let after_first = |moment: &Moment| moment.tail.0 * moment.tail.1;
        let after_later = |moment: &Moment| moment.tail.0 * moment.tail.2;
        let all: u64 = self.moments.iter().map(after_later).sum();
        // Bytes that this and later layers keep of the first chunk, and bytes that earlier layers keep of later chunks.
        let mut first: u64 = self.moments.iter().map(after_first).sum();
        let mut later = 0;
        let mut most = 0;
        for moment in &self.moments {
            let own = after_later(moment);
            // In the last chunk each layer releases the frames that it kept. Before that it holds the old and the new ones
            // at once.
            let remembered = match chunks {
                1 => 0,
                2 => first,
                3 => (later + own + first).max(all - later),
                _ => all + own,
            };
            first -= after_first(moment);
            later += own;
            most = most.max(moment.work + remembered);
        }
        most
    }
}
