//! The chores of the project, in Rust.
fn main() {}
