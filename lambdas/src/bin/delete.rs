//! The `delete` function.

fn main() {}
