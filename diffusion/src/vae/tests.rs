//! Tests of properties that every Wan autoencoder has, with the embedded one, which has the layers of Wan 2.1, and one of
//! Wan 2.2.

use candle_core::Tensor;
use must_tensors::{Error, Result};

use super::golden::{TINY, WAN_2_2, config, decode, encode, load, values};
use super::{Autoencoder, Clip, Tiling, VaeConfig};

/// Returns a red disc that moves over a shaded background beside a blue square, `[3, frames, height, width]`.
fn scene(frames: usize, height: usize, width: usize) -> Tensor {
    let mut numbers = vec![0f32; 3 * frames * height * width];
    for (index, number) in numbers.iter_mut().enumerate() {
        let (x, y) = (index % width, index / width % height);
        let (frame, colour) = (index / (width * height) % frames, index / (width * height * frames));
        let across = x as f32 - width as f32 * (0.3 + 0.02 * frame as f32);
        let down = y as f32 - height as f32 * 0.5;
        let square = (width * 6 / 10..width * 8 / 10).contains(&x) && (height / 4..height * 3 / 4).contains(&y);
        let colours = match () {
            () if across.hypot(down) < height as f32 * 0.25 => [220.0, 40.0, 40.0],
            () if square => [50.0, 80.0, 220.0],
            () => [240.0 - 120.0 * y as f32 / height as f32; 3],
        };
        *number = colours[colour] / 127.5 - 1.0;
    }
    Tensor::from_vec(numbers, (3, frames, height, width), crate::testing::device()).unwrap()
}

fn noise(shape: &[usize]) -> Tensor {
    let numbers =
        (0..shape.iter().product::<usize>()).map(|index| (index as f32 * 0.37).sin() * 1.5).collect::<Vec<_>>();
    Tensor::from_vec(numbers, shape, crate::testing::device()).unwrap()
}

/// Peak signal-to-noise ratio in decibels, by the range of the reference.
fn psnr(ours: &Tensor, reference: &Tensor) -> f64 {
    assert_eq!(ours.dims(), reference.dims());
    let (ours, reference) = (values(ours), values(reference));
    let (low, high) =
        reference.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    let error: f64 = ours.iter().zip(&reference).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (f64::from(high - low).powi(2) * ours.len() as f64 / error).log10()
}

#[test]
fn tiles_show_no_seams() {
    for (folder, frames, height, width, tile, overlap) in
        [(TINY, 5, 128, 160, 64, 24), (TINY, 1, 192, 256, 96, 32), (WAN_2_2, 5, 128, 288, 192, 96)]
    {
        let (vae, tiling) = (load(folder), Some(Tiling { tile, overlap }));
        let clip = scene(frames, height, width);
        let latents = encode(&vae, &clip, None);
        let apart = psnr(&encode(&vae, &clip, tiling), &latents);
        assert!(apart > 45.0, "encode {height}x{width} in {tile}: {apart:.1} dB");
        let apart = psnr(&decode(&vae, &latents, tiling), &decode(&vae, &latents, None));
        assert!(apart > 45.0, "decode {height}x{width} in {tile}: {apart:.1} dB");
    }
}

#[test]
fn a_frame_does_not_depend_on_later_ones() {
    for folder in [TINY, WAN_2_2] {
        let vae = load(folder);
        let factors = super::tiling::ChunkedAutoencoder::factors(&vae);
        let latents = noise(&[factors.channels, 3, 2, 3]);
        let clip = decode(&vae, &latents, None);
        let picture = decode(&vae, &latents.narrow(1, 0, 1).unwrap(), None);
        assert_eq!(values(&clip.narrow(1, 0, 1).unwrap()), values(&picture));
        let again = encode(&vae, &clip, None);
        let picture = encode(&vae, &picture, None);
        assert_eq!(values(&again.narrow(1, 0, 1).unwrap()), values(&picture));
    }
}

/// A clip whose frames are computed when they are read.
struct LazyClip<'a>(&'a Tensor);

impl Clip for LazyClip<'_> {
    fn size(&self) -> Result<(usize, usize, usize)> {
        self.0.size()
    }

    fn frames(&self, from: usize, count: usize) -> Result<Tensor> {
        assert!(count == 1 && from == 0 || count == 4 && from % 4 == 1, "{from} {count}");
        Ok(self.0.narrow(1, from, count)?.contiguous()?)
    }
}

