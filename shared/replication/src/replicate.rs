//! Repair: brings an object on one provider to the state that the index and the other provider define.
//!
//! A repair may be delivered more than once and in any order, and runs concurrently with every other use case. So all
//! its writes are conditional, it reads objects *before* their row, and it overwrites only what the row says is
//! outdated, with the content that the row names or with a tombstone. An object about which no row decides is copied if
//! it is missing, and otherwise left alone. If a store or a replacement may still be under way, the repair must be
//! tried again.

mod long;
mod walk;

use std::cmp::Ordering;

use credlink_core::hash::Digest;
use credlink_core::object::{Facts, Head, MediaKey, Object, ObjectKey, StoredTag, Verified};
use credlink_core::replica::Replica;
use credlink_core::row::Row;
use credlink_core::rules::consistency::orphan_is_due;
use credlink_core::rules::repair::{self, ExpectedObject, ReplicaState, judge, wanted};
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use credlink_ports::{Condition, Failure, FailureKind, Index, LongObjects, Objects, PIECE_BYTES, Put};
use serde::Serialize;

pub use walk::{Walked, walk};

/// The maximum number of times that one repair starts again because objects or row changed meanwhile.
const MAX_ATTEMPTS: usize = 8;

/// The outcome of a repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The object was copied.
    Copied,
    /// The object was already there.
    AlreadyThere,
    /// A deleted object was replaced by a tombstone.
    Marked,
    /// An object was removed that is removed at the other provider.
    Removed,
    /// There is nothing to copy.
    Nothing,
    /// The objects differ and no row decides between them, so both are left alone.
    Undecided,
}

impl Outcome {
    /// Returns `true` if the outcome is a change that readers of one of the providers can see.
    #[must_use]
    pub const fn is_a_change(self) -> bool {
        match self {
            Self::Copied | Self::Marked | Self::Removed => true,
            Self::AlreadyThere | Self::Nothing | Self::Undecided => false,
        }
    }
}

/// The reasons why a repair was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unrepaired {
    /// A provider or the index failed. A retry is worthwhile.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A store, a replacement or a deletion may be under way. A retry is worthwhile.
    #[error("{key}: {what}; the repair has to come again")]
    UnderWay {
        /// The object's key.
        key: ObjectKey,
        /// The operation that may be under way.
        what: &'static str,
    },
    /// Neither provider has the object that a live row names. An operator must act.
    #[error("{key}: the index names {row}; {to} holds {there}, and {from} holds {here}")]
    Lost {
        /// The object's key.
        key: ObjectKey,
        /// The content that the row names.
        row: String,
        /// The provider that was to be repaired.
        to: &'static str,
        /// The object that this provider holds.
        there: String,
        /// The other provider.
        from: &'static str,
        /// The object that the other provider holds.
        here: String,
    },
}

impl Unrepaired {
    /// Returns `true` if the same repair may succeed later without an operator.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::UnderWay { .. } => true,
            Self::Failed(failure) => failure.kind != FailureKind::Damaged,
            Self::Lost { .. } => false,
        }
    }
}

/// The object that one provider holds under a key.
struct Side {
    tag: StoredTag,
    modified: Timestamp,
    object: Object,
    /// The verified object, if its content matches its attributes.
    verified: Option<Verified>,
}

impl Side {
    async fn read(objects: &impl Objects, key: &ObjectKey) -> Result<Option<Self>, Failure> {
        let Some(object) = objects.get(key).await? else { return Ok(None) };
        let Head { tag, modified, .. } = object.head.clone();
        let verified = Verified::check(object.clone()).ok();
        Ok(Some(Self { tag, modified, object, verified }))
    }

    /// Returns the number of the write that made the object, and its content, or `None` if it is damaged.
    fn written(&self) -> Option<(u32, Digest)> {
        self.verified.as_ref().map(|verified| (verified.facts().generation, verified.facts().sha256))
    }

    fn is_tombstone(&self) -> bool {
        self.verified.as_ref().is_some_and(|verified| verified.facts().tombstone)
    }

