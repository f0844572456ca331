//! The edge: the real Worker on workerd, over HTTP as it is.

mod absences;
mod damage;
mod flights;
mod harness;
mod health;
mod lifetimes;
mod links;
mod logs;
mod nonsense;
mod origin;
mod outages;
mod purge;
mod read_through;
mod replication;
mod revisions;
mod seeds;
mod settings;
