//! The destinations of a migration.

use credlink_core::hash::Digest;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::Target;

pub mod remote;
pub mod service;

/// The copy of an alias or a manifest at the destination. The job adds the digest of the source's content and whether
/// it created the copy.
fn copied(target: Target, objects: Vec<StoredObject>) -> CopiedItem {
    let source = Digest::from_bytes([0; 32]);
    CopiedItem { target, legacy: None, source, created: false, exact: true, objects }
}
