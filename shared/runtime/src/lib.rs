//! The clock, deadlines and threads that CredLink's adapters share, on Tokio.
//!
//! **In scope:** the services that an adapter of any provider needs from its process. **Out of scope:** providers.
//!
//! | to find | look in |
//! |---|---|
//! | long contents that were checked | [`checked_contents`] |
//! | servers that do not answer | [`circuit_breaker`] |
//! | the system's clock | [`clock`] |
//! | the time that a request has left | [`deadline`] |
//! | bounds on the memory of reads under way | [`in_flight`] |
//! | the time that long transfers get | [`pace`] |
//! | computing beside requests | [`threads`] |
//! | providers that ask to slow down | [`throttle`] |

pub mod checked_contents;
pub mod circuit_breaker;
pub mod clock;
pub mod deadline;
pub mod in_flight;
pub mod pace;
pub mod threads;
pub mod throttle;
