//! The service: ports, settings, and the few reads that every use case shares.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::QUICK_BYTES;
use credlink_core::http::problem::{Kind, Problem};
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
use crate::guard::Guard;
use crate::leftovers::Leftovers;
use crate::reads::ReadLog;

/// Most attempts of a use case that loses races. Every lost race means that another writer got through.
pub const MAX_ATTEMPTS: usize = 32;

/// The settings that an operator decides. By default it has one tenant, and nothing that needs more than the ports.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The part before the path in the links that clients are given, without a slash at the end:
    /// `https://cdn.example.com`.
    pub public_url: String,
    /// The keys of signed links; without them no links are signed, and private proofs open to credentials only.
    pub link_keys: Option<LinkKeys>,
    /// `true` if reads are counted in the index: for a process that lives long enough to call
    /// [`Service::flush_reads`] every few seconds, and whose readers do not pass it by on a CDN.
    pub count_reads: bool,
    /// `true` if a read of a record that is not in the cache, and that a request which was cut off may have left behind, also
    /// looks at the record's row, and lets the row follow ([`Service::begin_after`]). It is for an index on this machine, where
    /// that costs microseconds and nothing else. Where it is `false`, a store notes in the index what it is about to write
    /// ([`Index::intend`](credlink_ports::Index::intend)), and cleanup looks at that.
    pub notice_on_read: bool,
    /// `true` if the deployment has several tenants: each one's manifests have addresses of their own, and a front says which
    /// one's the plain address of an id serves ([`credlink_core::front`]). Where it is `false`, a credential that names another
    /// tenant than `default` is refused.
    pub has_tenants: bool,
}

/// CredLink over some ports.
#[derive(Debug)]
pub struct Service<P> {
    pub(crate) ports: P,
    pub(crate) settings: Settings,
    pub(crate) reads: ReadLog,
    pub(crate) guard: Arc<Guard>,
    pub(crate) leftovers: Arc<Leftovers>,
    /// `true` if nothing is destroyed: for a rebuild, which follows what is stored and removes none of it.
    pub(crate) spares: bool,
    pub(crate) signers: Arc<dyn Signers>,
    pub(crate) work: Arc<dyn Work>,
}

/// A stored object together with the tag that a compare-and-swap needs.
pub struct Current {
    pub(crate) tag: StoredTag,
    /// Time at which it was written, as the provider has it.
    pub(crate) modified: Timestamp,
    /// The object, checked.
    pub verified: Verified,
}

impl Current {
    /// Time at which it was written, by whichever clock is ahead. What is imported was made long before.
    pub(crate) fn written(&self) -> Timestamp {
        self.modified.max(self.verified.facts().created)
    }
}

impl<P: Ports> Service<P> {
    /// A service over these ports, with a guard of its own. It knows no signers, and computes everything in place.
    pub fn new(ports: P, settings: Settings) -> Self {
        let reads = ReadLog::new(settings.count_reads);
        let (guard, leftovers) = Default::default();
        let (signers, work) = (Arc::new(NoSigners), Arc::new(InPlace));
        Self { ports, settings, reads, guard, leftovers, spares: false, signers, work }
    }

    /// Another service over the same ports, with the same guard: for whatever wants a service of its own.
    pub fn borrowed(&self) -> Service<&P> {
        Service { reads: ReadLog::new(self.settings.count_reads), ..self.with_ports(&self.ports) }
    }

    /// A service over `ports` that destroys nothing, with the same guard.
    pub(crate) fn sparing<Q: Ports>(&self, ports: Q) -> Service<Q> {
        Service { spares: true, ..self.with_ports(ports) }
    }

    /// A service over other ports, with the same guard, that counts no reads.
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

    /// The same service with the signers that the operator lists.
    #[must_use]
    pub fn knowing(self, signers: Arc<dyn Signers>) -> Self {
        Self { signers, ..self }
    }

    /// The same service, which has what takes long computed by `work`.
    #[must_use]
    pub fn computing_by(self, work: Arc<dyn Work>) -> Self {
        Self { work, ..self }
    }

