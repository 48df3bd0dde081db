//! Quantiles of the beta distribution with both parameters 0.6. The "beta" spacing places its steps at them.
//!
//! Paper: "Beta Sampling is All You Need", <https://arxiv.org/abs/2407.12173>.

/// Both parameters of the distribution.
const SHAPE: f64 = 0.6;

/// The number of terms of the series, which converges slowest at 1/2. There each term is less than half of the previous one.
const TERMS: u32 = 64;

/// Returns the point below which the share `share` (0 to 1) of the distribution lies.
///
/// The distribution is symmetric about 1/2, so only the lower half is searched, by bisection down to the last bit.
pub(super) fn quantile(share: f64) -> f64 {
    if share > 0.5 {
        return 1.0 - quantile(1.0 - share);
    }
    if share == 0.5 {
        // This value must be exact, because rounding decides the middle entry of a table with an even length.
        return 0.5;
    }
    let middle = below(0.5);
    let (mut low, mut high) = (0.0, 0.5);
    loop {
        let between = 0.5 * (low + high);
        if between <= low || between >= high {
            return high;
        }
        // Half of the distribution lies below 1/2, so the integral to 1/2 replaces the normalising constant.
        if below(between) < 2.0 * share * middle {
            low = between;
        } else {
            high = between;
        }
    }
}

/// Returns the integral of `t^(a-1) * (1-t)^(a-1)` from 0 to `x`, for `x` from 0 to 1/2, where `a` is [`SHAPE`]. It integrates
/// the power series of the second factor term by term (<https://dlmf.nist.gov/8.17#E7>).
fn below(x: f64) -> f64 {
    let mut term = libm::pow(x, SHAPE);
    let mut sum = term / SHAPE;
    for n in 1..TERMS {
        let n = f64::from(n);
        term *= (n - SHAPE) / n * x;
        sum += term / (n + SHAPE);
    }
    sum
}
