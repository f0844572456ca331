//! Plain addresses of manifests in a deployment with several tenants: which tenant's manifest `/manifests/{id}` serves.
//!
//! The front of a manifest ID is claimed once a store has been decided; a store that is refused claims nothing. A store
//! that was cut off in between leaves the ID without a front, and the next walk of the cleanup claims it. A walk cannot
//! tell that a private manifest used to be public, so its address is claimed when it is withdrawn, even while there is
//! only one tenant.
//!
//! A migration from a CredLink with several tenants adopts the front of its source before it stores anything, unless
//! the address is already decided here; otherwise the address would serve whichever tenant is copied first. If nothing
//! is stored, the migration releases the front. A released front counts as no front.

use std::sync::Arc;

use credlink_core::access::Visibility;
use credlink_core::front::{Claim, DecidedBy, Front};
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::{Facts, ObjectKey, StoredTag, Verified};
use credlink_core::row::State;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;

use credlink_ports::migration::AdoptedFront;
use credlink_ports::{Cache as _, Condition, Failure, FailureKind, Objects as _, Ports, Put};

use crate::error::{Error, contended};
use crate::service::{MAX_ATTEMPTS, Service};

/// The time at which a manifest arrived, as far as it matters to an address that the operator has freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The manifest is stored by this request, and gets the address.
    New,
    /// The manifest, as far as is known, was stored before the operator freed the address, and does not get it.
    Earlier,
}

impl Arrival {
    /// Returns the arrival of a draft. An imported draft counts as earlier.
    pub(crate) const fn of(draft: &Draft) -> Self {
        Self::imported(draft.origin.is_some())
    }

    /// Returns the arrival of a manifest, depending on whether it is copied from another store.
    pub(crate) const fn imported(is_imported: bool) -> Self {
        if is_imported { Self::Earlier } else { Self::New }
    }
}

impl<P: Ports> Service<P> {
    /// Returns the manifest that the plain address of `id` serves, or `None` if the operator has freed the address.
    ///
    /// # Errors
    /// A failure of the provider, or a damaged front.
    pub(crate) async fn fronted(&self, id: &ManifestId) -> Result<Option<ManifestKey>, Failure> {
        if !self.settings.has_tenants {
            return Ok(Some(ManifestKey::new(&Tenant::default(), id)));
        }
        let key = ObjectKey::Front(id.clone());
        let load = async { Ok(self.current(&key).await?.map(|current| current.verified)) };
        let found: Option<Arc<Verified>> = self.ports.cache().get_or_load(&key, load).await?;
        Ok(Front::serves(found.as_deref().map(Verified::facts), id))
    }

    /// Parses a front from its object.
    fn front(&self, id: &ManifestId, verified: &Verified) -> Result<Front, Failure> {
        let key = ObjectKey::Front(id.clone());
        let front = Front::parse(&verified.content()).map_err(|error| self.damaged(&key, &error))?;
        if front.manifest_id == *id {
            return Ok(front);
        }
        Err(self.damaged(&key, &format!("its key holds the front of {}", front.manifest_id)))
    }

    /// Claims the plain address for a stored manifest. A failure is only logged: the store is complete, and a later
    /// walk claims the address.
    pub(crate) async fn claim_front(&self, manifest: &ManifestKey, visibility: Visibility, arrival: Arrival) {
        if let Err(error) = self.try_to_claim_front(manifest, visibility, arrival).await {
            let error = error.problem().detail;
            tracing::warn!(%manifest, error, "the plain address of a manifest was not claimed");
        }
    }

