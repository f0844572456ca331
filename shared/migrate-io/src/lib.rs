//! Sources and destinations of a migration to CredLink.
//!
//! | port | implementations |
//! |---|---|
//! | `Source` | [`source`]: a folder of legacy records, a dump, a bucket, the objects of a CredLink, its API |
//! | `Destination` | [`destination`]: a CredLink behind HTTP; one in this process is `credlink-migrate-service` |
//!
//! [`side`] tells whether a source and a destination are the same store.

pub mod api;
pub mod destination;
pub mod side;
pub mod source;

pub use api::TokenError;