    /// Compares the object with the row. Damaged content counts as stale, so it may be replaced by the content that the
    /// row names.
    fn standing(&self, key: &ObjectKey, row: Option<&Row>) -> ReplicaState {
        self.verified.as_ref().map_or(ReplicaState::Stale, |verified| judge(key, row, verified))
    }

    fn described(side: Option<&Self>) -> String {
        let Some(side) = side else { return "nothing".to_owned() };
        match &side.verified {
            None => "damaged content".to_owned(),
            Some(verified) if verified.facts().tombstone => "a tombstone".to_owned(),
            Some(verified) => {
                format!("{} of generation {}", verified.facts().sha256, verified.facts().generation)
            }
        }
    }
}

/// Brings the object under `key` on `to` to the state that `index` and `from` define.
///
/// # Errors
/// The reason why the repair could not be done, and whether a retry is worthwhile. Nothing is overwritten then.
pub async fn replicate(
    from: &impl Objects,
    to: &impl Objects,
    index: &impl Index,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<Outcome, Unrepaired> {
    if is_in_quarantine(key) {
        return Ok(Outcome::Nothing);
    }
    for _ in 0..MAX_ATTEMPTS {
        // The tag is read before the row: if the row is still the same afterwards, the tag belongs to nothing newer
        // than the row.
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
    /// Makes one attempt. Returns `None` if objects changed meanwhile, so that the repair must start again.
    async fn repair(&self) -> Result<Option<Outcome>, Unrepaired> {
        match wanted(self.key, self.row) {
            ExpectedObject::Undecided | ExpectedObject::Kept => self.fill().await,
            ExpectedObject::Latest => self.bring_latest().await,
            ExpectedObject::Content => self.bring_content().await,
            ExpectedObject::Going => self.follow_deletion().await,
            ExpectedObject::Tombstone => self.bring_tombstone().await,
            ExpectedObject::Nothing => self.remove().await,
        }
    }

    /// Copies a missing object.
    async fn fill(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (None, None) => Ok(Some(Outcome::Nothing)),
            (None, Some(here)) => self.copy(here).await,
            (Some(there), Some(here)) if there.object.body != here.object.body => {
                // The copy at `to` is damaged.
                if there.verified.is_none() && here.verified.is_some() && self.row.is_some() {
                    return self.copy(here).await;
                }
                Ok(Some(Outcome::Undecided))
            }
            (Some(_), _) => Ok(Some(Outcome::AlreadyThere)),
        }
    }

    /// Copies an object that was written later than the one at `to`. If two writes raced and have the same number,
    /// `from` holds the one that won: the repair was queued because the other one lost.
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
            // The row will follow this object soon, or cleanup will make it follow. Only then is it known which object
            // is current.
            (Some(ReplicaState::Ahead), _) if !self.is_old(self.there) => {
                Err(self.under_way("a replacement may be under way"))
            }
            (_, Some(ReplicaState::Ahead)) => Err(self.under_way("a replacement may be under way")),
            (Some(ReplicaState::Right), _) => Ok(Some(Outcome::AlreadyThere)),
            (_, Some(ReplicaState::Right)) => match self.here {
                Some(here) => self.copy(here).await,
                None => Ok(None),
            },
            (Some(ReplicaState::Ahead), _) => Err(self.under_way("a replacement ended before its row")),
            (Some(ReplicaState::Stale) | None, Some(ReplicaState::Stale) | None) => Err(Unrepaired::Lost {
                key: self.key.clone(),
                row: self.row.map(named).unwrap_or_default(),
                to: self.to.name(),
                there: Side::described(self.there),
                from: self.from.name(),
                here: Side::described(self.here),
            }),
        }
    }

    /// Copies the tombstone of a deletion that is under way, and nothing else.
    async fn follow_deletion(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (there, Some(here)) if here.is_tombstone() && !there.is_some_and(Side::is_tombstone) => {
                Ok(self.copy(here).await?.map(|_| Outcome::Marked))
            }
            _ => Err(self.under_way("a deletion is under way")),
        }
    }

    async fn bring_tombstone(&self) -> Result<Option<Outcome>, Unrepaired> {
        let Some((tombstone, tenant)) = self.row.and_then(Tombstone::of) else { return Ok(None) };
        if self.is_next_life(self.here, self.there) || self.is_next_life(self.there, self.here) {
            return self.bring_next_life().await;
        }
        if let Some(there) = self.there.filter(|there| there.is_tombstone()) {
            return match self.here {
                Some(here) if later(here, there) => Ok(self.copy(here).await?.map(|_| Outcome::Marked)),
                // An object from before the deletion.
                Some(here) if !here.is_tombstone() => self.mark_from(there, here).await,
                Some(_) | None => Ok(Some(Outcome::AlreadyThere)),
            };
        }
        if let Some(here) = self.here.filter(|here| here.is_tombstone()) {
            return Ok(self.copy(here).await?.map(|_| Outcome::Marked));
        }
        let (body, attributes) = tombstone.object(self.key, &tenant);
        let put = self.to.put(self.key, body.into(), &attributes, self.condition()).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Marked))
    }

    /// Returns `true` if the object of `side` was stored again after the deletion that the row records, and `other` has
    /// no tombstone of an even later deletion.
    fn is_next_life(&self, side: Option<&Side>, other: Option<&Side>) -> bool {
        let Some(side) = side.filter(|side| side.standing(self.key, self.row) == ReplicaState::Ahead) else {
            return false;
        };
        let other = other.filter(|other| other.is_tombstone()).and_then(|other| other.verified.as_ref());
        side.verified
            .as_ref()
            .zip(other)
            .is_none_or(|(side, tombstone)| repair::later(self.key, tombstone, side) != Ordering::Greater)
    }

    /// Handles an object that was stored again after the deletion that the row records. Its row will follow it, however
    /// late, as after a store that was interrupted. If only `to` lacks the object, it is copied there. If only `from`
    /// lacks it, that is the task of the repair of `from`.
    async fn bring_next_life(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.here, self.there) {
            (Some(here), Some(there)) if self.is_next_life(self.there, self.here) => {
                match self.is_next_life(self.here, self.there) {
                    true if here.object.body == there.object.body || self.is_old(self.there) => {
                        Ok(Some(Outcome::AlreadyThere))
                    }
                    true => Err(self.under_way("it may be being stored again")),
                    // Only `to` has the object: readers of `from` do not see it, and its row cannot follow.
                    false => self.copy_back(there, here).await,
                }
            }
            (None, Some(_)) => Ok(Some(Outcome::AlreadyThere)),
            (Some(here), _) if self.is_old(self.here) => self.copy(here).await,
            (_, _) => Err(self.under_way("it may be being stored again")),
        }
    }

    /// Copies an object that only `to` has to `from`, once no store can be about to do so itself.
    async fn copy_back(&self, there: &Side, here: &Side) -> Result<Option<Outcome>, Unrepaired> {
        if !self.is_old(self.there) {
            return Err(self.under_way("it may be being stored again"));
        }
        let (body, attributes) = (there.object.body.clone(), &there.object.head.attributes);
        let put = self.from.put(self.key, body, attributes, Condition::Matches(here.tag.clone())).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Copied))
    }

    /// Replaces an object at `from` that is from before the deletion by the tombstone.
    async fn mark_from(&self, tombstone: &Side, here: &Side) -> Result<Option<Outcome>, Unrepaired> {
        let (body, attributes) = (tombstone.object.body.clone(), &tombstone.object.head.attributes);
        let condition = Condition::Matches(here.tag.clone());
        let put = self.from.put(self.key, body, attributes, condition).await?;
        Ok(matches!(put, Put::Stored(_)).then_some(Outcome::Marked))
    }

    async fn remove(&self) -> Result<Option<Outcome>, Unrepaired> {
        match (self.there, self.here) {
            (None, _) => Ok(Some(Outcome::Nothing)),
            // Cleanup removes the object from both providers.
            (Some(_), Some(_)) => Ok(Some(Outcome::AlreadyThere)),
            (Some(_), None) => {
                self.to.delete(self.key).await?;
                Ok(Some(Outcome::Removed))
            }
        }
    }

    /// Writes `object` to `to` if the object there has not changed, and checks that it arrived.
    async fn copy(&self, object: &Side) -> Result<Option<Outcome>, Unrepaired> {
        let Some(verified) = &object.verified else {
            let message = format!("{}: the only copy is damaged", self.key);
            return Err(Failure { provider: self.from.name(), kind: FailureKind::Damaged, message }.into());
        };
        let attributes = &object.object.head.attributes;
        let put = self.to.put(self.key, object.object.body.clone(), attributes, self.condition()).await?;
        has_arrived(self.to, self.key, put, (verified.facts(), object.object.head.size)).await
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

/// Checks that a copy arrived. Returns `None` if the object at `to` is another one.
async fn has_arrived(
    to: &impl Objects,
    key: &ObjectKey,
    put: Put,
    (facts, size): (&Facts, u64),
) -> Result<Option<Outcome>, Unrepaired> {
    let Put::Stored(tag) = put else { return Ok(None) };
    match to.head(key).await? {
        Some(head) if head.tag == tag => {
            let same = Facts::read(&head.attributes).is_ok_and(|found| found == *facts);
            if !same || head.size != size {
                let message = format!("{key}: what was written reads back differently");
                return Err(Failure { provider: to.name(), kind: FailureKind::Damaged, message }.into());
            }
            Ok(Some(Outcome::Copied))
        }
        // Somebody else has already replaced it.
        _ => Ok(None),
    }
}

/// Describes the content that a live row names.
fn named(row: &Row) -> String {
    match row {
        Row::Proof(row) => row.record_sha256.to_string(),
        Row::Manifest(row) => format!("{} of generation {}", row.sha256, row.generation),
        Row::File(row) => row.record_sha256.to_string(),
        Row::Blob(row) => row.media_hash.to_string(),
        Row::Alias(_)
        | Row::LegacyItem(_)
        | Row::Replica(_)
        | Row::Store(_)
        | Row::List(_)
        | Row::Upload(_)
        | Row::Quota(_) => String::new(),
    }
}

/// Returns `true` if `one` is the tombstone of a later deletion than `other`.
fn later(one: &Side, other: &Side) -> bool {
    let order = |side: &Side| {
        let tombstone = Tombstone::parse(&side.object.body).ok()?;
        Some((tombstone.last, tombstone.deleted))
    };
    one.is_tombstone() && order(one) > order(other)
}

/// Returns `true` if an object is bytes in quarantine, which are at one provider alone and were written by a client.
const fn is_in_quarantine(key: &ObjectKey) -> bool {
    matches!(key, ObjectKey::Media(MediaKey::Upload(..)))
}

/// Brings an object of any length to the state that `index` and `from` define, as [`replicate`] does. The bytes of files
/// pass through in pieces, if there is more than one.
///
/// # Errors
/// As for [`replicate`].
pub async fn replicate_any(
    from: &impl LongObjects,
    to: &impl LongObjects,
    index: &impl Index,
    key: &ObjectKey,
    now: Timestamp,
) -> Result<Outcome, Unrepaired> {
    if key.holds_file_bytes() && !is_in_quarantine(key) {
        let is_long = |head: Option<Head>| head.is_some_and(|head| head.size > PIECE_BYTES);
        if is_long(from.head(key).await?) || is_long(to.head(key).await?) {
            return long::replicate(from, to, index, key).await;
        }
    }
    replicate(from, to, index, key, now).await
}

/// Repairs the objects that a message names, on the provider that may have missed them. Returns the outcomes in the
/// order of the keys.
pub async fn run(
    to: Replica,
    keys: &[ObjectKey],
    primary: &impl LongObjects,
    fallback: &impl LongObjects,
    index: &impl Index,
    now: Timestamp,
) -> Vec<(ObjectKey, Result<Outcome, Unrepaired>)> {
    let mut report = Vec::with_capacity(keys.len());
    for key in keys {
        let done = match to {
            Replica::Primary => replicate_any(fallback, primary, index, key, now).await,
            Replica::Fallback => replicate_any(primary, fallback, index, key, now).await,
        };
        report.push((key.clone(), done));
    }
    report
}
