//! The queue in a local file, over redb.
//!
//! * Every change is synced to the disk before it is answered, so a message that crashes the process still counts as an
//!   attempt.
//! * A message that was delivered [`MAX_DELIVERIES`] times and not settled becomes a dead letter, which an operator can
//!   inspect ([`EmbeddedQueue::dead`]) and put back.
//! * After a failed write the file is reopened (`database`). On a full disk, messages may use the reserve: a deletion
//!   that a provider missed needs one.
//! * Only one process uses the file, and changes are made one at a time. Receiving from an empty queue changes nothing.

use std::path::Path;
use std::sync::Arc;

use credlink_core::message::Message;
use credlink_core::time::Timestamp;
use credlink_ports::{Clock, Delivery, Failure, FailureKind, Queue};
use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction};

use credlink_disk::failure::off_the_executor;
use credlink_disk::reserve::Reserve;
use credlink_ports::limits::{MAX_DELIVERIES, milliseconds};

use crate::database::Database;
use crate::database::opening::{OpenError, Opening};
use crate::failure::from_redb;

#[cfg(test)]
mod tests;

/// The name that operators know this queue by.
const NAME: &str = "queue";

/// Maximum number of messages that one call receives.
const MAX_RECEIVED: usize = 10;
/// Longest delay, in seconds: the maximum of SQS.
const MAX_DELAY_SECONDS: u32 = 900;
/// Memory for pages of the file, in bytes.
const CACHE_BYTES: usize = 4 * 1_024 * 1_024;

/// Number → instant from which the message may be delivered (milliseconds), number of deliveries, text.
const MESSAGES: TableDefinition<'_, u64, (u64, u32, &str)> = TableDefinition::new("messages");
/// Instant from which the message may be delivered, number → nothing.
const BY_TIME: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("by_time");
/// Number → instant at which the message became a dead letter (milliseconds), number of deliveries, text.
const DEAD: TableDefinition<'_, u64, (u64, u32, &str)> = TableDefinition::new("dead");
/// Name → number. `next` holds the number of the next message, `version` the version of the tables.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

/// The version of the tables.
const TABLES_VERSION: u64 = 1;

/// The reason why a queue could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct QueueError(#[from] pub OpenError);

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// The number that [`EmbeddedQueue::put_back`] takes.
    pub number: u64,
    /// The text of the message.
    pub text: String,
    /// The number of deliveries.
    pub attempts: u32,
    /// The instant at which the message became a dead letter.
    pub at: Timestamp,
}

/// A queue in one file. Clones share the queue.
#[derive(Debug, Clone)]
pub struct EmbeddedQueue<K> {
    database: Arc<Database>,
    clock: K,
}

impl<K: Clock> EmbeddedQueue<K> {
    /// Opens the queue at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// Fails if another process uses the file, if the file is damaged or of another version, or if the file system
    /// refuses.
    pub fn open(path: impl AsRef<Path>, clock: K) -> Result<Self, QueueError> {
        let path = path.as_ref();
        Self::open_beside(path, clock, Reserve::at(path.parent().unwrap_or(path)))
    }

    /// Opens the queue with the reserve of the disk that holds the file.
    ///
    /// # Errors
    /// Fails for the reasons of [`EmbeddedQueue::open`].
    pub fn open_beside(path: impl AsRef<Path>, clock: K, reserve: Reserve) -> Result<Self, QueueError> {
        let path = path.as_ref().to_owned();
        let opening = Opening { name: NAME, path, cache_bytes: CACHE_BYTES, version: TABLES_VERSION };
        let database = Database::open(&opening, reserve)?;
        opening.expect(database.write(prepare).map_err(|failure| opening.failed(failure))?)?;
        Ok(Self { database: Arc::new(database), clock })
    }

    /// Runs `work` in a transaction, which is synced if `work` reports a change.
    async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, bool), Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let database = Arc::clone(&self.database);
        off_the_executor(NAME, move || {
            database.write(|open| {
                let transaction = open.begin_write().map_err(failure)?;
                let (answer, changed) = work(&transaction)?;
                if changed {
                    transaction.commit().map_err(failure)?;
                } else {
                    transaction.abort().map_err(failure)?;
                }
                Ok(answer)
            })
        })
        .await
    }

    /// Returns at most `limit` dead letters with numbers greater than `after`, oldest first.
    ///
    /// # Errors
    /// Fails if the file system does.
    pub async fn dead(&self, after: Option<u64>, limit: usize) -> Result<Vec<Dead>, Failure> {
        let database = Arc::clone(&self.database);
        off_the_executor(NAME, move || {
            database.read(|snapshot| {
                let table = snapshot.open_table(DEAD).map_err(failure)?;
                let first = after.map_or(0, |after| after.saturating_add(1));
                let range = table.range(first..).map_err(failure)?.take(limit);
                range
                    .map(|entry| {
                        let (number, value) = entry.map_err(failure)?;
                        let (at, attempts, text) = value.value();
                        let at = Timestamp::from_milliseconds(i64::try_from(at).unwrap_or(i64::MAX));
                        Ok(Dead { number: number.value(), text: text.to_owned(), attempts, at })
                    })
                    .collect()
            })
        })
        .await
    }

    /// Puts a dead letter back into the queue with no deliveries counted. Returns `false` if there is no dead letter of
    /// this number.
    ///
    /// # Errors
    /// Fails if the file system does. The message is then still in exactly one of the two tables.
    pub async fn put_back(&self, number: u64) -> Result<bool, Failure> {
        let now = milliseconds(self.clock.now());
        self.change(move |transaction| {
            let mut dead = transaction.open_table(DEAD).map_err(failure)?;
            let text = dead.remove(number).map_err(failure)?.map(|value| value.value().2.to_owned());
            let Some(text) = text else { return Ok((false, false)) };
            put(transaction, number, now, 0, &text)?;
            Ok((true, true))
        })
        .await
    }
}

