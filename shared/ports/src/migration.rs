//! The ports of a migration: a source, a destination, a ledger, and time. As with all ports, futures carry no `Send`
//! bound.
//!
//! | to find | look in |
//! |---|---|
//! | the items of a source | [`Item`] |
//! | reading items | [`Source`] |
//! | the forms in which a destination imports items | [`target`] |
//! | writing items | [`Destination`], [`ItemRows`] |
//! | comparing copies | [`Verdict`] · two proofs of one media file: [`proof_content`] |
//! | the progress of a job | [`Ledger`] · its content: [`ledger`] · as JSON: [`form`] |
//! | waiting | [`Sleep`] |
//! | all ports of one migration | [`MigrationPorts`] |
//! | migrations that other processes run, for the API | [`jobs`] |
//! | a bucket whose keys are not CredLink's | [`bucket`] |

pub mod bucket;
mod destination;
pub mod form;
mod item;
pub mod jobs;
pub mod ledger;
mod parts;
pub mod proof_content;
mod sleep;
mod source;
pub mod target;
mod verdict;

pub use destination::{
    AdoptedFront, Destination, ExistingState, Imported, ItemRows, PROOF_MISSING, Withdrawal,
    import_with_fronts,
};
pub use item::{Content, Item, Revision, RevisionManifest};
pub use ledger::Ledger;
pub use parts::{MigrationParts, MigrationPorts};
pub use sleep::Sleep;
pub use source::{Removal, Source};
pub use verdict::{Depth, Verdict};
