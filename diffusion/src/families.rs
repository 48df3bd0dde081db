//! The list of all model families, and the models that are embedded in the library.

use super::family::Family;
use super::weights::ModelFiles;

/// All model families that the library can run.
static FAMILIES: &[&dyn Family] = &[&super::wan::Wan, &super::sdxl::Sdxl, &super::flux::Flux];

/// Returns all families.
pub(super) fn all() -> &'static [&'static dyn Family] {
    FAMILIES
}

/// Returns the family with the name `id`, or `None` if there is none.
pub fn family(id: &str) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.id() == id)
}

/// Returns the files of an embedded model. The only name is `tiny`. Returns `None` for other names, and without the feature
/// `tiny`.
pub fn embedded(name: &str) -> Option<&'static ModelFiles> {
    #[cfg(any(feature = "tiny", test))]
    if name == "tiny" {
        return Some(&super::wan::TINY);
    }
    let _ = name;
    None
}
