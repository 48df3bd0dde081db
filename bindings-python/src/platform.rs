//! The methods of the platform.

use crate::blocking::leave_on_signal;
use crate::convert::{self, Parameters};
use crate::errors::{OrRaise, raise};
use crate::events::Events;
use crate::from_json::from_json;
use crate::host::{NativeClock, host};
use crate::http::NativeHttpService;
use crate::logs::Logs;
use crate::submission::NativeSubmission;
use crate::this_process::ThisProcess;
use must::secrets::SecretText;
use must::{Error, GenerateRequest, Media, Platform, Settings, SubmitOptions, TaskQuery};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::Value;
use std::path::PathBuf;

/// An open platform. Usable from any thread of the process that opened it.
#[pyclass(frozen, module = "must._must")]
pub(crate) struct NativePlatform {
    platform: ThisProcess<Platform>,
}

#[pymethods]
impl NativePlatform {
    /// Opens the data folder.
    #[new]
    #[pyo3(signature = (
        data_dir: "str | bytes",
        settings: "dict[str, object]",
        logs: "Logs | None",
        master_keys: "object",
        audit_keys: "object",
        anchor: "object",
        clock: "NativeClock | None",
    ))]
    #[expect(clippy::too_many_arguments, reason = "one for each function that a host provides")]
    fn new(
        py: Python<'_>,
        data_dir: PathBuf,
        settings: &Bound<'_, PyDict>,
        logs: Option<&Logs>,
        master_keys: Option<Py<PyAny>>,
        audit_keys: Option<Py<PyAny>>,
        anchor: Option<Py<PyAny>>,
        clock: Option<&NativeClock>,
    ) -> PyResult<Self> {
        let settings = read_settings(py, data_dir, settings)?;
        let function = logs.map(Logs::function).transpose().or_raise(py)?;
        let host = host(master_keys, audit_keys, anchor, clock);
        let open = move || match function {
            Some(function) => Platform::open_with_host_and_log(settings, host, function),
            None => Platform::open_with(settings, host),
        };
        let platform = leave_on_signal(py, open, drop)?.or_raise(py)?;
        Ok(Self { platform: ThisProcess::new(platform) })
    }

    /// The catalog.
    #[pyo3(signature = () -> "list[dict[str, object]]")]
    fn models<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::shown(py, self.call(py, Platform::models)?)
    }

    /// State of the lanes.
    #[pyo3(signature = () -> "dict[str, object]")]
    fn load<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::shown(py, self.call(py, Platform::load)?)
    }

    /// Submits a generation. With `image_paths`, a string for an image may be the path of a file.
    #[pyo3(signature = (
        model: "object",
        mode: "object",
        options: "dict[str, object]",
        parameters: "dict[str, object]",
        image_paths: "bool",
    ) -> "dict[str, object]")]
    fn submit<'py>(
        &self,
        py: Python<'py>,
        model: &Bound<'py, PyAny>,
        mode: &Bound<'py, PyAny>,
        options: &Bound<'py, PyDict>,
        parameters: &Bound<'py, PyDict>,
        image_paths: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let platform = self.platform.get().or_raise(py)?.clone();
        let (mut request, options) = read_submission(model, mode, options, parameters)?;
        let unwanted = platform.clone();
        let submitted = leave_on_signal(
            py,
            move || {
                if image_paths {
                    platform.read_image_files(&mut request)?;
                }
                platform.submit_with(&request, &options)
            },
            // The caller never got this task's id and could not cancel it.
            move |task| drop(task.and_then(|task| unwanted.cancel(&task.id))),
        )?;
        convert::task(py, &submitted.or_raise(py)?)
    }

    /// Starts a submission that can be awaited. Threads of the platform check it and decode its pictures.
    #[pyo3(signature = (
        model: "object",
        mode: "object",
        options: "dict[str, object]",
        parameters: "dict[str, object]",
        image_paths: "bool",
    ) -> "NativeSubmission")]
    fn submit_async(
        &self,
        py: Python<'_>,
        model: &Bound<'_, PyAny>,
        mode: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        parameters: &Bound<'_, PyDict>,
        image_paths: bool,
    ) -> PyResult<NativeSubmission> {
        let platform = self.platform.get().or_raise(py)?.clone();
        let (mut request, options) = read_submission(model, mode, options, parameters)?;
        let submission = platform.make_and_submit(move |platform| {
            if image_paths {
                platform.read_image_files(&mut request)?;
            }
            Ok((request, options))
        });
        Ok(NativeSubmission::new(submission))
    }

    /// The current state of the task.
    #[pyo3(signature = (id: "str") -> "dict[str, object]")]
    fn status<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Bound<'py, PyAny>> {
        convert::task(py, &self.call(py, |platform| platform.status(id))?)
    }

    /// Follows a task.
    #[pyo3(signature = (id: "str"))]
    fn events(&self, py: Python<'_>, id: &str) -> PyResult<Events> {
        Ok(Events::new(self.call(py, |platform| platform.events(id))?))
    }

    /// Asks a task to end; true when it had not ended yet.
    #[pyo3(signature = (id: "str"))]
    fn cancel(&self, py: Python<'_>, id: &str) -> PyResult<bool> {
        self.call(py, |platform| platform.cancel(id))
    }

    /// The result: bytes, content type, file name.
    #[pyo3(signature = (id: "str") -> "tuple[bytes, str, str]")]
    fn result<'py>(&self, py: Python<'py>, id: &str) -> PyResult<(Bound<'py, PyBytes>, &'static str, String)> {
        Ok(media(py, self.call(py, |platform| platform.result(id))?))
    }

    /// The preview: bytes, content type, file name.
    #[pyo3(signature = (id: "str") -> "tuple[bytes, str, str]")]
    fn preview<'py>(&self, py: Python<'py>, id: &str) -> PyResult<(Bound<'py, PyBytes>, &'static str, String)> {
        Ok(media(py, self.call(py, |platform| platform.preview(id))?))
    }

    /// Tasks of every status.
    #[pyo3(signature = (query: "dict[str, object]") -> "dict[str, object]")]
    fn tasks<'py>(&self, py: Python<'py>, query: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let query = read_query(py, query)?;
        convert::shown(py, self.call(py, |platform| platform.tasks(&query))?)
    }

    /// Finished tasks with a result.
    #[pyo3(signature = (query: "dict[str, object]") -> "dict[str, object]")]
    fn gallery<'py>(&self, py: Python<'py>, query: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let query = read_query(py, query)?;
        convert::shown(py, self.call(py, |platform| platform.gallery(&query))?)
    }

    /// Removes an ended task and its files.
    #[pyo3(signature = (id: "str"))]
    fn delete(&self, py: Python<'_>, id: &str) -> PyResult<()> {
        self.call(py, |platform| platform.delete(id))
    }

    /// Makes an administrative call by its name: access, secrets, worker accounts, the audit log, backup.
    #[pyo3(signature = (name: "str", arguments: "dict[str, object]") -> "object")]
    #[pyo3(name = "call")]
    fn call_by_name<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let values = Parameters::values_of(arguments)?;
        let arguments = SecretText::new(Value::Object(values).to_string());
        let answer = self.call(py, |platform| platform.call(name, arguments.expose()))?;
        match from_json(py, answer.expose()) {
            Ok(value) => Ok(value),
            // The parser's own message could quote the answer, which may be a secret.
            Err(_) => Err(raise(py, &Error::internal(format!("the answer of {name} is not valid JSON")))),
        }
    }

    /// The HTTP service.
    fn http_service(&self, py: Python<'_>) -> PyResult<NativeHttpService> {
        Ok(NativeHttpService::new(self.call(py, Platform::http_service)?))
    }

    /// The platform's metrics, in the text format of Prometheus.
    #[pyo3(signature = () -> "str")]
    fn metrics(&self, py: Python<'_>) -> PyResult<String> {
        self.call(py, Platform::metrics)
    }

    /// Closes the platform; waits at most `timeout` seconds for running tasks.
    #[pyo3(signature = (timeout: "float"))]
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<()> {
        let deadline = convert::duration(py, "timeout", timeout)?;
        let platform = self.platform.get().or_raise(py)?.clone();
        leave_on_signal(py, move || platform.close(deadline), drop)?.or_raise(py)
    }
}

