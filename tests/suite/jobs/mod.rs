//! Jobs of `credlink migrate`, by the real binary over real engines: from everything to everything, killed at any moment,
//! verified, undone and cleaned up.

mod beside;
mod changes;
mod foreign;
mod kills;
mod matrix;
mod paths;
mod places;
mod plans;
mod records;
mod undo;
mod verify;
mod withdrawn;
mod world;
