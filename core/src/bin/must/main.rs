//! The `must` program.
fn main() {}
