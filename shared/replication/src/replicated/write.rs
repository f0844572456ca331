//! Writes to both providers.
//!
//! A creation goes to both providers in parallel. A replacement goes first to the provider that decides, and then to
//! the other: of two concurrent replacements, the one that loses must reach neither.
//!
//! The primary has the full timeout of a call, because it decides. Once the primary is done, the fallback has a short
//! grace period, which is longer for long objects ([`credlink_runtime::pace`]), or the full timeout while it throttles the
//! write, which lasts a second or two ([`credlink_runtime::throttle`]).

use std::pin::pin;

use bytes::Bytes;
use credlink_core::object::{Attributes, Facts, Head, ObjectKey, StoredTag};
use credlink_core::replica::Replica;
use credlink_core::rules::repair::{ExpectedObject, wanted};
use credlink_ports::{Condition, Failure, Index, Objects, Put, Queue};
use credlink_runtime::deadline;
use credlink_runtime::pace;
use credlink_runtime::throttle::Noted;
use futures_util::future::{Either, join, select};

use super::Replicated;
use super::repairs::Stale;
use crate::replicate::replicate;
use crate::side::{Missed, Side};
use crate::tag::{Tag, identity, identity_of, same};

/// The object that a provider has under a key, compared with the one that a condition names.
enum PresentObject {
    /// The object that the condition names. It has this tag.
    Same(StoredTag),
    /// The object that was to be written.
    Written,
    /// Another object, or none.
    Other,
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    /// Creates an object on both providers.
    pub(super) async fn create(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
    ) -> Result<Put, Failure> {
        let (primary, fallback) = (&self.primary, &self.fallback);
        let size = body.len() as u64;
        let put_primary = pin!(primary.put(key, body.clone(), attributes, Condition::Absent));
        let put_fallback = fallback.put(key, body, attributes, Condition::Absent);
        let noted = Noted::default();
        let put_fallback = pin!(noted.during(put_fallback));
        let (by_primary, by_fallback) = match select(put_primary, put_fallback).await {
            Either::Left((Ok(put), rest)) => (Ok(put), self.within_grace(&noted, size, rest).await),
            Either::Left((Err(missed), rest)) => (Err(missed), rest.await),
            Either::Right((by_fallback, rest)) => (rest.await, by_fallback),
        };
        let tag = |read, own| Tag::new(read, own, attributes).text();
        match (by_primary, by_fallback) {
            (Ok(Put::Stored(own)), Ok(Put::Stored(_))) => Ok(Put::Stored(tag(Replica::Primary, own))),
            (Ok(Put::Stored(own)), Ok(Put::Lost)) => {
                self.lost_on_one(fallback, key, attributes).await?;
                Ok(Put::Stored(tag(Replica::Primary, own)))
            }
            (Ok(Put::Stored(own)), Err(_)) => {
                self.missed(Replica::Fallback, key, Stale::No).await?;
                Ok(Put::Stored(tag(Replica::Primary, own)))
            }
            (Ok(Put::Lost), Ok(Put::Lost)) => Ok(Put::Lost),
            (Ok(Put::Lost), Ok(Put::Stored(_))) => {
                self.lost_on_one(primary, key, attributes).await?;
                Ok(Put::Lost)
            }
            (Ok(Put::Lost), Err(missed)) => {
                if missed.attempted {
                    self.missed(Replica::Fallback, key, Stale::Perhaps).await?;
                }
                Ok(Put::Lost)
            }
            (Err(_), Ok(Put::Stored(own))) => {
                self.missed(Replica::Primary, key, Stale::Perhaps).await?;
                Ok(Put::Stored(tag(Replica::Fallback, own)))
            }
            (Err(missed), Ok(Put::Lost)) => {
                if missed.attempted {
                    self.missed(Replica::Primary, key, Stale::Perhaps).await?;
                }
                Ok(Put::Lost)
            }
            (Err(by_primary), Err(by_fallback)) => {
                self.unknown(key, &[(Replica::Primary, &by_primary), (Replica::Fallback, &by_fallback)])
                    .await;
                Err(by_primary.failure)
            }
        }
    }

    /// Queues a repair after a creation that succeeded on one provider and lost on `side`. The fallback is repaired,
    /// unless `side` holds the same object because two processes created it at once.
    async fn lost_on_one<O: Objects>(
        &self,
        side: &Side<O>,
        key: &ObjectKey,
        attributes: &Attributes,
    ) -> Result<(), Failure> {
        let head = side.call("head", side.objects.head(key)).await;
        if matches!(head, Ok(Some(head)) if is(&head, attributes)) {
            return Ok(());
        }
        self.missed(Replica::Fallback, key, Stale::Perhaps).await
    }

