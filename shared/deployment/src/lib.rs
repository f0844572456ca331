//! CredLink put together as an operator has configured it: what a `main` opens.
//!
//! | to find | look in |
//! |---|---|
//! | environment variables | [`configuration`] |
//! | one provider, chosen at run time | [`provider`] |
//! | the service with all its adapters | [`deployment`] |
//! | work that waits in a queue: what is done for each message | [`work`] |
//! | the folder of this machine: its files, its note, when it is not opened | [`data_folder`] |
//! | the service over such a folder alone | [`local`] |
//! | the legacy store that it is served beside | [`legacy`] |
//! | what a migration reads and writes | [`migration`] |
//!
//! With the feature `embedded`, index, queue and ledgers may be files of this machine. Without it, as in a Lambda, nothing
//! of that is built in: a configuration that asks for it is refused.

pub mod configuration;
pub mod data_folder;
pub mod deployment;
#[cfg_attr(not(feature = "embedded"), path = "embedded/absent.rs")]
mod embedded;
pub mod legacy;
#[cfg(feature = "embedded")]
pub mod local;
pub mod migration;
pub mod provider;
pub mod work;
