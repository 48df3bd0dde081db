//! Counts calls in exact sliding windows of 60 seconds.
//!
//! A call passes when fewer than N calls passed in the last 60 seconds; a refused call does not count. The windows in memory decide,
//! under one lock, so that exactly N of many simultaneous calls pass. A sign-in that passes is written as a durable row before it
//! continues, so that neither a restart nor a crash empties its window; when the row cannot be written, the call is taken out of the
//! window. Calls within admin sessions are counted only in memory, so that reading needs no write.
//!
//! | call | counted by | at most |
//! |---|---|---|
//! | a new generation session | client network | 10, or `sessions_per_minute` of the settings |
//! | an admin login | client network | 30 |
//! | any other admin call | session token, when well-formed | 120 |
//! | any other admin call without a well-formed token | client network | 120 |
//! | all admin calls but logins, in addition | client network | 1200 |
//!
//! Throttling comes before credentials, so the token was presented but not yet checked: anybody can make up tokens and get a window
//! with each. The last row limits that; it leaves room for ten busy sessions behind one address. The whole token is hashed: if calls
//! were counted by its public id, one caller could use up the window of another.

use super::store;
use super::window::{Bucket, WINDOW_MS, Window};
use crate::error::{Error, ErrorCode, Result};
use crate::store::Store;
use crate::time::Clock;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Largest number of separate windows; beyond that, all new callers share one window for each kind of call.
const MOST_BUCKETS: usize = 100_000;

/// The bucket that callers share beyond the maximum. No network and, in practice, no hash has this value.
const OVERFLOW: [u8; 16] = [0xfe; 16];

/// The windows of one platform.
pub(super) struct Throttle {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    /// `None` until the rows were read.
    windows: Mutex<Option<Windows>>,
    most: usize,
    sessions: usize,
}

struct Windows {
    hits: HashMap<Bucket, VecDeque<i64>>,
    most: usize,
    sessions: usize,
    swept: i64,
}

impl Throttle {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        let sessions = crate::settings::SESSIONS_PER_MINUTE as usize;
        Self { store, clock, windows: Mutex::new(None), most: MOST_BUCKETS, sessions }
    }

    /// Returns the throttle with another limit for new generation sessions.
    pub(super) fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    #[cfg(test)]
    pub(super) fn with_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Counts a call in all of its windows, or in none if one of them is full.
    ///
    /// # Errors
    /// `rate_limited` with the time to wait; `dependency_unavailable` when the call could not be counted.
    pub(super) fn pass(&self, buckets: &[Bucket]) -> Result<()> {
        let (now, counted) = {
            let mut windows = self.windows.lock();
            // The clock is read under the lock, so that the times in a window never decrease.
            let now = self.clock.now().0;
            let windows = match &mut *windows {
                Some(windows) => windows,
                empty @ None => empty.insert(self.load(now)?),
            };
            (now, windows.count(buckets, now)?)
        };
        let rows: Vec<Bucket> = counted.iter().filter(|bucket| bucket.window.is_kept()).copied().collect();
        if rows.is_empty() {
            return Ok(());
        }
        let written = self.store.write(move |connection| store::add_hits(connection, &rows, now));
        if written.is_err()
            && let Some(windows) = &mut *self.windows.lock()
        {
            windows.take_back(&counted, now);
        }
        written
    }

    /// Loads the calls that were counted before this process started.
    fn load(&self, now: i64) -> Result<Windows> {
        let mut windows = Windows { hits: HashMap::new(), most: self.most, sessions: self.sessions, swept: now };
        for (window, of, at) in self.store.read(|connection| store::hits_since(connection, now - WINDOW_MS))? {
            let window = Window::from_number(window)
                .ok_or_else(|| Error::new(ErrorCode::DependencyUnavailable, "a counted call is of an unknown kind"))?;
            let bucket = windows.bucket_for(Bucket { window, of }, now);
            // A row with a future time was written before the system's clock was set back. It counts as if it had been made now.
            windows.hits.entry(bucket).or_default().push_back(at.min(now));
        }
        Ok(windows)
    }
}

impl Windows {
    /// Counts a call in each bucket, or in none. Returns the buckets that it was counted in.
    fn count(&mut self, buckets: &[Bucket], now: i64) -> Result<Vec<Bucket>> {
        let buckets: Vec<Bucket> = buckets.iter().map(|bucket| self.bucket_for(*bucket, now)).collect();
        let mut wait = None;
        for bucket in &buckets {
            let limit = bucket.window.limit(self.sessions);
            let Some(hits) = self.hits.get_mut(bucket) else { continue };
            while hits.front().is_some_and(|&at| at <= now - WINDOW_MS) {
                hits.pop_front();
            }
            if let Some(more) = hits.len().checked_sub(limit) {
                // The call passes once enough calls have left the window.
                let left = hits.get(more).map_or(WINDOW_MS, |at| at + WINDOW_MS - now);
                let left = u64::try_from(left).unwrap_or(0).div_ceil(1000).max(1);
                wait = wait.max(Some((left, limit)));
            }
        }
        if let Some((seconds, limit)) = wait {
            return Err(Error::new(ErrorCode::RateLimited, format!("more than {limit} calls in 60 seconds"))
                .with_retry_after(Duration::from_secs(seconds)));
        }
        for bucket in &buckets {
            self.hits.entry(*bucket).or_default().push_back(now);
        }
        Ok(buckets)
    }

    fn take_back(&mut self, buckets: &[Bucket], at: i64) {
        for bucket in buckets {
            if let Some(hits) = self.hits.get_mut(bucket)
                && let Some(index) = hits.iter().rposition(|&hit| hit == at)
            {
                hits.remove(index);
            }
        }
    }

    /// Returns the bucket for a call: its own while there is room, otherwise the shared one of its kind.
    fn bucket_for(&mut self, bucket: Bucket, now: i64) -> Bucket {
        if self.hits.contains_key(&bucket) {
            return bucket;
        }
        let full = self.hits.len() >= self.most;
        // Going through all windows takes a while, so it does not happen with every call when many new callers come.
        if now - self.swept >= if full { 1000 } else { WINDOW_MS } {
            self.swept = now;
            self.hits.retain(|_, hits| hits.back().is_some_and(|&at| at > now - WINDOW_MS));
        }
        if self.hits.len() >= self.most { Bucket { of: OVERFLOW, ..bucket } } else { bucket }
    }
}
