//! Converts RGB to planar YCbCr 4:2:0 and back, with the code points that describe it.
//!
//! Invariants: the conversion matches the code points in every file: sRGB primaries, sRGB transfer and BT.601 matrix (code
//! points 1, 13 and 6 of ITU-T H.273, as in JPEG and AVIF), in limited range. Decoders that read the code points and the many
//! that assume BT.601 for unmarked video then show the same colours. Integer arithmetic gives the same bytes on every machine.

use must_diffusion::Frames;

/// Colour primaries in H.273: BT.709, the same as sRGB.
pub(super) const PRIMARIES: u8 = 1;
/// Transfer characteristics: sRGB.
pub(super) const TRANSFER: u8 = 13;
/// Matrix coefficients: SMPTE 170M, which is BT.601.
pub(super) const MATRIX: u8 = 6;

/// One frame in three planes. Chroma has half the size, rounded up.
pub(super) struct Yuv {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) y: Vec<u8>,
    pub(super) u: Vec<u8>,
    pub(super) v: Vec<u8>,
}

impl Yuv {
    /// Allocates a frame of this size.
    pub(super) fn new(width: usize, height: usize) -> Self {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        Self { width, height, y: vec![0; width * height], u: vec![0; chroma], v: vec![0; chroma] }
    }

    /// Fills the planes from `rgb`, a frame of `source_width` pixels a row. If this frame is larger than the source, the last row and
    /// column repeat. Chroma is the mean of the pixels that it covers.
    pub(super) fn fill(&mut self, rgb: &[u8], source_width: usize) {
        let (width, height) = (self.width, self.height);
        let source_height = (rgb.len() / 3) / source_width.max(1);
        let at = |x: usize, y: usize| -> [i32; 3] {
            let (x, y) = (x.min(source_width.saturating_sub(1)), y.min(source_height.saturating_sub(1)));
            match rgb.get((y * source_width + x) * 3..) {
                Some(&[r, g, b, ..]) => [r, g, b].map(i32::from),
                _ => [0; 3],
            }
        };
        for (row, luma) in self.y.chunks_exact_mut(width.max(1)).enumerate() {
            for (column, sample) in luma.iter_mut().enumerate() {
                let [r, g, b] = at(column, row);
                // 219/255 of (0.299, 0.587, 0.114), in 1/65536. 16..=235, so the cast keeps the value.
                *sample = (16 + ((16829 * r + 33039 * g + 6416 * b + (1 << 15)) >> 16)) as u8;
            }
        }
        let chroma_width = width.div_ceil(2).max(1);
        let rows = self.u.chunks_exact_mut(chroma_width).zip(self.v.chunks_exact_mut(chroma_width)).enumerate();
        for (row, (u_row, v_row)) in rows {
            for (column, (u, v)) in u_row.iter_mut().zip(v_row.iter_mut()).enumerate() {
                let (x, y) = (column * 2, row * 2);
                let (right, below) = ((x + 1).min(width - 1), (y + 1).min(height - 1));
                let mut sum = [0; 3];
                for pixel in [at(x, y), at(right, y), at(x, below), at(right, below)] {
                    sum.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += part);
                }
                let [r, g, b] = sum;
                // 224/255 of the colour differences, in 1/65536, of a sum of four. 16..=240, so the casts keep the values.
                *u = (128 + ((-9714 * r - 19070 * g + 28784 * b + (1 << 17)) >> 18)) as u8;
                *v = (128 + ((28784 * r - 24103 * g - 4681 * b + (1 << 17)) >> 18)) as u8;
            }
        }
    }
}

/// Returns the frames of a clip, one slice of RGB bytes each.
pub(super) fn each(frames: &Frames) -> impl Iterator<Item = &[u8]> {
    frames.rgb.chunks_exact((frames.width as usize * frames.height as usize * 3).max(1))
}

/// One plane of a decoded frame.
#[cfg(feature = "mp4")]
#[derive(Clone, Copy)]
pub(super) struct Plane<'a> {
    /// The samples, row by row.
    pub(super) bytes: &'a [u8],
    /// Bytes from one row to the next, at least as many as the samples of a row.
    pub(super) stride: usize,
}

#[cfg(feature = "mp4")]
impl<'a> Plane<'a> {
    fn row(&self, index: usize, samples: usize) -> Option<&'a [u8]> {
        self.bytes.get(index.checked_mul(self.stride)?..)?.get(..samples)
    }
}

