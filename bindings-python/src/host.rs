//! What a host provides: Python functions that give keys and store checkpoints, and a clock for tests.
//!
//! A thread of the core enters the interpreter only to call these functions, and only while the interpreter runs. Every call into
//! the core is made detached from the interpreter, so that the two never wait for each other.

use crate::convert;
use crate::errors::OrRaise;
use must::Host;
use must::audit::AnchorCallback;
use must::secrets::{KeyCallback, SecretText};
use must::time::{Clock as _, ManualClock as CoreClock};
use pyo3::prelude::*;
use std::sync::Arc;

/// A clock whose time changes only by `advance`.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativeClock(Arc<CoreClock>);

#[pymethods]
impl NativeClock {
    /// Starts at this many milliseconds since 1970, UTC.
    #[new]
    #[pyo3(signature = (milliseconds: "int"))]
    fn new(py: Python<'_>, milliseconds: i64) -> PyResult<Self> {
        Ok(Self(Arc::new(CoreClock::at(milliseconds).or_raise(py)?)))
    }

    /// Milliseconds since 1970.
    fn now(&self) -> i64 {
        self.0.now().0
    }

    /// Advances the time by this many seconds.
    #[pyo3(signature = (seconds: "float"))]
    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        self.0.advance(convert::duration(py, "seconds", seconds)?);
        Ok(())
    }
}

/// Builds the core's `Host`.
pub(crate) fn host(
    master_keys: Option<Py<PyAny>>,
    audit_keys: Option<Py<PyAny>>,
    anchor: Option<Py<PyAny>>,
    clock: Option<&NativeClock>,
) -> Host {
    let mut host = Host::default();
    host.master_keys = master_keys.map(keys);
    host.audit_keys = audit_keys.map(keys);
    host.anchor = anchor.map(checkpoints);
    if let Some(clock) = clock {
        host.clock = Arc::clone(&clock.0) as _;
    }
    host
}

fn keys(function: Py<PyAny>) -> KeyCallback {
    Arc::new(move || attached(&function, |function| function.call0()?.extract::<String>().map(SecretText::new)))
}

fn checkpoints(function: Py<PyAny>) -> AnchorCallback {
    Arc::new(move |note| attached(&function, |function| function.call1((note,)).map(drop)))
}

/// Calls a function of Python from a thread of the core. An exception goes to `sys.unraisablehook`; the core gets only
/// its class, because the text could hold a secret.
fn attached<T>(function: &Py<PyAny>, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T, String> {
    let outcome = Python::try_attach(|py| {
        let function = function.bind(py);
        call(function).map_err(|error| {
            let class = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
            error.write_unraisable(py, Some(function));
            format!("its function raised {class}")
        })
    });
    outcome.unwrap_or_else(|| Err("the interpreter is ending".to_owned()))
}
