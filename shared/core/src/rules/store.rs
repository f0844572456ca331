//! Storing and replacing: the body, its checks, and the next step by the index row.
//!
//! | to find | look in |
//! |---|---|
//! | the body, as it is written and once it is checked | [`StoreBody`], [`CheckedBody`] |
//! | the proof that waits to be stored | [`Draft`] |
//! | the next step, by the index row | [`next`] |

mod body;
mod checked;
mod draft;
mod legacy;
mod manifest;
mod members;
pub(super) mod tags;
#[cfg(test)]
mod tests;

use crate::c2pa::Binding;
use crate::hash::MediaHash;
use crate::http::problem::{Problem, ProblemKind};
use crate::manifest::Manifest;
use crate::row::{ProofRow, State};
use crate::tenant::Tenant;
use crate::time::Timestamp;

pub use body::{OriginBody, StoreBody};
pub use checked::CheckedBody;
pub use draft::{Draft, Origin};
pub use manifest::manifest_problem;

/// The next step of a store, by the index row of its ID.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer with the existing proof (guarantee 2).
    Answer,
    /// Store over the existing proof, which has expired.
    Revive,
    /// Finish an unfinished deletion, then look again.
    FinishDeletion,
    /// Write the record as this revision, or a later one.
    Write {
        /// 1 for a proof that never existed; one more than the last revision of a proof that was deleted.
        revision: u32,
    },
}

/// Decides what a store does next.
#[must_use]
pub fn next(row: Option<&ProofRow>, now: Timestamp) -> Next {
    match row {
        None => Next::Write { revision: 1 },
        Some(row) => match row.state {
            State::Live if row.has_expired(now) => Next::Revive,
            State::Live => Next::Answer,
            State::Deleting(_) => Next::FinishDeletion,
            State::Deleted(_) => Next::Write { revision: row.revision.saturating_add(1) },
        },
    }
}

/// Refuses a manifest that binds another file.
///
/// # Errors
/// 422 `binding-mismatch`.
pub fn check_binding(manifest: &Manifest, media_hash: &MediaHash) -> Result<(), Problem> {
    match manifest.binding() {
        Binding::WholeFile(digest) if digest != media_hash.digest() => Err(Problem::new(
            ProblemKind::BindingMismatch,
            format!(
                "the manifest's c2pa.hash.data binds the file sha256:{digest}, but `media_hash` is {media_hash}; \
                 hash the file after it was signed"
            ),
        )
        .at("media_hash")
        .with("bound_media_hash", format!("sha256:{digest}"))),
        Binding::WholeFile(_) | Binding::Partial(_) | Binding::None => Ok(()),
    }
}

/// Refuses a request that names another tenant than `own`, the credential's.
///
/// # Errors
/// 403 `other-tenant`, which names both.
pub fn check_tenant(named: Option<&Tenant>, own: &Tenant) -> Result<(), Problem> {
    match named.filter(|named| *named != own) {
        None => Ok(()),
        Some(named) => {
            let detail = format!(
                "it is meant for the tenant `{named}`, and the credential is of the tenant `{own}`; nothing was stored"
            );
            Err(Problem::new(ProblemKind::OtherTenant, detail).at("tenant"))
        }
    }
}
