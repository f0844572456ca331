//! The service: its ports, its settings, and the few reads that all use cases share.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::QUICK_BYTES;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::link::LinkKeys;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::note::AliasNote;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{ManifestRow, ProofRow, Row, RowKey};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use credlink_ports::{
    Cache as _, Clock as _, Failure, FailureKind, InPlace, Index as _, NoSigners, Objects as _, Ports,
    Replicas as _, Signers, Work,
};

use crate::error::Error;
use crate::guard::memory::Guard;
use crate::leftovers::interval::Leftovers;
use crate::reads::log::ReadLog;

/// Most attempts of a use case that loses races. For every lost race, another writer has succeeded.
pub const MAX_ATTEMPTS: usize = 32;

/// The settings of an operator. The default has one tenant, and needs nothing but the ports.
#[derive(Clone, Debug, Default)]
pub struct ServiceSettings {
    /// The start of the links that clients are given, up to the path and without a trailing slash:
    /// `https://cdn.example.com`.
    pub public_url: String,
    /// The keys of signed links. Without keys no links are signed, and only credentials give access to private proofs.
    pub link_keys: Option<LinkKeys>,
    /// `true` if reads are counted in the index. This is for a process that lives long enough to call
    /// [`Service::flush_reads`] every few seconds, and whose readers do not bypass it through a CDN.
    pub count_reads: bool,
    /// `true` if a read of an uncached record that a cut-off request may have left behind also reads the record's row,
    /// and makes the row follow ([`Service::begin_after`]). This is for an index on the same machine, where it costs
    /// only microseconds. If `false`, a store notes in the index what it is about to write
    /// ([`Index::intend`](credlink_ports::Index::intend)), and cleanup checks these notes.
    pub notice_on_read: bool,
    /// `true` if the deployment has several tenants. Then the manifests of each tenant have addresses of their own, and
    /// a front says which tenant's manifest the plain address of an ID serves ([`credlink_core::front`]). If `false`, a
    /// credential that names a tenant other than `default` is refused.
    pub has_tenants: bool,
}

/// CredLink over a set of ports.
#[derive(Debug)]
pub struct Service<P> {
    pub(crate) ports: P,
    pub(crate) settings: ServiceSettings,
    pub(crate) reads: ReadLog,
    pub(crate) guard: Arc<Guard>,
    pub(crate) leftovers: Arc<Leftovers>,
    /// `true` if nothing is destroyed. A rebuild follows the stored objects and removes none of them.
    pub(crate) spares: bool,
    pub(crate) signers: Arc<dyn Signers>,
    pub(crate) work: Arc<dyn Work>,
}

/// A stored object together with the tag that a compare-and-swap needs.
pub struct Current {
    pub(crate) tag: StoredTag,
    /// The time at which the object was written, as recorded by the provider.
    pub(crate) modified: Timestamp,
    /// The checked object.
    pub verified: Verified,
}

impl Current {
    /// Returns the time at which the object was written, by whichever clock is ahead. An imported record was created
    /// long before it was written.
    pub(crate) fn written(&self) -> Timestamp {
        self.modified.max(self.verified.facts().created)
    }
}

impl<P: Ports> Service<P> {
    /// Creates a service over these ports, with a guard of its own. It knows no signers, and computes everything in
    /// place.
    pub fn new(ports: P, settings: ServiceSettings) -> Self {
        let reads = ReadLog::new(settings.count_reads);
        let (guard, leftovers) = Default::default();
        let (signers, work) = (Arc::new(NoSigners), Arc::new(InPlace));
        Self { ports, settings, reads, guard, leftovers, spares: false, signers, work }
    }

    /// Returns another service over the same ports, with the same guard, for a caller that must own its service.
    pub fn borrowed(&self) -> Service<&P> {
        Service { reads: ReadLog::new(self.settings.count_reads), ..self.with_ports(&self.ports) }
    }

    /// Returns a service over `ports` that destroys nothing, with the same guard.
    pub(crate) fn sparing<Q: Ports>(&self, ports: Q) -> Service<Q> {
        Service { spares: true, ..self.with_ports(ports) }
    }

