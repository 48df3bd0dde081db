//! The conditions that Wan's variants derive from given frames.
//!
//! A model with a mask reads two inputs beside the noisy latents: four mask channels, and the latents of a clip that holds
//! the given frames and is mid-grey elsewhere. A model with control blocks (VACE) reads the clip twice (the part to keep and
//! the part to generate) and a mask of 64 channels. A given frame's strength blends its pixels with the grey that stands for
//! "not given", and its mask accordingly.
//!
//! References: <https://github.com/huggingface/diffusers/blob/main/src/diffusers/pipelines/wan/pipeline_wan_i2v.py> and
//! `pipeline_wan_vace.py` beside it. The positions of frames follow
//! <https://github.com/bilibili/Index-anisora/blob/main/anisoraV3.2/wan/image2video.py>.

use candle_core::{DType, Device, Tensor};
use must_tensors::{Error, Result};

use crate::pixels::pixels;
use crate::request::{Frames, GivenFrame};
use crate::vae::Clip;

/// The distance between the positions where a frame may be given, besides the first and the last frame. The models were
/// trained with these positions.
const POSITION_DISTANCE: u32 = 8;

/// A given frame at its position in the clip.
#[derive(Debug)]
pub(super) struct PlacedFrame<'a> {
    pub(super) frame: usize,
    pub(super) image: &'a Frames,
    pub(super) strength: f64,
}

/// Moves given frames to the positions that the model was trained with, and sorts them. Fails with `InvalidRequest` when a
/// frame is past the end of the clip, or when two frames move to the same position.
pub(super) fn placed(given: &[GivenFrame], frames: u32) -> Result<Vec<PlacedFrame<'_>>> {
    let mut placed: Vec<(u32, PlacedFrame<'_>)> = vec![];
    for frame in given {
        if frame.index >= frames {
            return Err(Error::invalid_request(format!(
                "frame {} is given, but the clip has only {frames} frames",
                frame.index
            )));
        }
        let place = place(frame.index, frames);
        if let Some((other, _)) = placed.iter().find(|(_, other)| other.frame == place as usize) {
            return Err(Error::invalid_request(format!(
                "the frames {other} and {} are given, and both belong at frame {place}: a frame can be given at the first, at \
                 the last and at every {POSITION_DISTANCE}th",
                frame.index
            )));
        }
        placed
            .push((frame.index, PlacedFrame { frame: place as usize, image: &frame.image, strength: frame.strength }));
    }
    placed.sort_by_key(|(_, placed)| placed.frame);
    Ok(placed.into_iter().map(|(_, placed)| placed).collect())
}

/// Returns the position for `index`: the first and last frame stay, others move to the nearest multiple of eight. Of two equally
/// near multiples, returns the one that is a multiple of 16. Returns the multiple before it when the nearest one is past the end.
fn place(index: u32, frames: u32) -> u32 {
    let last = frames.saturating_sub(1);
    if index == 0 || index == last {
        return index;
    }
    let below = index / POSITION_DISTANCE;
    let rest = index % POSITION_DISTANCE;
    let multiple = match rest.cmp(&(POSITION_DISTANCE / 2)) {
        std::cmp::Ordering::Less => below,
        std::cmp::Ordering::Greater => below + 1,
        std::cmp::Ordering::Equal => below + below % 2,
    };
    let place = multiple * POSITION_DISTANCE;
    if place > last { below * POSITION_DISTANCE } else { place }
}

/// A clip that holds the given frames, blended by their strengths, and grey (0) elsewhere. Its frames are computed when they
/// are read.
pub(super) struct GivenClip<'a> {
    pub(super) placed: &'a [PlacedFrame<'a>],
    /// Frames, height, width.
    pub(super) size: (usize, usize, usize),
    pub(super) device: &'a Device,
}

