//! The destinations of a migration that are not this process.

pub mod remote;
