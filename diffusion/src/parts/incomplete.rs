//! Sentences for a folder that is not whole: what was recognised, what is missing, what would fill it.

use crate::error::Error;
use crate::weights::{Found, Inventory, unusable};

/// Files that are of no use and that a sentence names.
const NAMED: usize = 3;

/// A part that a model needs and that its folder does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What it is: "text encoder (UMT5-XXL)".
    pub(crate) name: String,
    /// Published files that would fill the gap.
    pub(crate) filled_by: String,
}

/// The error of a folder without some parts: one sentence on what is missing and what is there, one on what to add. `family`
/// is what the folder should hold a model of; `what` puts one network of the folder into words, as [`holds`] does.
pub(crate) fn incomplete(
    inventory: &Inventory,
    family: &str,
    missing: &[Missing],
    what: impl Fn(&Found) -> String,
) -> Error {
    let names: Vec<String> = missing.iter().map(|part| part.name.clone()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let has: Vec<String> = inventory.all().iter().map(what).collect();
    let has = if has.is_empty() { format!("nothing of {family}") } else { and(&has) };
    let mut reason = format!("the {} {verb} missing; the folder holds {has}", and(&names));
    if let Some(aside) = unused(inventory) {
        reason.push_str(&aside);
    }
    let filled: Vec<&str> = missing.iter().map(|part| part.filled_by.as_str()).collect();
    unusable(reason).with_action(format!("Add {} to the model's folder.", filled.join("; and ")))
}

/// One network in words: what, where, how it is written. `variant` is said of the denoiser, if it is known.
pub(crate) fn holds(found: &Found, variant: Option<&str>) -> String {
    let part = found.network().part;
    let what = match variant {
        Some(variant) if part.is_denoiser() => format!("the {} ({variant})", part.as_str()),
        _ => format!("the {}", part.as_str()),
    };
    format!("{what} in {} ({} names, {})", found.origin(), found.layout(), found.encodings())
}

/// The files that were set aside, as the end of a sentence.
fn unused(inventory: &Inventory) -> Option<String> {
    let aside = inventory.set_aside();
    let named: Vec<String> = aside.iter().take(NAMED).map(|aside| format!("{} {}", aside.file, aside.reason)).collect();
    let more = match aside.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!named.is_empty()).then(|| format!("; not used: {}{more}", named.join("; ")))
}

/// `a`, `a and b`, `a, b and c`.
fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
