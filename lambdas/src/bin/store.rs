//! The `store` function.

fn main() {}
