//! MP4 clips: H.264 by OpenH264, boxes by `mp4-atom`.
//!
//! Invariants: one video track, constrained baseline, no reordering, one thread; `moov` before `mdat`, so playback starts
//! before the end has arrived; the time scale is a multiple of the frame rate, so rate and duration are exact; times of
//! creation are zero.

use mp4_atom::{
    Avc1, Avcc, Codec, Colr, Dinf, Dref, DrefEntry, Encode, Ftyp, Hdlr, Mdhd, Mdia, Minf, Moov, Mvhd, Stbl, Stco, Stsc,
    StscEntry, Stsd, Stss, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak, Url, Visual, Vmhd,
};
use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, EncodedBitStream, Encoder, EncoderConfig, FrameRate, FrameType,
    IntraFramePeriod, MatrixCoefficients, QpRange, RateControlMode, TransferCharacteristics, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use openh264::{OpenH264API, Timestamp};

use crate::error::{Error, Result};
use crate::media::yuv::{self, Yuv};
use must_diffusion::Frames;

/// The quantiser of every macroblock: visually clean, about what x264 calls crf 16.
const QP: u8 = 16;
/// Number of ticks of the time scale per frame. Any number works; 512 is the usual one.
const TICKS: u32 = 512;
const TRACK: u32 = 1;

struct Samples {
    sps: Vec<u8>,
    pps: Vec<u8>,
    /// All frames: their NAL units, each after its length in four bytes.
    data: Vec<u8>,
    sizes: Vec<u32>,
    /// Numbers of the key frames, from one.
    keys: Vec<u32>,
}

/// Encodes the frames as an MP4 file. An odd width or height grows by one pixel, because H.264 with 4:2:0 allows only even ones.
pub(super) fn encode(frames: &Frames, fps: u32, check: &mut dyn FnMut() -> Result<()>) -> Result<Vec<u8>> {
    let width = (frames.width as usize).next_multiple_of(2);
    let height = (frames.height as usize).next_multiple_of(2);
    let mut encoder = encoder(width, height, fps)?;
    let mut samples =
        Samples { sps: Vec::new(), pps: Vec::new(), data: Vec::new(), sizes: Vec::new(), keys: Vec::new() };
    let mut planes = Yuv::new(width, height);
    for (index, frame) in (0_u64..).zip(yuv::each(frames)) {
        check()?;
        planes.fill(frame, frames.width as usize);
        let source = YUVSlices::new((&planes.y, &planes.u, &planes.v), (width, height), (width, width / 2, width / 2));
        let stamp = Timestamp::from_millis(index * 1000 / u64::from(fps));
        let stream = encoder.encode_at(&source, stamp).map_err(failed)?;
        samples.push(&stream)?;
    }
    mux(&samples, width, height, fps)
}

fn encoder(width: usize, height: usize, fps: u32) -> Result<Encoder> {
    // A quantiser range of one value gives a fixed quantiser. This rate control mode keeps to it, skips no frame and, unlike
    // the modes that follow a bit rate, prints nothing; the bit rate only has to be plausible.
    let bits = u32::try_from(width * height * 16).unwrap_or(u32::MAX).clamp(1_000_000, 100_000_000);
    let config = EncoderConfig::new()
        .usage_type(UsageType::CameraVideoRealTime)
        .rate_control_mode(RateControlMode::Bufferbased)
        .qp(QpRange::new(QP, QP))
        .bitrate(BitRate::from_bps(bits))
        .max_frame_rate(FrameRate::from_hz(fps as f32))
        .intra_frame_period(IntraFramePeriod::from_num_frames(fps * 2))
        .complexity(Complexity::High)
        .skip_frames(false)
        .adaptive_quantization(false)
        .background_detection(false)
        .num_threads(1)
        .vui(
            VuiConfig::bt709()
                .color_primaries(ColorPrimaries::Bt709)
                .transfer_characteristics(TransferCharacteristics::Srgb)
                .matrix_coefficients(MatrixCoefficients::Smpte170M),
        );
    Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)
}

impl Samples {
    /// Adds one encoded frame: parameter sets are kept once, for the header; the rest becomes a sample.
    fn push(&mut self, stream: &EncodedBitStream<'_>) -> Result<()> {
        let start = self.data.len();
        for unit in (0..stream.num_layers()).filter_map(|index| stream.layer(index)).flat_map(|layer| {
            (0..layer.nal_count())
                .filter_map(move |index| layer.nal_unit(index).map(<[u8]>::to_vec))
                .collect::<Vec<_>>()
        }) {
            let zeros = unit.iter().take_while(|&&byte| byte == 0).count();
            let unit = unit.get(zeros + 1..).unwrap_or_default();
            match unit.first().map(|byte| byte & 0x1F) {
                Some(7) => keep_first(&mut self.sps, unit)?,
                Some(8) => keep_first(&mut self.pps, unit)?,
                Some(_) => {
                    self.data.extend(u32_of(unit.len())?.to_be_bytes());
                    self.data.extend(unit);
                }
                None => {}
            }
        }
        if self.data.len() == start {
            return Err(Error::internal("the H.264 encoder skipped a frame"));
        }
        self.sizes.push(u32_of(self.data.len() - start)?);
        if stream.frame_type() == FrameType::IDR {
            self.keys.push(u32_of(self.sizes.len())?);
        }
        Ok(())
    }
}

