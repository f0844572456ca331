//! Checks every guarantee over the whole store, in both directions: each row against its objects, each object against
//! its row, and each provider's copy against the other provider's.
//!
//! | to find | look in |
//! |---|---|
//! | checking a row against objects | `rows` |
//! | checking an object against rows | `objects` |
//! | both, of files | `files`; what their rows repeat of others: `amounts` |
//! | counting the holders of manifests, in bounded memory | `holders` |
//! | repairs | `mend` |
//!
//! A check reads everything, and changes nothing without [`Manner::Mending`]; [`crate::cleanup`] and [`crate::rebuild`]
//! bring rows up to date. Work in progress looks like damage in a running store: if others write
//! ([`Surrounding::Shared`]), each finding is checked a second time, later, and reported only if it persists.

mod files;
mod holders;
mod mend;
mod objects;
mod rows;

use credlink_core::object::{Object, ObjectKey, Verified};
use credlink_core::row::{RowKey, State, Totals};
use credlink_core::rules::consistency::orphan_is_due;
use credlink_core::rules::guard::{Act, Doubt};
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde::Serialize;

use credlink_ports::{Failure, FailureKind, Index as _, Listed, Listing, Ports, Replicas as _};
use holders::Holders;

use crate::amounts::{Amounts, Counted, Suspects, correct};
use crate::error::Error;
use crate::service::Service;

/// Rows or objects that are checked concurrently: with 16, S3 and DynamoDB at 10 ms a call allow some 800 a second.
const CONCURRENCY: usize = 16;

/// Rows or objects of one page.
const PAGE: usize = 1_000;

/// Most items with findings that wait for their second check: 1,000 × about 100 bytes.
const MAX_WAITING: usize = 1_000;

/// The objects of files that may be removed, however few there are, and the share of all objects that may: one in twenty.
/// Cleanup has the same bounds.
const MOST_REMOVED: u64 = 100;
const REMOVED_SHARE: u64 = 20;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The object is not CredLink's, and is left alone.
    Foreign,
    /// Something has stopped until an operator has intervened.
    Stopped,
    /// A crash left something that no caller was told of; cleanup removes it.
    Leftover,
    /// One provider's copy is missing, stale or damaged, and the other provider has it; a repair mends the copy.
    Behind,
    /// A guarantee is broken.
    Broken,
}

/// A deviation that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The severity of the finding.
    pub severity: Severity,
    /// The object or row.
    pub key: String,
    /// A description of what is wrong.
    pub what: String,
}

/// The results of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Index rows that were checked.
    pub rows: u64,
    /// Objects that were checked.
    pub objects: u64,
    /// Bytes of content whose SHA-256 was checked.
    pub bytes: u64,
    /// Foreign objects, which are not CredLink's.
    pub foreign: u64,
    /// Findings that stop something until an operator has intervened.
    pub stopped: u64,
    /// Findings that a crash explains.
    pub leftovers: u64,
    /// Copies at one provider that are missing, stale or damaged.
    pub behind: u64,
    /// Findings that break a guarantee.
    pub broken: u64,
    /// Findings that were mended, or whose repair is queued; they are also counted above.
    pub mended: u64,
}

/// The other users of the store during a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surrounding {
    /// Nobody else uses the store.
    Alone,
    /// Other processes store, replace and delete.
    Shared,
}

/// The action of a check on its findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Findings are reported.
    Telling,
    /// Findings are reported, and mended where that is possible here: missing tombstones, alias objects and holds are
    /// written, repairs of copies are queued, lists of files are brought in line with the files, objects of files that
    /// belong to nothing are removed, and, if nobody else writes, counts of holders and quotas are corrected.
    Mending,
}

/// The findings about a row or an object, and the number of bytes that were read.
#[derive(Debug, Default)]
struct Look {
    findings: Vec<Finding>,
    bytes: u64,
    /// `true` if an object of files belongs to nothing.
    is_orphan: bool,
}

impl Look {
    fn add(&mut self, severity: Severity, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.findings.push(Finding { severity, key: key.to_string(), what: what.into() });
    }

