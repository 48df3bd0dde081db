//! WebM elements (Matroska, RFC 9559): only those that one video track needs.
//!
//! Written here because the common muxer makes random track ids and reseeds the host's `rand`, and a file must depend only on
//! its frames. Invariants: every element has a known size, the cue index comes before the data, ids are fixed.

use crate::yuv;

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CUES: u32 = 0x1C53_BB6B;
const CLUSTER: u32 = 0x1F43_B675;
const TRACK: u64 = 1;
const APP: &str = "must";

/// One encoded frame.
pub(super) struct Block {
    /// The bytes for the decoder.
    pub(super) data: Vec<u8>,
    /// Whether it is a key frame, at which decoding can start.
    pub(super) key: bool,
}

/// One video track.
pub(super) struct Track<'a> {
    /// Pixels.
    pub(super) width: u32,
    /// Pixels.
    pub(super) height: u32,
    /// Frames a second.
    pub(super) fps: u32,
    /// The codec's Matroska id.
    pub(super) codec: &'a str,
    /// The initialisation data of the decoder.
    pub(super) private: &'a [u8],
}

/// Returns the whole file. A cluster begins at every key frame, so key frames must be at most 32 s apart.
pub(super) fn webm(track: &Track<'_>, blocks: &[Block]) -> Vec<u8> {
    let info = master(INFO, &[info(track, blocks.len())]);
    let tracks = master(TRACKS, &[entry(track)]);
    let clusters = clusters(track.fps, blocks);
    // Positions take eight bytes, so the sizes of these two do not depend on the positions.
    let seek_size = seek_head(0, 0, 0).len();
    let cues_size = cues(&clusters, 0).len();
    let info_at = seek_size;
    let tracks_at = info_at + info.len();
    let cues_at = tracks_at + tracks.len();
    let mut body = vec![seek_head(info_at, tracks_at, cues_at), info, tracks, cues(&clusters, cues_at + cues_size)];
    body.extend(clusters.into_iter().map(|(_, bytes)| bytes));
    let header = master(
        EBML,
        &[
            uint(0x4286, 1),
            uint(0x42F7, 1),
            uint(0x42F2, 4),
            uint(0x42F3, 8),
            element(0x4282, b"webm"),
            uint(0x4287, 4),
            uint(0x4285, 2),
        ],
    );
    [header, master(SEGMENT, &body)].concat()
}

fn info(track: &Track<'_>, frames: usize) -> Vec<u8> {
    let milliseconds = frames as f64 * 1000.0 / f64::from(track.fps);
    [
        uint(0x002A_D7B1, 1_000_000),
        element(0x4489, &milliseconds.to_be_bytes()),
        element(0x4D80, APP.as_bytes()),
        element(0x5741, APP.as_bytes()),
    ]
    .concat()
}

fn entry(track: &Track<'_>) -> Vec<u8> {
    let colour = master(
        0x55B0,
        &[
            uint(0x55B1, yuv::MATRIX.into()),
            uint(0x55B2, 8),
            uint(0x55B3, 1),
            uint(0x55B4, 1),
            uint(0x55B9, 1),
            uint(0x55BA, yuv::TRANSFER.into()),
            uint(0x55BB, yuv::PRIMARIES.into()),
        ],
    );
    let video = master(0xE0, &[uint(0xB0, track.width.into()), uint(0xBA, track.height.into()), colour]);
    master(
        0xAE,
        &[
            uint(0xD7, TRACK),
            uint(0x73C5, TRACK),
            uint(0x83, 1),
            uint(0x9C, 0),
            element(0x0022_B59C, b"und"),
            element(0x86, track.codec.as_bytes()),
            element(0x63A2, track.private),
            uint(0x0023_E383, rounded(1_000_000_000, 1, track.fps)),
            video,
        ],
    )
}

