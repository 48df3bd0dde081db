//! One network in a folder, and the choice among several copies of it.
//!
//! Always holds: a copy in a file of its own is preferred to one inside a larger file. When nothing distinguishes two
//! copies, the model is refused.

use std::sync::Arc;

use must_tensors::{Error, Result, unusable};

use super::expert::{self, Expert};
use crate::weights::files::ModelFiles;
use crate::weights::layout::{Layout, Network, Part, Tensors, is_ignored};
use crate::weights::metadata::Metadata;
use crate::weights::source::Source;

/// A network that was found in a folder.
#[derive(Debug, Clone)]
pub(crate) struct FoundNetwork {
    layout: &'static Layout,
    files: Vec<String>,
    source: Arc<Source>,
    tensors: Arc<Tensors>,
    /// Whether its file also holds other networks.
    pub(super) bundled: bool,
    /// The expert that the names of files and folders state, and whether they state it in full.
    expert: Option<(Expert, bool)>,
    config: Option<String>,
    encodings: String,
    unknown: Vec<String>,
}

impl FoundNetwork {
    /// Finds the network in `layout` below `prefix` of `source`. `foreign` are the prefixes of other networks in the same
    /// source, and `all` are the names of all files with weights.
    pub(super) fn new(
        layout: &'static Layout,
        prefix: &str,
        foreign: &[&str],
        files: &[String],
        source: &Arc<Source>,
        all: &[String],
        folder: &ModelFiles,
    ) -> Result<Self> {
        let tensors = layout.apply(source, prefix, foreign)?;
        let unknown = tensors.unknown.clone();
        let first = files.first().map_or(source.origin(), String::as_str);
        let within = first.rfind('/').and_then(|slash| first.get(..=slash)).unwrap_or_default();
        let config = format!("{within}config.json");
        let expert = match layout.network.part {
            Part::Transformer => expert::of_diffusers_folder(first, all.iter().map(String::as_str))
                .map(|expert| (expert, true))
                .or_else(|| expert::of_name(first)),
            _ => None,
        };
        let mut found = Self {
            layout,
            files: files.to_vec(),
            source: source.clone(),
            bundled: false,
            expert,
            config: folder.has(&config).then_some(config),
            encodings: encodings(&tensors),
            tensors: Arc::new(tensors),
            unknown: vec![],
        };
        found.add_unknown(unknown);
        Ok(found)
    }

    /// Adds names of the file that no layout knows.
    pub(super) fn add_unknown(&mut self, names: impl IntoIterator<Item = String>) {
        self.unknown.extend(names.into_iter().filter(|name| !is_ignored(name)));
    }

