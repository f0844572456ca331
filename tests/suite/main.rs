//! The test suite: one binary, so that it is linked once.
//!
//! `contracts` holds a suite for every port. Each case is a function over the port, and runs over every adapter of
//! it, with the adapter's name in the test's name.

// `cfg(test)` holds for the whole binary; written out, it tells clippy that these modules may unwrap.
#[cfg(test)]
mod contracts;
