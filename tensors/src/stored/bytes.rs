//! Ranges of bytes that are shared and never copied. The bytes are in a mapped file, in the program's binary or in memory.
//!
//! Always holds: a range lies inside its owner, and the owner lives as long as any range of it. Any thread may read. The
//! `unsafe` code here maps files into memory. `must-diffusion` has `unsafe` code only to call cuDNN (`nn/cudnn.rs`).

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

use crate::error::{Result, unusable};

#[derive(Debug, Clone)]
enum Owner {
    Mapped(Arc<Mmap>),
    Static(&'static [u8]),
    Memory(Arc<Vec<u8>>),
}

/// A range of bytes. Cloning and slicing are cheap.
#[derive(Debug, Clone)]
pub struct FileBytes {
    owner: Owner,
    start: usize,
    length: usize,
}

impl FileBytes {
    /// Maps a file. A byte is read from disk when it is first accessed. Fails with `ModelUnavailable` when `path` cannot be
    /// opened or is not a file.
    pub fn open(path: &Path) -> Result<Self> {
        let fault = |error: std::io::Error| unusable(format!("cannot open {}: {error}", path.display()));
        // This check comes first because opening a named pipe waits for a writer.
        if !path.metadata().map_err(fault)?.is_file() {
            return Err(unusable(format!("{} is not a file", path.display())));
        }
        let file = File::open(path).map_err(fault)?;
        let length = usize::try_from(file.metadata().map_err(fault)?.len())
            .map_err(|_| unusable(format!("{} is too large for this machine", path.display())))?;
        if length == 0 {
            return Ok(Self::of_static(&[]));
        }
        Ok(Self { owner: Owner::Mapped(Arc::new(map(&file).map_err(fault)?)), start: 0, length })
    }

    /// Wraps bytes that are part of the program's binary.
    pub fn of_static(bytes: &'static [u8]) -> Self {
        Self { owner: Owner::Static(bytes), start: 0, length: bytes.len() }
    }

    /// Wraps bytes in memory.
    pub fn of_vec(bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        Self { owner: Owner::Memory(Arc::new(bytes)), start: 0, length }
    }

    /// Returns the length in bytes.
    pub fn length(&self) -> u64 {
        self.length as u64
    }

    /// Returns `length` bytes from `start` of this range. Fails with `ModelUnavailable` when they extend past the end.
    pub fn slice(&self, start: u64, length: u64) -> Result<Self> {
        if start.checked_add(length).is_none_or(|end| end > self.length()) {
            return Err(unusable("a weight file ends too early"));
        }
        let inside = |value: u64| usize::try_from(value).map_err(|_| unusable("a weight file is too large"));
        Ok(Self { owner: self.owner.clone(), start: self.start + inside(start)?, length: inside(length)? })
    }

    /// Returns the memory of a mapped range to the system. The bytes do not change: the system reads them from the file
    /// again on the next access.
    pub fn release(&self) {
        if let Owner::Mapped(map) = &self.owner {
            release(map, self.start, self.length);
        }
    }

    /// Returns the bytes.
    pub fn as_slice(&self) -> &[u8] {
        let all: &[u8] = match &self.owner {
            Owner::Mapped(map) => map,
            Owner::Static(bytes) => bytes,
            Owner::Memory(bytes) => bytes,
        };
        all.get(self.start..self.start + self.length).unwrap_or(&[])
    }
}

/// Advises the system that a range of a mapping is not needed for now.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "memmap2 has no safe form of this advice, because it discards changes in a writable mapping"
)]
fn release(map: &Mmap, start: usize, length: usize) {
    use memmap2::UncheckedAdvice;
    // SAFETY: the mapping is read-only and backed by a file, so its pages hold nothing that is not in the file. The next
    // access reads the same bytes from the file again.
    // An error is ignored: the system then keeps the pages in memory.
    let _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, length) };
}

#[cfg(not(unix))]
fn release(_: &Mmap, _: usize, _: usize) {}

#[expect(unsafe_code, reason = "memmap2 has no safe way to map a file")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the mapping is read-only, private to this process and read as plain bytes, so any content is valid. By the
    // rules of mmap it outlives `file`. One risk remains: when another program truncates or overwrites the file while a
    // model is loaded, the process may end with a bus error or compute with the new bytes. `docs/models.md` therefore tells
    // operators to replace model files by renaming, which leaves the mapped file unchanged.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_stay_inside_their_owner() {
        let bytes = FileBytes::of_vec((0..10).collect());
        let middle = bytes.slice(2, 6).unwrap();
        assert_eq!(middle.slice(1, 2).unwrap().as_slice(), [3, 4]);
        assert_eq!(middle.slice(6, 0).unwrap().length(), 0);
        for (start, length) in [(0, 7), (6, 1), (7, 0), (u64::MAX, 1), (1, u64::MAX)] {
            assert!(middle.slice(start, length).unwrap_err().detail().contains("ends too early"));
        }
    }

    #[test]
    fn released_bytes_are_read_from_the_file_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &content).unwrap();
        let bytes = FileBytes::open(&path).unwrap();
        let middle = bytes.slice(50_001, 200_000).unwrap();
        let before = middle.as_slice().to_vec();
        middle.release();
        assert!(middle.as_slice() == before && bytes.as_slice() == content);
    }

    #[test]
    fn only_regular_files_are_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        assert_eq!(FileBytes::open(&path).unwrap().as_slice(), b"content");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(FileBytes::open(&path).unwrap().as_slice(), b"");
        assert!(FileBytes::open(folder.path()).unwrap_err().detail().contains("is not a file"));
        assert!(FileBytes::open(&folder.path().join("none")).unwrap_err().detail().contains("cannot open"));
    }
}
