//! Layouts: tables of how writers name the tensors of a network.
//!
//! Always holds: a layout is recognised by the tensor names in a file, never by the file's own name. Every layout maps a
//! network's tensors to the names and shapes of diffusers and transformers. Names that no rule knows are collected in
//! [`Tensors::unknown`], so that the caller can report them. No tensor is read.

mod pattern;
mod rule;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use must_tensors::{Result, StoredTensor, unusable};

use self::pattern::matches;
use self::rule::Entry;
pub(crate) use self::rule::Rule;
pub(crate) use self::shape::Dim;
use super::source::Source;

/// The role of a network in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// Predicts the clean latent, the noise or the velocity.
    Transformer,
    /// Predicts the same, as a UNet.
    Unet,
    /// Turns text into states.
    TextEncoder,
    /// Turns pictures into latents and back.
    Vae,
    /// Turns a picture into states.
    ImageEncoder,
}

impl Part {
    /// Returns the name for error messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Transformer => "transformer",
            Self::Unet => "UNet",
            Self::TextEncoder => "text encoder",
            Self::Vae => "autoencoder",
            Self::ImageEncoder => "image encoder",
        }
    }

    /// Returns whether the network predicts what the steps of a sampler need.
    pub(crate) const fn is_denoiser(self) -> bool {
        matches!(self, Self::Transformer | Self::Unet)
    }
}

/// A network, independent of how writers name its tensors.
#[derive(Debug)]
pub(crate) struct Network {
    /// The name for error messages: "Wan transformer".
    pub(crate) name: &'static str,
    /// The role of the network.
    pub(crate) part: Part,
    /// Patterns of the canonical names, in groups. A tensor with any other name is unknown.
    pub(crate) names: &'static [&'static [&'static str]],
    /// Shapes that some writers change, by canonical name.
    pub(crate) shapes: &'static [(&'static str, &'static [Dim])],
}

/// One way of naming a network's tensors.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The name for error messages: "diffusers", "original".
    pub(crate) name: &'static str,
    /// The network whose tensors it names.
    pub(crate) network: &'static Network,
    /// Names that every file of this layout has, all below the same prefix. The text before the first one is the prefix.
    pub(crate) has: &'static [&'static str],
    /// The rules that turn its names into the canonical ones, in groups that run one after the other.
    pub(crate) rules: &'static [&'static [Rule]],
}

/// Tensors that no network reads and that training or other programs left in a file. They include the vocabulary of a
/// tokenizer and markers of how a network was trained.
const IGNORED: &[&str] = &[
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "position_ids",
    "**.position_ids",
    "logit_scale",
    "**.logit_scale",
    "model_ema.**",
    "embedding_manager.**",
    "denoiser.sigmas",
    "loss.**",
    "cond_proj.weight",
    "**.comfy_attention.config",
    "spiece_model",
    "**.spiece_model",
    "v_pred",
    "ztsnr",
    "edm_mean",
    "edm_std",
    "edm_vpred.sigma_max",
    "edm_vpred.sigma_min",
];

/// Returns whether the name is known to belong to a tensor that no network reads.
pub(crate) fn is_ignored(name: &str) -> bool {
    IGNORED.iter().any(|pattern| matches(pattern, name))
}

impl Layout {
    /// Returns the networks that a file with these names holds, each as layout and prefix. When two layouts claim the same
    /// tensors, the first one is used.
    pub(crate) fn recognise<'n>(
        layouts: &[&'static Self],
        names: &BTreeSet<&'n str>,
    ) -> Vec<(&'static Layout, &'n str)> {
        let mut claimed = HashSet::new();
        let mut places = vec![];
        for &layout in layouts {
            for prefix in layout.prefixes(names) {
                let marker = layout.has.first().copied().unwrap_or_default();
                if claimed.insert(format!("{prefix}{marker}")) {
                    places.push((layout, prefix));
                }
            }
        }
        places
    }