    /// Returns a service over other ports, with the same guard, that counts no reads.
    fn with_ports<Q>(&self, ports: Q) -> Service<Q> {
        Service {
            ports,
            settings: self.settings.clone(),
            reads: ReadLog::new(false),
            guard: Arc::clone(&self.guard),
            leftovers: Arc::clone(&self.leftovers),
            spares: self.spares,
            signers: Arc::clone(&self.signers),
            work: Arc::clone(&self.work),
        }
    }

    /// Sets the signers that the operator lists.
    #[must_use]
    pub fn knowing(self, signers: Arc<dyn Signers>) -> Self {
        Self { signers, ..self }
    }

    /// Sets the executor of long computations.
    #[must_use]
    pub fn computing_by(self, work: Arc<dyn Work>) -> Self {
        Self { work, ..self }
    }

    /// Runs `job` over so many bytes, in place if that takes no longer than a few milliseconds.
    ///
    /// # Errors
    /// The process is shutting down, and the job was not done.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        bytes: usize,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        if bytes <= QUICK_BYTES {
            return Ok(job());
        }
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        self.work
            .run(Box::new(move || {
                let done = job();
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            }))
            .await;
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or_else(|| Failure {
            provider: "service",
            kind: FailureKind::Unavailable,
            message: "the process ends, and computes nothing more".to_owned(),
        })
    }

    /// Returns the ports.
    pub const fn ports(&self) -> &P {
        &self.ports
    }

    /// Returns the settings.
    pub const fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// Returns `true` if the C2PA manifest store `manifest` is signed for `tenant` by a signer that the operator lists
    /// at this moment.
    ///
    /// # Errors
    /// The process is shutting down.
    pub async fn is_signed_for(&self, tenant: &Tenant, manifest: &Bytes) -> Result<bool, Failure> {
        let (signers, tenant, now) = (Arc::clone(&self.signers), tenant.clone(), self.now());
        let manifest = manifest.clone();
        self.compute(manifest.len(), move || signers.signed_by(&tenant, &manifest, now)).await
    }

    /// Parses a body with `parse`.
    ///
    /// # Errors
    /// An invalid body, or a shutdown of the process.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        body: Bytes,
        parse: impl FnOnce(Bytes) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.compute(body.len(), move || parse(body)).await??)
    }

    /// Returns the time of the clock port.
    pub fn now(&self) -> Timestamp {
        self.ports.clock().now()
    }

    /// Returns the row of a proof, in any state.
    ///
    /// # Errors
    /// The index failed.
    pub async fn proof_row(&self, id: &ProofId) -> Result<Option<ProofRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Proof(*id)).await?.and_then(Row::proof))
    }

    /// Notes in the index that `key` and then its row are about to be written, unless readers check rows themselves.
    pub(crate) async fn intend(&self, key: &ObjectKey) -> Result<(), Failure> {
        if self.has_index_at_hand() {
            return Ok(());
        }
        self.ports.index().intend(key, self.now()).await
    }

    /// Returns `true` if the index is on the same machine ([`ServiceSettings::notice_on_read`]).
    pub(crate) const fn has_index_at_hand(&self) -> bool {
        self.settings.notice_on_read
    }

    /// Returns the row of a C2PA manifest, in any state.
    ///
    /// # Errors
    /// The index failed.
    pub async fn manifest_row(&self, key: &ManifestKey) -> Result<Option<ManifestRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Manifest(key.clone())).await?.and_then(Row::manifest))
    }

    /// Reads and checks the object that the provider holds now, bypassing the cache.
    pub async fn current(&self, key: &ObjectKey) -> Result<Option<Current>, Failure> {
        let Some(object) = self.ports.objects().get(key).await? else { return Ok(None) };
        let (tag, modified) = (object.head.tag.clone(), object.head.modified);
        // Content is checked on its way in (guarantee 4).
        let damage = match Verified::check(object) {
            Ok(verified) => return Ok(Some(Current { tag, modified, verified })),
            Err(damage) => self.damaged(key, &damage),
        };
        let Some(copy) = Box::pin(self.ports.objects().get_other_copy(key, &tag)).await? else {
            return Err(damage);
        };
        let (tag, modified) = (copy.head.tag.clone(), copy.head.modified);
        let verified = Verified::check(copy).map_err(|damage| self.damaged(key, &damage))?;
        tracing::error!(failure = %damage, "a copy is damaged; the other one is read");
        Ok(Some(Current { tag, modified, verified }))
    }

    /// Returns the checked object that a provider would hold under `key` with these bytes and attributes.
    ///
    /// # Errors
    /// The attributes do not describe the bytes.
    pub fn as_stored(
        &self,
        key: &ObjectKey,
        modified: Timestamp,
        (body, attributes): (Bytes, Attributes),
    ) -> Result<Verified, Failure> {
        let head = Head { tag: StoredTag(String::new()), size: body.len() as u64, modified, attributes };
        Verified::check(Object { head, body }).map_err(|damage| self.damaged(key, &damage))
    }

    /// Parses a record from its object.
    pub(crate) fn record(&self, key: &ObjectKey, verified: &Verified) -> Result<Record, Failure> {
        let record = Record::parse(&verified.content()).map_err(|error| self.damaged(key, &error))?;
        let is_its_own = match key {
            ObjectKey::Record(id) => record.id == *id,
            ObjectKey::Revision(id, revision) => record.id == *id && record.revision == *revision,
            _ => true,
        };
        if is_its_own {
            return Ok(record);
        }
        let why = format!("its key holds revision {} of the proof {}", record.revision, record.id);
        Err(self.damaged(key, &why))
    }

    /// Parses the note of a legacy ID from its object.
    pub(crate) fn alias_note(&self, id: &LegacyId, verified: &Verified) -> Result<AliasNote, Failure> {
        let key = ObjectKey::Alias(id.clone());
        let note = AliasNote::parse(&verified.content()).map_err(|error| self.damaged(&key, &error))?;
        if note.id == *id {
            return Ok(note);
        }
        Err(self.damaged(&key, &format!("its key holds the note of the legacy id `{}`", note.id)))
    }

    pub(crate) fn damaged(&self, key: &ObjectKey, why: &dyn std::fmt::Display) -> Failure {
        Failure {
            provider: self.ports.objects().name(),
            kind: FailureKind::Damaged,
            message: format!("{key}: {why}"),
        }
    }

    /// Publishes a change of objects. Readers of this process see it when this returns, and others as soon as their
    /// cache allows.
    pub(crate) async fn changed(&self, key: &ObjectKey) {
        self.ports.cache().invalidate(key).await;
    }

    /// Publishes an object that now stands where nothing or a tombstone was. Readers who asked for it before see it
    /// within seconds.
    pub(crate) async fn appeared(&self, key: &ObjectKey) {
        self.ports.cache().forget_absence(key).await;
    }

    /// Publishes a record that was written under `key`, as an appearance or as a change. The first record of a life
    /// takes an empty place or that of a tombstone.
    pub(crate) async fn recorded(&self, key: &ObjectKey, revision: u32, first_revision: u32) {
        if revision == first_revision {
            self.appeared(key).await;
        } else {
            self.changed(key).await;
        }
    }

    /// Announces changes to caches elsewhere. Must be called after a use case that is not a request, and from time to
    /// time for announcements that failed before.
    pub async fn announce(&self) {
        self.ports.cache().announce().await;
    }
}

/// Returns `true` if a caller of `tenant` may know of a proof. It learns nothing of another tenant's private proof
/// (guarantee 13).
pub(crate) fn is_visible(row: &ProofRow, tenant: &Tenant) -> bool {
    row.visibility == Visibility::Public || row.tenant == *tenant
}

/// The refusal to change a public object of another tenant.
pub(crate) fn other_tenant() -> Problem {
    Problem::new(ProblemKind::OtherTenant, "only the tenant that stored it may change, delete or share it")
}
