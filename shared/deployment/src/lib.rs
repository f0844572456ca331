//! CredLink put together as an operator has configured it: the deployment that each `main` opens.
//!
//! | to find | look in |
//! |---|---|
//! | environment variables | [`configuration`] |
//! | one provider, chosen at run time | [`provider`] |
//! | the clients of AWS, if the program has them | [`clients`] |
//! | the service with all its adapters | [`deployment`] |
//! | the work of each kind of message that waits in a queue | [`work`] |
//! | the folder of this machine: its files, its note, when it is not opened | [`data_folder`] |
//! | the service over such a folder alone | [`local`] |
//! | the legacy store that is served beside it | [`legacy`] |
//! | the sources, destinations and ledgers of migrations | [`migration`] |
//!
//! With the feature `embedded`, the index, the queue and ledgers may be files of this machine. Without it, as in a
//! Lambda, none of that is built in, and a configuration that asks for it is refused. The same holds for the feature `aws`
//! and the clients of S3, R2, DynamoDB and SQS.

pub mod clients;
pub mod configuration;
pub mod data_folder;
pub mod deployment;
#[cfg_attr(not(feature = "aws"), path = "dynamodb/absent.rs")]
mod dynamodb;
#[cfg_attr(not(feature = "embedded"), path = "embedded/absent.rs")]
mod embedded;
pub mod legacy;
#[cfg(feature = "embedded")]
pub mod local;
pub mod migration;
pub mod provider;
pub mod work;
