//! The edge: the real Worker on workerd, over plain HTTP.
//!
//! The requirements of HTTP: a [`ground::Ground`] is one bucket with two readers, the Worker and the API's service, and
//! every answer of the Worker is compared with the service's. `conditions` and `ranges` hold the rows of a table of RFC
//! 9110 that `table` requests, once past the cache and once from it; `encodings` tries every content coding, `targets`
//! tries invalid paths and IDs, and `fates` has objects that are deleted, expired, private or absent. `reading` is
//! c2pa-rs, which follows a picture's link to the Worker.
//!
//! The behaviour that depends on time, on other services and on secrets: `lifetimes`, `absences` and `revisions` test
//! what the cache serves, and for how long; `flights` tests many concurrent requests, and `outages` an unreachable R2
//! and origin. `read_through`, `aliases`, `replication` and `nonsense` test what comes from the origin, which
//! [`origin`] plays; `damage` has objects that differ from what was stored, and `aborts` a Worker that panics. `places`
//! tests how many long objects are loaded at a time, and `limits` how many lookups a client may cause. `links` tests
//! who may read a private object, and `privacy` that no other caller can tell whether it exists. `purge`, `health`,
//! `settings` and `logs` are for the operator. `deletion` tests the whole path from the service.
//!
//! `files` has the bytes of files, which a record decides about.
//!
//! Both parts use [`seeds`], objects as the service leaves them in a bucket, `forms` of them, and the controls that
//! `harness` tests.

mod aborts;
mod absences;
mod aliases;
mod conditions;
mod damage;
mod deletion;
mod encodings;
mod fates;
mod files;
mod flights;
mod forms;
mod ground;
mod harness;
mod health;
mod lifetimes;
mod limits;
mod links;
mod logs;
mod nonsense;
pub mod origin;
mod outages;
mod places;
mod privacy;
mod purge;
mod ranges;
mod read_through;
mod reading;
mod replication;
mod revisions;
pub mod seeds;
mod settings;
mod table;
mod targets;
mod tenants;
mod unlinked;
