//! Faults, crashes and races: every use case, interrupted at each of its steps.
//!
//! | to find | look in |
//! |---|---|
//! | what can be done | [`act`], and the worlds it is done to in [`cases`] |
//! | what a caller may then expect | [`model`]: acts happen at once, one after the other |
//! | how a world is checked | [`check`]: what is served, what fsck says, what cleanup leaves |
//! | a write or a read that fails | [`writes`], [`reads`] |
//! | a provider that is out of reach for some calls, of two | [`outage`], [`pair`] |
//! | a process that ends in the middle | [`crashes`] |
//! | two requests at once, in every interleaving | [`races`] |
//! | one request that is overtaken by several | [`overtaken`] |

pub mod act;
mod cases;
pub mod check;
mod crashes;
pub mod gate;
pub mod model;
pub mod outage;
mod overtaken;
mod pair;
mod races;
mod reads;
pub mod request;
mod withdrawals;
pub mod world;
mod writes;
