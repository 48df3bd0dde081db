//! Reads the MP4 clips that [`mp4`](super::mp4) writes: one H.264 track, all samples in one chunk.
//!
//! Invariants: every size and position in the file is checked against its length before it is used.

use openh264::OpenH264API;
use openh264::decoder::{Decoder, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use shiguredo_mp4::boxes::{Avc1Box, MoovBox, SampleEntry, StszBox, TrakBox};
use shiguredo_mp4::{BoxHeader, Decode, Either};

use crate::Frames;
use crate::yuv::{self, Plane};
use crate::{Error, ErrorKind, Result};

/// The start code in front of a NAL unit.
const START: [u8; 4] = [0, 0, 0, 1];

/// Returns the frames of a clip.
///
/// # Errors
/// `InvalidRequest` for a file that is damaged or of another kind; `TooLarge` when there is not enough memory.
pub(super) fn decode(file: &[u8]) -> Result<Frames> {
    let moov = moov(file).ok_or_else(damaged)?;
    let track = moov.trak_boxes.first().ok_or_else(damaged)?;
    let format = h264(track).ok_or_else(damaged)?;
    let samples = samples(file, track).ok_or_else(damaged)?;
    let (width, height) = (usize::from(format.visual.width), usize::from(format.visual.height));
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    let mut decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
        .map_err(|error| Error::internal(format!("the H.264 decoder did not start: {error}")))?;
    // The parameter sets come before the first frame.
    let mut packet = Vec::new();
    for unit in format.avcc_box.sps_list.iter().chain(&format.avcc_box.pps_list) {
        packet.extend(START);
        packet.extend(unit);
    }
    let mut rgb = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        with_starts(sample, &mut packet).ok_or_else(damaged)?;
        let frame = decoder.decode(&packet).ok().flatten().ok_or_else(damaged)?;
        if frame.dimensions() != (width, height) {
            return Err(damaged());
        }
        if index == 0 {
            reserve(&mut rgb, width, height, samples.len())?;
        }
        let (luma, chroma, other) = frame.strides();
        let planes = [
            Plane { bytes: frame.y(), stride: luma },
            Plane { bytes: frame.u(), stride: chroma },
            Plane { bytes: frame.v(), stride: other },
        ];
        yuv::append_rgb(planes, width, height, &mut rgb).ok_or_else(damaged)?;
        packet.clear();
    }
    Ok(Frames { width: format.visual.width.into(), height: format.visual.height.into(), rgb })
}

/// Reserves memory for all frames. Called after the first frame was decoded, which confirms the size in the header.
fn reserve(rgb: &mut Vec<u8>, width: usize, height: usize, count: usize) -> Result<()> {
    let bytes = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)?.checked_mul(count));
    match bytes.map(|bytes| rgb.try_reserve_exact(bytes)) {
        Some(Ok(())) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::TooLarge,
            format!("there is not enough memory for {count} frames of {width}x{height} pixels"),
        )
        .with_action("Save the clip and decode it piece by piece with another program.")),
    }
}

fn moov(file: &[u8]) -> Option<MoovBox> {
    let mut rest = file;
    while !rest.is_empty() {
        let (header, payload) = BoxHeader::decode_header_and_payload(rest).ok()?;
        if header.box_type == MoovBox::TYPE {
            return MoovBox::decode(rest).ok().map(|(moov, _)| moov);
        }
        rest = rest.get(header.external_size() + payload.len()..)?;
    }
    None
}

fn h264(track: &TrakBox) -> Option<&Avc1Box> {
    match track.mdia_box.minf_box.stbl_box.stsd_box.entries.first()? {
        SampleEntry::Avc1(format) if format.avcc_box.length_size_minus_one.get() == 3 => Some(format),
        _ => None,
    }
}

/// Returns the encoded frames, which are stored one after another.
fn samples<'a>(file: &'a [u8], track: &TrakBox) -> Option<Vec<&'a [u8]>> {
    let table = &track.mdia_box.minf_box.stbl_box;
    let Either::A(positions) = &table.stco_or_co64_box else { return None };
    let [start] = positions.chunk_offsets.as_slice() else { return None };
    let StszBox::Variable { entry_sizes: sizes } = &table.stsz_box else { return None };
    let mut rest = file.get(usize::try_from(*start).ok()?..)?;
    let mut samples = Vec::new();
    for &size in sizes {
        let (sample, after) = rest.split_at_checked(usize::try_from(size).ok()?)?;
        samples.push(sample);
        rest = after;
    }
    (!samples.is_empty()).then_some(samples)
}

/// Appends the NAL units of a sample, with a start code in place of each length.
fn with_starts(sample: &[u8], packet: &mut Vec<u8>) -> Option<()> {
    let mut rest = sample;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (unit, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        packet.extend(START);
        packet.extend(unit);
        rest = after;
    }
    rest.is_empty().then_some(())
}

/// Returns the error for a clip that cannot be read.
pub(super) fn damaged() -> Error {
    Error::invalid_request("the MP4 clip is damaged, or was not written by MUST")
        .with_action("Pass the unchanged bytes of a result.")
}
