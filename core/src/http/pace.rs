//! How fast the body of a request has to come: slowly is fine, as long as it comes.
//!
//! Three bounds together: how long no piece may come, how many bytes a second have to come on average once the first pause has
//! been granted, and how long all of it may take. The first lets go of a client that is gone; the second of one that sends a
//! byte now and then to hold its place; the third says when any place is free again.

use super::settings::HttpSettings;
use crate::error::{Error, Result};
use std::time::Duration;

/// The bounds, of the settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pause: Duration,
    bytes_per_second: u64,
    longest: Duration,
}

impl Pace {
    pub(super) fn of(settings: &HttpSettings) -> Self {
        Self {
            pause: settings.body_timeout,
            bytes_per_second: settings.body_bytes_per_second,
            longest: settings.body_time_limit,
        }
    }

    /// How long to wait for the next piece of a body of which `received` bytes came in `elapsed`, the last of them `idle` ago.
    ///
    /// # Errors
    /// `validation_error` when it is too slow.
    pub(super) fn wait(&self, received: u64, elapsed: Duration, idle: Duration) -> Result<Duration> {
        let pause = self.pause.saturating_sub(idle);
        if pause.is_zero() {
            return Err(slow(format!("nothing more of the body came for {}", seconds(self.pause))));
        }
        let longest = self.longest.saturating_sub(elapsed);
        if longest.is_zero() {
            return Err(slow(format!("the body was not complete after {}", seconds(self.longest))));
        }
        let Some(earned) = received.checked_mul(1000).and_then(|bytes| bytes.checked_div(self.bytes_per_second)) else {
            return Ok(pause.min(longest));
        };
        let left = self.pause.saturating_add(Duration::from_millis(earned)).saturating_sub(elapsed);
        if left.is_zero() {
            let least = self.bytes_per_second;
            return Err(slow(format!("the body comes at less than {least} bytes a second")));
        }
        Ok(pause.min(longest).min(left))
    }
}

fn slow(detail: String) -> Error {
    Error::validation(detail).with_action("Send the request again over a faster connection.")
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
        wait.map(|wait| wait.as_secs()).map_err(|error| error.detail().to_owned())
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
    fn a_rate_of_nothing_is_no_bound() {
        let free = Pace { bytes_per_second: 0, ..PACE };
        assert_eq!(free.wait(1, Duration::from_secs(3000), Duration::ZERO).unwrap(), Duration::from_secs(30));
    }
}
