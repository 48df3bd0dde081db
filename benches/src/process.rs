//! Programs that a benchmark starts and that answer with lines of JSON.

use crate::Outcome;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Runs a program to its end; the JSON in the last line that it says.
pub(crate) fn answer(command: &mut Command) -> Outcome<Value> {
    let shown = format!("{command:?}");
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("failed ({}): {shown}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().ok_or_else(|| format!("said nothing: {shown}"))?;
    serde_json::from_str(line).map_err(|error| format!("said no JSON ({error}): {shown}"))
}

/// A program that answers each line with a line, until its input ends.
pub(crate) struct Servant {
    shown: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Servant {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("cannot run {shown}: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("no pipes to {shown}"));
        };
        Ok(Self { shown, child, input: Some(input), output: BufReader::new(output).lines() })
    }

    pub(crate) fn ask(&mut self, question: &Value) -> Outcome<Value> {
        let input = self.input.as_mut().ok_or("the program has been told to end")?;
        writeln!(input, "{question}")
            .and_then(|()| input.flush())
            .map_err(|error| format!("{}: {error}", self.shown))?;
        self.hear()
    }

    /// The next line that it says.
    pub(crate) fn hear(&mut self) -> Outcome<Value> {
        let line = self.output.next().and_then(Result::ok).ok_or_else(|| format!("ended by itself: {}", self.shown))?;
        serde_json::from_str(&line).map_err(|error| format!("said no JSON ({error}): {}", self.shown))
    }
}

impl Drop for Servant {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
