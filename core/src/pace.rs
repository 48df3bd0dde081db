//! How fast the body of a request has to come, or to go out: slowly is fine, as long as it moves.
//!
//! Three bounds together: how long no piece may move, how many bytes a second have to on average once the first pause has
//! been granted, and how long all of it may take. The first lets go of a peer that is gone; the second of one that takes or sends a
//! byte now and then to hold its place; the third says when any place is free again.

use crate::settings::HttpSettings;
use std::time::Duration;

/// The bounds, of the settings.
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

    /// How long to wait for the next piece of a body of which `moved` bytes did in `elapsed`, the last of them `idle` ago.
    ///
    /// # Errors
    /// How it is too slow.
    pub(crate) fn wait(&self, moved: u64, elapsed: Duration, idle: Duration) -> Result<Duration, Slow> {
        let pause = self.pause.saturating_sub(idle);
        if pause.is_zero() {
            return Err(Slow::Still(self.pause));
        }
        let longest = self.longest.saturating_sub(elapsed);
        if longest.is_zero() {
            return Err(Slow::Incomplete(self.longest));
        }
        let Some(earned) = self.earned(moved) else { return Ok(pause.min(longest)) };
        let left = self.pause.saturating_add(earned).saturating_sub(elapsed);
        if left.is_zero() {
            return Err(Slow::Trickle(self.bytes_per_second));
        }
        Ok(pause.min(longest).min(left))
    }

    /// How much longer than a moment so many bytes may be on their way when they have left us: a pause at most.
    pub(crate) fn on_the_way(&self, bytes: u64) -> Duration {
        self.earned(bytes).unwrap_or_default().min(self.pause)
    }

    /// How long these bytes may take; none when there is no bound.
    fn earned(&self, bytes: u64) -> Option<Duration> {
        bytes.checked_mul(1000)?.checked_div(self.bytes_per_second).map(Duration::from_millis)
    }
}

/// How a body is too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slow {
    /// Nothing more of it moved for so long.
    Still(Duration),
    /// It was not complete after so long.
    Incomplete(Duration),
    /// It moves at less than so many bytes a second.
    Trickle(u64),
}

impl Slow {
    /// The same of a body that comes in.
    pub(crate) fn coming_in(self) -> String {
        match self {
            Self::Still(pause) => format!("nothing more of the body came for {}", seconds(pause)),
            Self::Incomplete(longest) => format!("the body was not complete after {}", seconds(longest)),
            Self::Trickle(least) => format!("the body comes at less than {least} bytes a second"),
        }
    }

    /// The same of one that whoever is named does not take.
    pub(crate) fn going_out(self, to: &str) -> String {
        match self {
            Self::Still(pause) => format!("{to} took nothing more of the request for {}", seconds(pause)),
            Self::Incomplete(longest) => format!("{to} had not taken the whole request after {}", seconds(longest)),
            Self::Trickle(least) => format!("{to} takes the request at less than {least} bytes a second"),
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
    fn a_body_that_flows_may_take_long() {
        assert_eq!(wait(0, 0, 0), Ok(30));
        // 2 KiB a second for ten minutes.
        assert_eq!(wait(2048 * 600, 600, 0), Ok(30));
        assert_eq!(wait(2048 * 600, 600, 29), Ok(1));
    }

    #[test]
    fn a_pause_a_trickle_and_an_hour_are_refused() {
        assert_eq!(wait(1 << 20, 60, 30).unwrap_err(), "nothing more of the body came for 30 s");
        // A byte every second: the first pause is granted, and then nothing was earned.
        assert_eq!(wait(20, 20, 0), Ok(10));
        assert_eq!(wait(31, 31, 0).unwrap_err(), "the body comes at less than 1024 bytes a second");
        assert_eq!(wait(1024 * 10, 39, 0), Ok(1));
        assert_eq!(wait(u64::MAX, 3599, 0), Ok(1));
        assert_eq!(wait(1 << 30, 3600, 0).unwrap_err(), "the body was not complete after 3600 s");
    }

    #[test]
    fn what_has_left_may_be_on_its_way_for_a_pause_at_most() {
        let on_the_way = |bytes| PACE.on_the_way(bytes).as_secs();
        assert_eq!((on_the_way(100), on_the_way(4096), on_the_way(1 << 30)), (0, 4, 30));
    }

    #[test]
    fn a_rate_of_nothing_is_no_bound() {
        let free = Pace { bytes_per_second: 0, ..PACE };
        assert_eq!(free.on_the_way(1 << 30), Duration::ZERO);
        assert_eq!(free.wait(1, Duration::from_secs(3000), Duration::ZERO).unwrap(), Duration::from_secs(30));
    }
}
