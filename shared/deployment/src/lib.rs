//! CredLink put together as an operator has configured it: what a `main` opens.
//!
//! | to find | look in |
//! |---|---|
//! | environment variables | [`configuration`] |
//! | one provider, chosen at run time | [`provider`] |
//! | the service with all its adapters | [`deployment`] |
//! | the service on one machine | [`local`] |
//! | the legacy store that it is served beside | [`legacy`] |
//! | what a migration reads and writes | [`migration`] |
//! | working a queue off | [`worker`] |

pub mod configuration;
pub mod deployment;
pub mod legacy;
pub mod local;
pub mod migration;
pub mod provider;
pub mod worker;
