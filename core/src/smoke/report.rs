//! What came of a smoke test: as data, as JSON, as Markdown.

use crate::error::{Error, Result};
use crate::terminal;
use crate::time::Timestamp;
use serde::Serialize;
use std::fmt::Write as _;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// Not done.
    Skipped,
}

impl Outcome {
    /// The name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Step {
    /// The story that it belongs to.
    pub story: &'static str,
    /// What it is about.
    pub name: String,
    /// Method and path; empty when it was not done.
    pub asked: String,
    /// What should come of it.
    pub expected: String,
    /// What came of it, or why it was not done.
    pub got: String,
    /// How long it took.
    pub milliseconds: u64,
    /// How it went.
    pub outcome: Outcome,
}

/// Every step of a smoke test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Base URL of the platform.
    pub url: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// In the order in which they were done.
    pub steps: Vec<Step>,
}

impl Report {
    /// Whether no step failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    /// How many steps went so.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.steps.iter().filter(|step| step.outcome == outcome).count()
    }

    /// One line that says it all.
    #[must_use]
    pub fn summary(&self) -> String {
        let [passed, failed, skipped] =
            [Outcome::Passed, Outcome::Failed, Outcome::Skipped].map(|outcome| self.count(outcome));
        format!("{passed} passed, {failed} failed, {skipped} skipped")
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// `internal`.
    pub fn to_json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Judged<'a> {
            #[serde(flatten)]
            report: &'a Report,
            passed: bool,
            summary: String,
        }
        let judged = Judged { report: self, passed: self.passed(), summary: self.summary() };
        serde_json::to_string_pretty(&judged).map_err(|error| Error::internal(error.to_string()))
    }

    /// The report as Markdown.
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

/// A text that cannot end its cell, or begin a link.
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
