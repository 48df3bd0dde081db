//! Finds the files of a folder that hold weights, and groups those that belong together.
//!
//! Always holds: a container that can be read is recognised by its content. The file's ending only decides whether any other
//! file is reported or ignored. Shards are one candidate, with or without an index.

use std::collections::{BTreeMap, BTreeSet};

use must_tensors::Result;

use crate::weights::files::ModelFiles;
use crate::weights::source::holds_tensors;
use crate::weights::{gguf, safetensors, shards};

/// Weights that belong together: one file, or all its shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The name to open.
    pub(super) open: String,
    /// The files, in order.
    pub(super) files: Vec<String>,
}

/// The files of a folder, grouped by kind.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Weights that can be opened.
    pub(super) candidates: Vec<Candidate>,
    /// Pickles. Only their first bytes are read.
    pub(super) pickles: Vec<String>,
    /// Files that cannot be opened, each with the reason.
    pub(super) damaged: Vec<(String, String)>,
    /// Weights whose plain form is also present, each with the name of the plain form.
    pub(super) variants: Vec<(String, String)>,
    /// All other files.
    pub(super) others: Vec<String>,
}

/// File endings of containers that the library reads.
const WEIGHTS: &[&str] = &["safetensors", "sft", "gguf"];

/// File endings that are common for pickles. A zip archive with another ending is not taken for a model.
const PICKLES: &[&str] = &["pth", "pt", "ckpt", "bin", "pkl", "pickle"];

/// Groups the files of a folder by kind.
pub(super) fn gather(files: &ModelFiles) -> Result<Gathered> {
    let names = files.list()?;
    let mut gathered = Gathered::default();
    let mut taken = BTreeSet::new();
    // Any file of a set opens the whole set.
    let sets: BTreeMap<String, &String> = names.iter().filter_map(|name| Some((shards::whole(name)?, name))).collect();
    for open in sets.into_values() {
        match shards::find(files, open) {
            Ok(set) => {
                taken.extend(set.files.iter().cloned());
                gathered.candidates.push(Candidate { open: open.clone(), files: set.files });
            }
            Err(error) => gathered.damaged.push((open.clone(), error.detail().to_owned())),
        }
    }
    for name in names {
        // The shards of an incomplete set were reported above.
        if taken.contains(&name) || shards::whole(&name).is_some() {
            continue;
        }
        let ending = name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase());
        let file = match files.open(&name) {
            Ok(file) => file,
            Err(error) => {
                gathered.damaged.push((name, error.detail().to_owned()));
                continue;
            }
        };
        let start = file.as_slice();
        // A text may begin with the letters of GGUF, but no version number follows them.
        let is_gguf = gguf::begins(start) && start.get(5..8) == Some(&[0; 3]);
        let weights = is_gguf || safetensors::begins(start);
        if holds_tensors(start)
            && !weights
            && !gguf::begins(start)
            && [WEIGHTS, PICKLES].concat().contains(&ending.as_str())
        {
            gathered.pickles.push(name);
        } else if weights || WEIGHTS.contains(&ending.as_str()) {
            gathered.candidates.push(Candidate { open: name.clone(), files: vec![name] });
        } else {
            gathered.others.push(name);
        }
    }
    gathered.candidates.sort_by(|a, b| a.files.cmp(&b.files));
    separate_variants(&mut gathered);
    Ok(gathered)
}

/// Names that diffusers and transformers give to weights. They write several forms side by side: `model.safetensors`,
/// `model.fp16.safetensors`.
const STEMS: &[&str] = &["model", "diffusion_pytorch_model"];

/// Moves forms whose plain form is present from `candidates` to `variants`.
fn separate_variants(gathered: &mut Gathered) {
    let whole = |candidate: &Candidate| shards::whole(&candidate.open).unwrap_or_else(|| candidate.open.clone());
    let all: BTreeSet<String> = gathered.candidates.iter().map(whole).collect();
    gathered.candidates.retain(|candidate| match plain(&whole(candidate)).filter(|plain| all.contains(plain)) {
        Some(plain) => {
            gathered.variants.push((candidate.open.clone(), plain));
            false
        }
        None => true,
    });
}

/// Returns the plain form of a file name: `a/model.safetensors` for `a/model.fp16.safetensors`.
fn plain(name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let mut parts = file.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(stem), Some(_), Some(ending), None) if STEMS.contains(&stem) => {
            let slash = if folder.is_empty() { "" } else { "/" };
            Some(format!("{folder}{slash}{stem}.{ending}"))
        }
        _ => None,
    }
}
