//! The edge: the real Worker on workerd, over HTTP as it is.
//!
//! What HTTP asks for: a [`ground::Ground`] is one bucket with two readers, the Worker and the API's service, and every
//! answer of the Worker is compared with the service's. `conditions` and `ranges` hold the rows of a table of RFC 9110
//! that `table` asks for, once past the cache and once by it; `encodings` tries every content coding, `targets` what is
//! no path or no id, and `fates` what is deleted, expired, private or not there. `reading` is c2pa-rs, which follows a
//! picture's link to the Worker.
//!
//! What the edge does beyond that: `lifetimes`, `absences`, `purge` and `revisions` are about what is kept and for how
//! long, `read_through`, `replication`, `origin` and `nonsense` about the API behind R2, `outages`, `damage` and `flights`
//! about what goes wrong and what comes at once, `links` about private objects, `health`, `logs` and `settings` about who
//! operates it.
//!
//! Both stand on [`seeds`], objects as the service leaves them in a bucket, `forms` of them, and what `harness` tries.

mod absences;
mod conditions;
mod damage;
mod deletion;
mod encodings;
mod fates;
mod flights;
mod forms;
mod ground;
mod harness;
mod health;
mod lifetimes;
mod links;
mod logs;
mod nonsense;
mod origin;
mod outages;
mod purge;
mod ranges;
mod read_through;
mod reading;
mod replication;
mod revisions;
mod seeds;
mod settings;
mod table;
mod targets;
