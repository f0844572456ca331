use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::LegacyItemRow;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use credlink_ports::migration::ledger::{CopiedItem, StoredObject};
use credlink_ports::migration::proof_content::ProofContent;
use credlink_ports::migration::target::{AliasDraft, ManifestDraft, Payload, Target};
use credlink_ports::migration::{
    Depth, Destination, ExistingState, Imported, PROOF_MISSING, Verdict, Withdrawal,
};
use credlink_ports::{Failure, Page};

use super::Faults;

/// The state of a proof at the destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoredProof {
    /// A record, and its manifest, by which proofs differ.
    Live {
        record: Digest,
        manifest: Digest,
    },
    Deleted(Timestamp),
}

/// Proofs of one revision each, aliases and manifests in memory.
pub(crate) struct MemoryDestination {
    proofs: Mutex<BTreeMap<ProofId, StoredProof>>,
    aliases: Mutex<BTreeMap<LegacyId, ProofId>>,
    /// Aliases that were withdrawn, with the instants.
    withdrawn: Mutex<BTreeMap<LegacyId, Timestamp>>,
    /// Manifests by ID; deleted ones have the instant.
    manifests: Mutex<BTreeMap<ManifestKey, Option<Timestamp>>>,
    /// The number of times that each proof was created.
    made: Mutex<BTreeMap<ProofId, u32>>,
    /// The legacy IDs of the requested imports.
    asked: Mutex<Vec<String>>,
    verdict: Mutex<Option<Verdict>>,
    /// The item rows.
    pub(super) items: Mutex<BTreeMap<ProofId, LegacyItemRow>>,
    pub(super) faults: Arc<Faults>,
}

fn record(draft: &Draft) -> Digest {
    Digest::of(&draft.record(1, Timestamp::from_milliseconds(0)).to_bytes())
}

fn copy(proof: ProofId, record: Digest) -> CopiedItem {
    let object = StoredObject {
        key: format!("proofs/{proof}"),
        content: record,
        stored: None,
        crc64nvme: None,
        coding: None,
        private: false,
    };
    let source = Digest::of(b"");
    CopiedItem {
        target: Target::Proof(proof),
        legacy: None,
        source,
        created: false,
        exact: true,
        objects: vec![object],
    }
}

impl MemoryDestination {
    pub(super) fn new(faults: Arc<Faults>) -> Self {
        Self {
            proofs: Mutex::default(),
            aliases: Mutex::default(),
            withdrawn: Mutex::default(),
            manifests: Mutex::default(),
            made: Mutex::default(),
            asked: Mutex::default(),
            verdict: Mutex::default(),
            items: Mutex::default(),
            faults,
        }
    }

    pub(crate) fn proofs(&self) -> BTreeMap<ProofId, StoredProof> {
        self.proofs.lock().unwrap().clone()
    }

    pub(crate) fn put(&self, proof: ProofId, there: StoredProof) {
        self.proofs.lock().unwrap().insert(proof, there);
    }

    pub(crate) fn remove(&self, proof: &ProofId) {
        self.proofs.lock().unwrap().remove(proof);
    }