/// Appends a frame in planes (Y, U, V) as RGB. Each chroma sample is used for its two by two pixels. Returns `None` if a plane is
/// too small.
#[cfg(feature = "mp4")]
pub(super) fn append_rgb([luma, u, v]: [Plane<'_>; 3], width: usize, height: usize, rgb: &mut Vec<u8>) -> Option<()> {
    for row in 0..height {
        let luma = luma.row(row, width)?;
        let (u, v) = (u.row(row / 2, width.div_ceil(2))?, v.row(row / 2, width.div_ceil(2))?);
        for (pair, (u, v)) in luma.chunks(2).zip(u.iter().zip(v)) {
            for &y in pair {
                rgb.extend(rgb_of(y, *u, *v));
            }
        }
    }
    Some(())
}

#[cfg(feature = "mp4")]
fn rgb_of(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (76_309 * (i32::from(y) - 16), i32::from(u) - 128, i32::from(v) - 128);
    // The inverse of `fill`, in 1/65536; clamped, so the cast keeps the value.
    let sums = [y + 104_597 * v, y - 25_675 * u - 53_279 * v, y + 132_201 * u];
    sums.map(|sum| ((sum + (1 << 15)) >> 16).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(rgb: [u8; 3]) -> (u8, u8, u8) {
        let mut yuv = Yuv::new(2, 2);
        yuv.fill(&rgb.repeat(4), 2);
        (yuv.y[0], yuv.u[0], yuv.v[0])
    }

    #[test]
    fn known_colours_have_their_bt601_values() {
        assert_eq!(one([0, 0, 0]), (16, 128, 128));
        assert_eq!(one([255, 255, 255]), (235, 128, 128));
        assert_eq!(one([255, 0, 0]), (81, 90, 240));
        assert_eq!(one([0, 255, 0]), (145, 54, 34));
        assert_eq!(one([0, 0, 255]), (41, 240, 110));
    }

    #[test]
    fn every_colour_stays_in_range_and_is_restored() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    let (y, u, v) = one([r, g, b]);
                    assert!((16..=235).contains(&y) && (16..=240).contains(&u) && (16..=240).contains(&v));
                    let (y, u, v) = (f64::from(y) - 16.0, f64::from(u) - 128.0, f64::from(v) - 128.0);
                    let back = [
                        1.164_384 * y + 1.596_027 * v,
                        1.164_384 * y - 0.391_762 * u - 0.812_968 * v,
                        1.164_384 * y + 2.017_232 * u,
                    ];
                    for (was, is) in [r, g, b].into_iter().zip(back) {
                        assert!((f64::from(was) - is).abs() < 2.5, "{r} {g} {b} came back as {back:?}");
                    }
                }
            }
        }
    }

    #[cfg(feature = "mp4")]
    #[test]
    fn planes_are_converted_back_to_colours() {
        for colour in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [12, 200, 99]] {
            let (y, u, v) = one(colour);
            for (was, is) in colour.into_iter().zip(rgb_of(y, u, v)) {
                assert!(was.abs_diff(is) <= 2, "{colour:?}");
            }
        }
        // Rows wider than the picture, as decoders make them.
        let luma = Plane { bytes: &[16, 235, 16, 9, 235, 16, 235, 9], stride: 4 };
        let chroma = Plane { bytes: &[128, 128, 9], stride: 3 };
        let mut rgb = Vec::new();
        append_rgb([luma, chroma, chroma], 3, 2, &mut rgb).unwrap();
        let expected = [0, 255, 0, 255, 0, 255].map(|grey| [grey; 3]).concat();
        assert_eq!(rgb, expected);
        assert!(append_rgb([luma, chroma, chroma], 3, 3, &mut rgb).is_none());
        assert!(append_rgb([luma, chroma, chroma], 5, 2, &mut rgb).is_none());
    }

    #[test]
    fn edges_of_odd_frames_repeat() {
        let rgb: Vec<u8> = [[10, 10, 10], [20, 20, 20], [240, 240, 240]].concat().repeat(3);
        let mut same = Yuv::new(3, 3);
        same.fill(&rgb, 3);
        assert_eq!((same.y.len(), same.u.len()), (9, 4));
        let mut larger = Yuv::new(4, 4);
        larger.fill(&rgb, 3);
        assert_eq!(larger.y[2], larger.y[3]);
        assert_eq!(larger.y[8..12], larger.y[12..16]);
    }
}
