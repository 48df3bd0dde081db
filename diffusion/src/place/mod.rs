//! Memory: what a generation needs, what there is, and which blocks are loaded.

mod blocks;
mod branches;
mod budget;
mod needs;
mod residency;
mod slot;

pub(crate) use blocks::{Blocks, Reader};
pub(crate) use branches::each;
pub use budget::Budget;
pub use needs::{Needs, Stretch};
pub(crate) use residency::{Policy, Residency, Whole};
pub(crate) use slot::{HoldsWeights, Slot};
