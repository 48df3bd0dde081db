//! Quantiles of the beta distribution with both parameters 0.6, which places the steps of the "beta" spacing.
//!
//! Paper: "Beta Sampling is All You Need", <https://arxiv.org/abs/2407.12173>.

/// Both parameters of the distribution.
const SHAPE: f64 = 0.6;

/// Terms of the series at 1/2, where it converges slowest: each is less than half of the one before.
const TERMS: u32 = 64;

/// The point below which the share `share` (0 to 1) of the distribution lies.
///
/// The distribution is symmetric about 1/2, so only the lower half is searched, by bisection down to the last bit.
pub(super) fn quantile(share: f64) -> f64 {
    if share > 0.5 {
        return 1.0 - quantile(1.0 - share);
    }
    if share == 0.5 {
        // Exact, because the middle of a table of even length is a tie that rounding decides.
        return 0.5;
    }
    let middle = below(0.5);
    let (mut low, mut high) = (0.0, 0.5);
    loop {
        let between = 0.5 * (low + high);
        if between <= low || between >= high {
            return high;
        }
        // Half of the distribution lies below 1/2, which stands in for its normalising constant.
        if below(between) < 2.0 * share * middle {
            low = between;
        } else {
            high = between;
        }
    }
}

/// The integral of `t^(a-1) * (1-t)^(a-1)` from 0 to `x`, for `x` from 0 to 1/2: the power series of the second factor,
/// integrated term by term (<https://dlmf.nist.gov/8.17#E7>).
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