#[test]
fn chunks_come_in_order_and_each_can_end_the_work() {
    let vae = load(TINY);
    let latents = noise(&[16, 3, 8, 11]);
    let clip = scene(9, 64, 88);
    for (tiling, chunks) in [(None, 3), (Some(Tiling { tile: 48, overlap: 16 }), 3 + 3 * 6)] {
        let (mut told, mut lengths) = (vec![], vec![]);
        vae.decode(
            &latents,
            tiling,
            &mut |done, total| {
                told.push((done, total));
                Ok(())
            },
            &mut |frames| {
                lengths.push(frames.dims().to_vec());
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(told, (0..chunks).map(|done| (done, chunks)).collect::<Vec<_>>());
        assert_eq!(lengths, [[3, 1, 64, 88], [3, 4, 64, 88], [3, 4, 64, 88]]);
        told.clear();
        let mut tell = |done, total| {
            told.push((done, total));
            Ok(())
        };
        let late = vae.encode(&LazyClip(&clip), tiling, &mut tell).unwrap();
        assert_eq!(values(&late), values(&encode(&vae, &clip, tiling)));
        assert_eq!(told, (0..chunks).map(|done| (done, chunks)).collect::<Vec<_>>());

        let mut stop = |done, _| if done == 2 { Err(Error::invalid_request("enough")) } else { Ok(()) };
        assert_eq!(vae.encode(&clip, tiling, &mut stop).unwrap_err().detail(), "enough");
        let mut handed = 0;
        let mut count = |_| {
            handed += 1;
            Ok(())
        };
        assert_eq!(vae.decode(&latents, tiling, &mut stop, &mut count).unwrap_err().detail(), "enough");
        assert_eq!(handed, if tiling.is_none() { 2 } else { 0 });
    }
}

#[test]
fn sizes_that_do_not_divide_are_refused() {
    let vae = load(WAN_2_2);
    let mut quiet = |_, _| Ok(());
    for (frames, height, width) in [(4, 32, 32), (1, 24, 32), (1, 32, 8), (5, 0, 32)] {
        let clip =
            Tensor::zeros((3, frames, height, width), candle_core::DType::F32, crate::testing::device()).unwrap();
        let error = vae.encode(&clip, None, &mut quiet).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest, "{frames} {height} {width}");
    }
    let latents = noise(&[16, 1, 2, 2]);
    assert!(vae.decode(&latents, None, &mut quiet, &mut |_| Ok(())).is_err());
}

#[test]
fn work_does_not_grow_with_time() {
    let tiling = Some(Tiling { tile: 256, overlap: 64 });
    for (folder, base_dim, decoder_base_dim) in [(TINY, 96, 96), (WAN_2_2, 160, 256)] {
        let config = VaeConfig { base_dim, decoder_base_dim, ..config(folder.0) };
        let of = |frames| (frames, 512, 768);
        assert_eq!(config.decode_bytes(of(17), None), config.decode_bytes(of(81), None));
        let pixels = 512 * 768 * 64;
        let grown = config.decode_bytes(of(81), tiling) - config.decode_bytes(of(17), tiling);
        assert!((pixels * 6..pixels * 13).contains(&grown), "{grown}");
        let grown = config.encode_bytes(of(81), tiling) - config.encode_bytes(of(17), tiling);
        assert!(grown < pixels * 8, "{grown}");
        assert!(config.decode_bytes(of(81), tiling) < config.decode_bytes(of(81), None));
        assert!(config.decode_bytes(of(1), None) < config.decode_bytes(of(5), None));
    }
}

#[test]
fn impossible_configurations_are_refused() {
    let sound = config(WAN_2_2.0);
    sound.check().unwrap();
    config(TINY.0).check().unwrap();
    type Change = fn(&mut VaeConfig);
    let cases: [(&str, Change); 9] = [
        ("dim_mult has", |config| config.dim_mult.clear()),
        ("a width is", |config| config.base_dim = 0),
        ("a width is", |config| config.dim_mult[1] = usize::MAX),
        ("temperal_downsample", |config| config.temperal_downsample.truncate(1)),
        ("num_res_blocks", |config| config.num_res_blocks = 1 << 40),
        ("patch_size", |config| config.patch_size = 0),
        ("latents_std", |config| config.latents_std[3] = 0.0),
        ("4 frames", |config| config.temperal_downsample[0] = true),
        ("shortcuts", |config| config.dim_mult[1] = 3),
    ];
    for (expected, spoil) in cases {
        let mut config = sound.clone();
        spoil(&mut config);
        let error = config.check().unwrap_err();
        assert!(error.detail().contains(expected), "{} does not say {expected}", error.detail());
    }
}
