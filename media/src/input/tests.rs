use std::io::Cursor;

use image::{DynamicImage, ImageFormat as Format, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::ErrorKind;

fn sample(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 7) as u8, (y * 5) as u8, ((x + y) * 3) as u8]))
}

fn file(picture: impl Into<DynamicImage>, format: Format) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Result<Frames> {
    decode_image(ImageSource::Bytes(bytes), &ImageLimits::default())
}

fn decode_uri(uri: &str) -> Result<Frames> {
    decode_image(ImageSource::DataUri(uri), &ImageLimits::default())
}

#[track_caller]
fn refused(result: Result<Frames>, part: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.detail().contains(part), "{error}");
    assert!(error.user_action().is_some());
}

/// Returns a PNG chunk with its checksum.
fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let body = [kind, content].concat();
    let crc = !body.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    [&(content.len() as u32).to_be_bytes(), body.as_slice(), &crc.to_be_bytes()].concat()
}

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let head = [width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &head)].concat()
}

#[test]
fn each_format_round_trips_as_bytes_and_as_data_uri() {
    let picture = sample(40, 24);
    for (format, mime, kind, error) in [
        (Format::Png, "image/png", ImageFormat::Png, 0),
        (Format::WebP, "image/webp", ImageFormat::Webp, 0),
        (Format::Jpeg, "image/jpeg", ImageFormat::Jpeg, 40),
    ] {
        let bytes = file(picture.clone(), format);
        assert_eq!(sniff(&bytes), Some(kind));
        let frames = decode(&bytes).unwrap();
        assert_eq!((frames.width, frames.height, frames.count()), (40, 24, 1));
        let worst = frames.rgb.iter().zip(picture.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= error, "{kind:?}: {worst}");
        let uri = format!("data:{mime};base64,{}", STANDARD.encode(&bytes));
        assert_eq!(decode_uri(&uri).unwrap(), frames);
    }
}

#[test]
fn other_pixel_types_become_rgb() {
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(9, 9, image::Luma([77])));
    assert_eq!(decode(&file(grey, Format::Png)).unwrap().rgb, [77; 9 * 9 * 3]);
    let deep = DynamicImage::ImageRgb16(image::ImageBuffer::from_pixel(9, 9, Rgb([0xFFFF, 0x8080, 0])));
    assert_eq!(decode(&file(deep, Format::Png)).unwrap().rgb[..3], [255, 128, 0]);
}

#[test]
fn transparency_is_composited_on_white() {
    let mut picture = RgbaImage::from_pixel(3, 1, Rgba([10, 20, 30, 255]));
    picture.put_pixel(1, 0, Rgba([10, 20, 30, 0]));
    picture.put_pixel(2, 0, Rgba([0, 0, 0, 128]));
    for format in [Format::Png, Format::WebP] {
        let frames = decode(&file(picture.clone(), format)).unwrap();
        assert_eq!(frames.rgb, [10, 20, 30, 255, 255, 255, 127, 127, 127]);
    }
}

#[test]
fn exif_orientation_is_applied() {
    let jpeg = file(sample(40, 24), Format::Jpeg);
    let upright = decode(&jpeg).unwrap();
    // One entry: tag 0x0112, short, value 6, which means to rotate clockwise.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    let turned = [&jpeg[..2], &[0xFF, 0xE1], &length, exif, &jpeg[2..]].concat();
    let frames = decode(&turned).unwrap();
    assert_eq!((frames.width, frames.height), (24, 40));
    assert_eq!(frames.rgb[23 * 3..24 * 3], upright.rgb[..3]);
}

#[test]
fn empty_and_foreign_files_and_wrong_types_are_refused() {
    refused(decode(b""), "empty");
    refused(decode(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "not a PNG");
    refused(decode(b"GIF89a\x01\0\x01\0"), "not a PNG");
    refused(decode(b"RIFF\0\0\0\0WAVE"), "not a PNG");
    let png = file(sample(4, 4), Format::Png);
    let uri = format!("data:image/jpeg;base64,{}", STANDARD.encode(png));
    refused(decode_uri(&uri), "says it is JPEG but is PNG");
    // The right first bytes, with nothing after them.
    for start in [b"\x89PNG\r\n\x1a\n".as_slice(), &[0xFF, 0xD8, 0xFF], b"RIFF\0\0\0\0WEBP"] {
        refused(decode(start), "damaged");
    }
}

#[test]
fn data_uris_are_exact() {
    let text = STANDARD.encode(file(sample(4, 4), Format::Png));
    assert!(decode_uri(&format!("data:image/png;base64,{text}")).is_ok());
    for prefix in [
        "",
        "data:",
        "data:image/png,",
        "data:text/html;base64,",
        "DATA:image/png;base64,",
        "data:image/PNG;base64,",
        " data:image/png;base64,",
        "data:image/jpg;base64,",
        "data:image/png;charset=utf-8;base64,",
        "http://example.com/",
        "file:///etc/passwd",
    ] {
        refused(decode_uri(&format!("{prefix}{text}")), "not a data URI");
    }
    for (kind, name) in [("gif", "a GIF"), ("svg+xml", "an SVG"), ("heic", "a HEIC"), ("avif", "an AVIF")] {
        refused(decode_uri(&format!("data:image/{kind};base64,{text}")), name);
    }
    let bare = text.trim_end_matches('=');
    for wrong in ["", "*", "A", "AB", "AB=", "A===", "====", "AAAA\n", "AAA-", "AA_A", "AAB="] {
        let result = decode_uri(&format!("data:image/png;base64,{wrong}"));
        assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidRequest, "{wrong:?}");
    }
    for wrong in [format!("{text}\n"), format!("{text}="), format!("{bare}===="), text.replace('A', "\u{0410}")] {
        refused(decode_uri(&format!("data:image/png;base64,{wrong}")), "base64");
    }
}

