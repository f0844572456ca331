//! Nothing but the test suite; see `suite/main.rs`.
