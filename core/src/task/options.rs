//! The options of a submission.

use super::idempotency::Idempotency;
use super::partials::Partials;
use super::trace::TraceParent;
use crate::error::Result;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Options of a submission.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let mut settings = must::Settings::new(folder.path());
/// # settings.paused = true;
/// # let platform = must::Platform::open(settings)?;
/// use must::{GenerateRequest, SubmitOptions};
///
/// // A repeated submission with this key returns the same task. The host chooses the owner.
/// let options = SubmitOptions::default().owner("customer-17").idempotency("customer-17", "order-1234");
/// let task = platform.submit_with(&GenerateRequest::new("tiny-image", "a red circle"), &options)?;
/// assert_eq!(task.owner.as_deref(), Some("customer-17"));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// The owner of the task, 1 to 200 characters without control characters. If tasks are also served over HTTP, it is the owner that
    /// the call `auth.authorize` returns. Otherwise any name may be used.
    pub owner: Option<String>,
    /// Makes the submission safe to repeat.
    pub idempotency: Option<Idempotency>,
    /// The trace that the submission belongs to: the header `traceparent` of W3C trace context. The spans of the task's run belong to
    /// the same trace.
    pub trace_parent: Option<TraceParent>,
    /// Whether the task must run on this platform even if workers are ready.
    pub local_only: bool,
    /// Id of the task whose clip this one remixes with another prompt.
    pub remix_of: Option<String>,
    /// Takes the intermediate pictures of the run, if any are wanted. A submission that is repeated with its key gets the task that
    /// was made first, whose pictures are not put here.
    #[serde(skip)]
    pub(crate) partials: Option<Arc<Partials>>,
}

impl SubmitOptions {
    /// Returns the options with this idempotency key.
    #[must_use]
    pub fn idempotency(mut self, owner: impl Into<String>, key: impl Into<String>) -> Self {
        self.idempotency = Some(Idempotency { owner: owner.into(), key: key.into() });
        self
    }

    /// Returns the options with this owner of the task.
    ///
    /// A host that checks requests itself should use the owner of the principal that
    /// [`Access::authorize`](crate::access::Access::authorize) returns. If no request comes over HTTP, any name may be used.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Reads the options from a JSON object. It may have each of the public fields: `{"owner": "anna", "local_only": true}`.
    ///
    /// # Errors
    /// `validation_error` that names the field at fault.
    pub fn from_json(text: &str) -> Result<Self> {
        crate::json::read(text, "the options are not valid", &[])
    }

    /// Returns the options with this trace.
    #[must_use]
    pub fn trace_parent(mut self, trace_parent: Option<TraceParent>) -> Self {
        self.trace_parent = trace_parent;
        self
    }

    /// Returns the options for a remix of this task's clip.
    #[must_use]
    pub fn remix_of(mut self, id: impl Into<String>) -> Self {
        self.remix_of = Some(id.into());
        self
    }

    /// Returns the options with this collection of intermediate pictures. The task then runs here, because workers send none.
    #[must_use]
    pub(crate) fn partials(mut self, partials: Option<Arc<Partials>>) -> Self {
        self.partials = partials;
        self
    }

    /// Returns the options for a task that must run on this platform.
    #[must_use]
    pub fn local_only(mut self) -> Self {
        self.local_only = true;
        self
    }
}
