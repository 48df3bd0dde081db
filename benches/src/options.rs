//! The command line of a benchmark.

use crate::Outcome;
use std::path::PathBuf;

/// The options that every benchmark accepts.
pub(crate) const USAGE: &str = "[--quick] [--threads N] [--folder DIR] [--results DIR] [--c PROGRAM] [--python PYTHON] \
[--node DIST] [--reference PYTHON] [--weights DIR] [--root DIR] [--missing TEXT]...";

/// The options of a run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Few repetitions, to check that the benchmark works. The figures are not meaningful.
    pub(crate) quick: bool,
    /// Threads of inference, here and in the reference.
    pub(crate) threads: usize,
    /// The folder for data folders. The durable figures measure its disk.
    pub(crate) folder: PathBuf,
    /// The folder for the JSON files.
    pub(crate) results: PathBuf,
    /// The project's root, which holds the scripts.
    pub(crate) root: PathBuf,
    /// The built C caller.
    pub(crate) c: Option<String>,
    /// A Python with the module `must`.
    pub(crate) python: Option<String>,
    /// The built Node package's `dist` folder.
    pub(crate) node: Option<String>,
    /// A Python with PyTorch, diffusers and transformers.
    pub(crate) reference: Option<String>,
    /// The folder that `tools/random-weights` filled.
    pub(crate) weights: Option<PathBuf>,
    /// The programs and files that the caller could not provide, with the reasons.
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

    /// Creates a folder for data, which is removed when dropped.
    pub(crate) fn scratch(&self) -> Outcome<tempfile::TempDir> {
        std::fs::create_dir_all(&self.folder)
            .and_then(|()| tempfile::Builder::new().prefix("must-bench-").tempdir_in(&self.folder))
            .map_err(|error| format!("cannot make a folder in {}: {error}", self.folder.display()))
    }
}
