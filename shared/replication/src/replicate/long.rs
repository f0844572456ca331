//! Repairs of long objects: the bytes of a file, of which a few pieces are in memory at a time.
//!
//! Such bytes never change, so the row only says whether they are kept. A copy is checked on its way: its last piece is
//! sent once the digest of all pieces is the recorded one, so damaged bytes are never written.

use bytes::Bytes;
use credlink_core::hash::{Digest, Hashing};
use credlink_core::object::{Facts, Head, ObjectKey};
use credlink_core::row::Row;
use credlink_core::rules::repair::{ExpectedObject, wanted};
use credlink_ports::{
    Condition, Failure, FailureKind, Index, LongObjects, LongWrite, Objects, PIECE_BYTES, Pieces,
};
use futures_util::future::join;
use futures_util::stream;
use tokio::sync::mpsc::{Sender, channel};

use super::{MAX_ATTEMPTS, Outcome, Unrepaired, has_arrived};

/// The object that one provider holds under a key.
struct Copy {
    head: Head,
    /// The facts about it, if its attributes are those of the bytes of a file, and of its length.
    facts: Option<Facts>,
}

impl Copy {
    async fn look(objects: &impl Objects, key: &ObjectKey) -> Result<Option<Self>, Failure> {
        let Some(head) = objects.head(key).await? else { return Ok(None) };
        let facts = Facts::read(&head.attributes).ok();
        // Bytes of files are never compressed at rest.
        let facts = facts.filter(|facts| facts.length == head.size && facts.coding.is_none());
        Ok(Some(Self { head, facts }))
    }

    /// Returns the ranges of the pieces.
    fn ranges(&self) -> impl Iterator<Item = std::ops::Range<u64>> {
        let size = self.head.size;
        (0..size.div_ceil(PIECE_BYTES)).map(move |number| {
            let start = number * PIECE_BYTES;
            start..(start + PIECE_BYTES).min(size)
        })
    }

    /// Returns the digest of the bytes, or `None` if the object was replaced or removed meanwhile.
    async fn digest(&self, objects: &impl LongObjects, key: &ObjectKey) -> Result<Option<Digest>, Failure> {
        let mut hashing = Hashing::default();
        for range in self.ranges() {
            let Some(piece) = objects.get_piece(key, &self.head.tag, range).await? else { return Ok(None) };
            hashing.add(&piece);
        }
        Ok(Some(hashing.digest()))
    }
}

/// The end of reading a copy for the other provider.
enum Fed {
    /// All pieces were passed on.
    Whole,
    /// The bytes are not those that were recorded.
    Damaged,
    /// The object was replaced or removed meanwhile.
    Changed,
    /// The other provider takes no more.
    Refused,
    Failed(Failure),
}

/// Brings the long object under `key` on `to` to the state that `index` and `from` define.
pub(super) async fn replicate(
    from: &impl LongObjects,
    to: &impl LongObjects,
    index: &impl Index,
    key: &ObjectKey,
) -> Result<Outcome, Unrepaired> {
    for _ in 0..MAX_ATTEMPTS {
        // The tag is read before the row, as for short objects.
        let (there, here) = (Copy::look(to, key).await?, Copy::look(from, key).await?);
        let row = index.get(&key.row()).await?;
        let done = match wanted(key, row.as_ref()) {
            ExpectedObject::Undecided | ExpectedObject::Kept => {
                fill(from, to, key, (there, here), row.as_ref()).await?
            }
            ExpectedObject::Going => {
                return Err(Unrepaired::UnderWay { key: key.clone(), what: "a deletion is under way" });
            }
            ExpectedObject::Nothing => match (there, here) {
                (None, _) => Some(Outcome::Nothing),
                // Cleanup removes the object from both providers.
                (Some(_), Some(_)) => Some(Outcome::AlreadyThere),
                (Some(_), None) => {
                    to.delete(key).await?;
                    Some(Outcome::Removed)
                }
            },
            // No row says this of the bytes of a file.
            ExpectedObject::Content | ExpectedObject::Latest | ExpectedObject::Tombstone => {
                Some(Outcome::Undecided)
            }
        };
        if let Some(outcome) = done {
            return Ok(outcome);
        }
    }
    Err(Unrepaired::UnderWay { key: key.clone(), what: "it changes all the time" })
}

