//! The guard against an index that is lost, outdated or another store's, against objects that were put back, and
//! against a clock that jumps: acknowledged objects are kept and served, and destructive requests are refused with an
//! explanation.
//!
//! `verdicts` tries every act in every such state, `creation` and `ticks` stop at each of their steps and run two
//! processes at once, `clock` jumps, and `served` is the binary over a folder. The same for the functions is in
//! `clouds`.

mod clock;
mod creation;
pub mod ground;
mod older;
mod served;
mod ticks;
mod verdicts;
