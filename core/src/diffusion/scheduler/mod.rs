//! Schedulers: which noise levels a generation visits, and how one step goes from a level to the next.
//!
//! Always holds: a scheduler draws no noise of its own and does its scalar arithmetic in single precision, as the reference
//! does, so that step coefficients agree to the last bits.

mod unipc;

pub use unipc::{UniPc, UniPcConfig};
