//! What a migration reads, writes and keeps, as an operator names it.
//!
//! | to find | look in |
//! |---|---|
//! | what operators write behind `--from` and `--to` | [`place`] |
//! | sources | [`source`] · what queued migrations may read: [`sources`] |
//! | destinations | [`destination`] |
//! | ledgers | [`ledger`] |

#[cfg_attr(not(feature = "embedded"), path = "migration/no_data_folder.rs")]
mod data_folder;
pub mod destination;
pub mod ledger;
pub mod place;
pub mod source;
pub mod sources;
