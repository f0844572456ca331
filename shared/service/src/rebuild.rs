//! Rebuilding the index from the objects, which are the truth (guarantee 10).
//!
//! A rebuild walks over all objects and makes the row of each follow it, as cleanup does. It is for an index that was
//! lost, or was restored from an earlier time, and it is harmless for an intact index, whose rows stay as they are. It
//! destroys nothing and changes no object; where providers differ, the newer copy counts, and a repair of the other one
//! is queued.
//!
//! | to find | look in |
//! |---|---|
//! | making rows follow an object | `follow` |
//! | rows without an object | `rows` |
//! | the ports as a rebuild sees them: all providers, and no writing of objects | `ports` |
//! | the result | [`report`] |
//!
//! Some data is lost with the index and cannot be restored from the objects: read counts, the locations of proofs in a
//! legacy source (which `credlink migrate catalogue` finds anew), and the positions of schedules. Of files, these are uploads
//! that were under way or have ended, the order of lists, the time since which a file has been in no list, and the log of
//! accesses to private files.
//!
//! A rebuild works page by page, and holds no more than one page in memory. [`Rebuild`] is its state between two pages,
//! and can be saved as text. A rebuild that was cut off continues after the last saved page, or from the beginning,
//! which costs only reads.

mod follow;
mod ports;
pub mod report;
mod rows;

use credlink_core::http::problem::ProblemKind;
use credlink_core::identity::Mark;
use credlink_core::object::{MediaKey, ObjectKey, Verified};
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde::{Deserialize, Serialize};

use credlink_ports::{Failure, FailureKind, Ports, Replicas as _};
use follow::{Followed, Known, follow};
use ports::View;
use report::{Finding, Report};

use crate::amounts::correct_quotas;
use crate::error::Error;
use crate::service::Service;

/// Objects of one page, which is the work that is repeated after a crash.
const PAGE: usize = 1_000;

/// Objects that are processed concurrently. Each takes several calls in sequence: with 64, S3 and DynamoDB at 10 ms a
/// call allow some 1,500 proofs a second, and an index in a file syncs as many commits at once.
const CONCURRENCY: usize = 64;

/// The version of the saved text.
const VERSION: u32 = 2;

/// The parts of a rebuild, in order. Objects that name manifests come before manifests, proofs before the legacy IDs that
/// lead to them, and files before the quotas that count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Proofs,
    Holds,
    Manifests,
    Aliases,
    Files,
    Quotas,
    Rows,
}

impl Part {
    const fn next(self) -> Option<Self> {
        match self {
            Self::Proofs => Some(Self::Holds),
            Self::Holds => Some(Self::Manifests),
            Self::Manifests => Some(Self::Aliases),
            Self::Aliases => Some(Self::Files),
            Self::Files => Some(Self::Quotas),
            Self::Quotas => Some(Self::Rows),
            Self::Rows => None,
        }
    }

    /// Returns the prefix of the part's objects, or `None` if the part covers rows.
    const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Proofs => Some(ObjectKey::PROOFS),
            Self::Holds => Some(ObjectKey::HOLDS),
            Self::Manifests => Some(ObjectKey::MANIFESTS),
            Self::Aliases => Some(ObjectKey::ALIASES),
            Self::Files => Some(MediaKey::FILES),
            Self::Quotas | Self::Rows => None,
        }
    }
}

/// The mode of a rebuild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Rows are written.
    Writing,
    /// Rows are counted but not written, to assess a change before an index that has rows is changed.
    Counting,
}

/// The state of a rebuild between two pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    version: u32,
    began: Timestamp,
    /// The mark of the store when the rebuild began.
    mark: Option<Mark>,
    manner: Manner,
    /// `true` if the index was empty when the rebuild began.
    over_nothing: bool,
    /// `true` if the index is at least as new as the store, so that its rows of legacy IDs win.
    trusts_rows: bool,
    part: Part,
    after: Option<String>,
    report: Report,
}

impl Rebuild {
    /// Begins a rebuild.
    ///
    /// # Errors
    /// A provider or the index failed.
    pub async fn begin<P: Ports>(service: &Service<P>, manner: Manner) -> Result<Self, Failure> {
        let over_nothing = !service.has_rows().await?;
        let trusts_rows = service.index_is_as_new().await?;
        let mark = service.marked().await?.map(|marked| marked.mark);
        let (began, part, report) = (service.now(), Part::Proofs, Report::default());
        Ok(Self {
            version: VERSION,
            began,
            mark,
            manner,
            over_nothing,
            trusts_rows,
            part,
            after: None,
            report,
        })
    }

    /// Returns `true` if the store is as it was when the rebuild began, so that the rebuild can continue. Otherwise the
    /// index and the store have belonged together since, and the index was restored to a time during the rebuild;
    /// changes to the finished part would be missed.
    ///
    /// # Errors
    /// A provider failed.
    pub async fn can_go_on<P: Ports>(&self, service: &Service<P>) -> Result<bool, Failure> {
        Ok(service.marked().await?.map(|marked| marked.mark) == self.mark)
    }

