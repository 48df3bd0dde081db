//! Derives seeds from seeds: the part of numpy's `SeedSequence` that a Brownian tree needs.
//!
//! Reference: <https://github.com/numpy/numpy/blob/main/numpy/random/bit_generator.pyx>, based on M. E. O'Neill's
//! `seed_seq_fe`.

/// Number of words in the pool, as torchsde sets it for its trees.
const POOL: usize = 24;

const INIT_A: u32 = 0x43b0_d7e5;
const MULT_A: u32 = 0x931e_8875;
const INIT_B: u32 = 0x8b51_f9dd;
const MULT_B: u32 = 0x58f3_8ded;
const MIX_LEFT: u32 = 0xca01_f9dd;
const MIX_RIGHT: u32 = 0x4973_f715;

/// Returns the first `count` words of `SeedSequence(entropy, spawn_key, pool_size=24).generate_state`.
pub(super) fn seed_words(entropy: u64, spawn_key: &[u64], count: usize) -> Vec<u32> {
    let mut words = vec![];
    push_words(entropy, &mut words);
    if !spawn_key.is_empty() {
        words.resize(POOL, 0);
    }
    for &key in spawn_key {
        push_words(key, &mut words);
    }
    let pool = pool(&words);
    let mut constant = INIT_B;
    pool.iter().cycle().take(count).map(|&word| hash(word, &mut constant, MULT_B)).collect()
}

/// Appends the 32-bit words of a number, at least one, with the low word first.
fn push_words(number: u64, words: &mut Vec<u32>) {
    words.push((number & 0xffff_ffff) as u32);
    if number >> 32 != 0 {
        words.push((number >> 32) as u32);
    }
}

/// Mixes every word into every word of the pool.
fn pool(words: &[u32]) -> Vec<u32> {
    let mut constant = INIT_A;
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let mut pool: Vec<u32> = (0..POOL).map(|index| hash(word(index), &mut constant, MULT_A)).collect();
    for source in 0..POOL {
        for target in (0..POOL).filter(|&target| target != source) {
            let hashed = hash(pool.get(source).copied().unwrap_or_default(), &mut constant, MULT_A);
            if let Some(word) = pool.get_mut(target) {
                *word = mix(*word, hashed);
            }
        }
    }
    for &surplus in words.iter().skip(POOL) {
        for word in &mut pool {
            *word = mix(*word, hash(surplus, &mut constant, MULT_A));
        }
    }
    pool
}

fn hash(value: u32, constant: &mut u32, factor: u32) -> u32 {
    let value = value ^ *constant;
    *constant = constant.wrapping_mul(factor);
    let value = value.wrapping_mul(*constant);
    value ^ (value >> 16)
}

fn mix(left: u32, right: u32) -> u32 {
    let value = MIX_LEFT.wrapping_mul(left).wrapping_sub(MIX_RIGHT.wrapping_mul(right));
    value ^ (value >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_equal_those_of_numpy() {
        assert_eq!(seed_words(42, &[], 3), [387_750_627, 2_536_650_517, 4_078_839_648]);
        assert_eq!(seed_words(42, &[0, 0], 4), [2_102_017_995, 2_891_809_698, 2_144_110_403, 379_559_146]);
    }
}