    fn broken(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.add(Severity::Broken, key, what);
    }

    fn leftover(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.add(Severity::Leftover, key, what);
    }

    /// Adds the finding that an object of files belongs to nothing.
    fn orphan(&mut self, key: &dyn std::fmt::Display, what: impl Into<String>) {
        self.leftover(key, what);
        self.is_orphan = true;
    }

    fn is_broken(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Broken)
    }

    /// Adds the findings of another look.
    fn join(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.bytes += other.bytes;
        self.is_orphan |= other.is_orphan;
    }
}

/// The subject of a finding, kept so that it can be checked again.
enum Subject {
    Row(RowKey),
    Object(Listed),
}

struct Check<'a, P, F> {
    service: &'a Service<P>,
    surrounding: Surrounding,
    manner: Manner,
    report: F,
    summary: Summary,
    waiting: Vec<Subject>,
    /// The objects of files that were removed.
    removed: u64,
}

/// Checks a store that nobody else uses, and reports every finding as it is found.
///
/// # Errors
/// A provider or the index failed, so that the check could not continue. Damaged content is a finding, not an error.
pub async fn fsck<P: Ports>(service: &Service<P>, report: impl FnMut(Finding)) -> Result<Summary, Failure> {
    check(service, Surrounding::Alone, Manner::Telling, report).await
}

/// Checks a store that others may use, or mends what can be mended.
///
/// # Errors
/// The errors of [`fsck`].
pub async fn check<P: Ports>(
    service: &Service<P>,
    surrounding: Surrounding,
    manner: Manner,
    report: impl FnMut(Finding),
) -> Result<Summary, Failure> {
    let (summary, waiting) = (Summary::default(), Vec::new());
    let mut check = Check { service, surrounding, manner, report, summary, waiting, removed: 0 };
    check.standing().await;
    check.rows().await?;
    check.objects().await?;
    check.look_again().await?;
    Ok(check.summary)
}

