//! What a model's folder holds: which networks, in which files, layouts and encodings.
//!
//! Always holds: only headers are read; what a file is follows from the names in it, never from its own name, save for
//! which of two equal transformers is which [`Expert`]; nothing that looks like weights is passed over in silence.
//! Knows no family: the layouts to look for are given to it.

mod expert;
mod found;
mod gather;
mod stranger;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use self::expert::Expert;
pub(crate) use self::found::{Experts, Found};
pub(crate) use self::vocabulary::Vocabulary;
use super::files::ModelFiles;
use super::layout::{Layout, Network};
use super::source::Source;
use crate::error::Result;

/// A file that looks like weights and is of no use, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetAside {
    /// Its name in the folder.
    pub(crate) file: String,
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub(crate) reason: String,
    /// Whether the file is a pickle, which is not opened.
    pub(crate) pickle: bool,
}

/// The content of a model's folder.
#[derive(Debug)]
pub(crate) struct Inventory {
    files: ModelFiles,
    found: Vec<Found>,
    set_aside: Vec<SetAside>,
    vocabularies: Vec<Vocabulary>,
}

impl Inventory {
    /// Looks through a folder for networks in these layouts. Where two layouts claim the same tensors, the first wins.
    pub(crate) fn read(files: &ModelFiles, layouts: &[&'static Layout]) -> Result<Self> {
        let gathered = gather::gather(files)?;
        let mut sources = vec![];
        let mut inventory = Self { files: files.clone(), found: vec![], set_aside: vec![], vocabularies: vec![] };
        let others = &gathered.others;
        inventory.vocabularies.extend(others.iter().filter_map(|name| Vocabulary::of_file(name, others)));
        for (file, detail) in gathered.damaged {
            let reason = cannot_be_read(&detail, &file);
            inventory.set_aside.push(SetAside { file, reason, pickle: false });
        }
        for (file, plain) in gathered.variants {
            let reason = format!("is another form of {plain}, which is used");
            inventory.set_aside.push(SetAside { file, reason, pickle: false });
        }
        for file in gathered.pickles {
            let reason = "is a pickle, which can run code when it is read, and is not opened".to_owned();
            inventory.set_aside.push(SetAside { file, reason, pickle: true });
        }
        for candidate in gathered.candidates {
            match Source::open(files, &candidate.open) {
                Ok(source) => sources.push((candidate.files, Arc::new(source))),
                Err(error) => {
                    let reason = cannot_be_read(error.detail(), &candidate.open);
                    inventory.set_aside.push(SetAside { file: candidate.open, reason, pickle: false });
                }
            }
        }
        inventory.add(sources, layouts);
        Ok(inventory)
    }

    /// The inventory of a folder, and of sources that are open already as if their files were in it.
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
            let aside = |reason: String| SetAside { file: name.clone(), reason, pickle: false };
            if source.metadata("split.count").and_then(super::Metadata::integer).is_some_and(|count| count > 1) {
                let reason = "is one part of a GGUF file that was split; join the parts with llama-gguf-split --merge";
                self.set_aside.push(aside(reason.to_owned()));
                continue;
            }
            match recognise(&files, &source, layouts, &all, &self.files) {
                Ok(found) if found.is_empty() => self.set_aside.push(aside(stranger::describe(&source))),
                Ok(found) => {
                    self.found.extend(found);
                    self.vocabularies.extend(Vocabulary::of_source(&source));
                }
                Err(error) => self.set_aside.push(aside(cannot_be_read(error.detail(), &name))),
            }
        }
    }

    /// The folder.
    pub(crate) fn files(&self) -> &ModelFiles {
        &self.files
    }

    /// Every network, in the order of the files' names.
    pub(crate) fn all(&self) -> &[Found] {
        &self.found
    }

    /// The copies of one network.
    pub(crate) fn copies(&self, network: &Network) -> Vec<&Found> {
        self.found.iter().filter(|found| std::ptr::eq(found.network(), network)).collect()
    }

    /// Files that look like weights and are of no use.
    pub(crate) fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// Vocabularies of tokenizers, those that are files of their own first.
    pub(crate) fn vocabularies(&self) -> &[Vocabulary] {
        &self.vocabularies
    }
}

/// The networks in one file.
fn recognise(
    files: &[String],
    source: &Arc<Source>,
    layouts: &[&'static Layout],
    all: &[String],
    folder: &ModelFiles,
) -> Result<Vec<Found>> {
    let names: BTreeSet<&str> = source.names().collect();
    let places = Layout::recognise(layouts, &names);
    let mut found = vec![];
    for &(layout, prefix) in &places {
        let foreign = places.iter().map(|(_, other)| *other).filter(|other| *other != prefix).collect::<Vec<_>>();
        found.push(Found::new(layout, prefix, &foreign, files, source, all, folder)?);
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

/// The end of a sentence that begins with the name of a file, from an error that may begin with it too.
fn cannot_be_read(detail: &str, name: &str) -> String {
    let detail = detail.strip_prefix(name).map_or(detail, |rest| rest.trim_start_matches([':', ' ']));
    format!("cannot be read: {detail}")
}
