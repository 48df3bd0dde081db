//! The shift of a flow model's noise levels towards noise, by a constant or by the size of the picture.

/// Moves a level towards 1: <https://arxiv.org/abs/2403.03206>, section 5.3.2.
pub(super) fn shifted(shift: f64, sigma: f64) -> f64 {
    shift * sigma / (1.0 + (shift - 1.0) * sigma)
}

/// Limits a level to just below 1, as diffusers' UniPC does. A level of 1 has no signal, and the logarithm of 0 is not
/// finite.
pub(super) fn below_one(sigma: f64) -> f64 {
    if (sigma - 1.0).abs() < 1e-6 { sigma - 1e-6 } else { sigma }
}

/// A shift that grows with the picture. Its logarithm `mu` is linear in the number of image tokens, also outside of the two
/// given numbers.
///
/// Reference: `calculate_shift` of
/// <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/flux/pipeline_flux.py>, which is
/// `get_lin_function` of <https://github.com/black-forest-labs/flux/blob/main/src/flux/sampling.py>.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DynamicShift {
    /// The smaller number of tokens.
    pub(crate) base_tokens: f64,
    /// The larger number of tokens.
    pub(crate) max_tokens: f64,
    /// `mu` at the smaller number.
    pub(crate) base_shift: f64,
    /// `mu` at the larger number.
    pub(crate) max_shift: f64,
}

impl Default for DynamicShift {
    /// The shift of FLUX.1 dev.
    fn default() -> Self {
        Self { base_tokens: 256.0, max_tokens: 4096.0, base_shift: 0.5, max_shift: 1.15 }
    }
}

impl DynamicShift {
    /// Returns the logarithm of the shift for a picture of this many tokens.
    pub(crate) fn mu(self, tokens: usize) -> f64 {
        let slope = (self.max_shift - self.base_shift) / (self.max_tokens - self.base_tokens);
        tokens as f64 * slope + (self.base_shift - slope * self.base_tokens)
    }

    /// Returns the shift for a picture of this many tokens, `e^mu`.
    pub(crate) fn shift(self, tokens: usize) -> f64 {
        libm::exp(self.mu(tokens))
    }
}
