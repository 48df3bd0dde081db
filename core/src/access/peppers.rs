//! Ends the API keys and sessions whose keyed hash was made with a pepper that is gone, and counts those that are valid.

use super::sessions::ADMIN_IDLE;
use super::{Access, fail_closed, store};
use crate::audit::{Caller, Outcome};
use crate::error::Result;
use crate::time::millis;

impl Access {
    /// Returns how many API keys and how many sessions are valid now.
    ///
    /// # Errors
    /// `dependency_unavailable`.
    pub(crate) fn usable(&self) -> Result<(u32, u32)> {
        let now = self.clock.now().0;
        let idle_since = now.saturating_sub(millis(ADMIN_IDLE));
        self.store.read(|connection| store::count_usable(connection, now, idle_since)).map_err(fail_closed)
    }

    /// Marks API keys and sessions as ended if their pepper is gone. They cannot be used any more, and lists must show that.
    ///
    /// # Errors
    /// `dependency_unavailable`.
    pub(crate) fn end_credentials_of_revoked_peppers(&self, caller: &Caller) -> Result<()> {
        let peppers = self.vault.peppers()?;
        let peppers = serde_json::Value::from(peppers).to_string();
        if !self
            .store
            .read(|connection| store::has_credentials_of_other_peppers(connection, &peppers))
            .map_err(fail_closed)?
        {
            return Ok(());
        }
        let now = self.clock.now().0;
        let event = caller.event("credentials_revoke", "pepper", Outcome::Success);
        let work = move |connection: &rusqlite::Connection| {
            let (keys, sessions) = store::end_credentials_of_other_peppers(connection, &peppers, now)?;
            Ok(((), event.with("api_keys", keys).with("sessions", sessions)))
        };
        self.audit.record(work).map_err(fail_closed)
    }
}
