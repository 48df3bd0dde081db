//! Files of workers that were fetched not long ago: a player asks for one clip in many parts, and a result never changes.

use crate::task::Media;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Bytes that are held at most.
const MOST: usize = 64 << 20;

/// Bytes of the largest file that is held: one must not push out all others.
const LARGEST: usize = 16 << 20;

/// The files, the one used last at the end.
#[derive(Default)]
pub(super) struct MediaCache(Mutex<VecDeque<(Key, Media)>>);

/// The task's id here, and whether it is the preview.
type Key = (String, bool);

impl MediaCache {
    pub(super) fn get(&self, id: &str, preview: bool) -> Option<Media> {
        let mut held = self.0.lock();
        let at = held.iter().position(|((known, kind), _)| known == id && *kind == preview)?;
        let found = held.remove(at)?;
        let media = found.1.clone();
        held.push_back(found);
        Some(media)
    }

    pub(super) fn put(&self, id: &str, preview: bool, media: &Media) {
        if media.bytes.len() > LARGEST {
            return;
        }
        let mut held = self.0.lock();
        held.retain(|((known, kind), _)| known != id || *kind != preview);
        held.push_back(((id.to_owned(), preview), media.clone()));
        let mut bytes: usize = held.iter().map(|(_, media)| media.bytes.len()).sum();
        while bytes > MOST
            && let Some((_, oldest)) = held.pop_front()
        {
            bytes -= oldest.bytes.len();
        }
    }

    /// Lets go of a task's files.
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
    fn what_was_not_used_for_longest_goes_first() {
        let cache = MediaCache::default();
        for id in ["a", "b", "c", "d"] {
            cache.put(id, false, &media(LARGEST));
        }
        assert!(cache.get("a", false).is_some());
        cache.put("e", true, &media(1));
        let held = |id: &str| cache.get(id, false).is_some();
        assert_eq!(["a", "b", "c", "d"].map(held), [true, false, true, true]);
        assert!(cache.get("e", true).is_some() && cache.get("e", false).is_none());
        cache.put("f", false, &media(LARGEST + 1));
        assert!(cache.get("f", false).is_none());
        cache.forget("e");
        assert!(cache.get("e", true).is_none());
    }
}
