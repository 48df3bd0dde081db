//! Reads a body of OpenAI's clients, JSON or a form, into one object of fields and the files beside it.
//!
//! In their forms, names with brackets mean nested values: two fields `image[]` are a list, and `input_reference[image_url]` is a field
//! of an object.

use super::{short, shown};
use crate::error::{Error, Result};
use crate::http::call::Call;
use bytes::Bytes;
use futures::stream;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Number, Value};
use std::convert::Infallible;

/// Largest number of levels of brackets in a name.
const DEEPEST: usize = 3;

/// Largest number of files of one form.
const MOST_FILES: usize = 32;

/// Fields whose text in a form is a number.
const NUMBERS: [&str; 7] =
    ["n", "seed", "steps", "partial_images", "output_compression", "denoising_strength", "frame_count"];

/// Fields whose text in a form is true or false.
const BOOLEANS: [&str; 1] = ["stream"];

/// Fields in which every text is taken literally. In other fields of a form, `null` and an empty text mean that the field is absent.
const FREE_TEXT: [&str; 3] = ["prompt", "negative_prompt", "user"];

/// A parsed body.
#[derive(Debug, Default)]
pub(super) struct ParsedBody {
    pub(super) fields: Map<String, Value>,
    /// Files by the name of their field without brackets, in order.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// Reads the body of a call. `pictures` are the fields that may hold files.
///
/// # Errors
/// `validation_error` for a body that is neither JSON nor a form, and for a form whose names contradict each other.
pub(super) async fn read(call: &Call, pictures: &[&str]) -> Result<ParsedBody> {
    match call.header(CONTENT_TYPE).and_then(|value| multer::parse_boundary(value).ok()) {
        Some(boundary) => read_form(call.body.clone(), boundary, pictures).await,
        None => Ok(ParsedBody { fields: call.json::<Map<String, Value>>()?, files: Vec::new() }),
    }
}

async fn read_form(body: Bytes, boundary: String, pictures: &[&str]) -> Result<ParsedBody> {
    let broken = |_| Error::validation("the form cannot be read");
    let mut form = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
    let mut fields = Value::Object(Map::new());
    let mut files = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_named = field.file_name().is_some();
        let bytes = field.bytes().await.map_err(broken)?;
        let (first, path) = split(&name)?;
        if pictures.contains(&first) && (is_named || !bytes.starts_with(b"data:")) && is_list(&path) {
            if files.len() == MOST_FILES {
                return Err(Error::validation(format!("the form has more than {MOST_FILES} files")));
            }
            files.push((first.to_owned(), bytes.to_vec()));
            continue;
        }
        let text = String::from_utf8(bytes.to_vec())
            .map_err(|_| Error::validation(format!("{} is not UTF-8", shown(&name))).with_parameter(short(first)))?;
        let value = if path.is_empty() { typed(first, text) } else { Some(Value::String(text)) };
        if let Some(value) = value {
            let mut whole = vec![Part::Key(first)];
            whole.extend(path);
            put(&mut fields, &whole, value).ok_or_else(|| {
                Error::validation(format!("the form gives {} twice, or in two ways", shown(&name)))
                    .with_parameter(short(first))
            })?;
        }
    }
    match fields {
        Value::Object(fields) => Ok(ParsedBody { fields, files }),
        _ => Err(Error::internal("a form is an object")),
    }
}

/// Converts a text of a form to its value. Returns `None` for a field that counts as absent.
fn typed(name: &str, text: String) -> Option<Value> {
    if FREE_TEXT.contains(&name) {
        return Some(Value::String(text));
    }
    if text.is_empty() || text == "null" {
        return None;
    }
    let number = || NUMBERS.contains(&name).then(|| number(&text)).flatten().map(Value::Number);
    let boolean =
        || BOOLEANS.contains(&name).then(|| text.to_ascii_lowercase().parse().ok().map(Value::Bool)).flatten();
    // A text of the wrong type is refused later, when the field is read.
    Some(number().or_else(boolean).unwrap_or(Value::String(text)))
}

/// Parses a number, also in forms that JSON does not allow, such as `007`.
fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

/// One level of a name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part<'a> {
    Key(&'a str),
    /// An index in a list; `None` for the next one.
    Item(Option<usize>),
}

