//! Where a migration writes.

pub mod remote;
pub mod service;
