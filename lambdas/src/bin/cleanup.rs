//! The `cleanup` function.

fn main() {}
