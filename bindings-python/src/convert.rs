//! Converts Python values to JSON values and back. A value of a type that no parameter can have is refused here, with the
//! parameter's name; the catalog checks the values.

use crate::errors::raise;
use crate::from_json::from_json;
use must::{Error, Task};
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Maximum nesting of lists and mappings; parameters of the catalog need three levels.
const MAX_DEPTH: usize = 16;

/// The Python function that converts parameters that are neither JSON nor bytes.
static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Parameters in the form of the core.
#[derive(Default)]
pub(crate) struct Parameters {
    /// All parameters except images given as bytes.
    pub(crate) values: Map<String, Value>,
    /// Images given as bytes, by the parameter's name, such as `arbitrary_frames[0].image`.
    pub(crate) images: BTreeMap<String, Vec<u8>>,
}

impl Parameters {
    /// Reads a mapping, with the paths, files, arrays and pictures in it. `None` counts as not given.
    pub(crate) fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        Self::read(dict, true)
    }

    /// Reads a mapping without pictures: bytes are refused, and a path becomes a string.
    pub(crate) fn values_of(dict: &Bound<'_, PyDict>) -> PyResult<Map<String, Value>> {
        let Self { values, images } = Self::read(dict, false)?;
        match images.keys().next() {
            None => Ok(values),
            Some(name) => Err(invalid(dict.py(), format!("{name} cannot be bytes or a file: give a string"))),
        }
    }

    fn read(dict: &Bound<'_, PyDict>, pictures: bool) -> PyResult<Self> {
        let mut parameters = Self::default();
        for (key, value) in dict {
            if value.is_none() {
                continue;
            }
            let name = text("a parameter's name", &key)?;
            if let Some(value) = parameters.value(&name, &value, pictures, 0)? {
                parameters.values.insert(name, value);
            }
        }
        Ok(parameters)
    }

    /// The JSON value; `None` for an image, which is added to `images`.
    fn value(&mut self, name: &str, value: &Bound<'_, PyAny>, pictures: bool, depth: usize) -> PyResult<Option<Value>> {
        let py = value.py();
        if depth > MAX_DEPTH {
            return Err(invalid(py, format!("{name} is nested too deeply")));
        }
        let json = if value.is_none() {
            Value::Null
        } else if let Ok(flag) = value.cast::<PyBool>() {
            Value::Bool(flag.is_true())
        } else if value.is_instance_of::<PyString>() {
            Value::String(text(name, value)?)
        } else if value.is_instance_of::<PyInt>() {
            integer(name, value)?
        } else if let Ok(number) = value.cast::<PyFloat>() {
            float(py, name, number.value())?
        } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            let mut items = Vec::new();
            for (index, item) in value.try_iter()?.enumerate() {
                // A null takes the place of an image, so that the following items keep their index.
                let item = self.value(&format!("{name}[{index}]"), &item?, pictures, depth + 1)?;
                items.push(item.unwrap_or(Value::Null));
            }
            Value::Array(items)
        } else if let Ok(dict) = value.cast::<PyDict>() {
            let mut fields = Map::new();
            for (key, field) in dict {
                let key = text(&format!("a key of {name}"), &key)?;
                if let Some(field) = self.value(&format!("{name}.{key}"), &field, pictures, depth + 1)? {
                    fields.insert(key, field);
                }
            }
            Value::Object(fields)
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            self.images.insert(name.to_owned(), bytes.as_bytes().to_vec());
            return Ok(None);
        } else {
            // Gives bytes, a number or text, or raises.
            let plain = PLAIN.import(py, "must._images", "plain")?.call1((name, value, pictures))?;
            return self.value(name, &plain, pictures, depth + 1);
        };
        Ok(Some(json))
    }
}

/// A string.
pub(crate) fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let Ok(text) = value.cast::<PyString>() else {
        let found = value.get_type().name()?;
        return Err(invalid(value.py(), format!("{name} must be a string, not {found}")));
    };
    text.to_cow()
        .map(|text| text.into_owned())
        .map_err(|_| invalid(value.py(), format!("{name} holds a character that is not valid Unicode")))
}

fn integer(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    match value.extract::<i64>() {
        Ok(number) => Ok(Value::from(number)),
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            Err(invalid(value.py(), format!("{name} is too large a number")))
        }
        Err(error) => Err(error),
    }
}

fn float(py: Python<'_>, name: &str, value: f64) -> PyResult<Value> {
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| invalid(py, format!("{name} must be a finite number, not {value}")))
}

/// Seconds as a duration; negative numbers become 0.
pub(crate) fn duration(py: Python<'_>, name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() {
        return Err(invalid(py, format!("{name} must be a number of seconds, not NaN")));
    }
    Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

fn invalid(py: Python<'_>, detail: String) -> PyErr {
    raise(py, &Error::validation(detail))
}

/// A serialisable value of the core as plain Python objects.
pub(crate) fn shown<'py>(py: Python<'py>, value: impl serde::Serialize) -> PyResult<Bound<'py, PyAny>> {
    match serde_json::to_string(&value).and_then(|text| from_json(py, &text)) {
        Ok(value) => Ok(value),
        Err(error) => Err(raise(py, &Error::internal(format!("cannot show a value: {error}")))),
    }
}

/// A task as a dict with the fields of its JSON form.
pub(crate) fn task<'py>(py: Python<'py>, task: &Task) -> PyResult<Bound<'py, PyAny>> {
    shown(py, task)
}