impl<K: Clock> Queue for EmbeddedQueue<K> {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn send(&self, message: &Message, delay_seconds: u32) -> Result<(), Failure> {
        let text = message.to_string();
        let from = self.clock.now().plus_seconds(delay_seconds.min(MAX_DELAY_SECONDS).into());
        self.change(move |transaction| {
            let mut about = transaction.open_table(ABOUT).map_err(failure)?;
            let number = about.get("next").map_err(failure)?.map_or(0, |next| next.value());
            about.insert("next", number + 1).map_err(failure)?;
            put(transaction, number, milliseconds(from), 0, &text)?;
            Ok(((), true))
        })
        .await
    }

    async fn receive(&self, most: usize, hidden_seconds: u32) -> Result<Vec<Delivery>, Failure> {
        let now = self.clock.now();
        let until = milliseconds(now.plus_seconds(hidden_seconds.into()));
        let (now, most) = (milliseconds(now), most.clamp(1, MAX_RECEIVED));
        self.change(move |transaction| {
            let mut deliveries = Vec::new();
            let mut changed = false;
            while deliveries.len() < most {
                let Some((from, number)) = first_ready(transaction, now, &deliveries)? else { break };
                changed = true;
                let Some((attempts, text)) = take(transaction, from, number)? else { continue };
                if attempts >= MAX_DELIVERIES {
                    let mut dead = transaction.open_table(DEAD).map_err(failure)?;
                    dead.insert(number, (now, attempts, text.as_str())).map_err(failure)?;
                    continue;
                }
                put(transaction, number, until, attempts + 1, &text)?;
                deliveries.push(Delivery { receipt: number.to_string(), text, attempts: attempts + 1 });
            }
            Ok((deliveries, changed))
        })
        .await
    }

    async fn settle(&self, receipt: &str) -> Result<(), Failure> {
        let number: u64 = receipt.parse().map_err(|_| Failure {
            provider: NAME,
            kind: FailureKind::Damaged,
            message: format!("`{receipt}` is no receipt"),
        })?;
        self.change(move |transaction| {
            let messages = transaction.open_table(MESSAGES).map_err(failure)?;
            let from = messages.get(number).map_err(failure)?.map(|value| value.value().0);
            drop(messages);
            let Some(from) = from else { return Ok(((), false)) };
            take(transaction, from, number)?;
            Ok(((), true))
        })
        .await
    }

    async fn depth(&self) -> Result<u64, Failure> {
        let database = Arc::clone(&self.database);
        off_the_executor(NAME, move || {
            database.read(|snapshot| snapshot.open_table(MESSAGES).map_err(failure)?.len().map_err(failure))
        })
        .await
    }
}

/// Creates the tables in a new file. Returns the version of the tables.
fn prepare(database: &redb::Database) -> Result<u64, Failure> {
    let transaction = database.begin_write().map_err(failure)?;
    let found = {
        transaction.open_table(MESSAGES).map_err(failure)?;
        transaction.open_table(BY_TIME).map_err(failure)?;
        transaction.open_table(DEAD).map_err(failure)?;
        let mut about = transaction.open_table(ABOUT).map_err(failure)?;
        let found = about.get("version").map_err(failure)?.map(|version| version.value());
        if found.is_none() {
            about.insert("version", TABLES_VERSION).map_err(failure)?;
        }
        found.unwrap_or(TABLES_VERSION)
    };
    transaction.commit().map_err(failure)?;
    Ok(found)
}

/// Returns the message that has waited longest and may be delivered now. A message that this call has already received
/// with a visibility timeout of zero is skipped.
fn first_ready(
    transaction: &WriteTransaction,
    now: u64,
    handed_out: &[Delivery],
) -> Result<Option<(u64, u64)>, Failure> {
    let by_time = transaction.open_table(BY_TIME).map_err(failure)?;
    for entry in by_time.range(..(now.saturating_add(1), 0)).map_err(failure)? {
        let (from, number) = entry.map_err(failure)?.0.value();
        if handed_out.iter().all(|delivery| delivery.receipt != number.to_string()) {
            return Ok(Some((from, number)));
        }
    }
    Ok(None)
}

fn put(
    transaction: &WriteTransaction,
    number: u64,
    from: u64,
    attempts: u32,
    text: &str,
) -> Result<(), Failure> {
    let mut messages = transaction.open_table(MESSAGES).map_err(failure)?;
    messages.insert(number, (from, attempts, text)).map_err(failure)?;
    let mut by_time = transaction.open_table(BY_TIME).map_err(failure)?;
    by_time.insert((from, number), ()).map(drop).map_err(failure)
}

/// Removes a message. Returns its number of deliveries and its text.
fn take(transaction: &WriteTransaction, from: u64, number: u64) -> Result<Option<(u32, String)>, Failure> {
    transaction.open_table(BY_TIME).map_err(failure)?.remove((from, number)).map_err(failure)?;
    let mut messages = transaction.open_table(MESSAGES).map_err(failure)?;
    let taken = messages.remove(number).map_err(failure)?;
    Ok(taken.map(|value| {
        let (_, attempts, text) = value.value();
        (attempts, text.to_owned())
    }))
}

fn failure(error: impl Into<redb::Error>) -> Failure {
    from_redb(NAME, error)
}