    pub(crate) fn made(&self) -> BTreeMap<ProofId, u32> {
        self.made.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn aliases(&self) -> BTreeMap<LegacyId, ProofId> {
        self.aliases.lock().unwrap().clone()
    }

    pub(crate) fn name(&self, id: &str, proof: Option<ProofId>) {
        let (id, mut aliases) = (id.parse().unwrap(), self.aliases.lock().unwrap());
        match proof {
            Some(proof) => aliases.insert(id, proof),
            None => aliases.remove(&id),
        };
    }

    pub(crate) fn manifests(&self) -> BTreeMap<ManifestKey, Option<Timestamp>> {
        self.manifests.lock().unwrap().clone()
    }

    /// The copy of an alias or a manifest that this job did not create.
    fn beside(target: Target) -> CopiedItem {
        let source = Digest::of(b"");
        CopiedItem { target, legacy: None, source, created: false, exact: true, objects: Vec::new() }
    }

    fn bind(&self, alias_draft: &AliasDraft) -> Imported {
        let Some(StoredProof::Live { manifest, .. }) =
            self.proofs.lock().unwrap().get(&alias_draft.proof).cloned()
        else {
            return Imported::Refused { kind: PROOF_MISSING.to_owned(), detail: "no proof".to_owned() };
        };
        if manifest != alias_draft.manifest_sha256 {
            return Imported::Conflict { detail: "another manifest".to_owned() };
        }
        let mut aliases = self.aliases.lock().unwrap();
        if aliases.get(&alias_draft.id).is_some_and(|proof| *proof != alias_draft.proof) {
            return Imported::Refused {
                kind: "alias-conflict".to_owned(),
                detail: "another proof".to_owned(),
            };
        }
        aliases.insert(alias_draft.id.clone(), alias_draft.proof);
        self.withdrawn.lock().unwrap().remove(&alias_draft.id);
        Imported::Stored(Self::beside(Target::Alias { id: alias_draft.id.clone(), proof: alias_draft.proof }))
    }

    fn keep(&self, manifest_draft: &ManifestDraft) -> Imported {
        let id = &ManifestKey::new(&manifest_draft.tenant, manifest_draft.manifest.id().unwrap());
        let mut manifests = self.manifests.lock().unwrap();
        if let Some(Some(at)) = manifests.get(id)
            && manifest_draft.restores != Some(*at)
        {
            return Imported::Deleted(*at);
        }
        manifests.insert(id.clone(), None);
        Imported::Stored(Self::beside(Target::Manifest(id.clone())))
    }

    /// Sets the verdict of every verification.
    pub(crate) fn say(&self, verdict: Option<Verdict>) {
        *self.verdict.lock().unwrap() = verdict;
    }

    fn take(&self, draft: &Draft) -> Imported {
        let (id, record) = (draft.id(), record(draft));
        let origin = draft.origin.as_ref().unwrap();
        self.asked.lock().unwrap().push(origin.legacy.as_ref().unwrap().id.to_string());
        let mut proofs = self.proofs.lock().unwrap();
        match proofs.get(&id) {
            Some(StoredProof::Deleted(at)) if origin.restores != Some(*at) => return Imported::Deleted(*at),
            Some(StoredProof::Live { record: there, .. }) if *there == record => {
                return Imported::Stored(copy(id, record));
            }
            Some(StoredProof::Live { record: there, manifest }) => {
                return if manifest == draft.manifest.sha256() {
                    Imported::Equal(copy(id, *there))
                } else {
                    Imported::Conflict { detail: "another manifest".to_owned() }
                };
            }
            Some(StoredProof::Deleted(_)) | None => {}
        }
        proofs.insert(id, StoredProof::Live { record, manifest: *draft.manifest.sha256() });
        *self.made.lock().unwrap().entry(id).or_default() += 1;
        Imported::Stored(copy(id, record))
    }
}

impl Destination for MemoryDestination {
    fn name(&self) -> &'static str {
        "destination"
    }

    async fn find(&self, target: &Target) -> Result<ExistingState, Failure> {
        self.faults
            .call("destination find", "", || match target {
                Target::Proof(id) => match self.proofs.lock().unwrap().get(id) {
                    None => ExistingState::Absent,
                    // All records of these worlds have the same signature.
                    Some(StoredProof::Live { manifest, .. }) => {
                        ExistingState::Live(Some(ProofContent::new(*manifest, Some("c2ln"))))
                    }
                    Some(StoredProof::Deleted(at)) => ExistingState::Deleted(*at),
                },
                Target::Alias { id, .. } if self.aliases.lock().unwrap().contains_key(id) => {
                    ExistingState::Live(None)
                }
                Target::Alias { .. } => ExistingState::Absent,
                Target::Manifest(id) => match self.manifests.lock().unwrap().get(id) {
                    None => ExistingState::Absent,
                    Some(None) => ExistingState::Live(None),
                    Some(Some(at)) => ExistingState::Deleted(*at),
                },
            })
            .await
    }

