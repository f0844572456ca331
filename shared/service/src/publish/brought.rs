//! The objects that a request has stored, and their removal if it is refused (guarantee 11).

use credlink_core::hash::Digest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::State;

use credlink_ports::{Failure, Ports};

use crate::holds::drop_hold;
use crate::removal::undo::{undo_manifest, undo_record};
use crate::service::Service;

/// A manifest whose bytes are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The generation of the stored object.
    pub(crate) generation: u32,
    /// The request that stored it, as far as is known.
    pub(crate) by: By,
}

/// The request that stored a manifest, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// This request stored it.
    This,
    /// It was stored before and no row holds it: the answer to an earlier request was lost, or the index is older than
    /// the store.
    Unknown,
    /// It was stored before, and a row holds it.
    Holder,
}

/// The objects that a request has stored and that no row held. They are removed if the request is refused.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    manifest: Option<(ManifestKey, Placed)>,
    /// The record that was written under a proof's key, by its SHA-256.
    pub(crate) record: Option<(ProofId, Digest)>,
    /// The hold of a manifest in a generation.
    pub(crate) hold: Option<(ManifestKey, u32)>,
    /// `true` if the row of the proof's legacy ID was committed together with that of the proof.
    pub(crate) alias: bool,
}

impl Brought {
    pub(super) fn note(&mut self, key: &ManifestKey, placed: Placed) {
        let is_ours = matches!(&self.manifest, Some((known, Placed { by: By::This, .. })) if known == key);
        if placed.by != By::Holder && !is_ours {
            self.manifest = Some((key.clone(), placed));
        }
    }

    /// Removes all of these objects, unless a row holds them by now. A manifest that was stored before stays while the
    /// index may be older, since its row may be lost.
    ///
    /// # Errors
    /// A failure of a provider or the index. Then no caller may be told that the request was refused; cleanup removes
    /// the objects later.
    pub(crate) async fn take_back<P: Ports>(self, service: &Service<P>) -> Result<(), Failure> {
        if let Some((id, sha256)) = self.record {
            let row = service.proof_row(&id).await?;
            let current = service.current(&ObjectKey::Record(id)).await?;
            if current.is_some_and(|current| current.verified.facts().sha256 == sha256) {
                undo_record(service, &id, row.as_ref()).await?;
            }
        }
        if let Some((key, generation)) = self.hold {
            let row = service.manifest_row(&key).await?;
            let is_held = row.is_some_and(|row| {
                row.state == State::Live && row.standalone && row.generation == generation
            });
            if !is_held {
                drop_hold(service, &key, generation).await?;
            }
        }
        let Some((key, placed)) = self.manifest else { return Ok(()) };
        if placed.by == By::Unknown && service.may_destroy().await.is_err() {
            return Ok(());
        }
        undo_manifest(service, &key).await?;
        Ok(())
    }
}
