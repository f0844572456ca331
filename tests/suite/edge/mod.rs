//! The edge: the real Worker on workerd, over HTTP as it is.
//!
//! What HTTP asks for: a [`ground::Ground`] is one bucket with two readers, the Worker and the API's service, and every
//! answer of the Worker is compared with the service's. `conditions` and `ranges` hold the rows of a table of RFC 9110
//! that `table` asks for, once past the cache and once by it; `encodings` tries every content coding, `targets` what is
//! no path or no id, and `fates` what is deleted, expired, private or not there. `reading` is c2pa-rs, which follows a
//! picture's link to the Worker.
//!
//! What depends on time, on the outside and on secrets: `lifetimes`, `absences` and `revisions` are what the cache is good
//! for, and for how long; `flights` many who ask at once; `outages` R2 and the origin out of reach; `read_through`,
//! `aliases`, `replication` and `nonsense` what comes from the origin, which [`origin`] plays; `damage` what is not what was stored; `aborts` a
//! Worker that panics;
//! `places` how many long objects are loaded at a time; `limits` how much a client may have looked for; `links` who may read what is private, and `privacy` that nobody else can
//! tell whether it is there; `purge`, `health`, `settings` and `logs` what an operator has. `deletion` goes the
//! whole way from the service.
//!
//! Both stand on [`seeds`], objects as the service leaves them in a bucket, `forms` of them, and what `harness` tries.

mod aborts;
mod absences;
mod aliases;
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
mod limits;
mod links;
mod logs;
mod nonsense;
mod origin;
mod outages;
mod places;
mod privacy;
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
mod tenants;
