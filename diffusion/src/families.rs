//! The only list of families, and of the models that the library carries.

use super::family::Family;
use super::weights::ModelFiles;

/// Every family that the library can run.
static FAMILIES: &[&dyn Family] = &[&super::wan::Wan, &super::sdxl::Sdxl, &super::flux::Flux];

/// All of them.
pub(super) fn all() -> &'static [&'static dyn Family] {
    FAMILIES
}

/// The family of this name.
pub fn family(id: &str) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.id() == id)
}

/// The files of a model that the library carries.
pub fn embedded(name: &str) -> Option<&'static ModelFiles> {
    #[cfg(any(feature = "tiny", test))]
    if name == "tiny" {
        return Some(&super::wan::TINY);
    }
    let _ = name;
    None
}
