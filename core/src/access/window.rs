//! The kinds of windows that calls are counted in, and the buckets of single callers.

use ring::digest;

/// Length of a window in milliseconds.
pub(super) const WINDOW_MS: i64 = 60_000;

/// A kind of window. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Window {
    Auth = 1,
    AdminLogin = 2,
    AdminSession = 3,
    AdminAddress = 4,
    AdminCeiling = 5,
}

impl Window {
    /// Returns how many calls of a kind pass. `sessions` is the limit for new generation sessions.
    pub(super) const fn limit(self, sessions: usize) -> usize {
        match self {
            Self::Auth => sessions,
            Self::AdminLogin => 30,
            Self::AdminSession | Self::AdminAddress => 120,
            Self::AdminCeiling => 1200,
        }
    }

    /// Whether the counted calls are stored and outlive the process.
    pub(super) const fn is_kept(self) -> bool {
        matches!(self, Self::Auth | Self::AdminLogin)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        [Self::Auth, Self::AdminLogin, Self::AdminSession, Self::AdminAddress, Self::AdminCeiling]
            .into_iter()
            .find(|window| *window as u8 == number)
    }
}

/// One window: its kind, and the caller whose calls it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) window: Window,
    pub(super) of: [u8; 16],
}

impl Bucket {
    /// Returns the bucket of a well-formed session token.
    pub(super) fn token(token: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        let mut of = [0; 16];
        of.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self { window: Window::AdminSession, of }
    }
}
