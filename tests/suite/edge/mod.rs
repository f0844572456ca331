//! The edge: the real Worker on workerd, over HTTP as it is.
//!
//! A [`ground::Ground`] is one bucket with two readers, the Worker and the API's service; every answer of the Worker is
//! compared with the service's. `conditions` and `ranges` hold the rows of a table of RFC 9110 that `table` asks for,
//! once past the cache and once by it; `encodings` tries every content coding, `targets` what is no path or no id, and
//! `fates` what is deleted, expired, private or not there. `reading` is c2pa-rs, which follows a picture's link to the
//! Worker. `harness` tries what the others stand on.

mod conditions;
mod encodings;
mod fates;
mod ground;
mod harness;
mod ranges;
mod reading;
mod table;
mod targets;
mod thing;
