//! What a migration reads, writes and keeps, as an operator names it.
//!
//! | to find | look in |
//! |---|---|
//! | what operators write behind `--from` and `--to` | [`place`] |
//! | sources | [`source`] · what queued migrations may read: [`sources`] |
//! | destinations | [`destination`] |
//! | ledgers | [`ledger`] |

mod data_folder;
pub mod destination;
pub mod ledger;
mod open;
pub mod place;
pub mod source;
pub mod sources;