    /// Computes `job` over so many bytes: in place where that takes no longer than a few milliseconds.
    ///
    /// # Errors
    /// The process is about to end, and the job was not done.
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

    /// The ports.
    pub const fn ports(&self) -> &P {
        &self.ports
    }

    /// The settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns `true` if the C2PA store `manifest` was signed for `tenant`, by what the operator lists and as of this moment.
    ///
    /// # Errors
    /// The process is about to end.
    pub async fn is_signed_for(&self, tenant: &Tenant, manifest: &Bytes) -> Result<bool, Failure> {
        let (signers, tenant, now) = (Arc::clone(&self.signers), tenant.clone(), self.now());
        let manifest = manifest.clone();
        self.compute(manifest.len(), move || signers.signed_by(&tenant, &manifest, now)).await
    }

    /// Reads a body by `parse`.
    ///
    /// # Errors
    /// What is wrong with the body, or the process is about to end.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        body: Bytes,
        parse: impl FnOnce(Bytes) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Error> {
        Ok(self.compute(body.len(), move || parse(body)).await??)
    }

    /// Returns the time, as the clock among the ports has it.
    pub fn now(&self) -> Timestamp {
        self.ports.clock().now()
    }

    /// Returns the row of a proof, in whatever state.
    ///
    /// # Errors
    /// The index failed.
    pub async fn proof_row(&self, id: &ProofId) -> Result<Option<ProofRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Proof(*id)).await?.and_then(Row::proof))
    }

    /// Notes in the index that `key` is about to be written, and its row after it, unless readers look at rows themselves.
    pub(crate) async fn intend(&self, key: &ObjectKey) -> Result<(), Failure> {
        match self.settings.notice_on_read {
            true => Ok(()),
            false => self.ports.index().intend(key, self.now()).await,
        }
    }

    /// Returns the row of a C2PA manifest, in whatever state.
    ///
    /// # Errors
    /// The index failed.
    pub async fn manifest_row(&self, key: &ManifestKey) -> Result<Option<ManifestRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Manifest(key.clone())).await?.and_then(Row::manifest))
    }

    /// The object as the provider holds it now, checked, past the cache.
    pub async fn current(&self, key: &ObjectKey) -> Result<Option<Current>, Failure> {
        let Some(object) = self.ports.objects().get(key).await? else { return Ok(None) };
        let (tag, modified) = (object.head.tag.clone(), object.head.modified);
        // Checked on its way in (guarantee 4).
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

    /// The object that a provider would hold under `key` with these bytes and attributes, checked.
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

    /// Reads a record out of its object.
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

    /// Reads the note of a legacy id out of its object.
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

    /// Makes a change of objects visible: to this process's readers when it returns, to others as the cache says.
    pub(crate) async fn changed(&self, key: &ObjectKey) {
        self.ports.cache().invalidate(key).await;
    }

    /// The same for what now stands where nothing stood, or a marker: who asked for it before learns of it within seconds.
    pub(crate) async fn appeared(&self, key: &ObjectKey) {
        self.ports.cache().forget_absence(key).await;
    }

    /// The one or the other, for a record that was written under `key`: the first one of a life takes an empty place, or
    /// that of a marker.
    pub(crate) async fn recorded(&self, key: &ObjectKey, revision: u32, first_revision: u32) {
        if revision == first_revision {
            self.appeared(key).await;
        } else {
            self.changed(key).await;
        }
    }

    /// Tells those who keep copies elsewhere what changed. For whoever runs a use case that is no request, and now and
    /// then for what they could not be told before.
    pub async fn announce(&self) {
        self.ports.cache().announce().await;
    }
}

/// Returns `true` if a caller of `tenant` may know of a proof. Of another tenant's private one it learns nothing (guarantee 13).
pub(crate) fn is_visible(row: &ProofRow, tenant: &Tenant) -> bool {
    row.visibility == Visibility::Public || row.tenant == *tenant
}

/// The refusal to change what everybody may read, and another tenant owns.
pub(crate) fn other_tenant() -> Problem {
    Problem::new(Kind::OtherTenant, "only the tenant that stored it may change, delete or share it")
}
