//! Converts the pixel values of a picture to sRGB, which the models expect.
//!
//! A file may define the meaning of its values with an ICC profile, with code points, or with primaries and a curve. Without such a
//! definition, or with one that cannot be read, the values are taken as sRGB, as browsers do.

use image::{DynamicImage, RgbImage, RgbaImage};
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, RenderingIntent, ToneReprCurve, TransferCharacteristics, TransformOptions, XyY,
};

/// The colour space of a picture that is not sRGB.
pub(super) struct Colour(ColorProfile);

/// The exponent of sRGB in units of gAMA. As in libpng, a curve within 5 percent of it counts as sRGB.
const SRGB_GAMMA: f64 = 45_455.0;
const NEAR: f64 = 0.05;

impl Colour {
    /// Reads an ICC profile. Returns `None` if it cannot be read or is sRGB.
    pub(super) fn from_profile(bytes: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(bytes).ok()?;
        let known = [DataColorSpace::Gray, DataColorSpace::Rgb, DataColorSpace::Cmyk];
        known.contains(&profile.color_space).then_some(())?;
        Self::unless_srgb(profile)
    }

    /// Reads code points of H.273. Returns `None` if they are unknown or mean sRGB.
    pub(super) fn from_code_points(primaries: u8, transfer: u8) -> Option<Self> {
        let profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
            transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        // Code points without primaries or a curve leave the profile incomplete.
        profile.red_trc.is_some().then(|| Self::unless_srgb(profile))?
    }

