//! Repair: bringing an object on one provider to what the index and the other provider say.
//!
//! It runs under redelivery, in any order, and beside every other use case. So it writes under conditions alone, looks
//! at objects *before* it reads their row, and overwrites only what the row says is over: by the content that the row
//! names, or by a marker. What no row decides is copied where nothing stands, and otherwise left alone; where a store or
//! a replacement may still be under way, the repair has to come again.

use std::cmp::Ordering;

use credlink_core::bounds::MAX_MESSAGE_KEYS;
use credlink_core::hash::Digest;
use credlink_core::message::{Message, Work};
use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::replica::Replica;
use credlink_core::row::Row;
use credlink_core::rules::consistency::orphan_is_due;
use credlink_core::rules::repair::{self, Standing, Wanted, judge, wanted};
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use serde::Serialize;

use credlink_ports::{Condition, Failure, FailureKind, Index, Objects, Put, Queue};

/// How often one repair starts again because the world changed under it.
const MAX_ATTEMPTS: usize = 8;
/// Objects of one page of a walk.
const PAGE: usize = 1_000;

/// What a repair came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The object was copied.
    Copied,
    /// It was there already.
    AlreadyThere,
    /// A marker was put over what is deleted.
    Marked,
    /// An object was removed that is removed elsewhere.
    Removed,
    /// There is nothing to copy.
    Nothing,
    /// No row decides between two different objects: both are left alone.
    Undecided,
}

impl Outcome {
    /// Returns `true` if readers of one of the providers find something else than before.
    #[must_use]
    pub const fn is_a_change(self) -> bool {
        match self {
            Self::Copied | Self::Marked | Self::Removed => true,
            Self::AlreadyThere | Self::Nothing | Self::Undecided => false,
        }
    }
}

/// Why a repair was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unrepaired {
    /// A provider or the index failed. Worth a retry.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A store, a replacement or a deletion may be under way. Worth a retry.
    #[error("{key}: {what}; the repair has to come again")]
    UnderWay {
        /// The object.
        key: ObjectKey,
        /// What is under way.
        what: &'static str,
    },
    /// Neither provider has what a live row names: an operator has to act.
    #[error("{key}: the index names {row}; {to} holds {there}, and {from} holds {here}")]
    Lost {
        /// The object.
        key: ObjectKey,
        /// What the row names.
        row: String,
        /// The provider that was to be repaired, and what it holds.
        to: &'static str,
        /// What it holds.
        there: String,
        /// The other provider.
        from: &'static str,
        /// What it holds.
        here: String,
    },
}

impl Unrepaired {
    /// Whether the same repair may be done later, by itself.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::UnderWay { .. } => true,
            Self::Failed(failure) => failure.kind != FailureKind::Damaged,
            Self::Lost { .. } => false,
        }
    }
}

/// What one provider holds under a key.
struct Side {
    tag: StoredTag,
    modified: Timestamp,
    object: Object,
    /// The object, if its content is what its attributes say.
    verified: Option<Verified>,
}

impl Side {
    async fn read(objects: &impl Objects, key: &ObjectKey) -> Result<Option<Self>, Failure> {
        let Some(object) = objects.get(key).await? else { return Ok(None) };
        let Head { tag, modified, .. } = object.head.clone();
        let verified = Verified::check(object.clone()).ok();
        Ok(Some(Self { tag, modified, object, verified }))
    }

    /// The number of the write that made the object, and its content: `None` if it is damaged.
    fn written(&self) -> Option<(u32, Digest)> {
        self.verified.as_ref().map(|verified| (verified.facts().generation, verified.facts().sha256))
    }

    fn is_marker(&self) -> bool {
        self.verified.as_ref().is_some_and(|verified| verified.facts().tombstone)
    }

    /// Damaged content is stale: it may be replaced by what the row names.
    fn standing(&self, key: &ObjectKey, row: Option<&Row>) -> Standing {
        self.verified.as_ref().map_or(Standing::Stale, |verified| judge(key, row, verified))
    }

    fn described(side: Option<&Self>) -> String {
        let Some(side) = side else { return "nothing".to_owned() };
        match &side.verified {
            None => "damaged content".to_owned(),
            Some(verified) if verified.facts().tombstone => "a deletion marker".to_owned(),
            Some(verified) => {
                format!("{} of generation {}", verified.facts().sha256, verified.facts().generation)
            }
        }
    }
}