    /// Returns the network.
    pub(crate) fn network(&self) -> &'static Network {
        self.layout.network
    }

    /// Returns the name of the layout of its tensors.
    pub(crate) fn layout(&self) -> &'static str {
        self.layout.name
    }

    /// Returns its files, in order.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }

    /// Returns the file, or the index of the files, for error messages.
    pub(crate) fn origin(&self) -> &str {
        self.source.origin()
    }

    /// Returns the metadata of its file under `key`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Metadata> {
        self.source.metadata(key)
    }

    /// Returns the `config.json` in the folder of its files. It may describe something else.
    pub(crate) fn config(&self) -> Option<&str> {
        self.config.as_deref()
    }

    /// Returns whether its file also holds other networks.
    #[cfg(test)]
    pub(crate) const fn is_bundled(&self) -> bool {
        self.bundled
    }

    /// Returns its encodings, the most frequent first: `Q4_K (240 tensors), F32 (61)`.
    pub(crate) fn encodings(&self) -> &str {
        &self.encodings
    }

    /// Returns whether its file has a tensor of this full name, inside or outside the network.
    pub(crate) fn file_has(&self, name: &str) -> bool {
        self.source.get(name).is_some()
    }

    /// Returns the metadata of its file under `key`.
    pub(crate) fn file_says(&self, key: &str) -> Option<&Metadata> {
        self.source.metadata(key)
    }

    /// Returns names in the file that no rule knows.
    pub(crate) fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// Returns its tensors under their canonical names.
    pub(crate) fn tensors(&self) -> &Arc<Tensors> {
        &self.tensors
    }

    /// Chooses one of `copies`, and prefers one that has a file of its own. `None` if there are no copies. Fails if nothing
    /// distinguishes the candidates.
    pub(crate) fn choose<'f>(copies: &[&'f Self]) -> Result<Option<&'f Self>> {
        let separate: Vec<&Self> = copies.iter().copied().filter(|copy| !copy.bundled).collect();
        match (separate.as_slice(), copies) {
            ([], []) => Ok(None),
            ([one], _) | ([], [one]) => Ok(Some(one)),
            ([first, second, ..], _) => Err(ambiguous(first, second)),
            // Two complete files, such as two experts, usually hold the same autoencoder and text encoder.
            ([], [first, others @ ..]) => match others.iter().find(|other| !first.resembles(other)) {
                Some(other) => Err(ambiguous(first, other)),
                None => Ok(Some(first)),
            },
        }
    }

    /// Returns whether the tensors of both have the same names, shapes and encodings.
    fn resembles(&self, other: &Self) -> bool {
        let header = |tensors: &Tensors| -> Vec<(String, Vec<usize>, &'static str)> {
            tensors.iter().map(|(name, one)| (name.to_owned(), one.shape().to_vec(), one.encoding().name())).collect()
        };
        header(&self.tensors) == header(&other.tensors)
    }
}

/// The transformers of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Experts<'f> {
    /// No transformer.
    None,
    /// One for all steps. The expert is set when its file names state in full that it is one of two.
    One(&'f FoundNetwork, Option<Expert>),
    /// Two experts that share the steps.
    Two { high: &'f FoundNetwork, low: &'f FoundNetwork },
}

impl<'f> Experts<'f> {
    /// Sorts the copies of one network. Fails if there are several and their names do not identify two experts.
    pub(crate) fn of(copies: &[&'f FoundNetwork]) -> Result<Self> {
        let of = |wanted: Expert| {
            let is = move |copy: &&&FoundNetwork| copy.expert.is_some_and(|(expert, _)| expert == wanted);
            copies.iter().filter(is).copied().collect::<Vec<_>>()
        };
        match (copies, of(Expert::High).as_slice(), of(Expert::Low).as_slice()) {
            ([], ..) => Ok(Self::None),
            ([one], ..) => Ok(Self::One(one, one.expert.filter(|(_, in_full)| *in_full).map(|(expert, _)| expert))),
            ([_, _], [high], [low]) => Ok(Self::Two { high, low }),
            (_, [first, second, ..], _) | (_, _, [first, second, ..]) | ([first, second, ..], ..) => {
                Err(ambiguous(first, second))
            }
        }
    }
}

/// Creates the error for two copies that nothing distinguishes.
fn ambiguous(first: &FoundNetwork, second: &FoundNetwork) -> Error {
    let part = first.network().part;
    let detail = format!("{} and {} both hold the {}", first.origin(), second.origin(), first.network().name);
    let advice = match part {
        Part::Transformer => {
            "Leave one of them in the folder; two experts are told apart by high_noise and low_noise in the names of \
             their files or folders."
        }
        _ => "Leave one of them in the folder.",
    };
    unusable(format!("{detail}, and nothing tells which one is meant")).with_action(advice)
}

/// Lists the encodings of the tensors, the most frequent first.
fn encodings(tensors: &Tensors) -> String {
    let mut counts: Vec<(&str, usize)> = vec![];
    for (_, stored) in tensors.iter() {
        let name = stored.encoding().name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let shown = |(at, (name, count)): (usize, &(&str, usize))| match (at, count) {
        (0, 1) => format!("{name} (1 tensor)"),
        (0, _) => format!("{name} ({count} tensors)"),
        _ => format!("{name} ({count})"),
    };
    counts.iter().enumerate().map(shown).collect::<Vec<_>>().join(", ")
}