    /// Claims the plain address for a manifest that is stored again, because the earlier store may have been cut off
    /// before it claimed the address.
    pub(crate) async fn claim_front_again(&self, manifest: &ManifestKey, arrival: Arrival) {
        if !self.settings.has_tenants {
            return;
        }
        match self.manifest_row(manifest).await {
            Ok(Some(row)) if row.state == State::Live => {
                self.claim_front(manifest, row.visibility, arrival).await;
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%manifest, %error, "the plain address of a manifest was not claimed");
            }
        }
    }

    /// Claims the plain address for a stored manifest. Returns `true` if the address serves the manifest as of this
    /// call.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn try_to_claim_front(
        &self,
        manifest: &ManifestKey,
        visibility: Visibility,
        arrival: Arrival,
    ) -> Result<bool, Error> {
        if !self.settings.has_tenants || visibility == Visibility::Private {
            return Ok(false);
        }
        self.claim_for(manifest, arrival).await
    }

    /// Claims the plain address of a public manifest that is about to become private, if the address is not claimed
    /// yet. With only one tenant, this is the only front that is written: once there are several tenants, nothing else
    /// would record whose address it is.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub(crate) async fn keep_front(&self, manifest: &ManifestKey) -> Result<(), Error> {
        let key = ObjectKey::Front(manifest.id.clone());
        let front = match self.current(&key).await {
            Ok(found) => found.map(|found| self.front(&manifest.id, &found.verified)).transpose(),
            Err(failure) => Err(failure),
        };
        match front {
            Ok(front) if front.as_ref().is_none_or(Front::is_released) => {
                self.claim_for(manifest, Arrival::Earlier).await.map(drop)
            }
            Ok(_) => Ok(()),
            // The address is taken, by whichever tenant. An unreadable front must not prevent a withdrawal.
            Err(failure) if failure.kind == FailureKind::Damaged => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Adopts the front of another CredLink, if the plain address is not decided here yet, before anything is stored
    /// under the ID. Returns `None` if it is decided, or if there is only one tenant and the front names another.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub async fn adopt_front(&self, front: &Front) -> Result<Option<AdoptedFront>, Failure> {
        let id = &front.manifest_id;
        let is_anothers = front.tenant.as_ref().is_some_and(|tenant| !tenant.is_default());
        if front.is_released() || is_anothers && !self.settings.has_tenants {
            return Ok(None);
        }
        let key = ObjectKey::Front(id.clone());
        let is_founded = self.is_founded(front).await?;
        let adopted = |tag, writes| Some(AdoptedFront { front: front.clone(), is_founded, tag, writes });
        let found = match self.current(&key).await? {
            None => None,
            Some(found) => {
                let writes = found.verified.facts().generation;
                let there = self.front(id, &found.verified)?;
                if !there.is_released() {
                    // The same front was written by an import that was cut off before it stored anything.
                    let is_left = there == *front && front.decided_by != DecidedBy::Operator && !is_founded;
                    return Ok(if is_left { adopted(found.tag, writes) } else { None });
                }
                Some((found.tag, writes))
            }
        };
        // A manifest of `default` has owned its address since the time of a single tenant, and no front says so.
        if self.claimed_alone(&ManifestKey::new(&Tenant::default(), id)).await?.is_some() {
            return Ok(None);
        }
        let writes = found.as_ref().map_or(0, |(_, writes)| *writes).saturating_add(1);
        // A front that is written in the meantime stays.
        Ok(self.put_front(front, found).await?.and_then(|tag| adopted(tag, writes)))
    }

    /// Returns `true` if the tenant that a front names has, or had, a manifest under the ID, public or private. A front
    /// that names no tenant cannot be contradicted here, so it counts as founded.
    async fn is_founded(&self, front: &Front) -> Result<bool, Failure> {
        let Some(tenant) = &front.tenant else { return Ok(true) };
        let row = self.manifest_row(&ManifestKey::new(tenant, &front.manifest_id)).await?;
        Ok(row.is_some_and(|row| !row.void))
    }

    /// Releases a front that was adopted in vain, so that the address counts as one without a front. If another item of
    /// the migration has stored the tenant's manifest in the meantime, the tenant keeps the address; any other decision
    /// made in the meantime also stands. A private manifest that is stored between the check of its row and the write
    /// of the front loses its plain address until it is published.
    ///
    /// # Errors
    /// A failure of a provider or the index.
    pub async fn release_front(&self, adopted: &AdoptedFront) -> Result<(), Failure> {
        let AdoptedFront { front, is_founded, tag, writes } = adopted;
        if !is_founded && self.is_founded(front).await? {
            return Ok(());
        }
        self.put_front(&Front::released(front.manifest_id.clone()), Some((tag.clone(), *writes)))
            .await
            .map(drop)
    }

    async fn claim_for(&self, manifest: &ManifestKey, arrival: Arrival) -> Result<bool, Error> {
        let key = ObjectKey::Front(manifest.id.clone());
        let mut is_signed = None;
        for _ in 0..MAX_ATTEMPTS {
            let found = self.current(&key).await?;
            let front = found.as_ref().map(|found| self.front(&manifest.id, &found.verified)).transpose()?;
            let before = match front {
                Some(front) if !front.is_released() => Some(front),
                Some(_) | None => self.claimed_before(manifest).await?,
            };
            let is_freed = |front: &Front| front.tenant.is_none() && front.decided_by == DecidedBy::Operator;
            if arrival == Arrival::Earlier && before.as_ref().is_some_and(is_freed) {
                return Ok(false);
            }
            // A signature overrules neither another signature nor the operator.
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

    /// Returns the claim of the tenant `default` from the time when it was the only tenant and no front was written.
    async fn claimed_before(&self, manifest: &ManifestKey) -> Result<Option<Front>, Failure> {
        if manifest.tenant.is_default() {
            return Ok(None);
        }
        self.claimed_alone(&ManifestKey::new(&Tenant::default(), &manifest.id)).await
    }

    /// Returns the claim that a manifest of the tenant `default` made while that was the only tenant.
    async fn claimed_alone(&self, default: &ManifestKey) -> Result<Option<Front>, Failure> {
        let row = self.manifest_row(default).await?.filter(|row| row.visibility == Visibility::Public);
        let is_claimed = row.is_some_and(|row| !row.void);
        let claim = Claim { manifest: default, is_signed: false };
        Ok(if is_claimed { Front::claimed(None, claim) } else { None })
    }

    /// Returns `true` if a stored manifest is signed by a signer that the operator lists for its tenant.
    async fn is_claim_signed(&self, manifest: &ManifestKey) -> Result<bool, Error> {
        if !self.signers.lists(&manifest.tenant) {
            return Ok(false);
        }
        let key = ObjectKey::Manifest(manifest.clone());
        let Some(current) = self.current(&key).await? else { return Ok(false) };
        Ok(self.is_signed_for(&manifest.tenant, &current.verified.content()).await?)
    }

    /// Records the operator's decision about which tenant's manifest the plain address of `id` serves. `None` gives the
    /// address to the tenant of the next store.
    ///
    /// # Errors
    /// A failure of a provider.
    pub(crate) async fn decide_front(&self, id: &ManifestId, tenant: Option<Tenant>) -> Result<Front, Error> {
        let key = ObjectKey::Front(id.clone());
        let front = Front::decided(id.clone(), tenant);
        for _ in 0..MAX_ATTEMPTS {
            // Only the head is read, so that a damaged front can be replaced.
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

    /// Replaces the front that has this tag and number of writes. Returns the new tag, or `None` if another writer was
    /// first.
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
        // After a failure too, since the write may have happened.
        self.changed(&key).await;
        Ok(match put? {
            Put::Stored(tag) => Some(tag),
            Put::Lost => None,
        })
    }
}
