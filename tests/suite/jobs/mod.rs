//! Jobs of `credlink migrate`, by the real binary over real engines: from every source to every store, killed at any
//! moment, verified, rolled back and cleaned up.

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