impl<P: Ports, F: FnMut(Finding)> Check<'_, P, F> {
    fn tell(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Foreign => self.summary.foreign += 1,
            Severity::Stopped => self.summary.stopped += 1,
            Severity::Leftover => self.summary.leftovers += 1,
            Severity::Behind => self.summary.behind += 1,
            Severity::Broken => self.summary.broken += 1,
        }
        (self.report)(finding);
    }

    /// Checks that the index, the store and the clock match.
    async fn standing(&mut self) {
        for doubt in self.service.standing_for_readers().await.doubts {
            let severity = match &doubt {
                Doubt::CollectorStopped(_) | Doubt::ClockAhead { .. } | Doubt::ClockBehind { .. } => {
                    Severity::Stopped
                }
                _ if doubt.forbids(Act::Destroy) => Severity::Broken,
                _ => Severity::Stopped,
            };
            self.tell(Finding { severity, key: ObjectKey::Identity.to_string(), what: doubt.to_string() });
        }
    }

    /// Checks all rows against the objects.
    async fn rows(&mut self) -> Result<(), Failure> {
        let (mut holders, mut totals) = (Holders::default(), Totals::default());
        let mut amounts = Amounts::default();
        let mut after = None;
        loop {
            let page = self.service.ports.index().list(&Listing::All, after.as_deref(), PAGE).await?;
            let page = page.unwrap_or_default();
            self.summary.rows += page.items.len() as u64;
            for row in &page.items {
                totals = totals.exchange(&Totals::default(), &row.totals());
                holders.note(row);
                amounts.note(row);
            }
            let service = self.service;
            let looks = iter(page.items).map(|row| async move {
                let key = row.key();
                (Subject::Row(key), rows::look(service, row).await)
            });
            self.take(looks.buffered(CONCURRENCY).collect().await).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !holders.agree() {
            self.holders(&holders).await?;
        }
        if !amounts.agree() {
            self.amounts(&amounts).await?;
        }
        let recorded = self.service.ports.index().totals().await?;
        if recorded != totals {
            let what = format!("the index's sums are {recorded:?}; counted were {totals:?}");
            // In a shared store the totals lag behind, and lack what a killed process had not written.
            let severity = match self.surrounding {
                Surrounding::Alone => Severity::Broken,
                Surrounding::Shared => Severity::Leftover,
            };
            self.tell(Finding { severity, key: "totals".to_owned(), what });
        }
        Ok(())
    }

    /// Finds the manifests with wrong counts. They are counted twice, since others may write, and only a count that is
    /// wrong both times is reported.
    async fn holders(&mut self, first: &Holders) -> Result<(), Failure> {
        let mut suspects = holders::Suspects::of(first);
        suspects.count(self.service).await?;
        if self.surrounding == Surrounding::Shared {
            let mut again = holders::Suspects::of(first);
            again.count(self.service).await?;
            suspects.keep_those_of(&again);
        }
        for (manifest, counted, recorded) in suspects.wrong() {
            let key = ObjectKey::Manifest(manifest.clone());
            let what = match recorded {
                Some((recorded, true)) => {
                    format!("the index counts {recorded} proofs that hold it; there are {counted}")
                }
                Some((_, false)) => format!("{counted} live proofs hold it, and the index has it as deleted"),
                None => format!("{counted} live proofs hold it, and the index does not have it"),
            };
            self.tell(Finding { severity: Severity::Broken, key: key.to_string(), what });
            let is_ours = self.manner == Manner::Mending && self.surrounding == Surrounding::Alone;
            let may_mend = is_ours && self.service.may_change().await.is_ok();
            if may_mend && mend::holders(self.service, &manifest, counted).await? {
                self.summary.mended += 1;
            }
        }
        Ok(())
    }

    /// Finds the blobs and quotas whose rows do not say what files and uploads add up to. As with
    /// [`holders`](Self::holders), others may write.
    async fn amounts(&mut self, first: &Amounts) -> Result<(), Failure> {
        let mut suspects = Suspects::of(first);
        suspects.count(self.service).await?;
        if self.surrounding == Surrounding::Shared {
            let mut again = Suspects::of(first);
            again.count(self.service).await?;
            suspects.keep_those_of(&again);
        }
        for (amount, found) in suspects.wrong() {
            let ((key, member), Counted { counted, recorded }) = (&amount, found);
            let what = match recorded {
                Some(recorded) => format!("it says {recorded} {member}; there are {counted}"),
                None => format!("there are {counted} {member}, and the index does not have it"),
            };
            self.tell(Finding { severity: Severity::Broken, key: key.to_string(), what });
            let is_ours = self.manner == Manner::Mending && self.surrounding == Surrounding::Alone;
            let may_mend = is_ours && self.service.may_change().await.is_ok();
            if may_mend && correct(self.service, &amount, found).await? {
                self.summary.mended += 1;
            }
        }
        Ok(())
    }

    /// Returns `true` if an object of files that belongs to nothing may be removed. As long as a guarantee is broken, rows
    /// may be missing that would say otherwise, and an object that is young may be of a finaliser that is at work. If there
    /// are many such objects, there is another reason than a crash, and an operator has to look.
    fn may_remove(&self, listed: &Listed, look: &Look) -> bool {
        let is_old =
            self.surrounding == Surrounding::Alone || orphan_is_due(listed.modified, self.service.now());
        let most = MOST_REMOVED.max(self.summary.objects / REMOVED_SHARE);
        look.is_orphan && is_old && self.summary.broken == 0 && self.removed < most
    }

    /// Checks all objects against the index.
    async fn objects(&mut self) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let page = self.service.ports.objects().list_all("", after.as_deref(), PAGE).await?;
            self.summary.objects += page.items.len() as u64;
            let service = self.service;
            let looks = iter(page.items)
                .map(|listed| async move {
                    let look = objects::look(service, &listed).await;
                    (Subject::Object(listed), look)
                })
                .buffered(CONCURRENCY);
            self.take(looks.collect().await).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, looks: Vec<(Subject, Result<Look, Failure>)>) -> Result<(), Failure> {
        for (subject, look) in looks {
            let look = look?;
            self.summary.bytes += look.bytes;
            if look.findings.is_empty() {
                continue;
            }
            match self.surrounding {
                Surrounding::Alone => self.conclude(&subject, look).await?,
                Surrounding::Shared => self.waiting.push(subject),
            }
        }
        if self.waiting.len() >= MAX_WAITING { self.look_again().await } else { Ok(()) }
    }

    /// Checks the subjects of all findings a second time.
    async fn look_again(&mut self) -> Result<(), Failure> {
        for subject in std::mem::take(&mut self.waiting) {
            let look = match &subject {
                Subject::Row(key) => match self.service.ports.index().get(key).await? {
                    Some(row) => rows::look(self.service, row).await?,
                    None => continue,
                },
                Subject::Object(listed) => {
                    let mut look = objects::look(self.service, listed).await?;
                    // A store may be about to write the row.
                    if !orphan_is_due(listed.modified, self.service.now()) {
                        look.findings.retain(|finding| finding.severity != Severity::Leftover);
                        look.is_orphan = false;
                    }
                    look
                }
            };
            self.conclude(&subject, look).await?;
        }
        Ok(())
    }

    async fn conclude(&mut self, subject: &Subject, look: Look) -> Result<(), Failure> {
        let is_found = !look.findings.is_empty();
        let may_remove = matches!(subject, Subject::Object(listed) if self.may_remove(listed, &look));
        for finding in look.findings {
            self.tell(finding);
        }
        if is_found && self.manner == Manner::Mending {
            let mended = match subject {
                Subject::Row(key) => mend::row(self.service, key).await,
                Subject::Object(listed) if may_remove => {
                    let removed = mend::orphan(self.service, &listed.key).await;
                    self.removed += u64::from(matches!(removed, Ok(true)));
                    removed
                }
                Subject::Object(listed) => mend::object(self.service, &listed.key).await,
            };
            match mended {
                Ok(true) => self.summary.mended += 1,
                Ok(false) => {}
                Err(Error::Failure(failure)) if failure.kind != FailureKind::Damaged => return Err(failure),
                Err(error) => {
                    let error = error.problem().detail;
                    tracing::warn!(error, "a finding was not set right");
                }
            }
        }
        Ok(())
    }
}

