//! Sources and destinations of a migration to CredLink.
//!
//! | port | implementations |
//! |---|---|
//! | `Source` | [`source`]: a folder of legacy records, a dump, a bucket, the objects of a CredLink, its API |
//! | `Destination` | [`destination`]: a CredLink at hand, or one behind HTTP |
//!
//! [`side`] tells whether two of them are one store.

pub mod api;
pub mod destination;
pub mod side;
pub mod source;

pub use api::TokenError;