impl NativePlatform {
    /// Calls the core detached from the interpreter.
    fn call<T: Send>(&self, py: Python<'_>, call: impl FnOnce(&Platform) -> must::Result<T> + Send) -> PyResult<T> {
        let platform = self.platform.get().or_raise(py)?;
        py.detach(|| call(platform)).or_raise(py)
    }
}

fn media(py: Python<'_>, media: Media) -> (Bound<'_, PyBytes>, &'static str, String) {
    (PyBytes::new(py, &media.bytes), media.content_type, media.file_name)
}

fn read_settings(py: Python<'_>, data_dir: PathBuf, settings: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let mut values = Parameters::values_of(settings)?;
    // The real path is set below, because not every path can be written as JSON.
    values.insert("data_dir".to_owned(), Value::from(""));
    let mut settings = Settings::from_json(&Value::Object(values).to_string()).or_raise(py)?;
    settings.data_dir = data_dir;
    // Relative paths are resolved here, because the working folder may change before the thread that opens runs.
    settings.with_fixed_paths().or_raise(py)
}

fn read_query(py: Python<'_>, query: &Bound<'_, PyDict>) -> PyResult<TaskQuery> {
    let values = Parameters::values_of(query)?;
    TaskQuery::from_json(&Value::Object(values).to_string()).or_raise(py)
}

fn read_submission(
    model: &Bound<'_, PyAny>,
    mode: &Bound<'_, PyAny>,
    options: &Bound<'_, PyDict>,
    parameters: &Bound<'_, PyDict>,
) -> PyResult<(GenerateRequest, SubmitOptions)> {
    let Parameters { values, images } = Parameters::from_dict(parameters)?;
    let request = GenerateRequest {
        model: convert::text("model", model)?,
        mode: if mode.is_none() { None } else { Some(convert::text("mode", mode)?) },
        parameters: values,
        images,
    };
    let options = Value::Object(Parameters::values_of(options)?).to_string();
    Ok((request, SubmitOptions::from_json(&options).or_raise(model.py())?))
}
