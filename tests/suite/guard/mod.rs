//! The guard, against an index that is lost, older or another store's, objects that were put back, and a clock that jumps:
//! what is acknowledged stays and is served, what destroys is refused in words.
//!
//! `verdicts` tries every act in every such state, `creation` and `ticks` stop at each of their steps and run two processes
//! at once, `clock` leaps, and `served` is the binary over a folder. The functions have theirs in `clouds`.

mod clock;
mod creation;
pub mod ground;
mod older;
mod served;
mod ticks;
mod verdicts;
