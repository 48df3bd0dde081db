//! The inventory of a model's folder: its networks with their files, layouts and encodings.
//!
//! Always holds: only headers are read. The names of the tensors decide which networks a file holds, never the file's own name;
//! the one exception is [`Expert`], which tells two equal transformers apart. Every file that looks like weights is either used or
//! reported. This module knows no family: the caller gives it the layouts to look for.

mod expert;
mod found;
mod gather;
#[cfg(test)]
mod tests;
mod unrecognised;
mod vocabulary;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use self::expert::Expert;
pub(crate) use self::found::{Experts, FoundNetwork};
pub(crate) use self::vocabulary::Vocabulary;

use must_tensors::Result;

use super::files::ModelFiles;
use super::layout::{Layout, Network};
use super::source::Source;

/// A file that looks like weights but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnusableFile {
    /// Its name in the folder.
    pub(crate) file: String,
    /// The reason, as the end of a sentence that begins with the file's name.
    pub(crate) reason: String,
    /// Whether the file is a pickle. Only the first bytes of a pickle are read.
    pub(crate) pickle: bool,
}

/// The content of a model's folder.
#[derive(Debug)]
pub(crate) struct Inventory {
    files: ModelFiles,
    found: Vec<FoundNetwork>,
    unusable_files: Vec<UnusableFile>,
    vocabularies: Vec<Vocabulary>,
}

impl Inventory {
    /// Searches a folder for networks in these layouts. When two layouts claim the same tensors, the first one is used.
    pub(crate) fn read(files: &ModelFiles, layouts: &[&'static Layout]) -> Result<Self> {
        let gathered = gather::gather(files)?;
        let mut sources = vec![];
        let mut inventory = Self { files: files.clone(), found: vec![], unusable_files: vec![], vocabularies: vec![] };
        let others = &gathered.others;
        inventory.vocabularies.extend(others.iter().filter_map(|name| Vocabulary::of_file(name, others)));
        for (file, detail) in gathered.damaged {
            let reason = cannot_be_read(&detail, &file);
            inventory.unusable_files.push(UnusableFile { file, reason, pickle: false });
        }
        for (file, plain) in gathered.variants {
            let reason = format!("is another form of {plain}, which is used");
            inventory.unusable_files.push(UnusableFile { file, reason, pickle: false });
        }
        for file in gathered.pickles {
            let reason = "is a pickle, which can run code when it is read, and is not opened".to_owned();
            inventory.unusable_files.push(UnusableFile { file, reason, pickle: true });
        }
        for candidate in gathered.candidates {
            match Source::open(files, &candidate.open) {
                Ok(source) => sources.push((candidate.files, Arc::new(source))),
                Err(error) => {
                    let reason = cannot_be_read(error.detail(), &candidate.open);
                    inventory.unusable_files.push(UnusableFile { file: candidate.open, reason, pickle: false });
                }
            }
        }
        inventory.add(sources, layouts);
        Ok(inventory)
    }

    /// Returns the inventory of a folder plus sources that are open already, as if their files were in the folder.
    #[cfg(test)]
    pub(crate) fn with_sources(
        files: &ModelFiles,
        sources: Vec<(Vec<String>, Arc<Source>)>,
        layouts: &[&'static Layout],
    ) -> Result<Self> {
        let mut inventory = Self::read(files, layouts)?;
        inventory.add(sources, layouts);
        Ok(inventory)
    }

    fn add(&mut self, sources: Vec<(Vec<String>, Arc<Source>)>, layouts: &[&'static Layout]) {
        let all: Vec<String> = sources.iter().flat_map(|(files, _)| files.iter().cloned()).collect();
        for (files, source) in sources {
            let name = source.origin().to_owned();
            let unusable_file = |reason: String| UnusableFile { file: name.clone(), reason, pickle: false };
            if source.metadata("split.count").and_then(super::Metadata::integer).is_some_and(|count| count > 1) {
                let reason = "is one part of a GGUF file that was split; join the parts with llama-gguf-split --merge";
                self.unusable_files.push(unusable_file(reason.to_owned()));
                continue;
            }
            match recognise(&files, &source, layouts, &all, &self.files) {
                Ok(found) if found.is_empty() => {
                    self.unusable_files.push(unusable_file(unrecognised::describe(&source)))
                }
                Ok(found) => {
                    self.found.extend(found);
                    self.vocabularies.extend(Vocabulary::of_source(&source));
                }
                Err(error) => self.unusable_files.push(unusable_file(cannot_be_read(error.detail(), &name))),
            }
        }
    }

    /// Returns the folder.
    pub(crate) fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// Returns all networks, in the order of their files' names.
    pub(crate) fn all(&self) -> &[FoundNetwork] {
        &self.found
    }

    /// Returns the copies of one network.
    pub(crate) fn copies(&self, network: &Network) -> Vec<&FoundNetwork> {
        self.found.iter().filter(|found| std::ptr::eq(found.network(), network)).collect()
    }

    /// Returns the files that look like weights but cannot be used.
    pub(crate) fn unusable_files(&self) -> &[UnusableFile] {
        &self.unusable_files
    }

    /// Returns the vocabularies of tokenizers. Those in files of their own come first.
    pub(crate) fn vocabularies(&self) -> &[Vocabulary] {
        &self.vocabularies
    }
}

/// Finds the networks in one file.
fn recognise(
    files: &[String],
    source: &Arc<Source>,
    layouts: &[&'static Layout],
    all: &[String],
    folder: &ModelFiles,
) -> Result<Vec<FoundNetwork>> {
    let names: BTreeSet<&str> = source.names().collect();
    let places = Layout::recognise(layouts, &names);
    let mut found = vec![];
    for &(layout, prefix) in &places {
        let foreign = places.iter().map(|(_, other)| *other).filter(|other| *other != prefix).collect::<Vec<_>>();
        found.push(FoundNetwork::new(layout, prefix, &foreign, files, source, all, folder)?);
    }
    if let Some(first) = found.first_mut() {
        let covered = |name: &str| places.iter().any(|(_, prefix)| name.starts_with(prefix));
        first.add_unknown(names.iter().filter(|name| !covered(name)).map(|name| (*name).to_owned()));
    }
    for one in &mut found {
        one.bundled = places.len() > 1;
    }
    Ok(found)
}

/// Formats an error as the end of a sentence that begins with the file's name. The error may begin with that name too.
fn cannot_be_read(detail: &str, name: &str) -> String {
    let detail = detail.strip_prefix(name).map_or(detail, |rest| rest.trim_start_matches([':', ' ']));
    format!("cannot be read: {detail}")
}
