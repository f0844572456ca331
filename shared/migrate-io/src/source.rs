//! The sources of a migration.

pub mod bucket;
pub mod folder;
mod held;
pub mod layout;
pub mod lines;
pub mod names;
pub mod remote;
mod text;

/// The warning about a CredLink that is read by its objects, without its index.
pub(crate) const INDEX_LEFT_BEHIND: &str = "The objects of a CredLink say nothing of what is in its index alone: legacy ids of \
    duplicates, which no record names, and that a manifest which proofs hold was stored for itself as well. To take those along, \
    name that CredLink as credlink:URL.";
