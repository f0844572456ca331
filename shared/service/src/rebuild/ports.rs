//! The ports as a rebuild sees them: the newest copy of all providers, no writing of objects, rows that are counted,
//! and caches that stay unchanged, since no object changes.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::object::{Attributes, Head, Object, ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, Totals};
use credlink_core::time::Timestamp;

use credlink_ports::{
    Cache, CacheStats, Commit, Condition, Copies, Failure, FailureKind, Index, Intent, Lag, Lagging, Listed,
    Listing, Medium, ObjectWrite, Objects, Page, Ports, Put, Replicas, SingleProvider, Write,
};

use super::Manner;
use crate::service::Service;

/// The number of rows that a page wrote, or would have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// New rows.
    pub(super) made: u64,
    /// Changed rows.
    pub(super) changed: u64,
}

/// The copies that are missing, stale or damaged, by object and provider.
type Short = BTreeMap<(ObjectKey, &'static str), Lagging>;

/// The ports of a service, as a rebuild sees them.
pub(super) struct View<'a, P: Ports> {
    ports: &'a P,
    objects: Newest<'a, P::Objects>,
    index: Counted<'a, P::Index>,
    cache: Untouched,
}

impl<'a, P: Ports> View<'a, P> {
    pub(super) fn over(service: &'a Service<P>, manner: Manner) -> Self {
        let ports = service.ports();
        Self {
            ports,
            objects: Newest { objects: ports.objects(), short: Mutex::default(), manner },
            index: Counted {
                index: ports.index(),
                manner,
                made: AtomicU64::new(0),
                changed: AtomicU64::new(0),
            },
            cache: Untouched,
        }
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            made: self.index.made.load(Ordering::Relaxed),
            changed: self.index.changed.load(Ordering::Relaxed),
        }
    }

    /// Queues the repairs of the copies that were found behind, now that the rows are right, unless rows are only
    /// counted. Returns the number of copies.
    pub(super) async fn mend(&self) -> Result<u64, Failure> {
        let short = std::mem::take(&mut *self.objects.short.lock().unwrap_or_else(PoisonError::into_inner));
        if self.objects.manner == Manner::Writing {
            for ((key, _), Lagging { replica, lag, .. }) in &short {
                self.ports.objects().mend(*replica, key, *lag != Lag::Missing).await?;
            }
        }
        Ok(short.len() as u64)
    }
}

impl<'a, P: Ports> Ports for View<'a, P> {
    type Objects = Newest<'a, P::Objects>;
    type Index = Counted<'a, P::Index>;
    type Cache = Untouched;
    type Clock = P::Clock;
    type Events = P::Events;
    type Authenticator = P::Authenticator;
    type Jobs = P::Jobs;

    fn objects(&self) -> &Self::Objects {
        &self.objects
    }

    fn index(&self) -> &Self::Index {
        &self.index
    }

    fn cache(&self) -> &Untouched {
        &self.cache
    }

    fn clock(&self) -> &P::Clock {
        self.ports.clock()
    }

    fn events(&self) -> &P::Events {
        self.ports.events()
    }

    fn authenticator(&self) -> &P::Authenticator {
        self.ports.authenticator()
    }

    fn jobs(&self) -> &P::Jobs {
        self.ports.jobs()
    }
}

/// The objects of all providers, each in its newest copy.
pub(super) struct Newest<'a, O> {
    objects: &'a O,
    short: Mutex<Short>,
    manner: Manner,
}

impl<O: Replicas> Newest<'_, O> {
    fn note<T>(&self, key: &ObjectKey, copies: Copies<T>) -> Option<T> {
        if !copies.lagging.is_empty() {
            let mut short = self.short.lock().unwrap_or_else(PoisonError::into_inner);
            let at = |lagging: &Lagging| ((key.clone(), lagging.name), *lagging);
            short.extend(copies.lagging.iter().map(at));
        }
        copies.newest
    }

    fn refused(&self, key: &ObjectKey) -> Failure {
        let message = format!("{key}: a rebuild changes no object");
        Failure { provider: self.objects.name(), kind: FailureKind::AccessDenied, message }
    }
}

impl<O: Replicas> Objects for Newest<'_, O> {
    fn name(&self) -> &'static str {
        self.objects.name()
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        Ok(self.note(key, self.objects.copies(key).await?))
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        Ok(self.note(key, self.objects.copies_by_head(key).await?))
    }

    async fn put(
        &self,
        key: &ObjectKey,
        _body: Bytes,
        _attributes: &Attributes,
        _condition: Condition,
    ) -> Result<Put, Failure> {
        Err(self.refused(key))
    }

    async fn put_in_order(
        &self,
        first: ObjectWrite,
        _second: ObjectWrite,
    ) -> Result<(Put, Option<Put>), Failure> {
        Err(self.refused(&first.key))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        Err(self.refused(key))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        self.objects.list_all(prefix, after, limit).await
    }
}

/// A rebuild sees one copy of each object.
impl<O: Replicas> SingleProvider for Newest<'_, O> {}

impl<O: Medium> Medium for Newest<'_, O> {
    fn has_cheap_lookups(&self) -> bool {
        false
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        self.objects.write_failure().await
    }
}

/// The index, whose written rows are counted, and actually written only if desired.
pub(super) struct Counted<'a, I> {
    index: &'a I,
    manner: Manner,
    made: AtomicU64,
    changed: AtomicU64,
}

impl<I: Index> Index for Counted<'_, I> {
    fn name(&self) -> &'static str {
        self.index.name()
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        self.index.get(key).await
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        let commit = match self.manner {
            Manner::Writing => self.index.commit(writes).await?,
            Manner::Counting => Commit::Done,
        };
        if commit == Commit::Done {
            for write in writes {
                let count = if write.expected.is_none() { &self.made } else { &self.changed };
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(commit)
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        self.index.list(listing, after, limit).await
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        self.index.intend(key, at).await
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        self.index.intents(from, after, limit).await
    }

    async fn note_access(&self, entry: &AuditEntry) -> Result<(), Failure> {
        self.index.note_access(entry).await
    }

    async fn accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        self.index.accesses(file, after, limit).await
    }

    async fn count_reads(&self, _reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        Ok(())
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        self.index.totals().await
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        self.index.write_failure().await
    }
}

/// A cache that keeps nothing, in front of objects that do not change.
pub(super) struct Untouched;

impl Cache for Untouched {
    async fn get_or_load<L>(&self, _key: &ObjectKey, load: L) -> Result<Option<Arc<Verified>>, Failure>
    where
        L: Future<Output = Result<Option<Verified>, Failure>>,
    {
        Ok(load.await?.map(Arc::new))
    }

    async fn invalidate(&self, _key: &ObjectKey) {}

    fn stats(&self) -> CacheStats {
        CacheStats::default()
    }
}