/// Brings the object under `key` on `to` to what `index` and `from` say.
///
/// # Errors
/// Why it could not be done, and whether it is worth a retry. Nothing is overwritten then.
pub async fn replicate(
    from: &impl Objects,
    to: &impl Objects,
    index: &impl Index,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<Outcome, Unrepaired> {
    for _ in 0..MAX_ATTEMPTS {
        // The tag is read before the row: if the row is as it was when it is read, the tag names nothing newer than it.
        let there = Side::read(to, key).await?;
        let here = Side::read(from, key).await?;
        let row = index.get(&key.row()).await?;
        let pair = Pair { from, to, key, there: there.as_ref(), here: here.as_ref(), row: row.as_ref(), now };
        match pair.repair().await {
            Ok(Some(outcome)) => return Ok(outcome),
            Ok(None) => {}
            Err(lost @ Unrepaired::Lost { .. }) => {
                // The row may have changed since the objects were read.
                let again = index.get(&key.row()).await?;
                if again.map(|row| row.version()) == row.as_ref().map(Row::version) {
                    return Err(lost);
                }
            }
            Err(other) => return Err(other),
        }
    }
    Err(Unrepaired::UnderWay { key: key.clone(), what: "it changes all the time" })
}

struct Pair<'a, F, T> {
    from: &'a F,
    to: &'a T,
    key: &'a ObjectKey,
    there: Option<&'a Side>,
    here: Option<&'a Side>,
    row: Option<&'a Row>,
    now: Timestamp,
}

