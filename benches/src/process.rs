//! Runs programs that answer with lines of JSON.

use crate::Outcome;
use serde_json::Value;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Runs a program to its end, and returns the JSON in its last line.
pub(crate) fn answer(command: &mut Command) -> Outcome<Value> {
    let shown = format!("{command:?}");
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("cannot run {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("failed ({}): {shown}", output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().ok_or_else(|| format!("printed nothing: {shown}"))?;
    serde_json::from_str(line).map_err(|error| format!("did not print JSON ({error}): {shown}"))
}

/// A program that answers each line of input with a line of output, until its input ends.
pub(crate) struct LineProcess {
    shown: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl LineProcess {
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

    /// Writes one line of input, and reads the line of output that answers it.
    pub(crate) fn ask(&mut self, question: &Value) -> Outcome<Value> {
        let input = self.input.as_mut().ok_or("the program's input is closed")?;
        writeln!(input, "{question}")
            .and_then(|()| input.flush())
            .map_err(|error| format!("{}: {error}", self.shown))?;
        self.read_line()
    }

    /// Reads the next line of output, which must be JSON.
    pub(crate) fn read_line(&mut self) -> Outcome<Value> {
        let line = self.output.next().and_then(Result::ok).ok_or_else(|| format!("ended by itself: {}", self.shown))?;
        serde_json::from_str(&line).map_err(|error| format!("did not print JSON ({error}): {}", self.shown))
    }
}

impl Drop for LineProcess {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
