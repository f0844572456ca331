//! The bytes of files at the edge: `/media/{file}/{name}`.
//!
//! `same` has a real `credlink serve`, whose files arrive in the Worker's bucket by replication, and one table of reads that
//! both answer alike. `replicated` tests the way into the bucket. The others put files there themselves ([`album`]): `kept`
//! tests what the cache keeps and for how long, `closed` that private bytes are in no cache and cannot be told from absent
//! ones, `forwarded` what the API is asked and what is passed back, `damaged` bytes that are not what the record says, `purged`
//! purges, and `signed` a rendition with a signed manifest.

mod album;
mod closed;
mod damaged;
mod forwarded;
mod kept;
mod purged;
mod replicated;
mod same;
mod signed;