/// Copies an object that is missing at `to`, or damaged there. Returns `None` if objects changed meanwhile.
async fn fill(
    from: &impl LongObjects,
    to: &impl LongObjects,
    key: &ObjectKey,
    (there, here): (Option<Copy>, Option<Copy>),
    row: Option<&Row>,
) -> Result<Option<Outcome>, Unrepaired> {
    let (there, here) = match (there, here) {
        (None, None) => return Ok(Some(Outcome::Nothing)),
        (None, Some(here)) => return copy(from, to, key, &here, Condition::Absent).await,
        (Some(_), None) => return Ok(Some(Outcome::AlreadyThere)),
        (Some(there), Some(here)) => (there, here),
    };
    let Some(found) = there.digest(to, key).await? else { return Ok(None) };
    match (&there.facts, &here.facts) {
        (Some(facts), Some(other)) if facts.sha256 == found => {
            let is_same = other.sha256 == found && other.length == facts.length;
            Ok(Some(if is_same { Outcome::AlreadyThere } else { Outcome::Undecided }))
        }
        (Some(facts), None) if facts.sha256 == found => Ok(Some(Outcome::Undecided)),
        // The copy at `to` is damaged.
        (_, Some(_)) if row.is_some() => {
            let condition = Condition::Matches(there.head.tag);
            match copy(from, to, key, &here, condition).await {
                Err(Unrepaired::Failed(failure)) if failure.kind == FailureKind::Damaged => {
                    Ok(Some(Outcome::Undecided))
                }
                done => done,
            }
        }
        _ => Ok(Some(Outcome::Undecided)),
    }
}

/// Copies an object to `to` if the condition holds there. Returns `None` if objects changed meanwhile.
async fn copy(
    from: &impl LongObjects,
    to: &impl LongObjects,
    key: &ObjectKey,
    here: &Copy,
    condition: Condition,
) -> Result<Option<Outcome>, Unrepaired> {
    let damaged = || {
        let message = format!("{key}: the only copy is damaged");
        Unrepaired::Failed(Failure { provider: from.name(), kind: FailureKind::Damaged, message })
    };
    let facts = here.facts.as_ref().ok_or_else(damaged)?;
    let (sender, mut receiver) = channel(1);
    let write = LongWrite {
        size: here.head.size,
        sha256: facts.sha256,
        pieces: Pieces::new(stream::poll_fn(move |context| receiver.poll_recv(context))),
        attributes: here.head.attributes.clone(),
        condition,
    };
    match join(feed(from, key, here, facts.sha256, sender), to.put_pieces(key, write)).await {
        (Fed::Damaged, _) => Err(damaged()),
        (Fed::Changed, _) => Ok(None),
        (Fed::Failed(failure), _) | (_, Err(failure)) => Err(failure.into()),
        (Fed::Whole | Fed::Refused, Ok(put)) => has_arrived(to, key, put, (facts, here.head.size)).await,
    }
}

/// Reads the pieces of an object, and passes them on: the last one if all of them have this digest.
async fn feed(
    from: &impl LongObjects,
    key: &ObjectKey,
    here: &Copy,
    sha256: Digest,
    to: Sender<Result<Bytes, Failure>>,
) -> Fed {
    let mut hashing = Hashing::default();
    let mut held: Option<Bytes> = None;
    let why = |what: &str| {
        let message = format!("{key}: {what}");
        Failure { provider: from.name(), kind: FailureKind::Damaged, message }
    };
    for range in here.ranges() {
        let (fed, failure) = match from.get_piece(key, &here.head.tag, range).await {
            Ok(Some(piece)) => {
                hashing.add(&piece);
                if let Some(before) = held.replace(piece)
                    && to.send(Ok(before)).await.is_err()
                {
                    return Fed::Refused;
                }
                continue;
            }
            Ok(None) => (Fed::Changed, why("it was replaced while it was copied")),
            Err(failure) => (Fed::Failed(failure.clone()), failure),
        };
        // Without it, the other provider would wait for the rest.
        let _ = to.send(Err(failure)).await;
        return fed;
    }
    if hashing.digest() != sha256 {
        let _ = to.send(Err(why("its bytes are not those that were recorded"))).await;
        return Fed::Damaged;
    }
    if let Some(last) = held
        && to.send(Ok(last)).await.is_err()
    {
        return Fed::Refused;
    }
    Fed::Whole
}
