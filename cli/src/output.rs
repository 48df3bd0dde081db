//! The output of the program: lines for people, or one JSON value. All text is made safe for a terminal.

use must::{Error, ErrorCode, Result, terminal};
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::{ErrorKind, Write};

/// The exit code when the reader of the output is gone. It is the code that a shell gives for a program that SIGPIPE ended.
pub(crate) const READER_GONE: u8 = 141;

/// Writes answers.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    reader_gone: Cell<bool>,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, reader_gone: Cell::new(false) }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether the reader closed the pipe, as `head` does. The command still completes its work.
    pub(crate) const fn reader_is_gone(&self) -> bool {
        self.reader_gone.get()
    }

    /// Writes this JSON, or these lines.
    pub(crate) fn show(&self, json: &str, lines: &[impl AsRef<str>]) -> Result<()> {
        if self.json {
            self.write(format!("{}\n", terminal::json(json)))
        } else {
            self.write(lines.iter().flat_map(|line| [terminal::line(line.as_ref()), "\n".into()]).collect())
        }
    }

    /// Writes this JSON: on one line, or indented for people.
    pub(crate) fn indented(&self, json: &str) -> Result<()> {
        self.show(json, &indented(&terminal::json(json)).lines().collect::<Vec<_>>())
    }

    /// Writes a line about progress, only in the output for people.
    pub(crate) fn step(&self, line: &str) -> Result<()> {
        if self.json { Ok(()) } else { self.write(format!("{}\n", terminal::line(line))) }
    }

    pub(crate) fn error(&self, error: &Error) {
        let text = if self.json {
            let body =
                json!({"code": error.code().as_str(), "detail": error.detail(), "user_action": error.user_action()});
            format!("{}\n", terminal::json(&body.to_string()))
        } else {
            let (detail, action) = (terminal::line(error.detail()), terminal::line(error.user_action()));
            format!("error ({}): {detail}\n{action}\n", error.code())
        };
        complain(&text);
    }

    fn write(&self, text: String) -> Result<()> {
        let mut stdout = std::io::stdout();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.reader_gone.set(true);
                Ok(())
            }
            Err(error) => {
                let detail = format!("cannot write to standard output: {error}");
                Err(Error::new(ErrorCode::DependencyUnavailable, detail)
                    .with_action("The command itself succeeded. Check the target of standard output: it may be full."))
            }
            Ok(()) => Ok(()),
        }
    }
}

/// Writes lines on standard error.
pub(crate) fn complain(lines: &str) {
    // If standard error is closed, there is no place to report it.
    let _ = std::io::stderr().write_all(lines.as_bytes());
}

/// JSON without spaces, written with one field on each line.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        if in_string {
            text.push(character);
            in_string = character != '"' || escaped;
            escaped = character == '\\' && !escaped;
            continue;
        }
        let break_line = |text: &mut String, depth: usize| text.extend(["\n", &"  ".repeat(depth)]);
        match character {
            '{' | '[' if matches!(characters.peek(), Some('}' | ']')) => {
                text.extend([Some(character), characters.next()].into_iter().flatten())
            }
            '{' | '[' => {
                depth += 1;
                text.push(character);
                break_line(&mut text, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(character);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                in_string = character == '"';
                text.push(character);
            }
        }
    }
    text
}

/// A field of an answer; null when it is missing.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// A text field; empty when it is missing.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    field(value, name).as_str().unwrap_or_default()
}

/// The items of a list in an answer.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indented_json_is_what_serde_writes() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!([1, -2.5, true, "a"]),
            json!({"a": {"b": [{"c": "x,{}[]:\"\\"}, []]}, "d": "\\", "e": {}, "f": "é\n\u{1b}"}),
        ] {
            assert_eq!(indented(&value.to_string()), serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