/// Returns the clusters with their start times in milliseconds.
fn clusters(fps: u32, blocks: &[Block]) -> Vec<(u64, Vec<u8>)> {
    let mut done: Vec<(u64, Vec<Vec<u8>>)> = Vec::new();
    for (index, block) in (0_u64..).zip(blocks) {
        let time = rounded(1000, index, fps);
        if block.key || done.is_empty() {
            done.push((time, vec![uint(0xE7, time)]));
        }
        if let Some((start, parts)) = done.last_mut() {
            // Less than 32 s after the cluster's start; see `webm`.
            let offset = i16::try_from(time - *start).unwrap_or(i16::MAX).to_be_bytes();
            let flags = if block.key { 0x80 } else { 0 };
            let head = [0x80 | TRACK as u8, offset[0], offset[1], flags];
            parts.push(element(0xA3, &[&head, block.data.as_slice()].concat()));
        }
    }
    done.into_iter().map(|(time, parts)| (time, master(CLUSTER, &parts))).collect()
}

fn cues(clusters: &[(u64, Vec<u8>)], first_at: usize) -> Vec<u8> {
    let mut at = first_at;
    let mut points = Vec::new();
    for (time, bytes) in clusters {
        let position = master(0xB7, &[uint(0xF7, TRACK), element(0xF1, &(at as u64).to_be_bytes())]);
        points.push(master(0xBB, &[uint(0xB3, *time), position]));
        at += bytes.len();
    }
    master(CUES, &points)
}

fn seek_head(info_at: usize, tracks_at: usize, cues_at: usize) -> Vec<u8> {
    let seek = |id: u32, at: usize| {
        master(0x4DBB, &[element(0x53AB, &id.to_be_bytes()), element(0x53AC, &(at as u64).to_be_bytes())])
    };
    master(SEEK_HEAD, &[seek(INFO, info_at), seek(TRACKS, tracks_at), seek(CUES, cues_at)])
}

/// Returns `scale * index / fps`, rounded to the nearest.
fn rounded(scale: u64, index: u64, fps: u32) -> u64 {
    let fps = u64::from(fps);
    (scale * index + fps / 2) / fps
}

fn uint(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skipped = (value.leading_zeros() / 8).min(7) as usize;
    element(id, bytes.get(skipped..).unwrap_or(&bytes))
}

fn master(id: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    element(id, &parts.concat())
}

/// Returns an element: its id, its size in eight bytes, its content.
fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes();
    let skipped = id.iter().take_while(|&&byte| byte == 0).count();
    let size = content.len() as u64 | 1 << 56;
    [id.get(skipped..).unwrap_or(&id), &size.to_be_bytes(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_follow_the_rfc() {
        assert_eq!(uint(0x4286, 1), [0x42, 0x86, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(uint(0xD7, 0)[9..], [0]);
        assert_eq!(uint(0xD7, 0x1234)[1..], [1, 0, 0, 0, 0, 0, 0, 2, 0x12, 0x34]);
        assert_eq!(uint(0xD7, u64::MAX).len(), 17);
    }

    #[test]
    fn times_do_not_drift() {
        assert_eq!(rounded(1000, 1, 16), 63);
        assert_eq!(rounded(1000, 48, 16), 3000);
        assert_eq!(rounded(1000, 24, 24), 1000);
        assert_eq!(rounded(1_000_000_000, 1, 24), 41_666_667);
    }

    #[test]
    fn cue_positions_point_at_clusters() {
        let blocks: Vec<_> = (0..10).map(|i| Block { data: vec![i; 5], key: i % 4 == 0 }).collect();
        let track = Track { width: 8, height: 8, fps: 4, codec: "V_AV1", private: &[1, 2] };
        let file = webm(&track, &blocks);
        let find = |needle: &[u8]| file.windows(needle.len()).position(|w| w == needle).unwrap();
        let body = find(&SEGMENT.to_be_bytes()) + 12;
        let cue = find(&[0xF1, 1, 0, 0, 0, 0, 0, 0, 8]) + 9;
        let at = u64::from_be_bytes(file[cue..cue + 8].try_into().unwrap()) as usize;
        assert_eq!(file[body + at..][..4], CLUSTER.to_be_bytes());
        assert_eq!(file.windows(4).filter(|w| *w == CLUSTER.to_be_bytes()).count(), 3);
    }
}
