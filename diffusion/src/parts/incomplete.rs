//! The error for an incomplete model folder: what was recognised, what is missing, which files would complete it.

use must_tensors::Error;

use crate::weights::{FoundNetwork, Inventory, unusable};

/// The largest number of unused files that the error names.
const NAMED: usize = 3;

/// A part that a model needs and that its folder lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Name of the part: "text encoder (UMT5-XXL)".
    pub(crate) name: String,
    /// Published files that provide the part.
    pub(crate) filled_by: String,
}

/// Builds the error for a folder that lacks parts of a model of `family`: its detail says what is missing and what the folder
/// holds, its advice what to add. `describe` describes one network of the folder, as [`describe_network`] does.
pub(crate) fn incomplete(
    inventory: &Inventory,
    family: &str,
    missing: &[Missing],
    describe: impl Fn(&FoundNetwork) -> String,
) -> Error {
    let names: Vec<String> = missing.iter().map(|part| part.name.clone()).collect();
    let verb = if names.len() == 1 { "is" } else { "are" };
    let has: Vec<String> = inventory.all().iter().map(describe).collect();
    let has = if has.is_empty() { format!("nothing of {family}") } else { join_with_and(&has) };
    let mut reason = format!("the {} {verb} missing; the folder holds {has}", join_with_and(&names));
    if let Some(unused) = unused(inventory) {
        reason.push_str(&unused);
    }
    let filled: Vec<&str> = missing.iter().map(|part| part.filled_by.as_str()).collect();
    unusable(reason).with_action(format!("Add {} to the model's folder.", filled.join("; and ")))
}

/// Describes one network: its part, file, layout and encodings. `variant` is added for the denoiser.
pub(crate) fn describe_network(found: &FoundNetwork, variant: Option<&str>) -> String {
    let part = found.network().part;
    let what = match variant {
        Some(variant) if part.is_denoiser() => format!("the {} ({variant})", part.as_str()),
        _ => format!("the {}", part.as_str()),
    };
    format!("{what} in {} ({} names, {})", found.origin(), found.layout(), found.encodings())
}

/// Lists the files that are not used, as the end of a sentence. `None` if there are none.
fn unused(inventory: &Inventory) -> Option<String> {
    let files = inventory.unusable_files();
    let named: Vec<String> =
        files.iter().take(NAMED).map(|unusable| format!("{} {}", unusable.file, unusable.reason)).collect();
    let more = match files.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!named.is_empty()).then(|| format!("; not used: {}{more}", named.join("; ")))
}

/// Joins texts: `a`, `a and b`, `a, b and c`.
fn join_with_and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
