use super::*;
use crate::ErrorKind;
use crate::{ImageLimits, ImageSource, decode_image};

/// Makes a clip of a disc that moves over a plain background.
fn clip(width: u32, height: u32, count: usize) -> Frames {
    let mut rgb = Vec::new();
    for index in 0..count {
        let (centre_x, centre_y) = (width as i64 / 4 + index as i64 * 2, height as i64 / 2);
        for y in 0..i64::from(height) {
            for x in 0..i64::from(width) {
                let inside = (x - centre_x).pow(2) + (y - centre_y).pow(2) < (i64::from(height) / 4).pow(2);
                rgb.extend(if inside { [220, 40, 40] } else { [240, 240, 235] });
            }
        }
    }
    Frames { width, height, rgb }
}

fn go_on() -> impl FnMut() -> Result<()> {
    || Ok(())
}

fn made(frames: &Frames, fps: u32, format: OutputFormat) -> Vec<u8> {
    encode(frames, fps, format, &mut go_on()).unwrap()
}

fn decoded(bytes: &[u8]) -> Frames {
    decode_image(ImageSource::Bytes(bytes), &ImageLimits::default()).unwrap()
}

fn worst(a: &Frames, b: &Frames) -> u8 {
    assert_eq!((a.width, a.height, a.rgb.len()), (b.width, b.height, b.rgb.len()));
    a.rgb.iter().zip(&b.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn formats_are_found_by_their_names() {
    for &format in OutputFormat::ALL {
        assert_eq!(OutputFormat::from_name(format.name()), Some(format));
        assert_eq!(OutputFormat::from_name(&format.extension().to_uppercase()), Some(format));
        assert_eq!(format.mime().starts_with("video/"), format.is_video());
    }
    assert_eq!(OutputFormat::from_name("jpeg"), OutputFormat::from_name("jpg"));
    assert_eq!(OutputFormat::from_name("gif"), None);
}

#[test]
fn pictures_survive_encoding_and_decoding() {
    for (width, height) in [(64, 64), (37, 21), (1, 1)] {
        let frames = clip(width, height, 1);
        assert_eq!(decoded(&made(&frames, 0, OutputFormat::Png)), frames);
        assert_eq!(decoded(&made(&frames, 0, OutputFormat::Webp)), frames);
        assert!(worst(&decoded(&made(&frames, 0, OutputFormat::Jpeg)), &frames) < 40);
    }
    let red = Frames { width: 16, height: 16, rgb: [220, 40, 40].repeat(256) };
    assert!(worst(&decoded(&made(&red, 0, OutputFormat::Jpeg)), &red) <= 2);
}

#[test]
fn a_picture_of_a_clip_is_its_first_frame() {
    let frames = clip(32, 32, 3);
    assert_eq!(decoded(&made(&frames, 16, OutputFormat::Png)), clip(32, 32, 1));
}

#[test]
fn previews_fit_and_keep_the_aspect() {
    for ((width, height), expected) in
        [((64, 48), (64, 48)), ((1280, 720), (512, 288)), ((720, 1280), (288, 512)), ((2000, 1), (512, 1))]
    {
        let small = decoded(&preview_jpeg(&clip(width, height, 1)).unwrap());
        assert_eq!((small.width, small.height), expected);
    }
    assert_eq!(decoded(&preview_jpeg(&clip(64, 64, 5)).unwrap()).count(), 1);
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let frames = clip(64, 48, 9);
    for &format in OutputFormat::ALL {
        let first = made(&frames, 16, format);
        let others = [0, 1].map(|_| {
            let frames = frames.clone();
            std::thread::spawn(move || made(&frames, 16, format))
        });
        for other in others {
            assert!(other.join().unwrap() == first, "{format:?}");
        }
    }
}

#[test]
fn clips_begin_with_their_boxes() {
    let frames = clip(64, 64, 5);
    let mp4 = made(&frames, 8, OutputFormat::Mp4);
    assert_eq!(&mp4[4..12], b"ftypisom");
    let at = |name: &[u8; 4]| mp4.windows(4).position(|w| w == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
    // The offset of the only chunk is the position of the data.
    let offset = u32::from_be_bytes(mp4[at(b"stco") + 12..][..4].try_into().unwrap()) as usize;
    assert_eq!(offset, at(b"mdat") + 4);
    let webm = made(&frames, 8, OutputFormat::Webm);
    assert!(webm.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]));
    assert!(webm.windows(5).any(|w| w == b"V_AV1"));
}

#[test]
fn single_frames_and_odd_sizes_are_clips_too() {
    for (width, height, count) in [(64, 64, 1), (33, 17, 3), (16, 16, 2), (48, 31, 4)] {
        for format in [OutputFormat::Mp4, OutputFormat::Webm] {
            assert!(!made(&clip(width, height, count), 24, format).is_empty());
        }
    }
}

#[test]
fn the_caller_can_stop_the_encoder() {
    for &format in OutputFormat::ALL {
        let mut calls = 0;
        let mut stop = || {
            calls += 1;
            let limit = if format.is_video() { 4 } else { 1 };
            if calls < limit { Ok(()) } else { Err(Error::stopped(std::fmt::Error)) }
        };
        let error = encode(&clip(32, 32, 8), 16, format, &mut stop).unwrap_err();
        assert!(
            error.kind() == ErrorKind::Stopped && error.reason().is_some_and(|reason| reason.is::<std::fmt::Error>())
        );
        assert!(calls <= 4);
    }
}

#[test]
fn bad_frames_rates_and_sizes_are_errors() {
    let frames = clip(16, 16, 2);
    for (width, height, bytes) in [(0, 16, 0), (16, 0, 0), (16, 16, 0), (16, 16, 767), (16, 16, 769), (16, 17, 1536)] {
        let bad = Frames { width, height, rgb: vec![0; bytes] };
        for &format in OutputFormat::ALL {
            assert_eq!(encode(&bad, 16, format, &mut go_on()).unwrap_err().kind(), ErrorKind::Internal);
        }
        assert!(preview_jpeg(&bad).is_err());
    }
    for fps in [0, 121, u32::MAX] {
        let error = encode(&frames, fps, OutputFormat::Mp4, &mut go_on()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
    let long = Frames { width: 20_000, height: 1, rgb: vec![0; 60_000] };
    assert!(encode(&long, 16, OutputFormat::Png, &mut go_on()).is_err());
    let small = Frames { width: 8, height: 8, rgb: vec![0; 192] };
    assert_eq!(encode(&small, 16, OutputFormat::Webm, &mut go_on()).unwrap_err().kind(), ErrorKind::InvalidRequest);
}
