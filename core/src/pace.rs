//! The pace at which the body of a request must be received or sent. A slow transfer is allowed as long as it keeps moving.
//!
//! There are three limits: the longest pause without any byte, the least average number of bytes per second (after the time of one
//! pause), and the longest total time. The first ends transfers with a peer that is gone. The second ends those with a peer that
//! moves a single byte now and then to keep its connection. The third limits every transfer.

use crate::settings::HttpSettings;
use std::time::Duration;

/// The limits, from the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pause: Duration,
    bytes_per_second: u64,
    longest: Duration,
}

impl Pace {
    pub(crate) fn of(settings: &HttpSettings) -> Self {
        Self {
            pause: settings.body_timeout,
            bytes_per_second: settings.body_bytes_per_second,
            longest: settings.body_time_limit,
        }
    }

    /// Returns how long to wait for the next piece of a body. So far `moved` bytes were transferred in the time `elapsed`, the last
    /// of them `idle` ago.
    ///
    /// # Errors
    /// The limit that the transfer exceeds.
    pub(crate) fn wait(&self, moved: u64, elapsed: Duration, idle: Duration) -> Result<Duration, Slow> {
        let pause = self.pause.saturating_sub(idle);
        if pause.is_zero() {
            return Err(Slow::Stalled(self.pause));
        }
        let longest = self.longest.saturating_sub(elapsed);
        if longest.is_zero() {
            return Err(Slow::Incomplete(self.longest));
        }
        let Some(earned) = self.earned(moved) else { return Ok(pause.min(longest)) };
        let left = self.pause.saturating_add(earned).saturating_sub(elapsed);
        if left.is_zero() {
            return Err(Slow::BelowRate(self.bytes_per_second));
        }
        Ok(pause.min(longest).min(left))
    }

    /// Returns the extra time that sent bytes may need until they arrive. It is at most one pause.
    pub(crate) fn on_the_way(&self, bytes: u64) -> Duration {
        self.earned(bytes).unwrap_or_default().min(self.pause)
    }

    /// Returns how long this number of bytes may take. Returns `None` if there is no least rate.
    fn earned(&self, bytes: u64) -> Option<Duration> {
        bytes.checked_mul(1000)?.checked_div(self.bytes_per_second).map(Duration::from_millis)
    }
}

/// The limit that a transfer exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    /// No byte moved for this time.
    Stalled(Duration),
    /// The body was not complete after this time.
    Incomplete(Duration),
    /// The body moves at less than this number of bytes per second.
    BelowRate(u64),
}

impl Slow {
    /// Describes this for a body that is received.
    pub(crate) fn coming_in(self) -> String {
        match self {
            Self::Stalled(pause) => format!("nothing more of the body came for {}", seconds(pause)),
            Self::Incomplete(longest) => format!("the body was not complete after {}", seconds(longest)),
            Self::BelowRate(least) => format!("the body comes at less than {least} bytes a second"),
        }
    }

    /// Describes this for a body that is sent to `to`.
    pub(crate) fn going_out(self, to: &str) -> String {
        match self {
            Self::Stalled(pause) => format!("{to} took nothing more of the request for {}", seconds(pause)),
            Self::Incomplete(longest) => format!("{to} had not taken the whole request after {}", seconds(longest)),
            Self::BelowRate(least) => format!("{to} takes the request at less than {least} bytes a second"),
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { pause: Duration::from_secs(30), bytes_per_second: 1024, longest: Duration::from_secs(3600) };

    fn wait(received: u64, elapsed: u64, idle: u64) -> std::result::Result<u64, String> {
        let wait = PACE.wait(received, Duration::from_secs(elapsed), Duration::from_secs(idle));
        wait.map(|wait| wait.as_secs()).map_err(Slow::coming_in)
    }

    #[test]
    fn a_body_that_keeps_moving_may_take_long() {
        assert_eq!(wait(0, 0, 0), Ok(30));
        // 2 KiB a second for ten minutes.
        assert_eq!(wait(2048 * 600, 600, 0), Ok(30));
        assert_eq!(wait(2048 * 600, 600, 29), Ok(1));
    }

    #[test]
    fn a_body_that_exceeds_any_of_the_limits_is_refused() {
        assert_eq!(wait(1 << 20, 60, 30).unwrap_err(), "nothing more of the body came for 30 s");
        // A byte every second: one pause is allowed, and the few bytes add almost no time.
        assert_eq!(wait(20, 20, 0), Ok(10));
        assert_eq!(wait(31, 31, 0).unwrap_err(), "the body comes at less than 1024 bytes a second");
        assert_eq!(wait(1024 * 10, 39, 0), Ok(1));
        assert_eq!(wait(u64::MAX, 3599, 0), Ok(1));
        assert_eq!(wait(1 << 30, 3600, 0).unwrap_err(), "the body was not complete after 3600 s");
    }

    #[test]
    fn sent_bytes_may_need_at_most_one_pause_to_arrive() {
        let on_the_way = |bytes| PACE.on_the_way(bytes).as_secs();
        assert_eq!((on_the_way(100), on_the_way(4096), on_the_way(1 << 30)), (0, 4, 30));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let free = Pace { bytes_per_second: 0, ..PACE };
        assert_eq!(free.on_the_way(1 << 30), Duration::ZERO);
        assert_eq!(free.wait(1, Duration::from_secs(3000), Duration::ZERO).unwrap(), Duration::from_secs(30));
    }
}