    /// Replaces the object that `tag` names on both providers.
    pub(super) async fn replace(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        tag: &Tag,
    ) -> Result<Put, Failure> {
        let stored = |read, own| Ok(Put::Stored(Tag::new(read, own, attributes).text()));
        let by_primary = match self.find_to_replace(&self.primary, key, tag, attributes).await {
            Ok(PresentObject::Same(own)) => {
                self.put_on(&self.primary, key, &body, attributes, Condition::Matches(own)).await
            }
            // The tag is the fallback's, and the primary missed that object. The primary is repaired first, and then
            // decides.
            Ok(PresentObject::Other) if tag.read == Replica::Fallback => {
                match self.bring_primary_up(key, tag, attributes).await? {
                    Some(condition) => self.put_on(&self.primary, key, &body, attributes, condition).await,
                    None => Ok(Put::Lost),
                }
            }
            Ok(PresentObject::Other | PresentObject::Written) => Ok(Put::Lost),
            Err(missed) => Err(missed),
        };
        match by_primary {
            Ok(Put::Lost) => Ok(Put::Lost),
            Ok(Put::Stored(own)) => {
                self.follow_on_fallback(key, &body, attributes, tag).await?;
                stored(Replica::Primary, own)
            }
            Err(by_primary) => {
                let found = self.find_to_replace(&self.fallback, key, tag, attributes).await;
                let by_fallback = match found {
                    Ok(PresentObject::Same(own)) => {
                        self.put_on(&self.fallback, key, &body, attributes, Condition::Matches(own)).await
                    }
                    Ok(PresentObject::Other | PresentObject::Written) => Ok(Put::Lost),
                    Err(missed) => Err(missed),
                };
                match by_fallback {
                    Ok(Put::Stored(own)) => {
                        self.missed(Replica::Primary, key, Stale::Readable).await?;
                        stored(Replica::Fallback, own)
                    }
                    Ok(Put::Lost) => {
                        if by_primary.attempted {
                            self.missed(Replica::Primary, key, Stale::Perhaps).await?;
                        }
                        Ok(Put::Lost)
                    }
                    Err(by_fallback) => {
                        let both = [(Replica::Primary, &by_primary), (Replica::Fallback, &by_fallback)];
                        self.unknown(key, &both).await;
                        Err(by_primary.failure)
                    }
                }
            }
        }
    }

    /// Makes the replacement, which the primary already has, on the fallback as well, or queues a repair.
    async fn follow_on_fallback(
        &self,
        key: &ObjectKey,
        body: &Bytes,
        attributes: &Attributes,
        tag: &Tag,
    ) -> Result<(), Failure> {
        let follow = async {
            match self.find_to_replace(&self.fallback, key, tag, attributes).await {
                Ok(PresentObject::Written) => Ok(true),
                Ok(PresentObject::Same(own)) => {
                    let put =
                        self.put_on(&self.fallback, key, body, attributes, Condition::Matches(own)).await?;
                    Ok(matches!(put, Put::Stored(_)))
                }
                Ok(PresentObject::Other) => Ok(false),
                Err(missed) => Err(missed),
            }
        };
        let noted = Noted::default();
        let follow = pin!(noted.during(follow));
        match self.within_grace(&noted, body.len() as u64, follow).await {
            Ok(true) => Ok(()),
            // The replaced object is readable there, whatever the reason. A throttled write is no exception.
            Ok(false) | Err(_) => self.missed(Replica::Fallback, key, Stale::Readable).await,
        }
    }

    /// Waits for the fallback once the primary is done: for the grace period and the time that so many bytes take, or up
    /// to the fallback's own timeout while it is throttled.
    async fn within_grace<T>(
        &self,
        noted: &Noted,
        sent: u64,
        mut rest: impl Future<Output = Result<T, Missed>> + Unpin,
    ) -> Result<T, Missed> {
        let grace = deadline::at_most(self.settings.grace.saturating_add(pace::time_for(sent)));
        match tokio::time::timeout(grace, &mut rest).await {
            Ok(answer) => answer,
            Err(_) if noted.is_throttled() => rest.await,
            Err(_) => Err(self.fallback.gave_up(grace, sent)),
        }
    }

    /// Finds the object that `side` has under `key`. The provider from which the tag was read need not be asked.
    async fn find_to_replace<O: Objects>(
        &self,
        side: &Side<O>,
        key: &ObjectKey,
        tag: &Tag,
        attributes: &Attributes,
    ) -> Result<PresentObject, Missed> {
        if side.replica == tag.read {
            return Ok(PresentObject::Same(tag.own.clone()));
        }
        let head = side.call("head", side.objects.head(key)).await;
        Ok(match head.map_err(|missed| Missed { attempted: false, ..missed })? {
            Some(head) if tag.is_of(&head) => PresentObject::Same(head.tag),
            Some(head) if is(&head, attributes) => PresentObject::Written,
            _ => PresentObject::Other,
        })
    }

