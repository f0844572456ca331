//! Checks every guarantee over the whole store, in both directions: each row against its objects, each object
//! against its row.
//!
//! It reads everything and changes nothing; [`crate::cleanup`] with [`Limits::any_age`] repairs what can be repaired.
//! For a store that nobody writes to: what a running store is about to do looks like damage.
//!
//! [`Limits::any_age`]: crate::cleanup::Limits::any_age

use std::collections::BTreeMap;

use credlink_core::manifest_id::ManifestId;
use credlink_core::object::{Facts, ObjectKey, Verified};
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::row::{AliasRow, ManifestRow, ProofRow, Row, RowKey, State, Totals};
use credlink_core::rules::life::{Found, Verdict, judge_manifest, judge_record, judge_revision};
use credlink_core::tombstone::Tombstone;
use serde::Serialize;

use crate::ports::{Failure, FailureKind, Index as _, Listing, Objects as _, Ports};
use crate::service::Service;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Left over by a crash: nobody was told of it, and cleanup deals with it.
    Leftover,
    /// A guarantee is broken.
    Broken,
}

/// Something that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The object or row.
    pub key: String,
    /// What is wrong, in words.
    pub what: String,
}

/// What a check came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Index rows that were checked.
    pub rows: u64,
    /// Objects that were checked.
    pub objects: u64,
    /// Bytes of content whose SHA-256 was checked.
    pub bytes: u64,
    /// Findings that a crash explains.
    pub leftovers: u64,
    /// Findings that break a guarantee.
    pub broken: u64,
}

struct Check<'a, P, F> {
    service: &'a Service<P>,
    report: F,
    summary: Summary,
    holders: BTreeMap<ManifestId, u32>,
    totals: Totals,
}

/// Checks the whole store; every finding is reported as it is found.
///
/// # Errors
/// A provider or the index failed, so that the check could not go on. Damaged content is a finding, not an error.
pub async fn fsck<P: Ports>(service: &Service<P>, report: impl FnMut(Finding)) -> Result<Summary, Failure> {
    let mut check = Check {
        service,
        report,
        summary: Summary::default(),
        holders: BTreeMap::new(),
        totals: Totals::default(),
    };
    check.rows().await?;
    check.objects("").await?;
    Ok(check.summary)
}

