//! The results of a benchmark: a table for people, and JSON to store.

use crate::options::Options;
use crate::{Outcome, machine};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The results of one benchmark.
#[derive(Debug)]
pub(crate) struct Report {
    /// The goals, by name.
    pub(crate) goals: Value,
    /// The measured figures.
    pub(crate) measured: Value,
    /// What could not be measured, or was not available, with the reasons.
    pub(crate) missing: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    what: String,
    figure: String,
    goal: String,
}

impl Report {
    /// Creates a report before anything is measured.
    pub(crate) fn new(goals: Value, options: &Options) -> Self {
        Self { goals, measured: Value::Null, missing: options.missing.clone(), rows: Vec::new() }
    }

    /// Adds a line to the table. An empty `goal` means that there is none.
    pub(crate) fn row(&mut self, what: impl Into<String>, figure: impl Into<String>, goal: impl Into<String>) {
        self.rows.push(Row { what: what.into(), figure: figure.into(), goal: goal.into() });
    }

    /// Prints the table.
    pub(crate) fn print(&self, name: &str) {
        let width = |column: fn(&Row) -> &str, title: &str| {
            self.rows.iter().map(|row| column(row).chars().count()).chain([title.len()]).max().unwrap_or(0)
        };
        let (first, second) = (width(|row| &row.what, name), width(|row| &row.figure, "measured"));
        println!("\n{name:<first$}  {:>second$}  goal", "measured");
        for Row { what, figure, goal } in &self.rows {
            println!("{what:<first$}  {figure:>second$}  {goal}");
        }
        for missing in &self.missing {
            println!("not measured: {missing}");
        }
    }

    /// Writes `<results>/<name>.json`.
    pub(crate) fn write(&self, name: &str, options: &Options, machine: Value) -> Outcome<PathBuf> {
        let document = json!({
            "name": name,
            "machine": machine,
            "load_average_at_end": machine::load_average(),
            "quick": options.quick,
            "goals": self.goals,
            "measured": self.measured,
            "missing": self.missing,
        });
        let path = options.results.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&options.results)
            .and_then(|()| std::fs::write(&path, text + "\n"))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }
}
