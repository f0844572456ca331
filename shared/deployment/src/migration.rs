//! The sources, destinations and ledgers of migrations, as an operator names them.
//!
//! | to find | look in |
//! |---|---|
//! | the arguments of `--from` and `--to` | [`location`] |
//! | sources | [`source`] · a data folder: `data_folder` · those that queued migrations may read: [`sources`] |
//! | destinations | [`destination`] |
//! | ledgers | [`ledger`] |

#[cfg_attr(not(feature = "embedded"), path = "migration/no_data_folder.rs")]
mod data_folder;
pub mod destination;
pub mod ledger;
pub mod location;
pub mod source;
pub mod sources;