    /// Parses a saved rebuild, if the text is one.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|rebuild: &Self| rebuild.version == VERSION)
    }

    /// Returns the text to save.
    #[must_use]
    pub fn text(&self) -> String {
        // Serialization only fails for a map with keys that are not strings, and there is none here.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the time at which the rebuild began.
    #[must_use]
    pub const fn began(&self) -> Timestamp {
        self.began
    }

    /// Returns `true` if rows are written, and not only counted.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.manner == Manner::Writing
    }

    /// Returns `true` if the index was empty when the rebuild began.
    #[must_use]
    pub const fn is_over_nothing(&self) -> bool {
        self.over_nothing
    }

    /// Returns the report so far.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// Processes one page, and reports each finding as it is found. Returns `true` if there are more pages.
    ///
    /// # Errors
    /// A provider or the index failed, or throttled the calls. Nothing is lost: repeating the page does the rest.
    pub async fn step<P: Ports>(
        &mut self,
        service: &Service<P>,
        mut found: impl FnMut(Finding),
    ) -> Result<bool, Failure> {
        let view = View::over(service, self.manner);
        let spared = service.sparing(&view);
        let (next, page) = match self.part.prefix() {
            None if self.part == Part::Quotas => (None, self.quotas(&spared).await?),
            Some(prefix) => self.objects(&spared, prefix).await?,
            // If the index was empty, every row comes from an object.
            None if self.over_nothing => (None, Vec::new()),
            None => rows::page(&spared, self.after.as_deref(), PAGE, CONCURRENCY).await?,
        };
        let mended = view.mend().await?;
        for (key, followed) in page {
            if let Some(finding) = self.report.note(&key, followed) {
                found(finding);
            }
        }
        self.report.count(view.tally(), mended);
        self.after = next;
        if self.after.is_none() {
            match self.part.next() {
                Some(part) => self.part = part,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Corrects the quotas, once every file has its row.
    async fn quotas<P: Ports>(&self, service: &Service<P>) -> Result<Vec<(String, Followed)>, Failure> {
        let corrected = correct_quotas(service).await?;
        Ok(corrected.into_iter().map(|quota| (quota.to_string(), Followed::Right)).collect())
    }

    /// Processes a page of objects, and returns where the next page begins.
    async fn objects<P: Ports>(
        &self,
        service: &Service<P>,
        prefix: &str,
    ) -> Result<(Option<String>, Vec<(String, Followed)>), Failure> {
        use credlink_ports::Objects as _;
        let page = service.ports.objects().list(prefix, self.after.as_deref(), PAGE).await?;
        let known = Known {
            trusts_rows: self.trusts_rows,
            adopts: self.over_nothing || !self.trusts_rows,
            is_whole: self.report.is_whole(),
            counts: self.manner == Manner::Counting,
        };
        let one = async |key: String| {
            let done = match key.parse::<ObjectKey>() {
                Ok(object) => follow(service, &object, known).await,
                Err(_) => Ok(Followed::Foreign),
            };
            (key, done)
        };
        let keys = page.items.into_iter().map(|listed| listed.key);
        let mut done: Vec<_> = iter(keys).map(one).buffer_unordered(CONCURRENCY).collect().await;
        let mut followed = Vec::with_capacity(done.len());
        for (key, first) in done.drain(..) {
            // Retried alone: many items may have contended for one row, or a provider throttled the calls.
            let outcome = match first {
                Err(_) => one(key.clone()).await.1,
                done => done,
            };
            followed.push((key, settled(outcome)?));
        }
        Ok((page.next, followed))
    }

    /// Records in the index and the store that they belong together, if everything was read and written. If rows know
    /// more than the objects, the missing objects may still be restored, unless an operator says with `takes_as_lost`
    /// that they are lost.
    ///
    /// # Errors
    /// A provider or the index failed; the call can be repeated.
    pub async fn finish<P: Ports>(
        &mut self,
        service: &Service<P>,
        takes_as_lost: bool,
    ) -> Result<(), Failure> {
        let is_done = self.manner == Manner::Writing || self.report.is_unchanged();
        let is_lost = self.report.lost > 0 && !self.over_nothing && !takes_as_lost;
        if !self.report.is_whole() || !is_done || is_lost {
            return Ok(());
        }
        // Where providers differ, the newest mark counts, as it does for their repair.
        let newest = service.ports.objects().copies(&ObjectKey::Identity).await?.newest;
        if let Some(object) = newest {
            let damaged = |why: &dyn std::fmt::Display| service.damaged(&ObjectKey::Identity, why);
            let verified = Verified::check(object).map_err(|damage| damaged(&damage))?;
            let mark = Mark::parse(&verified.content()).map_err(|error| damaged(&error))?;
            service.reach(&mark).await?;
        }
        service.join_index_and_store().await?;
        self.report.joined = true;
        Ok(())
    }
}

/// Returns the outcome for an object. A failure that a retry may overcome ends the page.
fn settled(outcome: Result<Followed, Error>) -> Result<Followed, Failure> {
    match outcome {
        Ok(followed) => Ok(followed),
        Err(Error::Failure(failure)) if failure.kind == FailureKind::Damaged => {
            Ok(Followed::Unread(failure.message))
        }
        Err(Error::Failure(failure)) => Err(failure),
        Err(Error::Problem(problem)) if problem.kind == ProblemKind::Contended => {
            Err(Failure { provider: "index", kind: FailureKind::Unavailable, message: problem.detail })
        }
        Err(Error::Problem(problem)) => Ok(Followed::Unread(problem.detail)),
    }
}
