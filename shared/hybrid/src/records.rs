//! The records of a legacy source: finding them, and importing those that were requested.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use credlink_core::legacy::LegacyRecord;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::migration::{Content, Source};
use credlink_ports::{Failure, FailureKind, Ports};
use credlink_service::error::Error;
use credlink_service::import::import;
use credlink_service::service::Service;

use crate::catalogue::Catalogue;
use crate::legacy_store::{FoundRecord, LegacyQuery};

/// Most proofs that wait to be imported. Further ones wait until they are requested again.
const MAX_REQUESTED: usize = 10_000;

/// Items of one page of a walk.
const PAGE: usize = 1_000;

/// The records of a legacy source.
#[derive(Debug)]
pub struct LegacyRecords<S> {
    source: S,
    /// The prefix before the names of records that are looked up directly, such as the prefix of a bucket.
    prefix: String,
    /// The tenant that owns the records' proofs.
    tenant: Tenant,
    /// The catalogue of all items, in a process that lives long enough to walk over the source.
    catalogue: Option<Catalogue>,
    requested: Mutex<Requested>,
}

/// The proofs that are to be imported, with the keys of their items, and those that are being imported.
#[derive(Debug, Default)]
struct Requested {
    proofs: BTreeSet<ProofId>,
    items: VecDeque<(ProofId, String)>,
}

/// The outcome of importing the requested records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Proofs that are now stored.
    pub imported: u64,
    /// Proofs that could not be imported. The reasons are logged, and another request retries the import.
    pub failed: u64,
}

impl<S: Source> LegacyRecords<S> {
    /// Creates the records of a source, which are `tenant`'s and are looked up directly under `prefix`. With a
    /// catalogue, the caller must walk over the source ([`Self::walk`]).
    pub fn new(source: S, prefix: impl Into<String>, tenant: Tenant, has_catalogue: bool) -> Self {
        let catalogue = has_catalogue.then(Catalogue::default);
        Self { source, prefix: prefix.into(), tenant, catalogue, requested: Mutex::default() }
    }

