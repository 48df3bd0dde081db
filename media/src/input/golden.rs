//! Compares decoding with `tests/golden/pictures`, which `tools/golden/pictures.py` writes: the pixels that other libraries read.

use super::{ImageLimits, ImageSource, decode_image};
use crate::ErrorKind;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/pictures")
}

#[test]
fn every_picture_of_the_table_matches_other_libraries_or_is_refused_by_name() {
    let folder = folder();
    let table = std::fs::read_to_string(folder.join("table.tsv")).unwrap();
    let decode = |name: &str| {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        decode_image(ImageSource::Bytes(&bytes), &ImageLimits::default())
    };
    let (mut failures, mut count) = (Vec::new(), 0);
    for line in table.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let found = decode(columns[0]);
        count += 1;
        match (columns.as_slice(), found) {
            ([name, "read", tolerance, same_as], Ok(frames)) => {
                let expected = image::open(folder.join("expected").join(format!("{name}.png"))).unwrap().into_rgb8();
                if expected.dimensions() != (frames.width, frames.height) {
                    failures.push(format!("{name}: {}x{}", frames.width, frames.height));
                    continue;
                }
                let worst = frames.rgb.iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                if u16::from(worst) > tolerance.parse().unwrap() {
                    failures.push(format!("{name}: off by {worst}, {tolerance} is allowed"));
                }
                if *same_as != "-" && *tolerance == "0" && decode(same_as).unwrap() != frames {
                    failures.push(format!("{name}: other pixels than {same_as}"));
                }
            }
            ([name, "refused", words], Err(error)) => {
                let said = error.kind() == ErrorKind::InvalidRequest && error.detail().contains(words);
                if !said || error.user_action().is_none() {
                    failures.push(format!("{name}: {error}"));
                }
            }
            (_, found) => failures.push(format!("{line}: {:?}", found.map(|_| "was read"))),
        }
    }
    assert!(count > 100 && failures.is_empty(), "{} of {count} pictures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_data_uri_gives_the_same_picture_as_its_bytes() {
    for (name, mime) in [("adobe-rgb.png", "png"), ("ycck.jpg", "jpeg"), ("adobe-rgb.webp", "webp")] {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let uri = format!("data:image/{mime};base64,{}", STANDARD.encode(&bytes));
        let limits = ImageLimits::default();
        let frames = decode_image(ImageSource::DataUri(&uri), &limits).unwrap();
        assert_eq!(frames, decode_image(ImageSource::Bytes(&bytes), &limits).unwrap());
    }
}

#[test]
fn damage_in_any_file_of_the_table_never_panics() {
    let mut state = 0x1234_5678_9ABC_DEF0_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..20 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(damaged.len());
                damaged[at] = random(256) as u8;
            }
            damaged.truncate(damaged.len() - random(8).min(damaged.len() - 1));
            if let Err(error) = decode_image(ImageSource::Bytes(&damaged), &ImageLimits::default()) {
                assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{}", path.display());
            }
        }
    }
}
