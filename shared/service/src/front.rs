//! Plain addresses of manifests, where there are several tenants: which tenant's manifest `/manifests/{id}` serves.
//!
//! The front of an id is claimed when a store has been decided: one that is refused claims nothing. A store that was cut off in
//! between leaves the id without a front; the next walk of cleanup claims it. Of a manifest that is private, a walk cannot tell
//! that it was public before: its address is kept when it is withdrawn, also while there is one tenant.
//!
//! A migration of a CredLink with several tenants keeps a front before it stores anything: otherwise whoever is copied first would
//! be served. It gives it back if nothing is stored.

use std::sync::Arc;

use credlink_core::access::Visibility;
use credlink_core::front::{Claim, DecidedBy, Front};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey, StoredTag, Verified};
use credlink_core::row::State;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use crate::error::{Error, contended};
use crate::migrate::ports::KeptFront;
use crate::ports::{Cache as _, Condition, Failure, Objects as _, Ports, Put};
use crate::service::{MAX_ATTEMPTS, Service};

/// What a claim finds at an address that the operator has freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freed {
    /// The address is free: the manifest is stored by this request.
    Free,
    /// The address stays free: the manifest was there when the operator freed it, for all that is known.
    Kept,
}

impl Freed {
    /// The case of a draft: what is taken over from another store was there before.
    pub(crate) const fn by(draft: &Draft) -> Self {
        if draft.origin.is_some() { Self::Kept } else { Self::Free }
    }
}

impl<P: Ports> Service<P> {
    /// The manifest that the plain address of `id` serves; `None` if the operator has freed it.
    ///
    /// # Errors
    /// A failure of the provider, or a front that is damaged.
    pub(crate) async fn fronted(&self, id: &ManifestId) -> Result<Option<ManifestKey>, Failure> {
        if !self.settings.has_tenants {
            return Ok(Some(ManifestKey::new(&Tenant::default(), id)));
        }
        let key = ObjectKey::Front(id.clone());
        let load = async { Ok(self.current(&key).await?.map(|current| current.verified)) };
        let found: Option<Arc<Verified>> = self.ports.cache().get_or_load(&key, load).await?;
        Ok(Front::serves(found.as_deref().map(Verified::facts), id))
    }

    /// Reads a front out of its object.
    fn front(&self, id: &ManifestId, verified: &Verified) -> Result<Front, Failure> {
        let key = ObjectKey::Front(id.clone());
        let front = Front::parse(&verified.content()).map_err(|error| self.damaged(&key, &error))?;
        if front.manifest_id == *id {
            return Ok(front);
        }
        Err(self.damaged(&key, &format!("what stands there is the front of {}", front.manifest_id)))
    }

    /// Claims the plain address for a manifest that is stored. A failure is logged: the store is done, and a walk claims it later.
    pub(crate) async fn claim_front(&self, manifest: &ManifestKey, visibility: Visibility, freed: Freed) {
        if let Err(error) = self.try_to_claim_front(manifest, visibility, freed).await {
            let error = error.problem().detail;
            tracing::warn!(%manifest, error, "the plain address of a manifest was not claimed");
        }
    }