fn keep_first(kept: &mut Vec<u8>, unit: &[u8]) -> Result<()> {
    if kept.is_empty() {
        kept.extend(unit);
    } else if kept != unit {
        return Err(Error::internal("the H.264 encoder changed its parameters within a clip"));
    }
    Ok(())
}

fn mux(samples: &Samples, width: usize, height: usize, fps: u32) -> Result<Vec<u8>> {
    let brands = [b"isom", b"iso2", b"avc1", b"mp41"];
    let ftyp =
        Ftyp { major_brand: b"isom".into(), minor_version: 512, compatible_brands: brands.map(Into::into).into() };
    let mut file = Vec::new();
    ftyp.encode(&mut file).map_err(unmuxed)?;
    // The size of the boxes does not depend on the data's position, so a first writing gives that position.
    let mut probe = Vec::new();
    moov(samples, width, height, fps, 0)?.encode(&mut probe).map_err(unmuxed)?;
    let data_at = file.len() + probe.len() + 8;
    moov(samples, width, height, fps, u32_of(data_at)?)?.encode(&mut file).map_err(unmuxed)?;
    file.extend(u32_of(samples.data.len() + 8)?.to_be_bytes());
    file.extend(b"mdat");
    file.extend(&samples.data);
    // Four-byte offsets reach 4 GiB; a longer clip was refused before.
    u32_of(file.len())?;
    Ok(file)
}

fn moov(samples: &Samples, width: usize, height: usize, fps: u32, data_at: u32) -> Result<Moov> {
    let too_wide = |_| Error::internal("the clip is too large for MP4");
    let (width, height) = (u16::try_from(width).map_err(too_wide)?, u16::try_from(height).map_err(too_wide)?);
    let count = u32_of(samples.sizes.len())?;
    let timescale = fps * TICKS;
    let duration = u64::from(count) * u64::from(TICKS);
    let entry = Avc1 {
        visual: Visual { data_reference_index: 1, width, height, ..Default::default() },
        avcc: Avcc::new(&samples.sps, &samples.pps).map_err(unmuxed)?,
        btrt: None,
        colr: Some(Colr::Nclx {
            colour_primaries: yuv::PRIMARIES.into(),
            transfer_characteristics: yuv::TRANSFER.into(),
            matrix_coefficients: yuv::MATRIX.into(),
            full_range_flag: false,
        }),
        pasp: None,
        taic: None,
        fiel: None,
        spatial: None,
    };
    let stbl = Stbl {
        stsd: Stsd { codecs: vec![Codec::Avc1(entry)] },
        stts: Stts { entries: vec![SttsEntry { sample_count: count, sample_delta: TICKS }] },
        stss: Some(Stss { entries: samples.keys.clone() }),
        stsc: Stsc {
            entries: vec![StscEntry { first_chunk: 1, samples_per_chunk: count, sample_description_index: 1 }],
        },
        stsz: Stsz { samples: StszSamples::Different { sizes: samples.sizes.clone() } },
        stco: Some(Stco { entries: vec![data_at] }),
        ..Default::default()
    };
    let dref = Dref { entries: vec![DrefEntry::Url(Url::default())] };
    Ok(Moov {
        mvhd: Mvhd {
            timescale,
            duration,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: TRACK + 1,
            ..Default::default()
        },
        trak: vec![Trak {
            tkhd: Tkhd {
                track_id: TRACK,
                duration,
                enabled: true,
                in_movie: true,
                width: width.into(),
                height: height.into(),
                ..Default::default()
            },
            mdia: Mdia {
                mdhd: Mdhd { timescale, duration, language: "und".into(), ..Default::default() },
                hdlr: Hdlr { handler: b"vide".into(), name: "VideoHandler".into() },
                minf: Minf { vmhd: Some(Vmhd::default()), dinf: Dinf { dref }, stbl, ..Default::default() },
            },
            ..Default::default()
        }],
        ..Default::default()
    })
}

fn u32_of(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::internal("the clip is too large for MP4"))
}

fn failed(error: openh264::Error) -> Error {
    Error::internal(format!("the H.264 encoder failed: {error}"))
}

fn unmuxed(error: mp4_atom::Error) -> Error {
    Error::internal(format!("the MP4 boxes could not be written: {error}"))
}