#[test]
fn refusals_do_not_repeat_what_was_sent() {
    let secret = "c2VjcmV0LXNlY3JldA==";
    for uri in [format!("data:image/gif;base64,{secret}"), format!("data:image/png;base64,{secret}"), secret.to_owned()]
    {
        let error = decode_uri(&uri).unwrap_err();
        assert!(!format!("{error:?}").contains("c2Vjc") && !format!("{error:?}").contains("secret-"));
    }
    assert_eq!(format!("{:?}", ImageSource::DataUri(secret)), "DataUri(20 characters)");
}

#[test]
fn byte_limits_are_checked_before_decoding() {
    let bytes = file(sample(64, 64), Format::Png);
    let limits = ImageLimits { max_bytes: bytes.len(), ..Default::default() };
    assert!(decode_image(ImageSource::Bytes(&bytes), &limits).is_ok());
    let uri = format!("data:image/png;base64,{}", STANDARD.encode(&bytes));
    assert!(decode_image(ImageSource::DataUri(&uri), &limits).is_ok());
    let limits = ImageLimits { max_bytes: bytes.len() - 3, ..limits };
    for source in [ImageSource::Bytes(&bytes), ImageSource::DataUri(&uri)] {
        assert_eq!(decode_image(source, &limits).unwrap_err().kind(), ErrorKind::TooLarge);
    }
    // Far over the limit, the base64 alphabet is not checked.
    let long = format!("data:image/png;base64,{}", "*".repeat(28 << 20));
    assert_eq!(decode_uri(&long).unwrap_err().kind(), ErrorKind::TooLarge);
}

#[test]
fn bombs_are_refused_by_their_header() {
    let data = chunk(b"IDAT", &[0x78, 0x9C, 3, 0, 0, 0, 0, 1]);
    for (width, height, part) in [
        (100_000, 100_000, "a side"),
        (0x7FFF_FFFF, 1, "a side"),
        (8193, 1, "a side"),
        (8192, 8192, "altogether"),
        (8000, 5001, "altogether"),
        (0, 5, ""),
        (0xFFFF_FFFF, 0xFFFF_FFFF, ""),
    ] {
        let bomb = [png_header(width, height), data.clone(), chunk(b"IEND", b"")].concat();
        refused(decode(&bomb), part);
    }
}

#[test]
fn bombs_that_really_decompress_are_refused() {
    // 81 million pixels of one colour: 243 MB out of a fraction of a megabyte.
    let bomb = file(RgbImage::new(9000, 9000), Format::Png);
    assert!(bomb.len() < 2 << 20);
    refused(decode(&bomb), "9000x9000");
    // Within the pixel limits, 16 bits a channel: 320 MB of pixels.
    let deep = DynamicImage::ImageRgba16(image::ImageBuffer::new(8000, 5000));
    refused(decode(&file(deep, Format::Png)), "MiB");
    let wide = file(RgbImage::new(9000, 10), Format::Jpeg);
    refused(decode(&wide), "9000x10");
}

#[test]
fn truncated_files_are_refused() {
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        let bytes = file(sample(64, 64), format);
        for keep in [9, 20, bytes.len() / 4, bytes.len() / 2, bytes.len() - 16] {
            let result = decode(&bytes[..keep.min(bytes.len())]);
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidRequest, "{format:?} {keep}");
        }
    }
}

#[test]
fn a_cut_jpeg_with_a_thumbnail_is_still_cut() {
    let jpeg = file(sample(40, 24), Format::Jpeg);
    let thumbnail = file(sample(8, 8), Format::Jpeg);
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let whole = [&jpeg[..2], &[0xFF, 0xE2], &length, &thumbnail, &jpeg[2..]].concat();
    assert!(decode(&whole).is_ok());
    refused(decode(&whole[..whole.len() - 40]), "cut short");
}

#[test]
fn animated_pictures_are_refused() {
    let png = file(sample(4, 4), Format::Png);
    let control = chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    refused(decode(&[&png[..33], &control, &png[33..]].concat()), "animated");
    // Extended header with the animation flag, animation parameters, two frames.
    let still = file(sample(4, 4), Format::WebP);
    let part =
        |kind: &[u8; 4], content: &[u8]| [kind, (content.len() as u32).to_le_bytes().as_slice(), content].concat();
    let frame = [&[0, 0, 0, 0, 0, 0, 3, 0, 0, 3, 0, 0, 100, 0, 0, 0], &still[12..]].concat();
    let body = [
        b"WEBP".to_vec(),
        part(b"VP8X", &[0x02, 0, 0, 0, 3, 0, 0, 3, 0, 0]),
        part(b"ANIM", &[0, 0, 0, 0, 0, 0]),
        part(b"ANMF", &frame),
        part(b"ANMF", &frame),
    ]
    .concat();
    refused(decode(&part(b"RIFF", &body)), "animated");
}

#[test]
fn damage_anywhere_never_panics() {
    // A fixed linear congruential generator, so that a failure can be reproduced.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for format in [Format::Png, Format::Jpeg, Format::WebP] {
        let bytes = file(sample(24, 24), format);
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len());
                damaged[at] = random(256) as u8;
            }
            damaged.truncate(damaged.len() - random(8));
            match decode(&damaged) {
                Ok(frames) => assert_eq!(frames.count(), 1),
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidRequest),
            }
        }
    }
}
