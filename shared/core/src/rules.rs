//! The rules of the operations: what a request asks for, and what follows from what was found.
//!
//! | operation | rules |
//! |---|---|
//! | store, replace | [`store`]: from a body to a [`store::Draft`]; from a draft and an index row to the next step |
//! | retrieve | [`retrieve`]: from an object to an answer |
//! | read by a legacy ID | [`alias`]: from its proof to an answer |
//! | begin a migration | [`migration`]: from a body to the migration that it asks for |
//! | delete many proofs at once | [`batch_delete`]: from a body to the IDs |
//! | retrieve, cleanup | [`expiry`]: when a proof has expired, and when it is destroyed |
//! | delete, cleanup, fsck | [`consistency`]: what an object and its row say of each other |
//! | everything that changes or deletes | [`guard`]: from what index, store and clock say of each other to what is allowed |
//! | repair | [`repair`]: what a row says of an object at one of two providers; [`replica_lag`]: when a provider counts as behind |

pub mod alias;
pub mod batch_delete;
mod body;
pub mod consistency;
pub mod expiry;
pub mod guard;
pub mod migration;
pub mod repair;
pub mod replica_lag;
pub mod retrieve;
pub mod store;