impl<F: Objects, T: Objects> Pair<'_, F, T> {
    /// `None`: the world changed; look again.
    async fn repair(&self) -> Result<Option<Outcome>, Unrepaired> {
        match wanted(self.key, self.row) {
            Wanted::Undecided | Wanted::Kept => self.fill().await,
            Wanted::Latest => self.bring_latest().await,
            Wanted::Content => self.bring_content().await,
            Wanted::Going => self.follow_deletion().await,
            Wanted::Marker => self.bring_marker().await,
            Wanted::Nothing => self.remove().await,
        }
    }

    /// Copies what is missing.
    async fn fill(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (None, None) => Ok(Some(Outcome::Nothing)),
            (None, Some(here)) => self.copy(here).await,
            (Some(there), Some(here)) if there.object.body != here.object.body => {
                // A copy whose content is damaged.
                if there.verified.is_none() && here.verified.is_some() && self.row.is_some() {
                    return self.copy(here).await;
                }
                Ok(Some(Outcome::Undecided))
            }
            (Some(_), _) => Ok(Some(Outcome::AlreadyThere)),
        }
    }

    /// Copies what was written later than what is there. Of two that raced, and count the same number of writes, `from`
    /// holds the one that was decided on: the repair was queued because the other lost.
    async fn bring_latest(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (None, None) => Ok(Some(Outcome::Nothing)),
            (None, Some(here)) => self.copy(here).await,
            (Some(there), Some(here)) => {
                let number = |written: Option<(u32, Digest)>| written.map(|(number, _)| number);
                let (there, written) = (there.written(), here.written());
                if there != written && number(there) <= number(written) {
                    return self.copy(here).await;
                }
                Ok(Some(Outcome::AlreadyThere))
            }
            (Some(_), None) => Ok(Some(Outcome::AlreadyThere)),
        }
    }

    async fn bring_content(&self) -> Result<Option<Outcome>, Unrepaired> {
        let standing = |side: Option<&Side>| side.map(|side| side.standing(self.key, self.row));
        match (standing(self.there), standing(self.here)) {
            // Its row follows soon, or cleanup lets it follow; only then it is known which one goes where.
            (Some(Standing::Ahead), _) if !self.is_old(self.there) => {
                Err(self.under_way("a replacement may be under way"))
            }
            (_, Some(Standing::Ahead)) => Err(self.under_way("a replacement may be under way")),
            (Some(Standing::Right), _) => Ok(Some(Outcome::AlreadyThere)),
            (_, Some(Standing::Right)) => match self.here {
                Some(here) => self.copy(here).await,
                None => Ok(None),
            },
            (Some(Standing::Ahead), _) => Err(self.under_way("a replacement ended before its row")),
            (Some(Standing::Stale) | None, Some(Standing::Stale) | None) => Err(Unrepaired::Lost {
                key: self.key.clone(),
                row: self.row.map(named).unwrap_or_default(),
                to: self.to.name(),
                there: Side::described(self.there),
                from: self.from.name(),
                here: Side::described(self.here),
            }),
        }
    }

    /// While a deletion is under way, only its own marker is carried over.
    async fn follow_deletion(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (there, Some(here)) if here.is_marker() && !there.is_some_and(Side::is_marker) => {
                Ok(self.copy(here).await?.map(|_| Outcome::Marked))
            }
            _ => Err(self.under_way("a deletion is under way")),
        }
    }

    async fn bring_marker(&self) -> Result<Option<Outcome>, Unrepaired> {
        let Some((tombstone, tenant)) = self.row.and_then(Tombstone::of) else { return Ok(None) };
        if self.is_next_life(self.here, self.there) || self.is_next_life(self.there, self.here) {
            return self.bring_next_life().await;
        }
        if let Some(there) = self.there.filter(|there| there.is_marker()) {
            return match self.here {
                Some(here) if later(here, there) => Ok(self.copy(here).await?.map(|_| Outcome::Marked)),
                // What stood there before the deletion.
                Some(here) if !here.is_marker() => self.mark_from(there, here).await,
                Some(_) | None => Ok(Some(Outcome::AlreadyThere)),
            };
        }
        if let Some(here) = self.here.filter(|here| here.is_marker()) {
            return Ok(self.copy(here).await?.map(|_| Outcome::Marked));
        }
        let (body, attributes) = tombstone.object(self.key, &tenant);
        let put = self.to.put(self.key, body.into(), &attributes, self.condition()).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Marked))
    }

    /// Returns `true` if this side was stored again since the deletion that the row tells of, and the other one has no marker of
    /// a deletion that came after that.
    fn is_next_life(&self, side: Option<&Side>, other: Option<&Side>) -> bool {
        let Some(side) = side.filter(|side| side.standing(self.key, self.row) == Standing::Ahead) else {
            return false;
        };
        let other = other.filter(|other| other.is_marker()).and_then(|other| other.verified.as_ref());
        side.verified
            .as_ref()
            .zip(other)
            .is_none_or(|(side, marker)| repair::later(self.key, marker, side) != Ordering::Greater)
    }

    /// Of what was stored again since the deletion that the row tells of: its row follows it, however late, as that of a store
    /// that was cut off. Where only this provider lacks it, it is copied; the other way round is that one's repair.
    async fn bring_next_life(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.here, self.there) {
            (Some(here), Some(there)) if self.is_next_life(self.there, self.here) => {
                match self.is_next_life(self.here, self.there) {
                    true if here.object.body == there.object.body || self.is_old(self.there) => {
                        Ok(Some(Outcome::AlreadyThere))
                    }
                    true => Err(self.under_way("it may be being stored again")),
                    // It stands there alone: readers of the other one do not see it, and its row cannot follow.
                    false => self.copy_back(there, here).await,
                }
            }
            (None, Some(_)) => Ok(Some(Outcome::AlreadyThere)),
            (Some(here), _) if self.is_old(self.here) => self.copy(here).await,
            (_, _) => Err(self.under_way("it may be being stored again")),
        }
    }

    /// Copies what this provider has alone to the other one, when no store can be about to do so any more.
    async fn copy_back(&self, there: &Side, here: &Side) -> Result<Option<Outcome>, Unrepaired> {
        if !self.is_old(self.there) {
            return Err(self.under_way("it may be being stored again"));
        }
        let (body, attributes) = (there.object.body.clone(), &there.object.head.attributes);
        let put = self.from.put(self.key, body, attributes, Condition::Matches(here.tag.clone())).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Copied))
    }

    /// Puts the marker over what the other provider holds from before the deletion.
    async fn mark_from(&self, marker: &Side, here: &Side) -> Result<Option<Outcome>, Unrepaired> {
        let (body, attributes) = (marker.object.body.clone(), &marker.object.head.attributes);
        let condition = Condition::Matches(here.tag.clone());
        let put = self.from.put(self.key, body, attributes, condition).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Marked))
    }

    async fn remove(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (None, _) => Ok(Some(Outcome::Nothing)),
            // Cleanup removes it from both.
            (Some(_), Some(_)) => Ok(Some(Outcome::AlreadyThere)),
            (Some(_), None) => {
                self.to.delete(self.key).await?;
                Ok(Some(Outcome::Removed))
            }
        }
    }

    /// Writes `object` to `to` if that is as it was, and looks whether it arrived.
    async fn copy(&self, object: &Side) -> Result<Option<Outcome>, Unrepaired> {
        let Some(verified) = &object.verified else {
            let message = format!("{}: the only copy is damaged", self.key);
            return Err(Failure { provider: self.from.name(), kind: FailureKind::Damaged, message }.into());
        };
        let attributes = &object.object.head.attributes;
        let put = self.to.put(self.key, object.object.body.clone(), attributes, self.condition()).await?;
        let Put::Stored(tag) = put else { return Ok(None) };
        match self.to.head(self.key).await? {
            Some(head) if head.tag == tag => {
                let same = Facts::read(&head.attributes).is_ok_and(|facts| facts == *verified.facts());
                if !same || head.size != object.object.head.size {
                    let message = format!("{}: what was written reads back differently", self.key);
                    let provider = self.to.name();
                    return Err(Failure { provider, kind: FailureKind::Damaged, message }.into());
                }
                Ok(Some(Outcome::Copied))
            }
            // Somebody else went on from there.
            _ => Ok(None),
        }
    }

    fn condition(&self) -> Condition {
        self.there.map_or(Condition::Absent, |there| Condition::Matches(there.tag.clone()))
    }

    fn is_old(&self, side: Option<&Side>) -> bool {
        side.is_some_and(|side| orphan_is_due(side.modified, self.now))
    }

    fn under_way(&self, what: &'static str) -> Unrepaired {
        Unrepaired::UnderWay { key: self.key.clone(), what }
    }
}

