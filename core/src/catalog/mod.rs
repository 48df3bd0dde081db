//! The model catalog: which models exist, their modes, and the rules of every parameter.
//!
//! `catalog.json` is the one source of truth; a host may pass its own catalog in the same form. A loaded catalog is consistent:
//! every default is within its own bounds, and every mode and rule names something that exists.

mod listing;
mod load;
mod parameter;
mod validate;

pub use listing::ModelView;
pub use load::{Catalog, Mode, Model, Sampling, WeightClass, Weights};
pub use parameter::{Item, Kind, Parameter, Rule};
pub use validate::{ImageSlot, ValidRequest};

#[cfg(test)]
mod tests;