/// Whether a name has at most one index after it.
fn is_list(path: &[Part<'_>]) -> bool {
    matches!(path, [] | [Part::Item(_)])
}

/// Splits `name[key][]` into its parts.
fn split(name: &str) -> Result<(&str, Vec<Part<'_>>)> {
    let wrong = || Error::validation(format!("the form has no field {}", shown(name)));
    let Some((first, mut rest)) = name.find('[').and_then(|at| name.split_at_checked(at)) else {
        return Ok((name, Vec::new()));
    };
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(wrong)?;
        path.push(match part.parse::<usize>() {
            _ if part.is_empty() => Part::Item(None),
            Ok(index) => Part::Item(Some(index)),
            Err(_) => Part::Key(part),
        });
        rest = after;
    }
    if first.is_empty() || path.len() > DEEPEST { Err(wrong()) } else { Ok((first, path)) }
}

/// Puts a value at a path. Returns `None` if another value is already there.
fn put(at: &mut Value, path: &[Part<'_>], value: Value) -> Option<()> {
    let Some((part, rest)) = path.split_first() else {
        return at.is_null().then(|| *at = value);
    };
    match part {
        Part::Key(key) => {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            put(at.as_object_mut()?.entry((*key).to_owned()).or_insert(Value::Null), rest, value)
        }
        Part::Item(index) => {
            if at.is_null() {
                *at = Value::Array(Vec::new());
            }
            let list = at.as_array_mut()?;
            let index = index.unwrap_or(list.len());
            if index == list.len() {
                list.push(Value::Null);
            }
            put(list.get_mut(index)?, rest, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::block_on;
    use serde_json::json;

    /// Reads a form with these fields: name, file name, value.
    fn form(fields: &[(&str, Option<&str>, &[u8])]) -> Result<ParsedBody> {
        let mut body = Vec::new();
        for (name, file, value) in fields {
            let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
            body.extend(format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
            body.extend_from_slice(value);
            body.extend(b"\r\n");
        }
        body.extend(b"--b--\r\n");
        block_on(read_form(body.into(), "b".to_owned(), &["image", "mask"]), None).unwrap()
    }

    #[test]
    fn names_with_brackets_are_lists_and_objects() {
        let given = form(&[
            ("prompt", None, b"null"),
            ("n", None, b"02"),
            ("stream", None, b"True"),
            ("size", None, b"null"),
            ("quality", None, b""),
            ("metadata[a]", None, b"1"),
            ("metadata[b]", None, b"x"),
            ("input_reference[image_url]", None, b"data:"),
            ("list[]", None, b"a"),
            ("list[]", None, b"b"),
            ("images[0][image_url]", None, b"c"),
            ("images[1][image_url]", None, b"d"),
        ]);
        assert_eq!(
            Value::Object(given.unwrap().fields),
            json!({
                "prompt": "null", "n": 2, "stream": true, "metadata": {"a": "1", "b": "x"},
                "input_reference": {"image_url": "data:"}, "list": ["a", "b"],
                "images": [{"image_url": "c"}, {"image_url": "d"}],
            })
        );
    }

    #[test]
    fn files_are_collected_under_one_name_and_a_data_uri_is_text() {
        let given = form(&[
            ("image[]", Some("a.png"), b"1"),
            ("image[]", Some("b.png"), b"2"),
            ("image", None, b"\xff3"),
            ("mask", Some("m.png"), b"4"),
        ])
        .unwrap();
        let files: Vec<(&str, &[u8])> =
            given.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        assert_eq!(files, [("image", &b"1"[..]), ("image", b"2"), ("image", b"\xff3"), ("mask", b"4")]);
        let given = form(&[("image", None, b"data:image/png;base64,")]).unwrap();
        assert_eq!((given.files.len(), given.fields["image"].as_str()), (0, Some("data:image/png;base64,")));
    }

    #[test]
    fn contradictory_fields_are_refused_by_name() {
        let text = |name: &'static str, value: &'static [u8]| (name, None, value);
        for (fields, said) in [
            (vec![text("n", b"1"), text("n", b"2")], "gives \"n\" twice"),
            (vec![text("a[b]", b"1"), text("a[]", b"2")], "gives \"a[]\" twice, or in two ways"),
            (vec![text("a[1]", b"1")], "a[1]"),
            (vec![text("a[b][c][d][e]", b"1")], "no field"),
            (vec![text("a[b", b"1")], "no field"),
            (vec![text("[a]", b"1")], "no field"),
            (vec![text("prompt", b"\xff")], "not UTF-8"),
        ] {
            let error = form(&fields).unwrap_err();
            assert!(error.detail().contains(said), "{error}");
        }
        let many: Vec<(&str, Option<&str>, &[u8])> = vec![("image[]", Some("a"), b"1"); MOST_FILES + 1];
        assert!(form(&many).unwrap_err().detail().contains("more than 32 files"));
    }
}
