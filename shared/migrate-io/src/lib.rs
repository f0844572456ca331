//! Sources and destinations of a migration to CredLink.
//!
//! | port | implementations |
//! |---|---|
//! | `Source` | [`source`]: a folder of legacy records, a dump, a bucket, the objects of a CredLink, its API |
//! | `Destination` | [`destination`]: a CredLink behind HTTP; one in this process is `credlink-migrate-service` |
//!
//! **In scope:** reading from any of these stores, and importing over HTTP. **Out of scope:** the steps of a job
//! (`credlink-migrate`), its ledger (`credlink-embedded`, `credlink-dynamodb`), and the choice of source and destination
//! (`credlink-deployment`).
//!
//! | to find | look in |
//! |---|---|
//! | the API of another CredLink, which both sides call | `api`, [`TokenError`] |
//! | the comparison of source and destination, which may be the same store | [`side`] |

mod api;
pub mod destination;
pub mod side;
pub mod source;

pub use api::TokenError;
