//! Checks the media files with other programs: ffprobe, ffmpeg and pngcheck.
//!
//! A test whose tool is missing does nothing, or fails if `MUST_REQUIRE_TOOLS=1` is set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use must::media::Frames;
use must::media::{OutputFormat, encode, preview_jpeg};

fn has(tools: &[&str]) -> bool {
    let missing: Vec<_> = tools
        .iter()
        .filter(|tool| Command::new(tool).stdout(Stdio::null()).stderr(Stdio::null()).status().is_err())
        .collect();
    let required = std::env::var("MUST_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(missing.is_empty() || !required, "not installed: {missing:?}");
    missing.is_empty()
}

fn output(program: &str, arguments: &[&str], file: &Path, after: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).arg(file).args(after).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaint.is_empty(), "{program}: {complaint}");
    output.stdout
}

/// Makes a clip of a disc that moves over a plain background.
fn clip(width: u32, height: u32, count: usize, colour: [u8; 3], ground: [u8; 3]) -> Frames {
    let mut rgb = Vec::new();
    for index in 0..count {
        let (centre_x, centre_y) = (f64::from(width) * 0.25 + index as f64 * 2.0, f64::from(height) * 0.5);
        for y in 0..height {
            for x in 0..width {
                let far = (f64::from(x) - centre_x).hypot(f64::from(y) - centre_y);
                // The edge is soft over one pixel, like that of decoded latents.
                let inside = (f64::from(height) / 5.0 - far + 0.5).clamp(0.0, 1.0);
                let mixed =
                    colour.iter().zip(ground).map(|(&a, b)| f64::from(a) * inside + f64::from(b) * (1.0 - inside));
                rgb.extend(mixed.map(|value| value.round() as u8));
            }
        }
    }
    Frames { width, height, rgb }
}