    async fn put_on<O: Objects>(
        &self,
        side: &Side<O>,
        key: &ObjectKey,
        body: &Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Missed> {
        side.put(key, body.clone(), attributes, condition).await
    }

    /// Repairs the primary at once because a write depends on it. Returns the condition for the write there.
    async fn bring_primary_up(
        &self,
        key: &ObjectKey,
        tag: &Tag,
        attributes: &Attributes,
    ) -> Result<Option<Condition>, Failure> {
        let now = self.clock.now();
        let repair = replicate(&self.fallback.objects, &self.primary.objects, &self.index, key, now);
        match tokio::time::timeout(deadline::at_most(self.settings.timeout), repair).await {
            Ok(Ok(outcome)) => tracing::debug!(%key, ?outcome, "repaired before a write"),
            Ok(Err(error)) => tracing::debug!(%key, %error, "not repaired before a write"),
            Err(_) => tracing::debug!(%key, "not repaired in time before a write"),
        }
        let head = self.primary.call("head", self.primary.objects.head(key)).await;
        match head.map_err(|missed| missed.failure)? {
            Some(head) if tag.is_of(&head) => Ok(Some(Condition::Matches(head.tag))),
            // A deletion under way replaces whatever object is there. The row is read after the tag, as deletions do:
            // so the object that the tag names was not stored after the deletion.
            head if Facts::read(attributes).is_ok_and(|facts| facts.tombstone)
                && !head.as_ref().is_some_and(|head| is(head, attributes)) =>
            {
                let row = self.index.get(&key.row()).await?;
                let condition = head.map_or(Condition::Absent, |head| Condition::Matches(head.tag));
                Ok((wanted(key, row.as_ref()) == ExpectedObject::Going).then_some(condition))
            }
            _ => Ok(None),
        }
    }

    /// Queues repairs, if that is possible, for a write that is not acknowledged and may still arrive.
    async fn unknown(&self, key: &ObjectKey, sides: &[(Replica, &Missed)]) {
        for (replica, missed) in sides {
            if missed.attempted
                && let Err(failure) = self.missed(*replica, key, Stale::Perhaps).await
            {
                tracing::warn!(%key, %failure, "a write failed, and its repair was not queued");
            }
        }
    }

    /// Removes an object from both providers.
    pub(super) async fn delete_both(&self, key: &ObjectKey) -> Result<(), Failure> {
        let (primary, fallback) = (&self.primary, &self.fallback);
        let done = join(
            primary.call("delete", primary.objects.delete(key)),
            fallback.call("delete", fallback.objects.delete(key)),
        );
        match done.await {
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(_)) => self.missed(Replica::Fallback, key, Stale::No).await,
            (Err(_), Ok(())) => self.missed(Replica::Primary, key, Stale::No).await,
            (Err(missed), Err(_)) => Err(missed.failure),
        }
    }

    /// Checks that both providers have the object that was read as `expected`, and queues a repair of one that does
    /// not.
    pub(super) async fn confirm_both(&self, key: &ObjectKey, expected: &Facts) -> Result<(), Failure> {
        let (primary, fallback) = (&self.primary, &self.fallback);
        let heads = join(
            primary.call("head", primary.objects.head(key)),
            fallback.call("head", fallback.objects.head(key)),
        );
        let expected = identity_of(expected);
        let is_expected = |head: &Head| identity(&head.attributes) == expected;
        match heads.await {
            (Ok(None), Ok(None)) => Ok(()),
            (Ok(Some(one)), Ok(Some(other))) if same(&one, &other) => Ok(()),
            (Ok(Some(_)), Ok(None)) => self.missed(Replica::Fallback, key, Stale::No).await,
            (Ok(None), Ok(Some(_))) => self.missed(Replica::Primary, key, Stale::Perhaps).await,
            (Ok(Some(one)), Ok(Some(_))) if is_expected(&one) => {
                self.missed(Replica::Fallback, key, Stale::Readable).await
            }
            (Ok(Some(_)), Ok(Some(other))) if is_expected(&other) => {
                self.missed(Replica::Primary, key, Stale::Readable).await
            }
            (Ok(Some(_)), Ok(Some(_))) => {
                self.missed(Replica::Primary, key, Stale::Perhaps).await?;
                self.missed(Replica::Fallback, key, Stale::Readable).await
            }
            // The provider that answers may be the one that missed the write. Then the object was read from the other
            // one.
            (Ok(Some(one)), Err(_)) => {
                if !is_expected(&one) {
                    self.missed(Replica::Primary, key, Stale::Readable).await?;
                }
                self.missed(Replica::Fallback, key, Stale::Readable).await
            }
            (Err(_), Ok(Some(other))) => {
                if !is_expected(&other) {
                    self.missed(Replica::Fallback, key, Stale::Readable).await?;
                }
                self.missed(Replica::Primary, key, Stale::Readable).await
            }
            (Ok(None), Err(missed)) | (Err(missed), Ok(None) | Err(_)) => Err(missed.failure),
        }
    }
}

/// Returns `true` if `head` belongs to the object that was to be written.
fn is(head: &Head, attributes: &Attributes) -> bool {
    let written = identity(attributes);
    !written.is_empty() && identity(&head.attributes) == written
}
