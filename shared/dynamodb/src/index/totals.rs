//! Sums over all rows, which cost no calls of their own.
//!
//! Each process keeps the changes of its commits ([`Unwritten`]). If it has written none for ten seconds, it writes them
//! along with one of its commits: they are added to one of sixteen items `STATS#00` to `STATS#15`, so that busy
//! processes do not conflict. A process that seldom commits writes with every commit, and so has nothing to lose when
//! it ends.
//!
//! The change of a commit depends on what the old row contributed to the sums. The process remembers the contributions
//! of the rows that it read ([`Known`]). A commit follows on a read of the same version, so it hardly ever has to read
//! again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::Error;
use credlink_core::row::{Row, Totals};
use credlink_ports::Failure;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::DynamoIndex;
use crate::failure::{NAME, damaged};
use crate::item::{self, Item, number};
use crate::table::{PARTITION_KEY, SORT_KEY, SUM};

/// The time for which a process that commits may hold back changes.
pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// The number of items that hold the sums.
const SHARDS: u8 = 16;

/// The maximum number of rows whose contribution is remembered, of about 200 bytes each.
const MAX_KNOWN: usize = 20_000;

/// Sums by their names, or changes to them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums(BTreeMap<String, i128>);

impl Sums {
    /// Returns the change from `old` to `new`.
    pub(super) fn change(old: &Totals, new: &Totals) -> Self {
        Self::from(new).plus(&Self::from(old).negated())
    }

    pub(super) fn plus(mut self, other: &Self) -> Self {
        for (name, more) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*more);
        }
        self.0.retain(|_, sum| *sum != 0);
        self
    }

    pub(super) fn negated(&self) -> Self {
        Self(self.0.iter().map(|(name, sum)| (name.clone(), -sum)).collect())
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.values().all(|sum| *sum == 0)
    }

    /// Returns the sums in the form of the port. While sums lag, a part of them may be negative.
    pub(super) fn totals(self) -> Totals {
        let count = |sum: i128| u64::try_from(sum.max(0)).unwrap_or(u64::MAX);
        Totals::of_named(self.0.into_iter().map(|(name, sum)| (name, count(sum))))
    }

    fn read(item: &Item) -> Result<Self, Failure> {
        let sums = item.iter().filter(|(name, _)| ![PARTITION_KEY, SORT_KEY].contains(&name.as_str()));
        let sum = |(name, value): (&String, &AttributeValue)| {
            let parsed = value.as_n().ok().and_then(|text| text.parse().ok());
            let parsed =
                parsed.ok_or_else(|| damaged(format!("the sum `{name}` of a STATS item is no number")));
            Ok((name.clone(), parsed?))
        };
        Ok(Self(sums.map(sum).collect::<Result<_, Failure>>()?))
    }
}

impl From<&Totals> for Sums {
    fn from(totals: &Totals) -> Self {
        Self(totals.named().into_iter().map(|(name, sum)| (name, sum.into())).collect())
    }
}

/// An addition to one of the items that hold the sums.
pub(super) struct Addition {
    pub(super) key: Item,
    pub(super) expression: String,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Item,
}

impl Addition {
    pub(super) fn of(sums: &Sums, shard: u8) -> Self {
        let (mut terms, mut names, mut values) = (Vec::new(), HashMap::new(), HashMap::new());
        // A name may have characters that a placeholder may not.
        for (place, (name, sum)) in sums.0.iter().enumerate() {
            terms.push(format!("#sum{place} :sum{place}"));
            names.insert(format!("#sum{place}"), name.clone());
            values.insert(format!(":sum{place}"), number(sum));
        }
        Self { key: key(shard), expression: format!("ADD {}", terms.join(", ")), names, values }
    }
}

fn key(shard: u8) -> Item {
    item::key(&format!("STATS#{shard:02}"), SUM)
}

/// The contributions of the rows that this process has read to the sums.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<String, (u64, Totals)>>);

impl Known {
    pub(super) fn remember(&self, row: &Row) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A forgotten row costs one read.
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(row.key().to_string(), (row.version(), row.totals()));
    }

    /// Returns the contribution of this version of the row, if it is known.
    pub(super) fn of(&self, key: &str, version: u64) -> Option<Totals> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(seen, _)| *seen == version).map(|(_, totals)| totals.clone())
    }
}

/// The changes of this process that are not written yet.
#[derive(Debug)]
pub(super) struct Unwritten {
    shard: u8,
    interval: Duration,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    sums: Sums,
    written: Option<Instant>,
}

impl Unwritten {
    pub(super) fn new(interval: Duration) -> Self {
        Self { shard: fastrand::u8(..SHARDS), interval, pending: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the changes that are not written yet.
    pub(super) fn sums(&self) -> Sums {
        self.lock().sums.clone()
    }

    /// Records the change of a commit.
    pub(super) fn add(&self, change: &Sums) {
        let mut pending = self.lock();
        pending.sums = std::mem::take(&mut pending.sums).plus(change);
    }

    /// Takes the changes that are to be written along with a commit of this `change`, if it is time, or if `now` is
    /// `true`.
    pub(super) fn take(&self, change: &Sums, now: bool) -> Option<Taken<'_>> {
        let mut pending = self.lock();
        let sums = pending.sums.clone().plus(change);
        let due = now || pending.written.is_none_or(|written| written.elapsed() >= self.interval);
        if sums.is_zero() || !due {
            return None;
        }
        let now_written = Pending { sums: Sums::default(), written: Some(Instant::now()) };
        let before = std::mem::replace(&mut *pending, now_written);
        Some(Taken { unwritten: self, before: Some(before), addition: Addition::of(&sums, self.shard) })
    }
}

/// Changes that are being written. They return to [`Unwritten`] unless they are [`Taken::written`].
pub(super) struct Taken<'a> {
    unwritten: &'a Unwritten,
    before: Option<Pending>,
    pub(super) addition: Addition,
}

impl Taken<'_> {
    pub(super) fn written(mut self) {
        self.before = None;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            let mut pending = self.unwritten.lock();
            pending.sums = std::mem::take(&mut pending.sums).plus(&before.sums);
            pending.written = before.written;
        }
    }
}

impl DynamoIndex {
    /// Writes the remaining changes of this process to the sums. For an orderly end of a process.
    ///
    /// # Errors
    /// DynamoDB failed. The changes are kept for the next time, although they may have been written.
    pub async fn flush(&self) -> Result<(), Failure> {
        let Some(taken) = self.unwritten.take(&Sums::default(), true) else { return Ok(()) };
        self.add(&taken.addition).await?;
        taken.written();
        Ok(())
    }

    pub(super) async fn add(&self, addition: &Addition) -> Result<(), Failure> {
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(addition.key.clone()))
            .update_expression(&addition.expression)
            .set_expression_attribute_names(Some(addition.names.clone()))
            .set_expression_attribute_values(Some(addition.values.clone()));
        // Not retried: an addition that took effect would be made twice.
        let answer = Box::pin(request.customize().config_override(self.once()).send()).await;
        answer.map_err(|error| Error::classify(NAME, &error))?;
        Ok(())
    }

    /// Reads the sums from the table.
    pub(super) async fn stored_sums(&self) -> Result<Sums, Failure> {
        let items = self.items((0..SHARDS).map(key).collect()).await?;
        items.iter().try_fold(Sums::default(), |sums, item| Ok(sums.plus(&Sums::read(item)?)))
    }
}
