//! The command line of a benchmark.

use crate::Outcome;
use std::path::PathBuf;

/// What every benchmark understands.
pub(crate) const USAGE: &str = "[--quick] [--threads N] [--folder DIR] [--results DIR] [--c PROGRAM] [--python PYTHON] \
[--node DIST] [--reference PYTHON] [--weights DIR] [--root DIR] [--missing TEXT]...";

/// How a benchmark is run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Few repetitions: to see that it works, not to measure.
    pub(crate) quick: bool,
    /// Threads of inference, here and in the reference.
    pub(crate) threads: usize,
    /// Where data folders are made; its disk is what the durable figures are about.
    pub(crate) folder: PathBuf,
    /// Where the JSON goes.
    pub(crate) results: PathBuf,
    /// The project's root, where the scripts are.
    pub(crate) root: PathBuf,
    /// The C caller, built.
    pub(crate) c: Option<String>,
    /// A Python with the module `must`.
    pub(crate) python: Option<String>,
    /// The built Node package's `dist` folder.
    pub(crate) node: Option<String>,
    /// A Python with PyTorch and diffusers.
    pub(crate) reference: Option<String>,
    /// The folder that `tools/random-weights` filled.
    pub(crate) weights: Option<PathBuf>,
    /// What the caller could not provide, and why.
    pub(crate) missing: Vec<String>,
}

impl Options {
    pub(crate) fn parse(arguments: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            quick: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            folder: std::env::temp_dir(),
            results: PathBuf::from("."),
            root: PathBuf::from("."),
            c: None,
            python: None,
            node: None,
            reference: None,
            weights: None,
            missing: Vec::new(),
        };
        let mut words = arguments.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(str::to_owned).ok_or_else(|| format!("{word} needs a value"));
            match word {
                "--quick" => options.quick = true,
                "--threads" => options.threads = value()?.parse().map_err(|_| "--threads needs a number".to_owned())?,
                "--folder" => options.folder = value()?.into(),
                "--results" => options.results = value()?.into(),
                "--root" => options.root = value()?.into(),
                "--c" => options.c = Some(value()?),
                "--python" => options.python = Some(value()?),
                "--node" => options.node = Some(value()?),
                "--reference" => options.reference = Some(value()?),
                "--weights" => options.weights = Some(value()?.into()),
                "--missing" => options.missing.push(value()?),
                other => return Err(format!("unknown option {other}; known: {USAGE}")),
            }
        }
        Ok(options)
    }

    /// A new folder for data, removed when dropped.
    pub(crate) fn scratch(&self) -> Outcome<tempfile::TempDir> {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| tempfile::Builder::new().prefix("must-bench-").tempdir_in(&self.folder))
            .map_err(|error| format!("cannot make a folder in {}: {error}", self.folder.display()))
    }
}