impl Clip for GivenClip<'_> {
    fn size(&self) -> Result<(usize, usize, usize)> {
        Ok(self.size)
    }

    fn frames(&self, from: usize, count: usize) -> Result<Tensor> {
        let (_, height, width) = self.size;
        let grey = |count| Tensor::zeros((3, count, height, width), DType::F32, self.device);
        let mut parts = vec![];
        let mut next = from;
        for given in self.placed.iter().filter(|given| (from..from + count).contains(&given.frame)) {
            if given.frame > next {
                parts.push(grey(given.frame - next)?);
            }
            let frame = pixels(given.image, self.device)?;
            parts.push(if given.strength < 1.0 { (frame * given.strength)? } else { frame });
            next = given.frame + 1;
        }
        if next < from + count {
            parts.push(grey(from + count - next)?);
        }
        Ok(Tensor::cat(&parts, 1)?)
    }
}

/// A clip in which every frame equals the nearest given one. Its frames are computed when they are read.
pub(super) struct StillClip<'a> {
    /// At least one.
    pub(super) placed: &'a [PlacedFrame<'a>],
    /// Frames, height, width.
    pub(super) size: (usize, usize, usize),
    pub(super) device: &'a Device,
}

impl Clip for StillClip<'_> {
    fn size(&self) -> Result<(usize, usize, usize)> {
        Ok(self.size)
    }

    fn frames(&self, from: usize, count: usize) -> Result<Tensor> {
        let nearest = |frame: usize| self.placed.iter().min_by_key(|given| given.frame.abs_diff(frame));
        let frames = (from..from + count)
            .map(|frame| {
                let given = nearest(frame).ok_or_else(|| Error::internal("a still clip of no frame"))?;
                pixels(given.image, self.device)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&frames, 1)?)
    }
}

