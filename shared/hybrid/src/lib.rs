//! Serving a CredLink beside a legacy store that is not migrated yet.
//!
//! | to find | look in |
//! |---|---|
//! | looking for a proof, and what waits to be imported | [`hybrid`] |
//! | which item of the source has which proof | [`catalogue`] |

pub mod catalogue;
pub mod hybrid;