impl<P: Ports, F: FnMut(Finding)> Check<'_, P, F> {
    fn broken(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.summary.broken += 1;
        (self.report)(Finding { severity: Severity::Broken, key: key.to_string(), what: what.into() });
    }

    fn leftover(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.summary.leftovers += 1;
        (self.report)(Finding { severity: Severity::Leftover, key: key.to_string(), what: what.into() });
    }

    /// From the index to the objects.
    async fn rows(&mut self) -> Result<(), Failure> {
        let mut manifests = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .service
                .ports
                .index()
                .list(&Listing::All, after.as_deref(), 1_000)
                .await?
                .unwrap_or_default();
            for row in page.items {
                self.summary.rows += 1;
                self.totals = self.totals.exchange(Totals::default(), row.totals());
                match row {
                    Row::Proof(row) => self.proof_row(&row).await?,
                    Row::Manifest(row) => manifests.push((row.id, row.state, row.holders)),
                    Row::Alias(row) => self.alias_row(row).await?,
                    // A hint, which nothing hangs on.
                    Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => {}
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for (id, state, recorded) in manifests {
            let key = ObjectKey::Manifest(id.clone());
            let held = self.holders.remove(&id).unwrap_or(0);
            if state == State::Live {
                if held != recorded {
                    self.broken(
                        &key,
                        format!("the index counts {recorded} proofs that hold it; there are {held}"),
                    );
                }
                if self.service.ports.objects().head(&key).await?.is_none() {
                    self.broken(&key, "the index has a live manifest that is not stored");
                }
            } else if held > 0 {
                self.broken(&key, format!("{held} live proofs hold it, and the index has it as deleted"));
            } else {
                self.gone(&key, state).await?;
            }
        }
        for id in std::mem::take(&mut self.holders).into_keys() {
            self.broken(&ObjectKey::Manifest(id), "live proofs hold it, and the index does not have it");
        }
        let totals = self.service.ports.index().totals().await?;
        if totals != self.totals {
            let what = format!("the index's sums are {totals:?}; counted were {:?}", self.totals);
            self.broken(&"totals", what);
        }
        Ok(())
    }

    /// A legacy id leads somewhere for ever, also when that was deleted.
    async fn alias_row(&mut self, row: AliasRow) -> Result<(), Failure> {
        let what = match self.service.proof_row(&row.proof).await? {
            None => format!("it names the proof {}, which the index does not have", row.proof),
            Some(proof) if proof.tenant != row.tenant => {
                format!("it is of the tenant {}, and its proof {} of {}", row.tenant, row.proof, proof.tenant)
            }
            Some(_) => return Ok(()),
        };
        self.broken(&RowKey::Alias(row.id), what);
        Ok(())
    }

    /// Where something is deleted stands its marker, so that no late copy can bring it back (guarantee 8).
    async fn gone(&mut self, key: &ObjectKey, state: State) -> Result<(), Failure> {
        if let State::Deleting(at) = state {
            self.leftover(key, format!("a deletion begun on {at} is unfinished"));
        } else if self.service.ports.objects().head(key).await?.is_none() {
            self.broken(key, "the index has it as deleted, and its marker is not there");
        }
        Ok(())
    }

    async fn proof_row(&mut self, row: &ProofRow) -> Result<(), Failure> {
        let key = ObjectKey::Record(row.id);
        if row.id != ProofId::derive(&row.tenant, &row.media_hash) {
            self.broken(&key, "the row's id is not the one of its tenant and media hash");
        }
        if row.state != State::Live {
            return self.gone(&key, row.state).await;
        }
        for id in &row.held {
            *self.holders.entry(id.clone()).or_default() += 1;
        }
        if self.service.ports.objects().head(&key).await?.is_none() {
            self.broken(&key, "the index has a live proof whose record is not stored");
        }
        for revision in row.first_revision..row.revision {
            let copy = ObjectKey::Revision(row.id, revision);
            if self.service.ports.objects().head(&copy).await?.is_none() {
                self.broken(&copy, "an earlier record is not stored");
            }
        }
        Ok(())
    }

    /// From the objects to the index.
    async fn objects(&mut self, prefix: &str) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.service.ports.objects().list(prefix, after.as_deref(), 1_000).await?;
            for listed in page.items {
                self.summary.objects += 1;
                match listed.key.parse::<ObjectKey>() {
                    Ok(key) => self.object(&key).await?,
                    Err(_) => self.leftover(&listed.key, "this is no object of CredLink; it is left alone"),
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn object(&mut self, key: &ObjectKey) -> Result<(), Failure> {
        let object = match self.service.ports.objects().get(key).await {
            Ok(None) => return Ok(()),
            Ok(Some(object)) => object,
            Err(failure) if failure.kind == FailureKind::Damaged => {
                self.broken(key, failure.message);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let verified = match Verified::check(object) {
            Ok(verified) => verified,
            Err(damage) => {
                self.broken(key, damage.to_string());
                return Ok(());
            }
        };
        self.summary.bytes += verified.facts().length;
        if verified.facts().tombstone
            && let Err(error) = Tombstone::parse(&verified.content())
        {
            self.broken(key, error);
            return Ok(());
        }
        match key {
            ObjectKey::Record(id) => {
                let row = self.service.proof_row(id).await?;
                self.record_object(key, &verified, row.as_ref());
            }
            ObjectKey::Revision(id, revision) => {
                let row = self.service.proof_row(id).await?;
                self.revision_object(key, *revision, &verified, row.as_ref());
            }
            ObjectKey::Manifest(id) => {
                let row = self.service.manifest_row(id).await?;
                self.manifest_object(key, verified.facts(), row.as_ref());
            }
            ObjectKey::Alias(_) | ObjectKey::Hold(..) | ObjectKey::Removed(..) | ObjectKey::Identity => {}
        }
        Ok(())
    }

    fn record_object(&mut self, key: &ObjectKey, verified: &Verified, row: Option<&ProofRow>) {
        let found = if verified.facts().tombstone {
            Found::Tombstone
        } else {
            match Record::parse(&verified.content()) {
                Ok(record) => Found::Record(record.revision),
                Err(error) => return self.broken(key, error.to_string()),
            }
        };
        self.judged(key, judge_record(found, row));
        let same = row.is_none_or(|row| row.record_sha256 == verified.facts().sha256);
        if judge_record(found, row) == Verdict::Right && found != Found::Tombstone && !same {
            self.broken(key, "the record is not the one that the index was told of");
        }
    }

    fn revision_object(
        &mut self,
        key: &ObjectKey,
        revision: u32,
        verified: &Verified,
        row: Option<&ProofRow>,
    ) {
        match Record::parse(&verified.content()) {
            Ok(record) if record.revision == revision => self.judged(key, judge_revision(revision, row)),
            Ok(record) => {
                self.broken(key, format!("the record says that it is revision {}", record.revision))
            }
            Err(error) => self.broken(key, error.to_string()),
        }
    }

    fn manifest_object(&mut self, key: &ObjectKey, facts: &Facts, row: Option<&ManifestRow>) {
        let generation = (!facts.tombstone).then_some(facts.generation);
        let verdict = judge_manifest(generation, row);
        self.judged(key, verdict);
        if verdict == Verdict::Right
            && let (Some(_), Some(row)) = (generation, row)
            && (row.sha256 != facts.sha256 || row.length != facts.length)
        {
            self.broken(key, "the manifest is not the one that the index was told of");
        }
    }

    fn judged(&mut self, key: &ObjectKey, verdict: Verdict) {
        match verdict {
            Verdict::Right => {}
            Verdict::Orphan => {
                self.leftover(key, "no row stands for it: a store ended before it could tell anybody")
            }
            Verdict::Ahead => {
                self.leftover(key, "its row is one revision behind: a replacement ended before its row")
            }
            // The row's own finding says it.
            Verdict::Unfinished => {}
            Verdict::Broken(why) => self.broken(key, why),
        }
    }
}
