//! WebM clips: AV1 by rav1e, boxes by [`ebml`](super::ebml).
//!
//! Invariants: constant quality, no reordering, a fixed number of tiles, so that the bytes do not depend on threads.

use rav1e::prelude::{
    ChromaSamplePosition, ChromaSampling, ColorDescription, ColorPrimaries, Config, Context, EncoderConfig,
    EncoderStatus, MatrixCoefficients, PixelRange, Rational, SpeedSettings, TransferCharacteristics, Tune,
};

use crate::ebml::{self, Block, Track};
use crate::yuv::{self, Yuv};
use crate::{Error, Result};
use must_diffusion::Frames;

/// AV1's base quantiser index, 0 to 255: visually clean.
const QUANTIZER: usize = 60;
/// rav1e's preset, 0 (best) to 10 (fastest).
const SPEED: u8 = 10;
/// The smallest side of an AV1 clip that this encoder supports.
const MIN_SIDE: u32 = 16;
/// `seq_level_idx` 12 is level 5.0, enough up to 4096 x 2176; 16 is level 6.0.
const LEVELS: (u8, u8) = (12, 16);
const LEVEL_5_PIXELS: u64 = 8_912_896;

/// Encodes the frames as a WebM file.
pub(super) fn encode(frames: &Frames, fps: u32, check: &mut dyn FnMut() -> Result<()>) -> Result<Vec<u8>> {
    if frames.width.min(frames.height) < MIN_SIDE {
        return Err(Error::invalid_request(format!("a WebM clip has at least {MIN_SIDE} pixels a side")));
    }
    let (width, height) = (frames.width as usize, frames.height as usize);
    let level = if (width * height) as u64 <= LEVEL_5_PIXELS { LEVELS.0 } else { LEVELS.1 };
    let mut context: Context<u8> = Config::new()
        .with_encoder_config(config(width, height, fps, level))
        .with_threads(1)
        .new_context()
        .map_err(|error| Error::internal(format!("the AV1 encoder refused its configuration: {error}")))?;
    let mut blocks = Vec::new();
    let mut planes = Yuv::new(width, height);
    for rgb in yuv::each(frames) {
        check()?;
        planes.fill(rgb, width);
        let mut frame = context.new_frame();
        let chroma = width.div_ceil(2);
        for (plane, (bytes, stride)) in
            frame.planes.iter_mut().zip([(&planes.y, width), (&planes.u, chroma), (&planes.v, chroma)])
        {
            plane.copy_from_raw_u8(bytes, stride, 1);
        }
        context.send_frame(frame).map_err(failed)?;
        drain(&mut context, &mut blocks, check)?;
    }
    context.flush();
    drain(&mut context, &mut blocks, check)?;
    if blocks.len() != frames.count() {
        return Err(Error::internal("the AV1 encoder skipped a frame"));
    }
    let private = private(&context, level, blocks.first())?;
    let track = Track { width: frames.width, height: frames.height, fps, codec: "V_AV1", private: &private };
    Ok(ebml::webm(&track, &blocks))
}

fn config(width: usize, height: usize, fps: u32, level: u8) -> EncoderConfig {
    let second = u64::from(fps);
    EncoderConfig {
        width,
        height,
        time_base: Rational::new(1, second),
        bit_depth: 8,
        chroma_sampling: ChromaSampling::Cs420,
        chroma_sample_position: ChromaSamplePosition::Unknown,
        pixel_range: PixelRange::Limited,
        // The same code points as in `yuv`, in rav1e's names.
        color_description: Some(ColorDescription {
            color_primaries: ColorPrimaries::BT709,
            transfer_characteristics: TransferCharacteristics::SRGB,
            matrix_coefficients: MatrixCoefficients::BT601,
        }),
        level_idx: Some(level),
        min_key_frame_interval: second * 2,
        max_key_frame_interval: second * 2,
        low_latency: true,
        quantizer: QUANTIZER,
        tune: Tune::Psnr,
        tiles: 1,
        speed_settings: SpeedSettings::from_preset(SPEED),
        ..EncoderConfig::with_speed_preset(SPEED)
    }
}

/// Receives the packets that are ready.
fn drain(context: &mut Context<u8>, blocks: &mut Vec<Block>, check: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    loop {
        match context.receive_packet() {
            Ok(packet) => {
                check()?;
                let key = packet.frame_type == rav1e::prelude::FrameType::KEY;
                // Matroska forbids the temporal delimiter, which is the first two bytes of every packet.
                let data = packet.data.strip_prefix(&[0x12, 0x00]).unwrap_or(&packet.data).to_vec();
                blocks.push(Block { data, key });
            }
            Err(EncoderStatus::Encoded) => {}
            Err(EncoderStatus::NeedMoreData | EncoderStatus::LimitReached) => return Ok(()),
            Err(other) => return Err(failed(other)),
        }
    }
}

/// Returns `av1C`: four bytes and the sequence header, which is the first unit of the first frame.
fn private(context: &Context<u8>, level: u8, first: Option<&Block>) -> Result<Vec<u8>> {
    let mut private = context.container_sequence_header();
    // rav1e always writes "no level" here, even if the stream has one.
    if let Some(byte) = private.get_mut(1) {
        *byte = (*byte & 0xE0) | level;
    }
    let data = first.map(|block| block.data.as_slice()).unwrap_or_default();
    // Type 1 with a size field of one byte: a sequence header is far below 128 bytes.
    match data {
        [0x0A, size @ 0..=0x7F, ..] => private.extend(data.iter().take(2 + usize::from(*size))),
        _ => return Err(Error::internal("the AV1 encoder began without a sequence header")),
    }
    Ok(private)
}

fn failed(status: EncoderStatus) -> Error {
    Error::internal(format!("the AV1 encoder failed: {status}"))
}
