//! A cache of files that were fetched from workers. It is needed because a player requests one clip in many parts. A result never
//! changes, so the cache is never out of date.

use crate::task::Media;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Largest number of bytes in the cache.
const MOST_BYTES: usize = 64 << 20;

/// Size in bytes of the largest file that is cached. One file must not replace all others.
const LARGEST_FILE: usize = 16 << 20;

/// The cached files. The one used last is at the end.
#[derive(Default)]
pub(super) struct MediaCache(Mutex<VecDeque<(Key, Media)>>);

/// The task's id here, and whether it is the preview.
type Key = (String, bool);

impl MediaCache {
    pub(super) fn get(&self, id: &str, preview: bool) -> Option<Media> {
        let mut files = self.0.lock();
        let at = files.iter().position(|((known, kind), _)| known == id && *kind == preview)?;
        let found = files.remove(at)?;
        let media = found.1.clone();
        files.push_back(found);
        Some(media)
    }

    pub(super) fn put(&self, id: &str, preview: bool, media: &Media) {
        if media.bytes.len() > LARGEST_FILE {
            return;
        }
        let mut files = self.0.lock();
        files.retain(|((known, kind), _)| known != id || *kind != preview);
        files.push_back(((id.to_owned(), preview), media.clone()));
        let mut bytes: usize = files.iter().map(|(_, media)| media.bytes.len()).sum();
        while bytes > MOST_BYTES
            && let Some((_, oldest)) = files.pop_front()
        {
            bytes -= oldest.bytes.len();
        }
    }

    /// Removes a task's files.
    pub(super) fn forget(&self, id: &str) {
        self.0.lock().retain(|((known, _), _)| known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(bytes: usize) -> Media {
        Media { bytes: vec![1; bytes], content_type: "image/png", file_name: String::new() }
    }

    #[test]
    fn the_least_recently_used_file_is_removed_first() {
        let cache = MediaCache::default();
        for id in ["a", "b", "c", "d"] {
            cache.put(id, false, &media(LARGEST_FILE));
        }
        assert!(cache.get("a", false).is_some());
        cache.put("e", true, &media(1));
        let files = |id: &str| cache.get(id, false).is_some();
        assert_eq!(["a", "b", "c", "d"].map(files), [true, false, true, true]);
        assert!(cache.get("e", true).is_some() && cache.get("e", false).is_none());
        cache.put("f", false, &media(LARGEST_FILE + 1));
        assert!(cache.get("f", false).is_none());
        cache.forget("e");
        assert!(cache.get("e", true).is_none());
    }
}
