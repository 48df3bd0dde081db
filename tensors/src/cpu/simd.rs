//! Runs loops with the widest vector instructions of the machine.
//!
//! Always holds: every arithmetic step is a separate, correctly rounded operation (including fused multiply-add), and no sum
//! is divided by the vector width. Results are therefore the same bits on every machine.

use std::sync::LazyLock;

use pulp::Arch;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `work` compiled for the machine's vector instructions. `work` and every hot function in it must be
/// `#[inline(always)]`, otherwise they are compiled for the oldest supported machine.
#[inline(always)]
pub(super) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    ARCH.dispatch(work)
}

/// Computes the exponential, within 2 units in the last place, for `x` from -87 to 88. Outside of that range it returns the value
/// at the nearer end.
///
/// Range reduction and the polynomial are those of Cephes, <https://www.netlib.org/cephes/>.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of a float.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let whole = shifted - MAGIC;
    let rest = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, x));
    let mut series = 1.987_569_1e-4f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        series = series.mul_add(rest, coefficient);
    }
    let fraction = series.mul_add(rest * rest, rest) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(MAGIC.to_bits()).wrapping_add(127) << 23;
    fraction * f32::from_bits(exponent)
}

/// Returns `x * sigmoid(x)`.
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// Returns GELU in its tanh form, computed with the sigmoid: `tanh(y) = 2 sigmoid(2 y) - 1`.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let inner = 1.595_769 * (0.044_715 * x * x).mul_add(x, x);
    x / (1.0 + exp(-inner))
}

/// Returns the exact GELU. The complementary error function has a relative error below 1.2e-7.
///
/// The approximation is the last one in <https://en.wikipedia.org/wiki/Error_function#Numerical_approximations>.
#[inline(always)]
#[expect(clippy::excessive_precision, reason = "these are the digits of the formula's source")]
pub(super) fn gelu_erf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / z.mul_add(0.5, 1.0);
    let mut series = 0.170_872_77f32;
    for coefficient in [
        -0.822_152_23,
        1.488_515_87,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
        -1.265_512_23,
    ] {
        series = series.mul_add(t, coefficient);
    }
    let half = 0.5 * t * exp(z.mul_add(-z, series));
    x * if x < 0.0 { half } else { 1.0 - half }
}

/// Returns `x * sigmoid(1.702 x)`.
#[inline(always)]
pub(super) fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elementary_functions_are_close() {
        for step in -8700..8800 {
            let x = step as f32 / 100.0;
            let (ours, exact) = (
                f64::from(vectorized(
                    #[inline(always)]
                    || exp(x),
                )),
                f64::from(x).exp(),
            );
            assert!((ours / exact - 1.0).abs() < 3e-7, "exp({x}) = {ours}, {exact}");
            let exact = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(silu(x)) - exact).abs() <= 4e-7 * exact.abs().max(1e-30) + 1e-35, "silu({x})");
        }
        for step in -100..=100 {
            let x = f64::from(step) / 10.0;
            let exact = 0.5 * x * (1.0 + (0.797_884_560_802_865_4 * (x + 0.044_715 * x * x * x)).tanh());
            assert!((f64::from(gelu(x as f32)) - exact).abs() < 1e-6, "gelu({x})");
            let exact = x / (1.0 + (-1.702 * x).exp());
            assert!((f64::from(quick_gelu(x as f32)) - exact).abs() < 1e-6, "quick_gelu({x})");
        }
        for step in -1200..=1200 {
            let x = step as f32 / 100.0;
            let exact = 0.5 * f64::from(x) * libm::erfc(-f64::from(x) * std::f64::consts::FRAC_1_SQRT_2);
            let ours = f64::from(gelu_erf(x));
            assert!((ours - exact).abs() <= 4e-7 * exact.abs() + 1e-7, "gelu_erf({x}) = {ours}, {exact}");
        }
    }
}
