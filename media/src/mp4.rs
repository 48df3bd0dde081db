//! MP4 clips: H.264 by OpenH264, boxes by `shiguredo_mp4`.
//!
//! Invariants: one video track, constrained baseline, no reordering, one thread; `moov` before `mdat`, so playback starts
//! before the end has arrived; the time scale is a multiple of the frame rate, so rate and duration are exact; times of
//! creation are zero.

use std::num::NonZeroU32;

use openh264::encoder::{
    BitRate, ColorPrimaries, Complexity, EncodedBitStream, Encoder, EncoderConfig, FrameRate, FrameType,
    IntraFramePeriod, MatrixCoefficients, QpRange, RateControlMode, TransferCharacteristics, UsageType, VuiConfig,
};
use openh264::formats::YUVSlices;
use openh264::{OpenH264API, Timestamp};
use shiguredo_mp4::boxes::{
    Avc1Box, AvccBox, Brand, DinfBox, FtypBox, HdlrBox, MdhdBox, MdiaBox, MediaHeader, MinfBox, MoovBox, MvhdBox,
    SampleEntry, StblBox, StcoBox, StscBox, StscEntry, StsdBox, StssBox, StszBox, SttsBox, SttsEntry, TkhdBox, TrakBox,
    UnknownBox, VisualSampleEntryFields, VmhdBox,
};
use shiguredo_mp4::{BoxSize, BoxType, Either, Encode, FixedPointNumber, LanguageCode, Mp4FileTime, Uint};

use crate::yuv::{self, Yuv};
use crate::{Error, Result};
use must_diffusion::Frames;

/// The quantiser of every macroblock: visually clean, about what x264 calls crf 16.
const QP: u8 = 16;
/// Number of ticks of the time scale per frame. Any number works; 512 is the usual one.
const TICKS: u32 = 512;
const TRACK: u32 = 1;
/// The size of `colr` with its header of eight bytes.
const COLR_BYTES: u32 = 19;

struct Samples {
    sps: Vec<u8>,
    pps: Vec<u8>,
    /// All frames: their NAL units, each after its length in four bytes.
    data: Vec<u8>,
    sizes: Vec<u32>,
    /// Numbers of the key frames, from one.
    keys: Vec<NonZeroU32>,
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
            self.keys.extend(NonZeroU32::new(u32_of(self.sizes.len())?));
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
    let ftyp = FtypBox {
        major_brand: Brand::ISOM,
        minor_version: 512,
        compatible_brands: vec![Brand::ISOM, Brand::ISO2, Brand::AVC1, Brand::MP41],
    };
    let mut file = ftyp.encode_to_vec().map_err(unmuxed)?;
    // The size of the boxes does not depend on the data's position, so a first writing gives that position.
    let mut moov = moov(samples, width, height, fps)?;
    let data_at = file.len() + moov.encode_to_vec().map_err(unmuxed)?.len() + 8;
    for track in &mut moov.trak_boxes {
        track.mdia_box.minf_box.stbl_box.stco_or_co64_box = data_at_byte(u32_of(data_at)?);
    }
    file.extend(moov.encode_to_vec().map_err(unmuxed)?);
    file.extend(u32_of(samples.data.len() + 8)?.to_be_bytes());
    file.extend(b"mdat");
    file.extend(&samples.data);
    // Four-byte offsets reach 4 GiB; a longer clip was refused before.
    u32_of(file.len())?;
    Ok(file)
}

/// Returns the header of a clip. The position of its data has still to be set.
fn moov(samples: &Samples, width: usize, height: usize, fps: u32) -> Result<MoovBox> {
    let count = u32_of(samples.sizes.len())?;
    let timescale = NonZeroU32::new(fps * TICKS).ok_or_else(|| Error::internal("a clip has no frame rate"))?;
    let duration = u64::from(count) * u64::from(TICKS);
    let created = Mp4FileTime::from_secs(0);
    Ok(MoovBox {
        mvhd_box: MvhdBox {
            creation_time: created,
            modification_time: created,
            timescale,
            duration,
            rate: MvhdBox::DEFAULT_RATE,
            volume: MvhdBox::DEFAULT_VOLUME,
            matrix: MvhdBox::DEFAULT_MATRIX,
            next_track_id: TRACK + 1,
        },
        trak_boxes: vec![TrakBox {
            tkhd_box: TkhdBox {
                flag_track_enabled: true,
                flag_track_in_movie: true,
                flag_track_in_preview: false,
                flag_track_size_is_aspect_ratio: false,
                creation_time: created,
                modification_time: created,
                track_id: TRACK,
                duration,
                layer: TkhdBox::DEFAULT_LAYER,
                alternate_group: TkhdBox::DEFAULT_ALTERNATE_GROUP,
                volume: TkhdBox::DEFAULT_VIDEO_VOLUME,
                matrix: TkhdBox::DEFAULT_MATRIX,
                width: pixels(width)?,
                height: pixels(height)?,
            },
            edts_box: None,
            mdia_box: MdiaBox {
                mdhd_box: MdhdBox {
                    creation_time: created,
                    modification_time: created,
                    timescale,
                    duration,
                    language: LanguageCode::UNDEFINED,
                },
                hdlr_box: HdlrBox { handler_type: HdlrBox::HANDLER_TYPE_VIDE, name: b"VideoHandler\0".to_vec() },
                minf_box: MinfBox {
                    media_header: Some(MediaHeader::Vmhd(VmhdBox::default())),
                    dinf_box: DinfBox::LOCAL_FILE,
                    stbl_box: sample_table(samples, count, width, height)?,
                    unknown_boxes: Vec::new(),
                },
                unknown_boxes: Vec::new(),
            },
            unknown_boxes: Vec::new(),
        }],
        mvex_box: None,
        unknown_boxes: Vec::new(),
    })
}

