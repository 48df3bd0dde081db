//! The random stream of a task. It reproduces PyTorch's CPU generator, so that a seed has the same meaning as there.
//!
//! Always holds: the stream depends on the seed alone, never on device, thread count or machine. Logarithm, sine and cosine
//! come from a software library in double precision, so their last bits are the same everywhere. PyTorch's vectorised
//! functions differ from these in the last bits of a float.

mod brownian;
mod seeds;

use std::f64::consts::TAU;

pub use brownian::BrownianTree;

const STATE: usize = 624;
const SHIFT: usize = 397;

/// The Mersenne twister MT19937 (Matsumoto and Nishimura, 1998), seeded like PyTorch's.
#[derive(Debug, Clone)]
struct Twister {
    state: Box<[u32; STATE]>,
    next: usize,
}

impl Twister {
    fn new(seed: u64) -> Self {
        let mut state = Box::new([0u32; STATE]);
        // PyTorch uses only the low half of the seed.
        let mut previous = (seed & 0xffff_ffff) as u32;
        for (index, word) in (0u32..).zip(state.iter_mut()) {
            if index > 0 {
                previous = 1_812_433_253u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(index);
            }
            *word = previous;
        }
        Self { state, next: STATE }
    }

    fn word(&self, index: usize) -> u32 {
        self.state.get(index % STATE).copied().unwrap_or_default()
    }

    fn refill(&mut self) {
        for index in 0..STATE {
            let joined = (self.word(index) & 0x8000_0000) | (self.word(index + 1) & 0x7fff_ffff);
            let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            let value = self.word(index + SHIFT) ^ (joined >> 1) ^ twist;
            if let Some(word) = self.state.get_mut(index) {
                *word = value;
            }
        }
        self.next = 0;
    }

    fn draw(&mut self) -> u32 {
        if self.next >= STATE {
            self.refill();
        }
        let mut value = self.word(self.next);
        self.next += 1;
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c_5680;
        value ^= (value << 15) & 0xefc6_0000;
        value ^ (value >> 18)
    }
}

/// A seeded stream of normal numbers, equal to `torch.Generator("cpu").manual_seed(seed)` with `torch.randn`.
#[derive(Debug, Clone)]
pub struct Noise {
    twister: Twister,
    /// The second number of a pair that `single` has drawn but not returned yet.
    spare: Option<f64>,
}

impl Noise {
    /// Creates the stream of `seed`. Only its low 32 bits matter, as in PyTorch.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { twister: Twister::new(seed), spare: None }
    }

    /// Returns the next `count` standard normal numbers, as one call of `torch.randn` with that many elements draws them.
    ///
    /// Sixteen or more numbers come from blocks of sixteen uniform numbers. If `count` is not a multiple of sixteen, the last
    /// sixteen numbers are drawn again as one block. Fewer than sixteen numbers come in pairs in double precision. Reference:
    /// <https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/DistributionTemplates.h>
    #[must_use]
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < 16 {
            return (0..count).map(|_| self.single() as f32).collect();
        }
        let mut values: Vec<f32> = (0..count).map(|_| self.uniform()).collect();
        for block in values.chunks_exact_mut(16) {
            box_muller(block);
        }
        if !count.is_multiple_of(16)
            && let Some(tail) = values.last_chunk_mut::<16>()
        {
            tail.fill_with(|| self.uniform());
            box_muller(tail);
        }
        values
    }

    /// Returns a number in [0, 1) with 24 random bits.
    fn uniform(&mut self) -> f32 {
        (self.twister.draw() & 0x00ff_ffff) as f32 / 16_777_216.0
    }

    /// Returns a number in [0, 1) with 53 random bits.
    fn uniform_double(&mut self) -> f64 {
        let high = u64::from(self.twister.draw());
        let low = u64::from(self.twister.draw());
        (((high << 32) | low) & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    fn single(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let angle = TAU * self.uniform_double();
        let radius = (-2.0 * libm::log1p(-self.uniform_double())).sqrt();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

/// Turns sixteen uniform numbers into sixteen normal ones in place. The first eight give radii, the last eight angles.
fn box_muller(block: &mut [f32]) {
    let (radii, angles) = block.split_at_mut(8);
    for (first, second) in radii.iter_mut().zip(angles) {
        // The numbers are rounded to single precision where PyTorch rounds them.
        let logarithm = libm::log(f64::from(1.0 - *first)) as f32;
        let radius = (-2.0 * logarithm).sqrt();
        let angle = f64::from(std::f32::consts::TAU * *second);
        *first = radius * libm::cos(angle) as f32;
        *second = radius * libm::sin(angle) as f32;
    }
}
