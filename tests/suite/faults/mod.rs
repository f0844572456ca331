//! Faults, crashes and races: every use case, interrupted at each of its steps.
//!
//! | to find | look in |
//! |---|---|
//! | the acts | [`act`], and the worlds in which they are done in [`cases`] |
//! | what a caller may expect afterwards | [`model`]: acts happen at once, one after the other |
//! | how a world is checked | [`check`]: what it serves, what fsck finds, what cleanup leaves |
//! | a write or a read that fails | [`writes`], [`reads`] |
//! | one of two providers that is unreachable for some calls | [`outage`], [`pair`] |
//! | a process that ends midway | [`crashes`] |
//! | two concurrent requests, in every interleaving | [`races`] |
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
