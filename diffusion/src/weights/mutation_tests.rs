//! Changes valid files of every kind at random and checks that nothing panics. Every run draws the same random numbers. The
//! fuzz targets in `diffusion/fuzz` do the same without a limit on the number of files.

use std::path::PathBuf;

use super::*;

#[path = "../../fuzz/src/drive.rs"]
mod drive;

/// The number of changed files for each seed.
const ROUNDS: usize = 2000;

/// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn seeds(kind: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(kind);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Changes a file in one to four places.
fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const NUMBERS: [u64; 12] = [0, 1, 2, 7, 31, 32, 255, 256, u32::MAX as u64, 1 << 40, i64::MAX as u64, u64::MAX];
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.next() as u8),
            3 | 4 => {
                let (number, size) = (NUMBERS[random.below(NUMBERS.len())], 1 << random.below(4));
                bytes.iter_mut().skip(at).zip(&number.to_le_bytes()[..size]).for_each(|(to, from)| *to = *from);
            }
            5 => {
                let end = (at + random.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            6 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let start = random.below(other.len());
                let end = (start + random.below(40)).min(other.len());
                bytes.splice(at..at, other[start..end].iter().copied());
            }
        }
    }
}

fn run(kind: &str, rounds: usize, drive: impl Fn(&[u8]) -> bool) {
    let seeds = seeds(kind);
    let mut random = Random(1);
    for seed in &seeds {
        assert!(drive(seed), "every seed is valid");
        for _ in 0..rounds {
            let mut bytes = seed.clone();
            change(&mut bytes, &seeds[random.below(seeds.len())], &mut random);
            drive(&bytes);
        }
    }
}

#[test]
fn safetensors_changed_at_random() {
    run("safetensors", ROUNDS, drive::container);
}

#[test]
fn gguf_changed_at_random() {
    run("gguf", ROUNDS, drive::container);
}

#[test]
fn companions_changed_at_random() {
    run("companions", ROUNDS, drive::companions);
}

#[test]
fn indexes_changed_at_random() {
    let folder = tempfile::tempdir().unwrap();
    run("index", ROUNDS / 4, |bytes| drive::index(folder.path(), bytes));
}