/// Returns the newest copy of an object, checked, and adds the findings about its copies to `look`.
async fn verified<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    look: &mut Look,
) -> Result<Option<Verified>, Failure> {
    let copies = match service.ports.objects().copies(key).await {
        Err(failure) if failure.kind == FailureKind::Damaged => {
            look.broken(key, failure.message);
            return Ok(None);
        }
        copies => copies?,
    };
    for lagging in copies.lagging {
        look.add(Severity::Behind, key, objects::behind(lagging));
    }
    Ok(copies.newest.and_then(|object| checked(key, object, look)))
}

/// Checks the bytes of an object, and adds the finding to `look` if they are damaged.
fn checked(key: &ObjectKey, object: Object, look: &mut Look) -> Option<Verified> {
    match Verified::check(object) {
        Ok(verified) => {
            look.bytes += verified.facts().length;
            Some(verified)
        }
        Err(damage) => {
            look.broken(key, damage.to_string());
            None
        }
    }
}

/// Returns `true` if an object is stored, be it damaged.
async fn stands<P: Ports>(service: &Service<P>, key: &ObjectKey) -> Result<bool, Failure> {
    match service.ports.objects().copies_by_head(key).await {
        // The object is stored; the check of the object itself reports the damage.
        Err(failure) if failure.kind == FailureKind::Damaged => Ok(true),
        copies => Ok(copies?.newest.is_some()),
    }
}

/// Checks that the tombstone of a deleted object stands in its place, so that no late copy can bring the object back
/// (guarantee 8).
async fn gone<P: Ports>(
    service: &Service<P>,
    key: &ObjectKey,
    state: State,
    look: &mut Look,
) -> Result<(), Failure> {
    if let State::Deleting(at) = state {
        look.leftover(key, format!("a deletion begun on {at} is unfinished"));
    } else if !stands(service, key).await? {
        look.broken(key, "the index says that it was deleted, but its tombstone is missing");
    }
    Ok(())
}