    /// Returns the source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// Returns the tenant that owns the records' proofs.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Returns the prefix before the name of a record.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the catalogue of all items, if there is one.
    pub const fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref()
    }

    /// Finds the record of a proof, under its own name or through the catalogue. Returns `None` if there is no such
    /// record.
    ///
    /// # Errors
    /// The source failed, or the item with this name is not a legacy record; or the catalogue is incomplete, so that
    /// nothing is known about a proof that is not in it.
    pub async fn find(&self, query: &LegacyQuery) -> Result<Option<FoundRecord>, Failure> {
        if let Some(item) = self.catalogue.as_ref().and_then(|catalogue| catalogue.item(query))
            && let Some(found) = self.read(&item, query).await?
        {
            return Ok(Some(found));
        }
        let prefix = &self.prefix;
        let names = match query {
            LegacyQuery::Proof(id) => vec![format!("{prefix}{id}.json")],
            LegacyQuery::Legacy(id) => vec![format!("{prefix}{id}.json"), format!("{prefix}{id}")],
        };
        for name in names {
            if let Some(found) = self.read(&name, query).await? {
                self.learn(&found);
                return Ok(Some(found));
            }
        }
        match &self.catalogue {
            Some(catalogue) if !catalogue.is_complete() => Err(self.unavailable(
                "not all of its records have been examined yet, so it is not known whether this one exists",
            )),
            Some(_) | None => Ok(None),
        }
    }

    /// Reads the record under `key`, if it matches the query.
    ///
    /// # Errors
    /// The source failed, or the item with this key is not a legacy record.
    pub async fn read(&self, key: &str, query: &LegacyQuery) -> Result<Option<FoundRecord>, Failure> {
        let json = match self.source.read(key).await? {
            Some(Content::Legacy(json)) => json,
            Some(Content::Unreadable(why)) => return Err(self.damaged(key, &why)),
            Some(Content::Proof(_) | Content::Alias { .. } | Content::Manifest { .. } | Content::Gone(_))
            | None => return Ok(None),
        };
        let record = LegacyRecord::parse(&json).map_err(|error| self.damaged(key, &error))?;
        let is_wanted = match query {
            LegacyQuery::Proof(_) => true,
            LegacyQuery::Legacy(id) => record.id == *id,
        };
        let draft = record.draft(self.tenant.clone());
        let is_wanted = is_wanted && !matches!(query, LegacyQuery::Proof(id) if *id != draft.id());
        Ok(is_wanted.then(|| FoundRecord { draft, item: key.to_owned() }))
    }

    fn learn(&self, found: &FoundRecord) {
        let legacy = found.draft.origin.as_ref().and_then(|origin| origin.legacy.as_ref());
        if let (Some(catalogue), Some(legacy)) = (&self.catalogue, legacy) {
            catalogue.learn(found.draft.id(), &legacy.id, &found.item);
        }
    }

    /// Walks over the source, and reads the items that are not in the catalogue. Returns the number of items.
    ///
    /// # Errors
    /// The source failed. The next walk begins at the beginning, and reads the remaining items.
    pub async fn walk(&self) -> Result<u64, Failure> {
        let Some(catalogue) = &self.catalogue else { return Ok(0) };
        let (mut after, mut count) = (None, 0);
        loop {
            let page = self.source.list(after.as_deref(), PAGE).await?;
            for item in page.items {
                count += 1;
                if catalogue.has_met(&item) {
                    continue;
                }
                match self.source.read(&item.key).await? {
                    Some(Content::Legacy(json)) => match LegacyRecord::parse(&json) {
                        Ok(record) => {
                            let id = record.id.clone();
                            let proof = ProofId::derive(&self.tenant, &record.media_hash);
                            catalogue.meet(&item, Some((proof, &id)));
                        }
                        // A migration counts such an item, with the reason.
                        Err(error) => {
                            tracing::debug!(item = item.key, reason = %error, "no legacy record");
                            catalogue.meet(&item, None);
                        }
                    },
                    Some(
                        Content::Proof(_)
                        | Content::Alias { .. }
                        | Content::Manifest { .. }
                        | Content::Gone(_)
                        | Content::Unreadable(_),
                    ) => catalogue.meet(&item, None),
                    None => {}
                }
            }
            after = page.next;
            if after.is_none() {
                catalogue.complete();
                return Ok(count);
            }
        }
    }

    /// Requests that the next [`Self::import_requested`] import a proof, unless it is already requested.
    pub fn request_import(&self, found: &FoundRecord) {
        let id = found.draft.id();
        let mut requested = self.requested.lock().unwrap_or_else(PoisonError::into_inner);
        if requested.items.len() < MAX_REQUESTED && requested.proofs.insert(id) {
            requested.items.push_back((id, found.item.clone()));
        }
    }

    /// Returns the number of proofs that wait to be imported.
    pub fn requested(&self) -> usize {
        self.requested.lock().unwrap_or_else(PoisonError::into_inner).items.len()
    }

    /// Imports the requested records.
    pub async fn import_requested<P: Ports>(&self, service: &Service<P>) -> Report {
        let mut report = Report::default();
        loop {
            let next = self.requested.lock().unwrap_or_else(PoisonError::into_inner).items.pop_front();
            let Some((id, item)) = next else { break };
            match self.import(service, id, &item).await {
                Ok(()) => report.imported += 1,
                Err(Error::Problem(problem)) => {
                    report.failed += 1;
                    tracing::warn!(proof = %id, item, reason = %problem, "a legacy record is not imported");
                }
                Err(Error::Failure(failure)) => {
                    report.failed += 1;
                    tracing::warn!(proof = %id, item, reason = %failure, "a legacy record is not imported yet");
                }
            }
            self.requested.lock().unwrap_or_else(PoisonError::into_inner).proofs.remove(&id);
        }
        if report.imported > 0 {
            service.announce().await;
        }
        report
    }

    async fn import<P: Ports>(&self, service: &Service<P>, id: ProofId, item: &str) -> Result<(), Error> {
        // The record may have been removed since it was served.
        let Some(found) = self.read(item, &LegacyQuery::Proof(id)).await? else { return Ok(()) };
        import(service, &found.draft).await?;
        Ok(())
    }

    fn damaged(&self, key: &str, why: &dyn std::fmt::Display) -> Failure {
        let message = format!("{key}: {why}");
        Failure { provider: self.source.name(), kind: FailureKind::Damaged, message }
    }

    fn unavailable(&self, why: &str) -> Failure {
        let message = format!("the legacy source: {why}");
        Failure { provider: self.source.name(), kind: FailureKind::Unavailable, message }
    }
}
