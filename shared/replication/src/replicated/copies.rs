//! Both copies of an object, for callers that rely on no earlier knowledge of either provider: both are always read.

use std::cmp::Ordering;

use credlink_core::object::{Facts, Head, Object, ObjectKey, StoredTag, Verified};
use credlink_core::replica::Replica;
use credlink_core::rules::repair::later;
use credlink_ports::{
    Copies, Failure, FailureKind, Index, Lag, Lagging, Listed, Objects, Page, ProviderState, Queue, Replicas,
};
use futures_util::future::join;

use super::Replicated;
use super::merge::merge;
use super::repairs::Stale;
use crate::side::Missed;
use crate::tag::same;

/// The copy of an object at one provider.
enum Held {
    Nothing,
    Whole(Object, Verified),
    /// A damaged copy, or the failure with which the provider itself reported the damage.
    Damaged(Result<Object, Failure>),
}

impl Held {
    fn of(answer: Result<Option<Object>, Missed>) -> Result<Self, Failure> {
        match answer {
            Ok(None) => Ok(Self::Nothing),
            Ok(Some(object)) => Ok(match Verified::check(object.clone()) {
                Ok(verified) => Self::Whole(object, verified),
                Err(_) => Self::Damaged(Ok(object)),
            }),
            Err(Missed { failure, .. }) if failure.kind == FailureKind::Damaged => {
                Ok(Self::Damaged(Err(failure)))
            }
            Err(Missed { failure, .. }) => Err(failure),
        }
    }
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicated<P, F, Q, I> {
    fn lagging(&self, replica: Replica, lag: Lag) -> Lagging {
        let name = match replica {
            Replica::Primary => self.primary.objects.name(),
            Replica::Fallback => self.fallback.objects.name(),
        };
        Lagging { replica, name, lag }
    }

    /// Returns the copy that counts, and the way in which the other one falls short.
    fn compare(&self, key: &ObjectKey, one: Held, other: Held) -> Result<Copies<Object>, Failure> {
        let copies = |newest, replica, lag| {
            Ok(Copies { newest: Some(newest), lagging: vec![self.lagging(replica, lag)] })
        };
        match (one, other) {
            (Held::Nothing, Held::Nothing) => Ok(Copies::one(None)),
            (Held::Whole(one, _), Held::Nothing) => copies(one, Replica::Fallback, Lag::Missing),
            (Held::Nothing, Held::Whole(other, _)) => copies(other, Replica::Primary, Lag::Missing),
            (Held::Whole(one, _), Held::Damaged(_)) => copies(one, Replica::Fallback, Lag::Damaged),
            (Held::Damaged(_), Held::Whole(other, _)) => copies(other, Replica::Primary, Lag::Damaged),
            (Held::Damaged(one), _) => copies(one?, Replica::Primary, Lag::Damaged),
            (Held::Nothing, Held::Damaged(other)) => copies(other?, Replica::Fallback, Lag::Damaged),
            (Held::Whole(one, first), Held::Whole(other, second)) => match later(key, &first, &second) {
                Ordering::Equal if same(&one.head, &other.head) => Ok(Copies::one(Some(one))),
                // As long as the primary answers, it decides between writers.
                Ordering::Equal => copies(one, Replica::Fallback, Lag::Differing),
                Ordering::Greater => copies(one, Replica::Fallback, Lag::Stale),
                Ordering::Less => copies(other, Replica::Primary, Lag::Stale),
            },
        }
    }
}

impl<P: Objects, F: Objects, Q: Queue, I: Index> Replicas for Replicated<P, F, Q, I> {
    async fn confirm(&self, key: &ObjectKey, expected: &Facts) -> Result<(), Failure> {
        self.confirm_both(key, expected).await
    }

    async fn get_other_copy(&self, key: &ObjectKey, damaged: &StoredTag) -> Result<Option<Object>, Failure> {
        self.get_other(key, damaged).await
    }

    async fn copies(&self, key: &ObjectKey) -> Result<Copies<Object>, Failure> {
        let (one, other) = join(self.get_on(&self.primary, key), self.get_on(&self.fallback, key)).await;
        self.compare(key, Held::of(one)?, Held::of(other)?)
    }

    async fn copies_by_head(&self, key: &ObjectKey) -> Result<Copies<Head>, Failure> {
        let (one, other) = join(self.head_on(&self.primary, key), self.head_on(&self.fallback, key)).await;
        let (one, other) = (one.map_err(|missed| missed.failure)?, other.map_err(|missed| missed.failure)?);
        let copies = |newest, replica, lag| {
            Ok(Copies { newest: Some(newest), lagging: vec![self.lagging(replica, lag)] })
        };
        match (one, other) {
            (None, None) => Ok(Copies::one(None)),
            (Some(one), Some(other)) if same(&one, &other) => Ok(Copies::one(Some(one))),
            (Some(one), None) => copies(one, Replica::Fallback, Lag::Missing),
            (None, Some(other)) => copies(other, Replica::Primary, Lag::Missing),
            (Some(_), Some(_)) => {
                let Copies { newest, lagging } = self.copies(key).await?;
                Ok(Copies { newest: newest.map(|object| object.head), lagging })
            }
        }
    }

    async fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Failure> {
        let pages = self.pages(prefix, after, limit);
        match pages.await {
            (Ok(one), Ok(other)) => Ok(merge(one, other, limit)),
            (Err(missed), _) | (_, Err(missed)) => Err(missed.failure),
        }
    }

    async fn mend(&self, replica: Replica, key: &ObjectKey, stale: bool) -> Result<(), Failure> {
        self.missed(replica, key, if stale { Stale::Perhaps } else { Stale::No }).await
    }

    fn providers(&self) -> Vec<ProviderState> {
        vec![
            self.primary.state(self.behind.last_known(Replica::Primary)),
            self.fallback.state(self.behind.last_known(Replica::Fallback)),
        ]
    }
}
