//! Python values into JSON values and back. What cannot be a parameter is refused here with the name of the parameter;
//! what a parameter may hold is for the catalog to say.

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

/// Deepest nesting of lists and mappings; the catalog's own is three.
const MAX_DEPTH: usize = 16;

/// Python's part of reading parameters: what is neither JSON nor bytes.
static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Parameters as the core takes them.
#[derive(Default)]
pub(crate) struct Parameters {
    /// Everything but images given as bytes.
    pub(crate) values: Map<String, Value>,
    /// Images given as bytes, by the parameter's name, such as `arbitrary_frames[0].image`.
    pub(crate) images: BTreeMap<String, Vec<u8>>,
}

impl Parameters {
    /// Takes a mapping apart. `None` counts as not given. Reads paths, files, arrays and pictures.
    pub(crate) fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        Self::read(dict, true)
    }

    /// The same for what has no pictures: bytes are refused, and a path is its text.
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

    /// The JSON value; nothing when it was an image, which goes to `images`.
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
                // An image leaves its place behind, so that the items after it keep their index.
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

/// Seconds as a duration; less than nothing is nothing.
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
