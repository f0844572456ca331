//! The `migrate` function.

fn main() {}
