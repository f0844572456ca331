//! Reads: from the primary first, then from the fallback, and checked against the index if a provider is behind.

use std::pin::pin;
use std::time::Duration;

use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::replica::Replica;
use credlink_core::row::Row;
use credlink_core::rules::repair::{ExpectedObject, ReplicaState, judge, wanted};
use credlink_ports::{Checksum, Checksummed, Failure, FailureKind, Index, Objects, Queue};
use futures_util::future::{Either, join, select};

use super::Replicated;
use crate::side::{Missed, Side};
use crate::tag::{Tag, same};

/// The number of reads of the primary that must be measured before a read is hedged.
const HEDGE_SAMPLES: usize = 50;
/// The minimum time before a read counts as slow.
const HEDGE_LEAST: Duration = Duration::from_millis(20);
/// The maximum number of attempts of a checked read, which starts again if the row changed meanwhile.
const ATTEMPTS: usize = 4;

/// A budget of hedged reads: 5 of 100, and at most 10 in a row.
#[derive(Debug, Default)]
pub(super) struct Budget(u32);

impl Budget {
    /// The cost of one hedged read, in reads.
    const COST: u32 = 20;

    fn earn(&mut self) {
        self.0 = (self.0 + 1).min(10 * Self::COST);
    }

    fn spend(&mut self) -> bool {
        let enough = self.0 >= Self::COST;
        if enough {
            self.0 -= Self::COST;
        }
        enough
    }
}