fn write(dir: &Path, frames: &Frames, fps: u32, format: OutputFormat) -> PathBuf {
    let path = dir.join(format!("out.{}", format.extension()));
    let bytes = encode(frames, fps, format, &mut || Ok(())).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn decode(file: &Path) -> Vec<u8> {
    output("ffmpeg", &["-v", "error", "-i"], file, &["-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (squares / a.len() as f64).max(1e-9)).log10()
}

/// Runs ffprobe and returns a function that looks up its `key=value` lines about the stream and the container.
fn probe(file: &Path) -> impl Fn(&str) -> String {
    let text = output("ffprobe", &["-v", "error", "-count_frames", "-show_streams", "-show_format"], file, &[]);
    let text = String::from_utf8(text).unwrap();
    move |key| {
        let find = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
        text.lines().find_map(find).unwrap_or_default()
    }
}

#[test]
fn ffprobe_reports_the_requested_properties() {
    if !has(&["ffprobe", "ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (format, codec) in [(OutputFormat::Mp4, "h264"), (OutputFormat::Webm, "av1")] {
        for (width, height, count, fps) in [(64, 64, 17, 8), (64, 64, 17, 16), (128, 64, 33, 24), (64, 64, 1, 8)] {
            let frames = clip(width, height, count, [220, 40, 40], [240, 240, 235]);
            let file = write(dir.path(), &frames, fps, format);
            let value = probe(&file);
            let what = format!("{format:?} {width}x{height} {count} frames at {fps}");
            assert_eq!(value("codec_name"), codec, "{what}");
            assert_eq!((value("width"), value("height")), (width.to_string(), height.to_string()), "{what}");
            assert_eq!(value("nb_read_frames"), count.to_string(), "{what}");
            assert_eq!(value("avg_frame_rate"), format!("{fps}/1"), "{what}");
            assert_eq!(value("pix_fmt"), "yuv420p", "{what}");
            assert_eq!(value("color_range"), "tv", "{what}");
            assert_eq!(value("color_space"), "smpte170m", "{what}");
            assert_eq!(value("color_primaries"), "bt709", "{what}");
            assert_eq!(value("color_transfer"), "iec61966-2-1", "{what}");
            let container =
                output("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"], &file, &[]);
            let duration: f64 = String::from_utf8(container).unwrap().trim().parse().unwrap();
            assert!((duration - count as f64 / f64::from(fps)).abs() < 0.001, "{what}: {duration} s");
            output("ffmpeg", &["-v", "error", "-xerror", "-err_detect", "explode", "-i"], &file, &["-f", "null", "-"]);
        }
    }
}

#[test]
fn decoded_clips_look_like_their_frames() {
    if !has(&["ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for format in [OutputFormat::Mp4, OutputFormat::Webm] {
        for (colour, ground) in
            [([220, 40, 40], [240, 240, 235]), ([40, 90, 220], [15, 15, 18]), ([40, 170, 70], [128, 128, 128])]
        {
            let frames = clip(64, 64, 17, colour, ground);
            let back = decode(&write(dir.path(), &frames, 16, format));
            let quality = psnr(&frames.rgb, &back);
            println!("{format:?} {colour:?} on {ground:?}: {quality:.1} dB");
            assert!(quality >= 34.0, "{format:?} {colour:?} on {ground:?}: {quality:.1} dB");
        }
    }
}

#[test]
fn plain_colours_are_decoded_almost_unchanged() {
    if !has(&["ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for format in OutputFormat::ALL.iter().copied() {
        for colour in [[220, 40, 40], [40, 90, 220], [40, 170, 70], [255, 255, 255], [0, 0, 0], [250, 210, 20]] {
            let frames = Frames { width: 64, height: 64, rgb: colour.repeat(64 * 64) };
            let back = decode(&write(dir.path(), &frames, 16, format));
            let worst = back.iter().zip(&frames.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= 4, "{format:?} {colour:?}: off by {worst}");
        }
    }
}

#[test]
fn odd_sizes_decode() {
    if !has(&["ffprobe", "ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let frames = clip(65, 47, 5, [220, 40, 40], [240, 240, 235]);
    for (format, size) in [(OutputFormat::Mp4, ("66", "48")), (OutputFormat::Webm, ("65", "47"))] {
        let file = write(dir.path(), &frames, 16, format);
        let value = probe(&file);
        assert_eq!((value("width").as_str(), value("height").as_str()), size);
        output("ffmpeg", &["-v", "error", "-xerror", "-i"], &file, &["-f", "null", "-"]);
    }
}

#[test]
fn long_clips_have_key_frames_to_seek_to() {
    if !has(&["ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let frames = clip(96, 64, 81, [220, 40, 40], [240, 240, 235]);
    for format in [OutputFormat::Mp4, OutputFormat::Webm] {
        let file = write(dir.path(), &frames, 16, format);
        // Decodes from the middle, starting at frame 64.
        let rest =
            output("ffmpeg", &["-v", "error", "-ss", "4", "-i"], &file, &["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        let frame = 96 * 64 * 3;
        assert_eq!(rest.len() / frame, 17, "{format:?}");
        assert!(psnr(&frames.rgb[64 * frame..65 * frame], &rest[..frame]) >= 32.0);
    }
}

#[test]
fn pngcheck_accepts_pictures() {
    if !has(&["pngcheck"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (width, height) in [(64, 64), (37, 21), (1, 1), (640, 360)] {
        let file = write(dir.path(), &clip(width, height, 1, [220, 40, 40], [240, 240, 235]), 1, OutputFormat::Png);
        let said = String::from_utf8(output("pngcheck", &["-v"], &file, &[])).unwrap();
        assert!(said.contains("No errors detected") && said.contains("24-bit RGB, non-interlaced"), "{said}");
    }
}

#[test]
fn jpegs_can_be_decoded_and_keep_their_colour() {
    if !has(&["ffprobe", "ffmpeg"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let frames = clip(640, 360, 1, [220, 40, 40], [240, 240, 235]);
    let file = write(dir.path(), &frames, 1, OutputFormat::Jpeg);
    assert_eq!(probe(&file)("pix_fmt"), "yuvj444p");
    assert!(psnr(&frames.rgb, &decode(&file)) >= 40.0);
    std::fs::write(&file, preview_jpeg(&frames).unwrap()).unwrap();
    assert_eq!((probe(&file)("width"), probe(&file)("height")), ("512".to_owned(), "288".to_owned()));
}

/// Prints sizes and times; run with `--ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn measure() {
    for (width, height, count) in [(64, 64, 17), (256, 256, 33), (1280, 720, 17)] {
        let frames = clip(width, height, count, [220, 40, 40], [240, 240, 235]);
        for &format in OutputFormat::ALL {
            let start = std::time::Instant::now();
            let bytes = encode(&frames, 16, format, &mut || Ok(())).unwrap().len();
            let time = start.elapsed().as_secs_f64();
            println!("{width}x{height} {count} frames {}: {bytes} bytes, {time:.3} s", format.name());
        }
    }
}

/// Writes `out.mp4` and `out.webm` into the folder `MUST_SAMPLES`, for `tests/browser`.
#[test]
#[ignore = "makes files for the browser check"]
fn samples() {
    let dir = PathBuf::from(std::env::var_os("MUST_SAMPLES").unwrap());
    let frames = clip(64, 64, 17, [220, 40, 40], [240, 240, 235]);
    for format in [OutputFormat::Mp4, OutputFormat::Webm] {
        write(&dir, &frames, 16, format);
    }
}
