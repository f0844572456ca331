//! A legacy source beside a service: looking for proofs in it, and taking over those that were asked for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use credlink_core::legacy::LegacyRecord;
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;

use credlink_ports::migration::{Content, Source};
use credlink_ports::{Failure, FailureKind, Ports};
use credlink_service::error::Error;
use credlink_service::legacy::{Found, Wanted};
use credlink_service::service::Service;
use credlink_service::take_over::take_over;

use super::catalogue::Catalogue;

/// Most proofs that wait to be taken over. What does not fit waits until it is asked for again.
const MAX_WAITING: usize = 10_000;

/// Items of one page of a walk.
const PAGE: usize = 1_000;

/// A legacy source.
#[derive(Debug)]
pub struct Hybrid<S> {
    source: S,
    /// What stands before the name of a record that is looked for directly: the prefix of a bucket.
    prefix: String,
    /// Whose proofs its records are.
    tenant: Tenant,
    /// Where every item is, in a process that lives long enough to walk over the source.
    catalogue: Option<Catalogue>,
    waiting: Mutex<Waiting>,
}

/// Proofs that are to be taken over, by the keys of their items, and those that are being so.
#[derive(Debug, Default)]
struct Waiting {
    proofs: BTreeSet<ProofId>,
    items: VecDeque<(ProofId, String)>,
}

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Proofs that are there now.
    pub taken_over: u64,
    /// Proofs that could not be taken over: the log has the reasons, and who asks again begins again.
    pub failed: u64,
}

impl<S: Source> Hybrid<S> {
    /// A source whose records are `tenant`'s, looked for directly behind `prefix`; with a catalogue where it is walked over
    /// ([`Self::walk`]).
    pub fn new(source: S, prefix: impl Into<String>, tenant: Tenant, has_catalogue: bool) -> Self {
        let catalogue = has_catalogue.then(Catalogue::default);
        Self { source, prefix: prefix.into(), tenant, catalogue, waiting: Mutex::default() }
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
    pub async fn find(&self, wanted: &Wanted) -> Result<Option<Found>, Failure> {
        if let Some(item) = self.catalogue.as_ref().and_then(|catalogue| catalogue.item(wanted))
            && let Some(found) = self.read(&item, wanted).await?
        {
            return Ok(Some(found));
        }
        let prefix = &self.prefix;
        let names = match wanted {
            Wanted::Proof(id) => vec![format!("{prefix}{id}.json")],
            Wanted::Legacy(id) => vec![format!("{prefix}{id}.json"), format!("{prefix}{id}")],
        };
        for name in names {
            if let Some(found) = self.read(&name, wanted).await? {
                self.learn(&found);
                return Ok(Some(found));
            }
        }
        match &self.catalogue {
            Some(catalogue) if !catalogue.is_complete() => Err(self.unavailable(
                "its records have not all been looked at yet, so that nothing can be said of one that was not met",
            )),
            Some(_) | None => Ok(None),
        }
    }

    /// The record under `key`, if it is the one that is wanted.
    ///
    /// # Errors
    /// The source failed, or what has this key is no legacy record.
    pub async fn read(&self, key: &str, wanted: &Wanted) -> Result<Option<Found>, Failure> {
        let json = match self.source.read(key).await? {
            Some(Content::Legacy(json)) => json,
            Some(Content::Unreadable(why)) => return Err(self.damaged(key, &why)),
            Some(Content::Proof(_) | Content::Alias { .. } | Content::Manifest { .. } | Content::Gone(_))
            | None => return Ok(None),
        };
        let record = LegacyRecord::parse(&json).map_err(|error| self.damaged(key, &error))?;
        let is_wanted = match wanted {
            Wanted::Proof(_) => true,
            Wanted::Legacy(id) => record.id == *id,
        };
        let draft = record.draft(self.tenant.clone());
        let is_wanted = is_wanted && !matches!(wanted, Wanted::Proof(id) if *id != draft.id());
        Ok(is_wanted.then(|| Found { draft, item: key.to_owned() }))
    }

    fn learn(&self, found: &Found) {
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

    /// Has a proof taken over by the next [`Self::take_over_waiting`], unless it waits for that already.
    pub fn begin(&self, found: &Found) {
        let id = found.draft.id();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.items.len() < MAX_WAITING && waiting.proofs.insert(id) {
            waiting.items.push_back((id, found.item.clone()));
        }
    }

    /// How many proofs wait to be taken over.
    pub fn waiting(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).items.len()
    }

    /// Takes over what waits.
    pub async fn take_over_waiting<P: Ports>(&self, service: &Service<P>) -> Report {
        let mut report = Report::default();
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).items.pop_front();
            let Some((id, item)) = next else { break };
            match self.take_over(service, id, &item).await {
                Ok(()) => report.taken_over += 1,
                Err(Error::Problem(problem)) => {
                    report.failed += 1;
                    tracing::warn!(proof = %id, item, reason = %problem, "a legacy record is not taken over");
                }
                Err(Error::Failure(failure)) => {
                    report.failed += 1;
                    tracing::warn!(proof = %id, item, reason = %failure, "a legacy record is not taken over yet");
                }
            }
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).proofs.remove(&id);
        }
        if report.taken_over > 0 {
            service.announce().await;
        }
        report
    }

    async fn take_over<P: Ports>(&self, service: &Service<P>, id: ProofId, item: &str) -> Result<(), Error> {
        // It may have gone since it was answered with.
        let Some(found) = self.read(item, &Wanted::Proof(id)).await? else { return Ok(()) };
        take_over(service, &found.draft).await?;
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
