//! The edge: the real Worker on workerd, over HTTP as it is.
//!
//! A [`ground::Ground`] is one bucket with two readers, the Worker and the API's service; every answer of the Worker is
//! compared with the service's. `conditions` and `ranges` hold the rows of a table of RFC 9110 that `table` asks for,
//! once past the cache and once by it; `encodings` tries every content coding, `targets` what is no path or no id, and
//! `fates` what is deleted, expired, private or not there. `reading` is c2pa-rs, which follows a picture's link to the
//! Worker. `harness` tries what the others stand on.
//!
//! What depends on time, on the outside and on secrets stands on [`seeds`], objects as the service leaves them, and on
//! [`origin`], an API that can be made to wait or to talk nonsense. `lifetimes`, `absences` and `revisions` are what the cache
//! is good for, and for how long; `flights` many who ask at once; `outages` R2 and the origin out of reach; `read_through`,
//! `replication` and `nonsense` what comes from the origin; `damage` what is not what was stored; `links` who may read what
//! is private; `purge`, `health`, `settings` and `logs` what an operator has.

mod absences;
mod conditions;
mod damage;
mod encodings;
mod fates;
mod flights;
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
mod thing;
