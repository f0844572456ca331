//! The destinations of a migration.

use credlink_core::hash::Digest;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::target::Target;

pub mod remote;
pub mod service;

/// What is there of an alias or a manifest. The job writes the content of its source and its maker into it.
fn copied(target: Target, objects: Vec<StoredObject>) -> CopiedItem {
    let source = Digest::from_bytes([0; 32]);
    CopiedItem { target, legacy: None, source, created: false, exact: true, objects }
}