    /// Claims the plain address for a manifest that is stored again: the store before may have been cut off before it did.
    pub(crate) async fn claim_front_again(&self, manifest: &ManifestKey, freed: Freed) {
        if !self.settings.has_tenants {
            return;
        }
        match self.manifest_row(manifest).await {
            Ok(Some(row)) if row.state == State::Live => {
                self.claim_front(manifest, row.visibility, freed).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%manifest, %error, "the plain address of a manifest was not claimed");
            }
        }
    }

    /// Claims the plain address for a manifest that is stored. Returns `true` if the address serves it since this call.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn try_to_claim_front(
        &self,
        manifest: &ManifestKey,
        visibility: Visibility,
        freed: Freed,
    ) -> Result<bool, Error> {
        if !self.settings.has_tenants || visibility == Visibility::Private {
            return Ok(false);
        }
        self.claim_for(manifest, freed).await
    }

    /// Keeps the plain address of a manifest that has been public and is about to be private, also if nobody has claimed it yet.
    /// While there is one tenant no front is written but this: once there are several, nothing else would say whose the address
    /// is.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn keep_front(&self, manifest: &ManifestKey) -> Result<(), Error> {
        let front = ObjectKey::Front(manifest.id.clone());
        if self.ports.objects().head(&front).await?.is_none() {
            self.claim_for(manifest, Freed::Kept).await?;
        }
        Ok(())
    }

    /// Takes over whom a plain address serves from another CredLink, where nothing here says whom it serves, before anything under
    /// the id is stored. `None`: something says so.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn adopt_front(&self, front: &Front) -> Result<Option<KeptFront>, Failure> {
        let id = &front.manifest_id;
        let key = ObjectKey::Front(id.clone());
        let is_founded = self.is_founded(front).await?;
        let kept = |tag, writes| Some(KeptFront { front: front.clone(), is_founded, tag, writes });
        if let Some(found) = self.current(&key).await? {
            let writes = found.verified.facts().generation;
            let there = self.front(id, &found.verified)?;
            // A take-over before this one gave it back.
            if there.tenant.is_none() && there.decided_by == DecidedBy::Claim {
                let put = self.put_front(front, Some((found.tag, writes))).await?;
                return Ok(put.and_then(|tag| kept(tag, writes.saturating_add(1))));
            }
            // One was cut off before it had stored anything.
            let is_left = there == *front && front.decided_by != DecidedBy::Operator && !is_founded;
            return Ok(if is_left { kept(found.tag, writes) } else { None });
        }
        let default = ManifestKey::new(&Tenant::default(), id);
        if front.tenant.as_ref() != Some(&default.tenant) && self.claimed_alone(&default).await?.is_some() {
            return Ok(None);
        }
        // One that was written meanwhile stays.
        Ok(self.put_front(front, None).await?.and_then(|tag| kept(tag, 1)))
    }

    /// Returns `true` if the tenant that a front names has, or had, a manifest under the id, also a private one. Of a front that names
    /// none, nothing here can say that it is wrong.
    async fn is_founded(&self, front: &Front) -> Result<bool, Failure> {
        let Some(tenant) = &front.tenant else { return Ok(true) };
        let row = self.manifest_row(&ManifestKey::new(tenant, &front.manifest_id)).await?;
        Ok(row.is_some_and(|row| !row.void))
    }

    /// Frees an address that was kept for nothing: the next public manifest under the id is served there, also one that is there
    /// already. Another item of the migration may have stored the tenant's manifest meanwhile, and then the address is its own; and
    /// whoever has decided otherwise comes first.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn give_front_back(&self, kept: &KeptFront) -> Result<(), Failure> {
        let KeptFront { front, is_founded, tag, writes } = kept;
        if !is_founded && self.is_founded(front).await? {
            return Ok(());
        }
        let free = Front { decided_by: DecidedBy::Claim, ..Front::decided(front.manifest_id.clone(), None) };
        self.put_front(&free, Some((tag.clone(), *writes))).await.map(drop)
    }

    async fn claim_for(&self, manifest: &ManifestKey, freed: Freed) -> Result<bool, Error> {
        let key = ObjectKey::Front(manifest.id.clone());
        let mut is_signed = None;
        for _ in 0..MAX_ATTEMPTS {
            let found = self.current(&key).await?;
            let before = match &found {
                Some(found) => Some(self.front(&manifest.id, &found.verified)?),
                None => self.claimed_before(manifest).await?,
            };
            let is_freed = |front: &Front| front.tenant.is_none() && front.decided_by == DecidedBy::Operator;
            if freed == Freed::Kept && before.as_ref().is_some_and(is_freed) {
                return Ok(false);
            }
            // No signature overrules another one, or the operator.
            let is_settled = |front: &Front| front.tenant.is_some() && front.decided_by >= DecidedBy::Signer;
            if before.as_ref().is_some_and(is_settled) {
                return Ok(false);
            }
            if is_signed.is_none() {
                is_signed = Some(self.is_claim_signed(manifest).await?);
            }
            let claim = Claim { manifest, is_signed: is_signed == Some(true) };
            let Some(front) = Front::claimed(before.as_ref(), claim) else { return Ok(false) };
            let tag = found.map(|found| (found.tag, found.verified.facts().generation));
            if self.put_front(&front, tag).await?.is_some() {
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// The claim of the tenant `default` from a time in which it was the only one: then no front was written.
    async fn claimed_before(&self, manifest: &ManifestKey) -> Result<Option<Front>, Failure> {
        if manifest.tenant.is_default() {
            return Ok(None);
        }
        self.claimed_alone(&ManifestKey::new(&Tenant::default(), &manifest.id)).await
    }

    /// The claim that a manifest of the tenant `default` made while that was the only one.
    async fn claimed_alone(&self, default: &ManifestKey) -> Result<Option<Front>, Failure> {
        let row = self.manifest_row(default).await?.filter(|row| row.visibility == Visibility::Public);
        let is_claimed = row.is_some_and(|row| !row.void);
        let claim = Claim { manifest: default, is_signed: false };
        Ok(if is_claimed { Front::claimed(None, claim) } else { None })
    }

    /// Whether a stored manifest has the signature of a signer that the operator lists for its tenant.
    async fn is_claim_signed(&self, manifest: &ManifestKey) -> Result<bool, Error> {
        if !self.signers.lists(&manifest.tenant) {
            return Ok(false);
        }
        let key = ObjectKey::Manifest(manifest.clone());
        let Some(current) = self.current(&key).await? else { return Ok(false) };
        Ok(self.is_signed_for(&manifest.tenant, &current.verified.content()).await?)
    }

    /// Decides, for the operator, whose manifest the plain address of `id` serves. `None`: whose the next store is.
    ///
    /// # Errors
    /// A failure of a provider.
    pub(crate) async fn decide_front(&self, id: &ManifestId, tenant: Option<Tenant>) -> Result<Front, Error> {
        let key = ObjectKey::Front(id.clone());
        let front = Front::decided(id.clone(), tenant);
        for _ in 0..MAX_ATTEMPTS {
            // By its head alone: one that is damaged is replaced.
            let tag = self.ports.objects().head(&key).await?.map(|head| {
                let facts = Facts::read(&head.attributes);
                (head.tag, facts.map_or(0, |facts| facts.generation))
            });
            if self.put_front(&front, tag).await?.is_some() {
                return Ok(front);
            }
        }
        Err(contended())
    }

    /// Writes a front over the one with this tag and number of writes. Returns its tag; `None` if another writer was first.
    async fn put_front(
        &self,
        front: &Front,
        before: Option<(StoredTag, u32)>,
    ) -> Result<Option<StoredTag>, Failure> {
        let key = ObjectKey::Front(front.manifest_id.clone());
        let (condition, written) = match before {
            None => (Condition::Absent, 0),
            Some((tag, written)) => (Condition::Matches(tag), written),
        };
        let (body, attributes) = front.object(written.saturating_add(1), self.now());
        let put = self.ports.objects().put(&key, body.into(), &attributes, condition).await;
        // Also after a failure: the write may have happened.
        self.changed(&key).await;
        Ok(match put? {
            Put::Stored(tag) => Some(tag),
            Put::Lost => None,
        })
    }
}
