//! The rules of the operations: what is asked for, and what follows from what was found.
//!
//! | operation | rules |
//! |---|---|
//! | store, supersede | [`store`]: from a body to a [`store::Draft`]; from a draft and an index row to the next step |
//! | retrieve | [`retrieve`]: from an object to an answer |
//! | delete, cleanup, fsck | [`life`]: what an object and its row say of each other |
//! | repair | [`replica`]: what a row says of an object in one of two providers |

pub mod life;
pub mod replica;
pub mod retrieve;
pub mod store;