    /// Returns the prefixes below which `names` are in this layout. There is one for each copy of the network.
    fn prefixes<'n>(&self, names: &BTreeSet<&'n str>) -> Vec<&'n str> {
        let Some((marker, others)) = self.has.split_first() else { return vec![] };
        names
            .iter()
            .filter_map(|name| name.strip_suffix(marker))
            .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            .filter(|prefix| !is_ignored(&format!("{prefix}{marker}")))
            .filter(|prefix| others.iter().all(|other| names.contains(format!("{prefix}{other}").as_str())))
            .collect()
    }

    /// Returns the network's tensors under their canonical names: those of `source` whose names begin with `prefix`, but not
    /// with a longer one of `foreign`, the prefixes of other networks in the same file. Fails with `ModelUnavailable` when two
    /// tensors get the same name or a rule does not fit a shape.
    pub(crate) fn apply(&self, source: &Source, prefix: &str, foreign: &[&str]) -> Result<Tensors> {
        let belongs = |name: &str| !foreign.iter().any(|other| other.len() > prefix.len() && name.starts_with(other));
        let mut entries = vec![];
        for from in source.names().filter(|name| belongs(name)) {
            let Some(name) = from.strip_prefix(prefix) else { continue };
            if is_ignored(name) {
                continue;
            }
            let stored = source.get(from).ok_or_else(|| unusable(format!("{}: {from} is missing", source.origin())))?;
            entries.push(Entry { from: from.to_owned(), name: name.to_owned(), stored: stored.clone() });
        }
        for rule in self.rules.iter().copied().flatten() {
            entries = rule.run(entries)?;
        }
        let mut tensors = Tensors { origin: source.origin().to_owned(), map: BTreeMap::new(), unknown: vec![] };
        for entry in entries {
            if !self.network.names.iter().copied().flatten().any(|pattern| matches(pattern, &entry.name)) {
                tensors.unknown.push(entry.from);
            } else if tensors.map.insert(entry.name.clone(), entry.stored).is_some() {
                return Err(unusable(format!(
                    "{}: {} and another tensor are both the {}'s {}",
                    tensors.origin, entry.from, self.network.name, entry.name
                )));
            }
        }
        tensors.unknown.sort();
        shape::restore(self.network.shapes, &mut tensors)?;
        Ok(tensors)
    }
}

/// The tensors of one network under their canonical names.
#[derive(Debug, Clone)]
pub(crate) struct Tensors {
    origin: String,
    map: BTreeMap<String, StoredTensor>,
    /// Names in the file that no rule knows.
    pub(crate) unknown: Vec<String>,
}

impl Tensors {
    #[cfg(test)]
    /// Creates a set of tensors that have canonical names already. Error messages call their file `origin`.
    pub(crate) fn new(origin: impl Into<String>, tensors: impl IntoIterator<Item = (String, StoredTensor)>) -> Self {
        Self { origin: origin.into(), map: tensors.into_iter().collect(), unknown: vec![] }
    }

    /// Returns the file or files of the tensors, for error messages.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the tensor of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&StoredTensor> {
        self.map.get(name)
    }

    /// Returns whether there is a tensor of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Returns all names, in order.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// Returns all tensors, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &StoredTensor)> {
        self.map.iter().map(|(name, stored)| (name.as_str(), stored))
    }

    /// Returns the bytes of all tensors in their files.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.map.values().map(StoredTensor::file_bytes).sum()
    }

    /// Returns the elements of all tensors.
    pub(crate) fn elements(&self) -> u64 {
        self.map.values().map(|stored| stored.elements() as u64).sum()
    }

    /// Returns the bytes that the tensors whose names begin with `module` and a dot take in their files.
    pub(crate) fn bytes_below(&self, module: &str) -> u64 {
        self.below(module).map(StoredTensor::file_bytes).sum()
    }

    /// Returns the memory of all tensors in mapped files to the system. The next use reads them again.
    pub(crate) fn release(&self) {
        self.map.values().for_each(StoredTensor::release);
    }

    /// Does the same for the tensors whose names begin with `module` and a dot.
    pub(crate) fn release_below(&self, module: &str) {
        self.below(module).for_each(StoredTensor::release);
    }

    fn below(&self, module: &str) -> impl Iterator<Item = &StoredTensor> {
        let head = format!("{module}.");
        let end = format!("{module}/");
        self.map.range(head..end).map(|(_, stored)| stored)
    }

    /// Counts the modules `{list}.0`, `{list}.1` and so on, up to the first gap.
    pub(crate) fn count(&self, list: &str) -> usize {
        let exists = |index: usize| {
            let head = format!("{list}.{index}.");
            self.map.range(head.clone()..).next().is_some_and(|(name, _)| name.starts_with(&head))
        };
        (0..self.map.len()).take_while(|&index| exists(index)).count()
    }

    /// Returns the shape of a tensor. Fails with its name when there is no such tensor.
    pub(crate) fn shape(&self, name: &str) -> Result<&[usize]> {
        self.get(name)
            .map(StoredTensor::shape)
            .ok_or_else(|| unusable(format!("{}: tensor {name} is missing", self.origin)))
    }
}
