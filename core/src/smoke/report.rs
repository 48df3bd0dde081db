//! The report of a smoke test, as data, JSON and Markdown.

use crate::error::{Error, Result};
use crate::terminal;
use crate::time::Timestamp;
use serde::Serialize;
use std::fmt::Write as _;

/// The outcome of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step gave the expected result.
    Passed,
    /// The step failed or gave another result.
    Failed,
    /// The step was not run.
    Skipped,
}

impl Outcome {
    /// Returns the name that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One step of a smoke test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The part of the test that the step belongs to.
    pub story: &'static str,
    /// What the step checks.
    pub name: String,
    /// Method and path of the request. Empty if the step was skipped.
    pub asked: String,
    /// The expected result.
    pub expected: String,
    /// The actual result, or the reason why the step was skipped.
    pub got: String,
    /// How long the step took.
    pub milliseconds: u64,
    /// The outcome.
    pub outcome: Outcome,
}

/// The report of a smoke test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Base URL of the platform.
    pub url: String,
    /// When the test began.
    pub started_at: Timestamp,
    /// When the test ended.
    pub finished_at: Timestamp,
    /// The steps in the order in which they were run.
    pub steps: Vec<Step>,
}

impl Report {
    /// Returns whether no step failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    /// Returns how many steps had this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }

    /// Returns the number of steps of each outcome, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let [passed, failed, skipped] =
            [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|outcome| self.count(outcome));
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    /// Returns the report as JSON.
    ///
    /// # Errors
    /// `internal`.
    pub fn to_json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct WithVerdict<'a> {
            #[serde(flatten)]
            report: &'a Report,
            passed: bool,
            summary: String,
        }
        let with_verdict = WithVerdict { report: self, passed: self.passed(), summary: self.summary() };
        serde_json::to_string_pretty(&with_verdict).map_err(|error| Error::internal(error.to_string()))
    }

    /// Returns the report as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        let mut text = format!(
            "# Smoke test of {}: {verdict}\n\n{}; {} to {}.\n",
            cell(&self.url),
            self.summary(),
            self.started_at,
            self.finished_at
        );
        let mut story = "";
        for step in &self.steps {
            if step.story != story {
                story = step.story;
                let _ = write!(
                    text,
                    "\n## {story}\n\n| step | asked | expected | got | ms | outcome |\n|---|---|---|---|---|---|\n"
                );
            }
            let [name, asked, expected, got] =
                [&step.name, &step.asked, &step.expected, &step.got].map(|part| cell(part));
            let outcome = step.outcome.as_str();
            let _ = writeln!(text, "| {name} | {asked} | {expected} | {got} | {} | {outcome} |", step.milliseconds);
        }
        text
    }
}

/// Escapes a text so that it cannot end its table cell or begin a link.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '<' | '>' | '[' | ']' | '`' | '*' | '\\') {
            safe.push('\\');
        }
        safe.push(if terminal::is_printable(c) { c } else { ' ' });
    }
    safe
}