/// A provider's answer for a key: the object, its absence, or no answer.
type Answer<T> = Result<Option<T>, Missed>;

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    pub(super) async fn get_either(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        match self.knows_behind(Replica::Primary).await {
            Some(false) => {}
            Some(true) => return Box::pin(self.checked(key)).await,
            None => return Box::pin(self.agreed(key)).await,
        }
        let answer = if self.settings.hedge {
            self.get_hedged(key).await
        } else {
            self.get_on(&self.primary, key).await
        };
        match answer {
            Ok(Some(object)) => Ok(Some(object)),
            answer => {
                if self.is_behind(Replica::Fallback).await {
                    return Box::pin(self.checked(key)).await;
                }
                let by_fallback = self.get_on(&self.fallback, key).await;
                self.second(key, &answer, by_fallback).await
            }
        }
    }

    pub(super) async fn head_either(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        match self.knows_behind(Replica::Primary).await {
            Some(false) => {}
            Some(true) => return Ok(Box::pin(self.checked(key)).await?.map(|object| object.head)),
            None => return Ok(Box::pin(self.agreed(key)).await?.map(|object| object.head)),
        }
        match self.head_on(&self.primary, key).await {
            Ok(Some(head)) => Ok(Some(head)),
            answer => {
                if self.is_behind(Replica::Fallback).await {
                    return Ok(Box::pin(self.checked(key)).await?.map(|object| object.head));
                }
                let by_fallback = self.head_on(&self.fallback, key).await;
                self.second(key, &answer, by_fallback).await
            }
        }
    }

    /// Reads the copy from the provider that did not return the damaged one.
    pub(super) async fn get_other(
        &self,
        key: &ObjectKey,
        damaged: &StoredTag,
    ) -> Result<Option<Object>, Failure> {
        let Some(Tag { read, .. }) = Tag::read(damaged) else { return Ok(None) };
        let other = match read {
            Replica::Primary => Replica::Fallback,
            Replica::Fallback => Replica::Primary,
        };
        let found = if self.is_behind(other).await {
            Box::pin(self.checked(key)).await?
        } else {
            let answer = match other {
                Replica::Primary => self.get_on(&self.primary, key).await,
                Replica::Fallback => self.get_on(&self.fallback, key).await,
            };
            answer.map_err(|missed| missed.failure)?
        };
        if let Some(object) = &found
            && Verified::check(object.clone()).is_ok()
        {
            if other == Replica::Fallback {
                metrics::counter!("credlink_fallback_reads").increment(1);
            }
            self.noticed(read, key).await;
        }
        Ok(found)
    }

    async fn is_behind(&self, replica: Replica) -> bool {
        self.knows_behind(replica).await.unwrap_or(true)
    }

    async fn knows_behind(&self, replica: Replica) -> Option<bool> {
        if self.primary.is_on_trial() || self.fallback.is_on_trial() {
            // A provider that returns from an outage may have missed writes that this process does not know of.
            self.behind.forget();
        }
        self.behind.is(replica).await
    }

    /// Combines the answers of both providers, when the primary did not return the object. The object is absent if both
    /// say so. If one says so and the other does not answer, that is a failure (guarantee 7).
    async fn second<T>(
        &self,
        key: &ObjectKey,
        by_primary: &Answer<T>,
        by_fallback: Answer<T>,
    ) -> Result<Option<T>, Failure> {
        match (by_primary, by_fallback) {
            (by_primary, Ok(Some(found))) => {
                metrics::counter!("credlink_fallback_reads").increment(1);
                if by_primary.is_ok() {
                    self.noticed(Replica::Primary, key).await;
                }
                Ok(Some(found))
            }
            (Ok(_), Ok(None)) => Ok(None),
            (Err(missed), _) => Err(missed.failure.clone()),
            (Ok(_), Err(missed)) => Err(missed.failure),
        }
    }

    pub(super) async fn get_on<O: Objects>(&self, side: &Side<O>, key: &ObjectKey) -> Answer<Object> {
        let mut object = side.get(key).await?;
        if let Some(object) = &mut object {
            retag(&mut object.head, side.replica);
        }
        Ok(object)
    }

    pub(super) async fn head_on<O: Objects>(&self, side: &Side<O>, key: &ObjectKey) -> Answer<Head> {
        let mut head = side.call("head", side.objects.head(key)).await?;
        if let Some(head) = &mut head {
            retag(head, side.replica);
        }
        Ok(head)
    }

    /// Reads from the primary, and from the fallback as well if that takes long. The fallback's answer counts only if
    /// it has the object and is not behind.
    async fn get_hedged(&self, key: &ObjectKey) -> Answer<Object> {
        let mut first = pin!(self.get_on(&self.primary, key));
        self.budget(Budget::earn);
        let Some(patience) = self.primary.patience(HEDGE_SAMPLES, HEDGE_LEAST) else { return first.await };
        if let Ok(answer) = tokio::time::timeout(patience, first.as_mut()).await {
            return answer;
        }
        if self.behind.is(Replica::Fallback).await != Some(false) || !self.budget(Budget::spend) {
            return first.await;
        }
        metrics::counter!("credlink_hedged_reads").increment(1);
        let second = pin!(self.get_on(&self.fallback, key));
        match select(first, second).await {
            Either::Left((answer, _)) => answer,
            Either::Right((Ok(Some(object)), _)) => Ok(Some(object)),
            Either::Right((_, first)) => first.await,
        }
    }

    fn budget<T>(&self, act: impl FnOnce(&mut Budget) -> T) -> T {
        act(&mut self.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Reads while it is unknown whether a provider is behind, because the index has never answered this process. Every
    /// acknowledged write is at one provider at least, so an object on which both agree is current.
    async fn agreed(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        match join(self.get_on(&self.primary, key), self.head_on(&self.fallback, key)).await {
            (Ok(None), Ok(None)) => Ok(None),
            (Ok(Some(object)), Ok(Some(head))) if same(&object.head, &head) => Ok(Some(object)),
            _ => Box::pin(self.checked(key)).await,
        }
    }

    /// Reads while a provider is behind: an object counts only if the row agrees.
    async fn checked(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        let mut row = self.index.get(&key.row()).await?;
        for _ in 0..ATTEMPTS {
            let answer = self.checked_by(key, row.as_ref()).await;
            if answer.is_ok() {
                return answer;
            }
            // The row may have changed since it was read.
            let again = self.index.get(&key.row()).await?;
            if again.as_ref().map(Row::version) == row.as_ref().map(Row::version) {
                return answer;
            }
            row = again;
        }
        Err(self.stale(key, "it changes all the time"))
    }

    async fn checked_by(&self, key: &ObjectKey, row: Option<&Row>) -> Result<Option<Object>, Failure> {
        let wanted = wanted(key, row);
        if wanted == ExpectedObject::Nothing {
            return Ok(None);
        }
        if wanted == ExpectedObject::Latest {
            return self.latest(key).await;
        }
        let by_primary = self.get_on(&self.primary, key).await;
        let mut failure = None;
        let mut stale = false;
        match look(key, row, by_primary) {
            Look::Good(object) => return Ok(Some(object)),
            Look::Stale => stale = true,
            Look::Absent => {}
            Look::Silent(missed) => failure = Some(missed),
        }
        match look(key, row, self.get_on(&self.fallback, key).await) {
            Look::Good(object) => {
                metrics::counter!("credlink_fallback_reads").increment(1);
                return Ok(Some(object));
            }
            Look::Stale => stale = true,
            Look::Absent => {}
            Look::Silent(missed) => failure = failure.or(Some(missed)),
        }
        match failure {
            Some(failure) => Err(failure),
            None if stale || wanted == ExpectedObject::Content => {
                Err(self.stale(key, "neither provider has what the index names"))
            }
            None => Ok(None),
        }
    }

    /// Returns the copy that was written later. If one provider does not answer, nobody knows which copy that is.
    async fn latest(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        let written =
            |object: &Object| Facts::read(&object.head.attributes).map_or(0, |facts| facts.generation);
        let by_primary = self.get_on(&self.primary, key).await.map_err(|missed| missed.failure)?;
        let by_fallback = self.get_on(&self.fallback, key).await.map_err(|missed| missed.failure)?;
        Ok(match (by_primary, by_fallback) {
            (Some(one), Some(other)) if written(&other) > written(&one) => Some(other),
            (one, other) => one.or(other),
        })
    }

    fn stale(&self, key: &ObjectKey, what: &str) -> Failure {
        let message = format!("{key}: {what}");
        Failure { provider: self.primary.objects.name(), kind: FailureKind::Unavailable, message }
    }
}

fn retag(head: &mut Head, replica: Replica) {
    head.tag = Tag::new(replica, head.tag.clone(), &head.attributes).text();
}

enum Look {
    Good(Object),
    Stale,
    Absent,
    Silent(Failure),
}

/// Judges an answer by the row.
fn look(key: &ObjectKey, row: Option<&Row>, answer: Answer<Object>) -> Look {
    match answer {
        Err(missed) => Look::Silent(missed.failure),
        Ok(None) => Look::Absent,
        Ok(Some(object)) => match wanted(key, row) {
            ExpectedObject::Undecided
            | ExpectedObject::Kept
            | ExpectedObject::Latest
            | ExpectedObject::Going => Look::Good(object),
            ExpectedObject::Content | ExpectedObject::Tombstone | ExpectedObject::Nothing => {
                match Verified::check(object.clone()).map(|verified| judge(key, row, &verified)) {
                    Ok(ReplicaState::Right | ReplicaState::Ahead) => Look::Good(object),
                    // The copy at the other provider may be intact.
                    Ok(ReplicaState::Stale) | Err(_) => Look::Stale,
                }
            }
        },
    }
}

impl<P: Checksummed, F: Objects, Q: Queue, I: Index> Checksummed for Replicated<P, F, Q, I> {
    /// Returns the primary's answer with its checksum, or either provider's answer without a checksum if the primary
    /// has none.
    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        let objects = &self.primary.objects;
        if let Ok(Some((mut head, checksum))) =
            self.primary.call("head", objects.head_with_checksum(key)).await
        {
            retag(&mut head, Replica::Primary);
            return Ok(Some((head, checksum)));
        }
        Ok(self.head_either(key).await?.map(|head| (head, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_of_a_hundred_reads_are_hedged() {
        let mut budget = Budget::default();
        let mut hedged = 0;
        for _ in 0..1_000 {
            budget.earn();
            hedged += u32::from(budget.spend());
        }
        assert_eq!(hedged, 50);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 10);
    }
}
