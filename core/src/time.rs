//! Timestamps, and the clock. Everything that expires, is counted per time window or is recorded takes its time from this clock.
//!
//! A [`Clock`] never goes back. So if the system's clock is set back, expired things do not become valid again, and the order of
//! events does not change.

use crate::error::{Error, Result};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use std::time::{Duration, Instant};

/// The last millisecond of the year 9999, the latest time that a [`ManualClock`] can show. The times of the last 26 hours before it
/// cannot be written as RFC 3339.
const LATEST: i64 = 253_402_300_799_999;

/// A point in time, in milliseconds since 1970, UTC. It is written as RFC 3339, with milliseconds. A time that RFC 3339 cannot write
/// (outside the years -9999 to 9999) is written as the number of milliseconds, such as `253402300799999 ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the current time of the system's clock.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// Reads a time in RFC 3339, such as `2026-11-29T09:15:45.123Z`. Returns `None` if the text is malformed.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|moment| Self(moment.as_millisecond()))
    }

    /// Returns the time that is `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => write!(f, "{moment:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Returns a duration in milliseconds, at most the largest number.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A source of time. Hosts pass their own only in tests.
pub trait Clock: Send + Sync {
    /// Returns the current time. It must never be earlier than a time returned before.
    fn now(&self) -> Timestamp;
}

/// The system's clock, except that it never goes back. If the system's clock is set back, this one continues at the pace of the
/// monotonic clock until the system's clock has caught up.
#[derive(Debug)]
pub struct SystemClock {
    last: Mutex<(i64, Instant)>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { last: Mutex::new((Timestamp::now().0, Instant::now())) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let mut last = self.last.lock();
        let (returned, when) = *last;
        let at_least = returned.saturating_add(millis(when.elapsed()));
        let wall = Timestamp::now().0;
        if wall >= at_least {
            *last = (wall, Instant::now());
        }
        Timestamp(wall.max(at_least))
    }
}

/// A clock that changes only when it is advanced.
///
/// ```
/// use must::time::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(0)?;
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().to_string(), "1970-01-01T00:01:00.000Z");
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<i64>);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start.0))
    }

    /// A clock that shows this many milliseconds since 1970, UTC.
    ///
    /// # Errors
    /// `validation_error` for a time before 1970 or after the year 9999.
    pub fn at(milliseconds: i64) -> Result<Self> {
        if (0..=LATEST).contains(&milliseconds) {
            Ok(Self::new(Timestamp(milliseconds)))
        } else {
            Err(Error::validation(format!(
                "a clock's time must be in the years 1970 to 9999, but is {milliseconds} ms since 1970"
            )))
        }
    }

    /// Advances the clock by `by`, at most to the end of the year 9999.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock();
        *now = Timestamp(*now).after(by).0.min(LATEST);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(*self.0.lock())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_advances_up_to_the_latest_time() {
        let clock = ManualClock::new(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(clock.now(), Timestamp(60_999));
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp(LATEST));
        assert!(
            ManualClock::at(LATEST).is_ok() && ManualClock::at(LATEST + 1).is_err() && ManualClock::at(-1).is_err()
        );
    }

    #[test]
    fn the_system_clock_advances_while_the_wall_clock_is_behind() {
        let ahead = Timestamp::now().0 + 3_600_000;
        let clock = SystemClock { last: Mutex::new((ahead, Instant::now())) };
        let first = clock.now();
        assert!(first.0 >= ahead && first.0 < ahead + 10_000);
        std::thread::sleep(Duration::from_millis(5));
        assert!(clock.now().0 >= first.0 + 4);
    }
}
