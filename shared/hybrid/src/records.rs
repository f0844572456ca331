//! The records of a legacy source: finding them, and importing those that were asked for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use credlink_core::legacy::LegacyRecord;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::migration::{Content, Source};
use credlink_ports::{Failure, FailureKind, Ports};
use credlink_service::error::Error;
use credlink_service::handler::steps::import;
use credlink_service::service::Service;

use crate::catalogue::Catalogue;
use crate::legacy_store::{FoundRecord, LegacyQuery};

/// Most proofs that wait to be imported. What does not fit waits until it is asked for again.
const MAX_REQUESTED: usize = 10_000;

/// Items of one page of a walk.
const PAGE: usize = 1_000;

/// The records of a legacy source.
#[derive(Debug)]
pub struct LegacyRecords<S> {
    source: S,
    /// What stands before the name of a record that is looked for directly: the prefix of a bucket.
    prefix: String,
    /// Whose proofs its records are.
    tenant: Tenant,
    /// Where every item is, in a process that lives long enough to walk over the source.
    catalogue: Option<Catalogue>,
    requested: Mutex<Requested>,
}

/// Proofs that are to be imported, with the keys of their items, and those that are being imported.
#[derive(Debug, Default)]
struct Requested {
    proofs: BTreeSet<ProofId>,
    items: VecDeque<(ProofId, String)>,
}

/// The outcome of importing what was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Proofs that are there now.
    pub imported: u64,
    /// Proofs that could not be imported: the log has the reasons, and who asks again begins again.
    pub failed: u64,
}

impl<S: Source> LegacyRecords<S> {
    /// A source whose records are `tenant`'s, looked for directly behind `prefix`; with a catalogue where it is walked over
    /// ([`Self::walk`]).
    pub fn new(source: S, prefix: impl Into<String>, tenant: Tenant, has_catalogue: bool) -> Self {
        let catalogue = has_catalogue.then(Catalogue::default);
        Self { source, prefix: prefix.into(), tenant, catalogue, requested: Mutex::default() }
    }

    /// The source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// Whose proofs its records are.
    pub const fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What stands before the name of a record.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Where every item is.
    pub const fn catalogue(&self) -> Option<&Catalogue> {
        self.catalogue.as_ref()
    }

    /// The record of a proof: under its own name, or where the catalogue says. `None`: there is none.
    ///
    /// # Errors
    /// The source failed, or what has this name is no legacy record; or the catalogue has no end yet, so that nothing can be
    /// said of what is not in it.
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

    /// The record under `key`, if it is the one that is query.
    ///
    /// # Errors
    /// The source failed, or what has this key is no legacy record.
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

    /// Walks over the source, and reads what the catalogue has not met. How many items there were.
    ///
    /// # Errors
    /// The source failed. The next walk begins at the beginning, and reads the rest.
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
                        // A migration counts it, with its reason.
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

    /// Has a proof imported by the next [`Self::import_requested`], unless it waits for that already.
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

    /// Imports what was asked for.
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
        // It may have gone since it was answered with.
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