fn sample_table(samples: &Samples, count: u32, width: usize, height: usize) -> Result<StblBox> {
    let format = Avc1Box {
        visual: VisualSampleEntryFields {
            data_reference_index: VisualSampleEntryFields::DEFAULT_DATA_REFERENCE_INDEX,
            width: u16::try_from(width).map_err(too_large)?,
            height: u16::try_from(height).map_err(too_large)?,
            horizresolution: VisualSampleEntryFields::DEFAULT_HORIZRESOLUTION,
            vertresolution: VisualSampleEntryFields::DEFAULT_VERTRESOLUTION,
            frame_count: VisualSampleEntryFields::DEFAULT_FRAME_COUNT,
            compressorname: [0; 32],
            depth: VisualSampleEntryFields::DEFAULT_DEPTH,
        },
        avcc_box: decoder_configuration(samples)?,
        unknown_boxes: vec![colours()],
    };
    Ok(StblBox {
        stsd_box: StsdBox { entries: vec![SampleEntry::Avc1(format)] },
        stts_box: SttsBox { entries: vec![SttsEntry { sample_count: count, sample_delta: TICKS }] },
        ctts_box: None,
        cslg_box: None,
        stsc_box: StscBox {
            entries: vec![StscEntry {
                first_chunk: NonZeroU32::MIN,
                sample_per_chunk: count,
                sample_description_index: NonZeroU32::MIN,
            }],
        },
        stsz_box: StszBox::Variable { entry_sizes: samples.sizes.clone() },
        stco_or_co64_box: data_at_byte(0),
        stss_box: Some(StssBox { sample_numbers: samples.keys.clone() }),
        sdtp_box: None,
        unknown_boxes: Vec::new(),
    })
}

/// Returns `avcC`. The profile, its constraints and the level are the three bytes after the first one of a sequence parameter set.
fn decoder_configuration(samples: &Samples) -> Result<AvccBox> {
    let [_, profile, constraints, level, ..] = *samples.sps.as_slice() else {
        return Err(Error::internal("the H.264 encoder wrote no sequence parameter set"));
    };
    Ok(AvccBox {
        avc_profile_indication: profile,
        profile_compatibility: constraints,
        avc_level_indication: level,
        // Each NAL unit has its length in four bytes before it.
        length_size_minus_one: Uint::new(3),
        sps_list: vec![samples.sps.clone()],
        pps_list: vec![samples.pps.clone()],
        chroma_format: None,
        bit_depth_luma_minus8: None,
        bit_depth_chroma_minus8: None,
        sps_ext_list: Vec::new(),
    })
}

/// Returns `colr` (ISO/IEC 14496-12, 12.1.5): the code points of the colours, and that luma has the limited range.
fn colours() -> UnknownBox {
    let mut payload = b"nclx".to_vec();
    for code in [yuv::PRIMARIES, yuv::TRANSFER, yuv::MATRIX] {
        payload.extend(u16::from(code).to_be_bytes());
    }
    payload.push(0);
    let size = BoxSize::U32(COLR_BYTES);
    UnknownBox { box_type: BoxType::Normal(*b"colr"), box_size: size, payload }
}

fn data_at_byte<B>(position: u32) -> Either<StcoBox, B> {
    Either::A(StcoBox { chunk_offsets: vec![position] })
}

fn pixels(side: usize) -> Result<FixedPointNumber<i16, u16>> {
    Ok(FixedPointNumber::new(i16::try_from(side).map_err(too_large)?, 0))
}

fn u32_of(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(too_large)
}

fn too_large(_: std::num::TryFromIntError) -> Error {
    Error::internal("the clip is too large for MP4")
}

fn failed(error: openh264::Error) -> Error {
    Error::internal(format!("the H.264 encoder failed: {error}"))
}

fn unmuxed(error: shiguredo_mp4::Error) -> Error {
    Error::internal(format!("the MP4 boxes could not be written: {error}"))
}
