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
//! | upload | [`upload`]: from the announcement to the file, whatever happens on the way; [`tus`]: uploads by the protocol tus |
//! | everything about files | [`file_access`]: who may do what; [`quota`]: how much somebody may have; [`rate`]: how often somebody may announce an upload |
//! | make pictures smaller | [`renditions`]: from a collection and a size to the renditions |
//! | send a file | [`delivery`]: from a record, a name and `Accept` to an object and its headers |
//! | find files | [`file_search`]: from a caller and its parameters to what is looked through |
//! | change a file | [`file_change`]: from a body and a record to the next record |
//! | lists of entities | [`entity_list`]: from a list and a change to the next list |
//! | everything that changes or deletes | [`guard`]: from what index, store and clock say of each other to what is allowed |
//! | repair | [`repair`]: what a row says of an object at one of two providers; [`replica_lag`]: when a provider counts as behind |

pub mod alias;
pub mod batch_delete;
mod body;
pub mod consistency;
pub mod delivery;
pub mod entity_list;
pub mod expiry;
pub mod file_access;
pub mod file_change;
pub mod file_search;
pub mod guard;
pub mod migration;
pub mod quota;
pub mod rate;
pub mod renditions;
pub mod repair;
pub mod replica_lag;
pub mod retrieve;
pub mod store;
pub mod tus;
pub mod upload;
