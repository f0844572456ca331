//! The rules of the operations: what is asked for, and what follows from what was found.
//!
//! | operation | rules |
//! |---|---|
//! | store, supersede | [`store`]: from a body to a [`store::Draft`]; from a draft and an index row to the next step |
//! | retrieve | [`retrieve`]: from an object to an answer |
//! | reading by a legacy id | [`alias`]: from the proof that it names to an answer |
//! | begin a migration | [`migration`]: from a body to what is asked for |
//! | delete many proofs at once | [`batch_delete`]: from a body to the ids |
//! | delete, cleanup, fsck | [`life`]: what an object and its row say of each other |
//! | whatever changes or deletes | [`guard`]: from what index, store and clock say of each other to what is allowed |
//! | repair | [`replica`]: what a row says of an object in one of two providers; [`behind`]: when a provider counts as behind |

pub mod alias;
pub mod batch_delete;
pub mod behind;
mod body;
pub mod guard;
pub mod life;
pub mod migration;
pub mod replica;
pub mod retrieve;
pub mod store;
