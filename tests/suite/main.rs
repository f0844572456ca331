//! The test suite: one binary, so that it is linked once.
//!
//! `contracts` holds a suite for every port. Each case is a function over the port, and runs over every adapter of
//! it, with the adapter's name in the test's name. `faults` interrupts every use case at each of its steps.

mod contracts;
mod faults;
