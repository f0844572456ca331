//! The ports of a migration over real things.
//!
//! | port | adapters |
//! |---|---|
//! | `Source` | [`source::AnySource`]: a folder of legacy records, a dump, a bucket, or another CredLink in each of its forms |
//! | `Destination` | [`destination::AnyDestination`]: a CredLink at hand, or one behind HTTP |
//! | `Ledger` | [`ledger`] |
//!
//! [`place`] reads what operators write behind `--from` and `--to`, [`sources`] what queued migrations may read.

mod api;
pub mod destination;
pub mod ledger;
pub mod place;
pub mod side;
pub mod source;
pub mod sources;
