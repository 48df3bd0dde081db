//! The angles of rotary position embeddings: <https://arxiv.org/abs/2104.09864>.

/// Returns the cosines and the sines `[text + d * h * w, pairs]` of `text` tokens at the position 0, followed by the tokens of a grid
/// `[d, h, w]`, row-major. A head has three parts, whose channels are turned pairwise by the token's place on one axis of the grid: pair
/// `i` of a part of `n` channels by `place / 10,000^(2 i / n)`.
#[must_use]
pub fn rotary(parts: [usize; 3], text: usize, grid: [usize; 3]) -> (Vec<f32>, Vec<f32>) {
    let ([first, second, third], [depth, height, width]) = (parts, grid);
    let pairs: usize = parts.iter().map(|part| part / 2).sum();
    let tokens = text + grid.iter().product::<usize>();
    let mut cos = Vec::with_capacity(tokens * pairs);
    let mut sin = Vec::with_capacity(tokens * pairs);
    cos.resize(text * pairs, 1.0);
    sin.resize(text * pairs, 0.0);
    let (depth, height, width) = (turns(first, depth), turns(second, height), turns(third, width));
    for outer in &depth {
        for row in &height {
            for column in &width {
                for turns in [outer, row, column] {
                    cos.extend_from_slice(&turns.0);
                    sin.extend_from_slice(&turns.1);
                }
            }
        }
    }
    (cos, sin)
}

/// Returns the cosines and sines of one part of a head for each of `places` places on its axis.
fn turns(part: usize, places: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    let periods: Vec<f64> = (0..part / 2).map(|pair| libm::pow(10_000.0, (2 * pair) as f64 / part as f64)).collect();
    let place = |place: usize| {
        let angles = || periods.iter().map(move |period| place as f64 / period);
        (
            angles().map(|angle| libm::cos(angle) as f32).collect(),
            angles().map(|angle| libm::sin(angle) as f32).collect(),
        )
    };
    (0..places).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_turn_by_their_places() {
        let (cos, sin) = rotary([4, 2, 2], 1, [1, 2, 3]);
        assert_eq!((cos.len(), sin.len()), (7 * 4, 7 * 4));
        // The token of the text, and the first of the grid.
        assert!(cos[..8].iter().all(|cos| *cos == 1.0) && sin[..8].iter().all(|sin| *sin == 0.0));
        // Row 1, column 2.
        assert_eq!(cos[24..], [1.0, 1.0, libm::cos(1.0) as f32, libm::cos(2.0) as f32]);
        assert_eq!(sin[24..], [0.0, 0.0, libm::sin(1.0) as f32, libm::sin(2.0) as f32]);
        // The second pair of a part of four channels turns a hundredth as fast.
        let (cos, _) = rotary([4, 0, 0], 0, [3, 1, 1]);
        assert_eq!(cos[4..], [libm::cos(2.0) as f32, libm::cos(0.02) as f32]);
    }
}
