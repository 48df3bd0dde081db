//! The model catalog: which models exist, their modes, and the rules of every parameter.
//!
//! `catalog.json` contains the built-in catalog; a host may pass its own catalog in the same form. A loaded catalog is consistent:
//! each parameter accepts its own default, the default mode exists, and each rule names an existing parameter or mode.

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
