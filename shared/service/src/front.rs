//! Plain addresses of manifests, where there are several tenants: which tenant's manifest `/manifests/{id}` serves.
//!
//! The front of an id is claimed when a store has been decided: one that is refused claims nothing. A store that was cut off in
//! between leaves the id without a front; the next walk of cleanup claims it. Of a manifest that is private, a walk cannot tell
//! that it was public before: its address is claimed when it is withdrawn, also while there is one tenant.
//!
//! A migration of a CredLink with several tenants adopts the front of its source before it stores anything, where nothing here
//! says whom the address serves: otherwise whoever is copied first would be served. It releases the front if nothing is stored. An
//! address that was released is as one without a front.

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

/// The time at which a manifest came, as far as it matters to an address that the operator has freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is stored by this request, and gets the address.
    New,
    /// It was there when the operator freed the address, for all that is known, and does not get it.
    Earlier,
}

impl Arrival {
    /// The case of a draft: what is taken over from another store was there before.
    pub(crate) const fn of(draft: &Draft) -> Self {
        Self::imported(draft.origin.is_some())
    }

    /// The case of what is copied from another store, or is not.
    pub(crate) const fn imported(is_imported: bool) -> Self {
        if is_imported { Self::Earlier } else { Self::New }
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
        Err(self.damaged(&key, &format!("its key holds the front of {}", front.manifest_id)))
    }

    /// Claims the plain address for a manifest that is stored. A failure is logged: the store is done, and a walk claims it later.
    pub(crate) async fn claim_front(&self, manifest: &ManifestKey, visibility: Visibility, arrival: Arrival) {
        if let Err(error) = self.try_to_claim_front(manifest, visibility, arrival).await {
            let error = error.problem().detail;
            tracing::warn!(%manifest, error, "the plain address of a manifest was not claimed");
        }
    }

    /// Claims the plain address for a manifest that is stored again: the store before may have been cut off before it did.
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

    /// Claims the plain address for a manifest that is stored. Returns `true` if the address serves it since this call.
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

    /// Claims the plain address of a manifest that has been public and is about to be private, if nobody has claimed it yet. While
    /// there is one tenant no front is written but this: once there are several, nothing else would say whose the address is.
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
            // Somebody has it, whoever that is: a front that cannot be read keeps nobody from withdrawing.
            Err(failure) if failure.kind == FailureKind::Damaged => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Takes over whom a plain address serves from another CredLink, where nothing here says whom it serves, before anything under
    /// the id is stored. `None`: something says so, or there is one tenant and the front names another.
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
                    // An import that was cut off before it had stored anything wrote the same.
                    let is_left = there == *front && front.decided_by != DecidedBy::Operator && !is_founded;
                    return Ok(if is_left { adopted(found.tag, writes) } else { None });
                }
                Some((found.tag, writes))
            }
        };
        // A manifest of `default` has had its address since there was one tenant, and no front says so.
        if self.claimed_alone(&ManifestKey::new(&Tenant::default(), id)).await?.is_some() {
            return Ok(None);
        }
        let writes = found.as_ref().map_or(0, |(_, writes)| *writes).saturating_add(1);
        // One that is written meanwhile stays.
        Ok(self.put_front(front, found).await?.and_then(|tag| adopted(tag, writes)))
    }

    /// Returns `true` if the tenant that a front names has, or had, a manifest under the id, also a private one. Of a front that names
    /// none, nothing here can say that it is wrong.
    async fn is_founded(&self, front: &Front) -> Result<bool, Failure> {
        let Some(tenant) = &front.tenant else { return Ok(true) };
        let row = self.manifest_row(&ManifestKey::new(tenant, &front.manifest_id)).await?;
        Ok(row.is_some_and(|row| !row.void))
    }

    /// Frees an address whose front was adopted for nothing: it is as one without a front. Another item of the migration may have
    /// stored the tenant's manifest meanwhile, and then the address is its own; and whoever has decided otherwise comes first. A
    /// private manifest that is stored between the look at its row and the write of the front loses its plain address, until it is
    /// published.
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