    async fn import(&self, payload: &Payload) -> Result<Imported, Failure> {
        let drafts = match payload {
            Payload::Proof(drafts) => drafts,
            Payload::Alias(alias_draft) => {
                let key = format!("/aliases/{}", alias_draft.id);
                return self.faults.call("destination take", &key, || self.bind(alias_draft)).await;
            }
            Payload::Manifest(manifest_draft) => {
                return self
                    .faults
                    .call("destination take", "/manifests", || self.keep(manifest_draft))
                    .await;
            }
        };
        let legacy = drafts[0].origin.as_ref().unwrap().legacy.as_ref().unwrap().id.to_string();
        self.faults.call("destination take", &legacy, || self.take(&drafts[0])).await
    }

    async fn verify(&self, copy: &CopiedItem, depth: Depth) -> Result<Verdict, Failure> {
        self.faults
            .call("destination verify", "", || {
                if let Some(verdict) = self.verdict.lock().unwrap().clone() {
                    return verdict;
                }
                let id = match &copy.target {
                    Target::Proof(id) => id,
                    Target::Alias { id, proof } => {
                        return match self.aliases.lock().unwrap().get(id) {
                            None => Verdict::Missing("it leads nowhere".to_owned()),
                            Some(named) if named != proof => Verdict::Changed("it is another".to_owned()),
                            Some(_) => Verdict::Verified { by: depth },
                        };
                    }
                    Target::Manifest(id) => {
                        return match self.manifests.lock().unwrap().get(id) {
                            Some(None) => Verdict::Verified { by: depth },
                            _ => Verdict::Missing("it is not there".to_owned()),
                        };
                    }
                };
                match self.proofs.lock().unwrap().get(id) {
                    Some(StoredProof::Live { record, .. }) if *record == copy.objects[0].content => {
                        Verdict::Verified { by: depth }
                    }
                    Some(_) => Verdict::Changed("it is another".to_owned()),
                    None => Verdict::Missing("it is not there".to_owned()),
                }
            })
            .await
    }

    async fn withdraw(&self, copy: &CopiedItem, at: Timestamp) -> Result<Withdrawal, Failure> {
        self.faults
            .call("destination withdraw", "", || {
                let id = match &copy.target {
                    Target::Proof(id) => id,
                    Target::Alias { id, proof } => {
                        let mut aliases = self.aliases.lock().unwrap();
                        let mut withdrawn = self.withdrawn.lock().unwrap();
                        return match aliases.get(id) {
                            None => {
                                withdrawn.get(id).copied().map_or(Withdrawal::Absent, Withdrawal::Deleted)
                            }
                            Some(named) if named != proof => Withdrawal::Touched,
                            Some(_) => {
                                aliases.remove(id);
                                withdrawn.insert(id.clone(), at);
                                Withdrawal::Deleted(at)
                            }
                        };
                    }
                    Target::Manifest(id) => {
                        return match self.manifests.lock().unwrap().get_mut(id) {
                            None => Withdrawal::Absent,
                            Some(Some(deleted)) if *deleted == at => Withdrawal::Deleted(at),
                            Some(Some(_)) => Withdrawal::Touched,
                            Some(live) => {
                                *live = Some(at);
                                Withdrawal::Deleted(at)
                            }
                        };
                    }
                };
                let mut proofs = self.proofs.lock().unwrap();
                match proofs.get(id) {
                    None => Withdrawal::Absent,
                    Some(StoredProof::Live { record, .. }) if *record == copy.objects[0].content => {
                        proofs.insert(*id, StoredProof::Deleted(at));
                        Withdrawal::Deleted(at)
                    }
                    Some(StoredProof::Deleted(deleted)) if *deleted == at => Withdrawal::Deleted(at),
                    Some(_) => Withdrawal::Touched,
                }
            })
            .await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<ProofId>, Failure> {
        let after: Option<ProofId> = after.map(|after| after.parse().unwrap());
        self.faults
            .call("destination list", "", || {
                let proofs = self.proofs.lock().unwrap();
                let live = proofs.iter().filter(|(_, there)| matches!(there, StoredProof::Live { .. }));
                let live = live.map(|(id, _)| *id).filter(|id| after.is_none_or(|after| *id > after));
                let mut items: Vec<ProofId> = live.take(limit + 1).collect();
                let more = items.len() > limit;
                items.truncate(limit);
                let next = items.last().filter(|_| more).map(ToString::to_string);
                Page { items, next }
            })
            .await
    }
}
