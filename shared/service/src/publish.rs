//! The last step of every store: the rows that make stored objects findable.
//!
//! Objects come first and rows last (guarantee 1), and the conditional commit of the rows alone decides which of
//! several writers was first (guarantee 2). A manifest that a request has stored and that no row came to hold is
//! removed again ([`Brought`]), so that a refused request leaves nothing (guarantee 11).
//!
//! | to find | look in |
//! |---|---|
//! | the commit of the rows | here |
//! | the references of rows to manifests | `reference` |
//! | storing the bytes of a manifest | `place` |
//! | taking back what a refused request stored | `brought` |

mod brought;
mod place;
mod reference;

use std::collections::BTreeMap;

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::record::Record;
use credlink_core::row::{AliasRow, ManifestRow, ProofRow, Row, State};

use credlink_ports::{Commit, Ports, Write};

use crate::error::{Error, contended};
use crate::removal::finish_manifest;
use crate::service::{MAX_ATTEMPTS, Service};

pub(crate) use brought::Brought;
pub(crate) use place::Following;
use reference::Refer;
pub(crate) use reference::{Reference, Released};

/// The outcome of a commit of rows.
#[expect(clippy::large_enum_variant, reason = "one answer a store, looked at once and never kept")]
pub(crate) enum Published {
    /// The rows are committed.
    Done,
    /// Another writer was first; this is the current row of the proof.
    Lost(Option<ProofRow>),
    /// The manifest was deleted in the meantime.
    ManifestGone,
}

impl<P: Ports> Service<P> {
    /// Commits the live row of a stored record, and adds a holder to its manifest, which is stored in this generation
    /// and with this visibility.
    pub(crate) async fn publish(
        &self,
        record: &Record,
        record_sha256: Digest,
        before: Option<&ProofRow>,
        placed: (Option<u32>, Visibility),
    ) -> Result<Published, Error> {
        self.publish_named(record, record_sha256, before, placed, &mut None).await
    }

    /// Like [`Self::publish`], together with the row of a legacy ID that nobody has. If somebody has it by now, the row
    /// is taken out of `alias`, and the others are committed without it.
    pub(crate) async fn publish_named(
        &self,
        record: &Record,
        record_sha256: Digest,
        before: Option<&ProofRow>,
        (generation, visibility): (Option<u32>, Visibility),
        alias: &mut Option<AliasRow>,
    ) -> Result<Published, Error> {
        let row = ProofRow::publish(record, record_sha256, before);
        let held_already = |id| before.is_some_and(|row| row.state == State::Live && row.held.contains(id));
        let key = record.manifest.id.as_ref().filter(|id| !held_already(id));
        let key = key.map(|id| ManifestKey::new(&record.tenant, id));
        let reference = key.as_ref().map(|key| Reference {
            key,
            sha256: record.manifest.sha256,
            length: record.manifest.length,
            visibility,
            generation: generation.unwrap_or(0),
            standalone: false,
            imported: false,
            is_claim: false,
        });
        self.commit_named(Some((row, before.map(|row| row.version))), reference.as_slice(), &[], alias).await
    }

    /// Returns the row of a manifest after one holder released it. An older index may lack another holder, so in doubt
    /// the release by the last known holder is refused.
    async fn released(&self, before: &ManifestRow, is_told: bool) -> Result<ManifestRow, Error> {
        let row = before.released(self.now(), is_told);
        if row.state == State::Live {
            return Ok(row);
        }
        if self.spares {
            return Ok(ManifestRow { state: State::Live, ..row });
        }
        self.may_destroy().await?;
        Ok(row)
    }

    /// Commits a proof's row, its references to manifests, and its releases of others, all at once.
    pub(crate) async fn commit(
        &self,
        proof: Option<(ProofRow, Option<u64>)>,
        references: &[Reference<'_>],
        released: &[Released],
    ) -> Result<Published, Error> {
        self.commit_named(proof, references, released, &mut None).await
    }

    /// Like [`Self::commit`], together with the new row of a legacy ID, as [`Self::publish_named`] has it.
    async fn commit_named(
        &self,
        proof: Option<(ProofRow, Option<u64>)>,
        references: &[Reference<'_>],
        released: &[Released],
        alias: &mut Option<AliasRow>,
    ) -> Result<Published, Error> {
        // The objects are stored. A request that stored one and was cut off before it announced it left the cache with
        // the earlier object.
        if let Some((row, _)) = &proof {
            self.recorded(&ObjectKey::Record(row.id), row.revision, row.first_revision).await;
        }
        for reference in references {
            self.appeared(&ObjectKey::Manifest(reference.key.clone())).await;
        }
        // Most manifests are new, so the first attempt reads no row unless one is known to exist.
        let mut rows: BTreeMap<&ManifestKey, ManifestRow> = BTreeMap::new();
        let several = references.iter().map(|reference| reference.key).filter(|_| references.len() > 1);
        for key in several.chain(released.iter().map(|released| &released.key)) {
            rows.extend(self.manifest_row(key).await?.map(|row| (key, row)));
        }
        for _ in 0..MAX_ATTEMPTS {
            let mut writes: Vec<Write> = Vec::with_capacity(2);
            let mut keys = Vec::with_capacity(1);
            if let Some((row, expected)) = &proof {
                writes.push(Write { row: Row::Proof(row.clone()), expected: *expected });
            }
            for reference in references {
                let before = rows.get(reference.key);
                match reference.apply(before)? {
                    Refer::Gone => {
                        // A deletion is under way, or was cut off. Once it is finished, the manifest can be stored
                        // anew.
                        if let Some(row) = before.filter(|_| !self.spares) {
                            self.may_destroy().await?;
                            finish_manifest(self, row).await?;
                        }
                        return Ok(Published::ManifestGone);
                    }
                    Refer::Held => {}
                    Refer::Write(row) => {
                        keys.push(reference.key);
                        writes
                            .push(Write { row: Row::Manifest(row), expected: before.map(|row| row.version) });
                    }
                }
            }
            for Released { key, is_told } in released {
                if let Some(before) = rows.get(key).filter(|row| row.state == State::Live) {
                    let row = self.released(before, *is_told).await?;
                    keys.push(key);
                    writes.push(Write { row: Row::Manifest(row), expected: Some(before.version) });
                }
            }
            if writes.is_empty() {
                return Ok(Published::Done);
            }
            // The last of them, so that the positions of the others do not depend on it.
            let others = writes.len();
            writes.extend(alias.iter().map(|row| Write { row: Row::Alias(row.clone()), expected: None }));
            let proofs = usize::from(proof.is_some());
            match self.write_rows(&writes).await? {
                Commit::Done => {
                    // Manifests that lost their last holder are deleted.
                    let manifests = writes.into_iter().skip(proofs).filter_map(|write| write.row.manifest());
                    for row in manifests {
                        finish_manifest(self, &row).await?;
                    }
                    return Ok(Published::Done);
                }
                Commit::Lost { current, write } if write < proofs => {
                    return Ok(Published::Lost(current.and_then(Row::proof)));
                }
                Commit::Lost { write, .. } if write == others => *alias = None,
                Commit::Lost { current, write } => {
                    if let Some(key) = keys.get(write - proofs) {
                        match current.and_then(Row::manifest) {
                            Some(row) => rows.insert(key, row),
                            None => rows.remove(key),
                        };
                    }
                }
            }
        }
        Err(contended())
    }
}