    /// Reads the chunks gAMA and cHRM of a PNG, in their own units. Returns `None` if they mean sRGB or are nonsense.
    pub(super) fn from_chunks(gamma: Option<u32>, primaries: Option<[u32; 8]>) -> Option<Self> {
        let mut profile = ColorProfile::new_srgb();
        if let Some(all) = primaries {
            if all.iter().any(|value| *value > 100_000) {
                return None;
            }
            let [wx, wy, rx, ry, gx, gy, bx, by] = all.map(|value| f64::from(value) / 100_000.0);
            let area = (gx - rx) * (by - ry) - (bx - rx) * (gy - ry);
            if area.abs() < 1e-3 || wy < 1e-3 {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
            let point = |x: f64, y: f64| Chromaticity { x: x as f32, y: y as f32 };
            let primaries = ColorPrimaries { red: point(rx, ry), green: point(gx, gy), blue: point(bx, by) };
            profile.update_rgb_colorimetry(XyY { x: wx, y: wy, yb: 1.0 }, primaries);
        }
        if let Some(gamma) = gamma.map(f64::from).filter(|gamma| (gamma / SRGB_GAMMA - 1.0).abs() > NEAR) {
            let exponent = 100_000.0 / gamma;
            if !(0.1..=10.0).contains(&exponent) {
                return None;
            }
            #[expect(clippy::cast_possible_truncation, reason = "from 0.1 to 10")]
            let curve = ToneReprCurve::Parametric(vec![exponent as f32]);
            profile.red_trc = Some(curve.clone());
            profile.green_trc = Some(curve.clone());
            profile.blue_trc = Some(curve);
        }
        profile.cicp = None;
        Self::unless_srgb(profile)
    }

    /// Returns `None` for a profile that changes no value by more than rounding, and for one that cannot be used.
    fn unless_srgb(profile: ColorProfile) -> Option<Self> {
        let colour = Self(profile);
        let steps = (0..=255_u8).step_by(15);
        match colour.0.color_space {
            DataColorSpace::Gray => {
                let greys: Vec<u8> = (0..=255).collect();
                let shown = colour.bytes(&greys, Layout::Gray, Layout::Rgb)?;
                let same = |(grey, rgb): (&u8, &[u8; 3])| rgb.iter().all(|value| value.abs_diff(*grey) <= 1);
                (!greys.iter().zip(shown.as_chunks().0).all(same)).then_some(colour)
            }
            DataColorSpace::Rgb => {
                let colours: Vec<u8> = steps
                    .clone()
                    .flat_map(|r| steps.clone().flat_map(move |g| (0..=255).step_by(51).map(move |b| [r, g, b])))
                    .flatten()
                    .collect();
                let shown = colour.bytes(&colours, Layout::Rgb, Layout::Rgb)?;
                (!colours.iter().zip(&shown).all(|(was, is)| was.abs_diff(*is) <= 1)).then_some(colour)
            }
            _ => Some(colour),
        }
    }

    /// Converts the picture to sRGB with 8 bits a channel. Returns it unchanged if the profile is for another kind of picture or
    /// cannot be applied.
    pub(super) fn to_srgb(&self, picture: DynamicImage) -> DynamicImage {
        // The values of a grey picture are the same in all three channels.
        let picture = match (self.0.color_space, picture) {
            (DataColorSpace::Rgb, DynamicImage::ImageLuma8(grey)) => DynamicImage::ImageLuma8(grey).into_rgb8().into(),
            (DataColorSpace::Rgb, DynamicImage::ImageLumaA8(grey)) => {
                DynamicImage::ImageLumaA8(grey).into_rgba8().into()
            }
            (DataColorSpace::Rgb, DynamicImage::ImageLuma16(grey)) => {
                DynamicImage::ImageLuma16(grey).into_rgb16().into()
            }
            (DataColorSpace::Rgb, DynamicImage::ImageLumaA16(grey)) => {
                DynamicImage::ImageLumaA16(grey).into_rgba16().into()
            }
            (_, picture) => picture,
        };
        let grey = self.0.color_space == DataColorSpace::Gray;
        let (width, height) = (picture.width(), picture.height());
        let rgb = |pixels: Option<Vec<u8>>| RgbImage::from_raw(width, height, pixels?).map(DynamicImage::from);
        let rgba = |pixels: Option<Vec<u8>>| RgbaImage::from_raw(width, height, pixels?).map(DynamicImage::from);
        let shown = match &picture {
            DynamicImage::ImageLuma8(p) if grey => rgb(self.bytes(p.as_raw(), Layout::Gray, Layout::Rgb)),
            DynamicImage::ImageLumaA8(p) if grey => rgba(self.bytes(p.as_raw(), Layout::GrayAlpha, Layout::Rgba)),
            DynamicImage::ImageLuma16(p) if grey => rgb(self.words(p.as_raw(), Layout::Gray, Layout::Rgb)),
            DynamicImage::ImageLumaA16(p) if grey => rgba(self.words(p.as_raw(), Layout::GrayAlpha, Layout::Rgba)),
            DynamicImage::ImageRgb8(p) if !grey => rgb(self.bytes(p.as_raw(), Layout::Rgb, Layout::Rgb)),
            DynamicImage::ImageRgba8(p) if !grey => rgba(self.bytes(p.as_raw(), Layout::Rgba, Layout::Rgba)),
            DynamicImage::ImageRgb16(p) if !grey => rgb(self.words(p.as_raw(), Layout::Rgb, Layout::Rgb)),
            DynamicImage::ImageRgba16(p) if !grey => rgba(self.words(p.as_raw(), Layout::Rgba, Layout::Rgba)),
            _ => None,
        };
        shown.unwrap_or(picture)
    }

    /// Converts CMYK to sRGB. Returns `None` if the profile is not for CMYK or cannot be applied.
    pub(super) fn cmyk_to_srgb(&self, cmyk: &[u8]) -> Option<Vec<u8>> {
        (self.0.color_space == DataColorSpace::Cmyk).then_some(())?;
        self.bytes(cmyk, Layout::Rgba, Layout::Rgb)
    }

    fn bytes(&self, pixels: &[u8], from: Layout, to: Layout) -> Option<Vec<u8>> {
        let executor = self.0.create_transform_8bit(from, &ColorProfile::new_srgb(), to, options()).ok()?;
        let mut shown = vec![0; pixels.len() / from.channels() * to.channels()];
        executor.transform(pixels, &mut shown).ok()?;
        Some(shown)
    }

    /// Like [`Colour::bytes`], for 16 bits. Converts to 8 bits piece by piece, so that there is no second 16-bit picture in memory.
    fn words(&self, pixels: &[u16], from: Layout, to: Layout) -> Option<Vec<u8>> {
        const PIECE: usize = 4096;
        let executor = self.0.create_transform_16bit(from, &ColorProfile::new_srgb(), to, options()).ok()?;
        let mut shown = Vec::with_capacity(pixels.len() / from.channels() * to.channels());
        for piece in pixels.chunks(PIECE * from.channels()) {
            let mut words = vec![0_u16; piece.len() / from.channels() * to.channels()];
            executor.transform(piece, &mut words).ok()?;
            // 65535 / 257 is 255, so the quotient fits.
            shown.extend(words.iter().map(|word| ((u32::from(*word) + 128) / 257) as u8));
        }
        Some(shown)
    }
}

/// Uses the curves of a profile even if it also has code points: HDR code points would make the picture dark.
fn options() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::Perceptual,
        allow_use_cicp_transfer: false,
        prefer_fixed_point: false,
        ..TransformOptions::default()
    }
}