/// Builds the four mask channels `[4, latent frames, height, width]`: the strength of a frame where it is given, and 0 elsewhere.
/// The first frame of the clip fills all four channels of its latent frame. Every other frame fills one of the four channels of
/// its latent frame.
pub(super) fn mask(
    placed: &[PlacedFrame<'_>],
    (frames, height, width): (usize, usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let mut mask = vec![0f32; 4 * frames];
    for given in placed {
        let places = if given.frame == 0 { 0..4 } else { given.frame + 3..given.frame + 4 };
        for place in places {
            if let Some(value) = mask.get_mut(place % 4 * frames + place / 4) {
                *value = given.strength as f32;
            }
        }
    }
    let mask = Tensor::from_vec(mask, (4, frames, 1, 1), device)?;
    Ok(mask.broadcast_as((4, frames, height, width))?.contiguous()?)
}

/// Builds VACE's mask `[spatial * spatial, latent frames, height, width]`: 1 where the model generates, and 1 minus the strength
/// where a frame is given. Each latent frame takes the mask of the frame that the reference picks as the nearest.
pub(super) fn control_mask(
    placed: &[PlacedFrame<'_>],
    frames: usize,
    spatial: usize,
    (latent_frames, height, width): (usize, usize, usize),
    device: &Device,
) -> Result<Tensor> {
    let mut of_frames = vec![1f32; frames];
    for given in placed {
        if let Some(value) = of_frames.get_mut(given.frame) {
            *value = 1.0 - given.strength as f32;
        }
    }
    let picked: Vec<f32> = (0..latent_frames)
        .map(|index| {
            let at = (index as f64 + 0.5) * (frames as f64 / latent_frames as f64);
            of_frames.get((at as usize).min(frames.saturating_sub(1))).copied().unwrap_or(1.0)
        })
        .collect();
    let mask = Tensor::from_vec(picked, (1, latent_frames, 1, 1), device)?;
    Ok(mask.broadcast_as((spatial * spatial, latent_frames, height, width))?.contiguous()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_move_to_the_positions_of_the_training() {
        let places = |frames| (0..frames).map(|index| place(index, frames)).collect::<Vec<_>>();
        assert_eq!(places(17), [0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 16]);
        // 16 is past the end, so the frames near it move to 8. The last frame is a position of its own.
        assert_eq!(places(13), [0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 12]);
    }

    #[test]
    fn masks_are_packed_four_frames_to_a_latent_frame() {
        let image = Frames { width: 1, height: 1, rgb: vec![255, 0, 127] };
        let at = |frame| PlacedFrame { frame, image: &image, strength: 0.5 };
        let mask = mask(&[at(0), at(8), at(16)], (5, 1, 1), &Device::Cpu).unwrap().flatten_all().unwrap();
        let values = mask.to_vec1::<f32>().unwrap();
        let rows: Vec<&[f32]> = values.chunks(5).collect();
        assert_eq!(rows[..3], [[0.5, 0.0, 0.0, 0.0, 0.0]; 3]);
        assert_eq!(rows[3], [0.5, 0.0, 0.5, 0.0, 0.5]);
    }

    #[test]
    fn a_still_clip_repeats_the_nearest_given_frame() {
        let image = |value| Frames { width: 1, height: 1, rgb: vec![value; 3] };
        let (black, white) = (image(0), image(255));
        let placed = [
            PlacedFrame { frame: 0, image: &black, strength: 1.0 },
            PlacedFrame { frame: 4, image: &white, strength: 1.0 },
        ];
        let still = StillClip { placed: &placed, size: (6, 1, 1), device: &Device::Cpu };
        let clip = still.frames(0, 6).unwrap();
        assert_eq!(clip.get(0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap(), [-1., -1., -1., 1., 1., 1.]);
    }

    #[test]
    fn a_given_clip_is_grey_between_its_frames() {
        let white = Frames { width: 1, height: 1, rgb: vec![255; 3] };
        let at = |frame, strength| PlacedFrame { frame, image: &white, strength };
        let placed = [at(0, 1.0), at(3, 0.5)];
        let clip = GivenClip { placed: &placed, size: (5, 1, 1), device: &Device::Cpu };
        let read = |from, count| {
            clip.frames(from, count).unwrap().get(0).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(read(0, 5), [1., 0., 0., 0.5, 0.]);
        assert_eq!((read(0, 1), read(1, 4), read(2, 1)), (vec![1.], vec![0., 0., 0.5, 0.], vec![0.]));
    }

    #[test]
    fn strength_moves_the_condition_and_the_mask_towards_the_frame() {
        let white = Frames { width: 1, height: 1, rgb: vec![255; 3] };
        let of = |strength| {
            let placed = [PlacedFrame { frame: 0, image: &white, strength }];
            let clip = GivenClip { placed: &placed, size: (5, 1, 1), device: &Device::Cpu };
            let first = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0];
            let held = first(mask(&placed, (2, 1, 1), &Device::Cpu).unwrap());
            let made = first(control_mask(&placed, 1, 1, (1, 1, 1), &Device::Cpu).unwrap());
            (1.0 - first(clip.frames(0, 1).unwrap()), held, made)
        };
        let rising: Vec<(f32, f32, f32)> = [0.0, 0.25, 0.5, 0.75, 1.0].into_iter().map(of).collect();
        for pair in rising.windows(2) {
            let ((far, less, more_made), (near, more, less_made)) = (pair[0], pair[1]);
            assert!(near < far && more > less && less_made < more_made, "{rising:?}");
        }
        assert_eq!(rising.first().unwrap().0, 1.0, "with strength 0 it is grey");
        assert_eq!(rising.last().unwrap().0, 0.0, "with strength 1 it is the frame itself");
    }

    #[test]
    fn two_frames_for_one_position_are_refused() {
        let image = Frames { width: 1, height: 1, rgb: vec![0; 3] };
        let given = |index| GivenFrame { index, image: image.clone(), strength: 1.0 };
        let error = placed(&[given(7), given(9)], 17).unwrap_err();
        assert!(error.detail().contains("both belong at frame 8"), "{}", error.detail());
        assert!(placed(&[given(17)], 17).is_err());
        assert_eq!(placed(&[given(16), given(0)], 17).unwrap()[0].frame, 0);
    }
}