/// What a live row names.
fn named(row: &Row) -> String {
    match row {
        Row::Proof(row) => row.record_sha256.to_string(),
        Row::Manifest(row) => format!("{} of generation {}", row.sha256, row.generation),
        Row::Alias(_) | Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => String::new(),
    }
}

/// Whether `one` is the marker of a later deletion than `other`.
fn later(one: &Side, other: &Side) -> bool {
    let order = |side: &Side| {
        let marker = Tombstone::parse(&side.object.body).ok()?;
        Some((marker.last, marker.deleted))
    };
    one.is_marker() && order(one) > order(other)
}

/// Repairs the objects that a message names on the provider that may have missed them: what became of each, in their
/// order.
pub async fn run(
    to: Replica,
    keys: &[ObjectKey],
    primary: &impl Objects,
    fallback: &impl Objects,
    index: &impl Index,
    now: Timestamp,
) -> Vec<(ObjectKey, Result<Outcome, Unrepaired>)> {
    let mut report = Vec::with_capacity(keys.len());
    for key in keys {
        let done = match to {
            Replica::Primary => replicate(fallback, primary, index, key, now).await,
            Replica::Fallback => replicate(primary, fallback, index, key, now).await,
        };
        report.push((key.clone(), done));
    }
    report
}

/// What a walk did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Walked {
    /// Objects that were queued.
    pub queued: u64,
    /// Objects that are none of CredLink's, and were passed over.
    pub foreign: u64,
    /// Where to continue; `None` when everything was queued.
    pub resume: Option<String>,
}

/// Queues a repair of everything that `from` holds on the other provider, `to`, page by page from behind `after`, until
/// it is done or `go_on` says no. For a new provider, and for one that was repaired by hand.
///
/// # Errors
/// The listing or the queue failed. What was queued is queued; walk again.
pub async fn walk(
    from: &impl Objects,
    to: Replica,
    queue: &impl Queue,
    request_id: &str,
    after: Option<String>,
    go_on: impl Fn() -> bool,
) -> Result<Walked, Failure> {
    let mut walked = Walked { resume: after, ..Walked::default() };
    loop {
        let page = from.list("", walked.resume.as_deref(), PAGE).await?;
        let keys: Vec<ObjectKey> = page.items.iter().filter_map(|item| item.key.parse().ok()).collect();
        walked.foreign += (page.items.len() - keys.len()) as u64;
        for keys in keys.chunks(MAX_MESSAGE_KEYS) {
            let work = Work::Replicate { to, keys: keys.to_vec(), mark: None };
            queue.send(&Message { request_id: request_id.to_owned(), work }, 0).await?;
            walked.queued += keys.len() as u64;
        }
        walked.resume = page.next;
        if walked.resume.is_none() || !go_on() {
            return Ok(walked);
        }
    }
}
