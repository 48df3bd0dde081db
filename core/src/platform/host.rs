//! What the host program passes to a platform besides the settings.

use crate::audit::AnchorCallback;
use crate::keyring::KeyCallback;
use crate::time::{Clock, SystemClock};
use std::sync::Arc;

/// What a host passes to a platform besides the settings: a clock, keys, and a function that stores anchors.
///
/// ```
/// use must::access::KeyStatus;
/// use must::audit::Caller;
/// use must::time::ManualClock;
/// use must::{Host, Platform, Settings};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let data = folder.path().join("data");
/// // With its own clock a test sees a key expire without waiting.
/// let clock = Arc::new(ManualClock::at(1_800_000_000_000)?);
/// let mut host = Host::default();
/// host.clock = clock.clone();
/// let platform = Platform::open_with(Settings::new(data), host)?;
/// let access = platform.access()?;
/// access.issue_key("studio", Some(Duration::from_secs(60)), &Caller::new("host", "test"))?;
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(access.keys()?[0].status, KeyStatus::Expired);
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Host {
    /// The clock for everything that expires, is counted per time window, or is stored with its time.
    pub clock: Arc<dyn Clock>,
    /// Provides the master keys from the host's own key store. They are then not read from a file or a setting.
    pub master_keys: Option<KeyCallback>,
    /// Provides the keys that sign the audit log, in the same way.
    pub audit_keys: Option<KeyCallback>,
    /// Receives the checkpoints of the audit log. They are also written to the anchor file.
    pub anchor: Option<AnchorCallback>,
}

impl Default for Host {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock::default()), master_keys: None, audit_keys: None, anchor: None }
    }
}
