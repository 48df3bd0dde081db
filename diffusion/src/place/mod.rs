//! Memory: how much a generation needs, how much the device has, and which parts and blocks of a model are loaded.

mod blocks;
mod branches;
mod budget;
mod needs;
mod residency;
mod slot;

pub(crate) use blocks::Blocks;
pub(crate) use branches::for_each_branch;
pub use budget::Budget;
pub use needs::{Needs, Stretch};
pub(crate) use residency::{CombinedLoading, Policy, Residency};
pub(crate) use slot::{HoldsWeights, Slot};
