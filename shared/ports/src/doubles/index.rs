//! An index in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::audit::AuditEntry;
use credlink_core::bounds::AUDIT_KEPT_SECONDS;
use credlink_core::file::FileId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Reads, Row, RowKey, State, Totals};
use credlink_core::time::Timestamp;

use crate::cursor::{Cursor, access_position, read_access_position};
use crate::limits::{breach, milliseconds, place};
use crate::{Commit, Failure, FailureKind, FilesOf, Index, Intent, Listing, Page, Write};

/// The time for which intents are kept, in milliseconds: one day, as the port requires.
const INTENT_MILLISECONDS: u64 = 86_400_000;

/// An index in memory. Clones share their rows.
///
/// # Panics
/// `commit` panics if a caller breaks its contract: a version that is not one more than the expected one, two writes to
/// one row, or more than 100 writes.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex(Arc<Mutex<Rows>>);

#[derive(Debug, Clone, Default)]
struct Rows {
    /// The rows by the text of their keys, each with its position in its tenant's listing of live proofs.
    rows: BTreeMap<String, (u64, Row)>,
    /// The rows of every listing except [`Listing::All`], in order.
    listed: BTreeSet<Entry>,
    reads: HashMap<ProofId, Reads>,
    /// The intents: their instants in milliseconds, and the keys of their objects.
    intents: BTreeSet<(u64, String)>,
    /// The logs of accesses: the file, the instant in milliseconds and the number of each entry.
    accesses: BTreeMap<(FileId, u64, u64), AuditEntry>,
}

/// An entry of a listing: the listing, the instant in milliseconds that orders it, and the row's key.
type Entry = (ListingKind, u64, String);

/// A listing to which a row can belong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum ListingKind {
    Proofs(String),
    Aliases(String),
    Manifests(String),
    Files(String, FilesOf),
    Due,
}

impl MemoryIndex {
    /// Creates an empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a copy of the index as it is now, which shares nothing with the original, like a backup.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self(Arc::new(Mutex::new(self.rows().clone())))
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn joined(&self, row: &Row) -> Row {
        let mut row = row.clone();
        if let Row::Proof(proof) = &mut row {
            proof.reads = self.reads.get(&proof.id).copied().unwrap_or_default();
        }
        row
    }

    /// Returns the entries of the row under `key`, or none if there is no such row.
    fn entries(&self, key: &str) -> Vec<Entry> {
        let Some((place, row)) = self.rows.get(key) else {
            return Vec::new();
        };
        let alone = row.stands_alone_for().map(ToString::to_string);
        if let Row::File(file) = row {
            let entry = |of| (ListingKind::Files(file.tenant.to_string(), of), milliseconds(file.created));
            let due = row.due().map(|due| (ListingKind::Due, milliseconds(due)));
            let entries = FilesOf::all_with(file).map(entry).chain(due);
            return entries.map(|(kind, order)| (kind, order, key.to_owned())).collect();
        }
        let of_tenant = match row {
            Row::Proof(proof) if proof.state == State::Live => {
                Some((ListingKind::Proofs(proof.tenant.to_string()), *place))
            }
            Row::Alias(_) => alone.map(|tenant| (ListingKind::Aliases(tenant), 0)),
            Row::Manifest(_) => alone.map(|tenant| (ListingKind::Manifests(tenant), 0)),
            Row::Proof(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::File(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_) => None,
        };
        let due = row.due().map(|due| (ListingKind::Due, milliseconds(due)));
        of_tenant.into_iter().chain(due).map(|(kind, order)| (kind, order, key.to_owned())).collect()
    }

    fn put(&mut self, row: Row) {
        let key = row.key().to_string();
        for entry in self.entries(&key) {
            self.listed.remove(&entry);
        }
        let place = place(&row, self.rows.get(&key).map(|(place, row)| (*place, row)));
        self.rows.insert(key.clone(), (place, row));
        let entries = self.entries(&key);
        self.listed.extend(entries);
    }

    /// Returns the rows of `listing` after the position `after`, in order, each with its cursor.
    fn behind<'rows>(
        &'rows self,
        listing: &Listing,
        after: Option<Cursor>,
    ) -> Box<dyn Iterator<Item = (Cursor, &'rows Row)> + 'rows> {
        let (kind, until) = match listing {
            Listing::All => {
                let start = match after {
                    Some(Cursor::All(key)) => Bound::Excluded(key),
                    _ => Bound::Unbounded,
                };
                let rows = self.rows.range::<String, _>((start, Bound::Unbounded));
                return Box::new(rows.map(|(key, (_, row))| (Cursor::All(key.clone()), row)));
            }
            Listing::Tenant(tenant) => (ListingKind::Proofs(tenant.to_string()), u64::MAX),
            Listing::Aliases(tenant) => (ListingKind::Aliases(tenant.to_string()), u64::MAX),
            Listing::Manifests(tenant) => (ListingKind::Manifests(tenant.to_string()), u64::MAX),
            Listing::Files(tenant, of) => (ListingKind::Files(tenant.to_string(), of.clone()), u64::MAX),
            Listing::Due(by) => (ListingKind::Due, milliseconds(*by)),
        };
        let after = after.map(|cursor| match cursor {
            Cursor::Tenant(_, place, id) => (place, RowKey::Proof(id).to_string()),
            Cursor::Aliases(_, id) => (0, RowKey::Alias(id).to_string()),
            Cursor::Manifests(tenant, id) => (0, RowKey::Manifest(ManifestKey { tenant, id }).to_string()),
            Cursor::Files(_, _, place, id) => (place, RowKey::File(id).to_string()),
            Cursor::Due(due, key) => (due, key),
            Cursor::All(key) => (0, key),
        });
        let start = match after {
            Some((order, key)) => Bound::Excluded((kind.clone(), order, key)),
            None => Bound::Included((kind.clone(), 0, String::new())),
        };
        let entries = self
            .listed
            .range((start, Bound::Unbounded))
            .take_while(move |(of, order, _)| *of == kind && *order <= until);
        Box::new(entries.filter_map(|entry| {
            let (_, row) = self.rows.get(&entry.2)?;
            Some((cursor(entry, row)?, row))
        }))
    }
}

/// Returns the cursor that continues a listing after `row`. The first argument is the row's entry in that listing.
fn cursor((kind, order, key): &Entry, row: &Row) -> Option<Cursor> {
    match (kind, row) {
        (ListingKind::Due, _) => Some(Cursor::Due(*order, key.clone())),
        (ListingKind::Proofs(_), Row::Proof(proof)) => {
            Some(Cursor::Tenant(proof.tenant.clone(), *order, proof.id))
        }
        (ListingKind::Files(_, of), Row::File(file)) => {
            Some(Cursor::Files(file.tenant.clone(), of.clone(), *order, file.id))
        }
        _ => Cursor::alone(row),
    }
}

impl Index for MemoryIndex {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn get(&self, key: &RowKey) -> Result<Option<Row>, Failure> {
        let rows = self.rows();
        Ok(rows.rows.get(&key.to_string()).map(|(_, row)| rows.joined(row)))
    }

    async fn commit(&self, writes: &[Write]) -> Result<Commit, Failure> {
        let breach = breach(writes);
        assert!(breach.is_none(), "{}", breach.unwrap_or_default());
        let mut rows = self.rows();
        for (number, write) in writes.iter().enumerate() {
            let current = rows.rows.get(&write.row.key().to_string()).map(|(_, row)| row);
            if current.map(Row::version) != write.expected {
                return Ok(Commit::Lost { write: number, current: current.map(|row| rows.joined(row)) });
            }
        }
        for write in writes {
            rows.put(write.row.clone());
        }
        Ok(Commit::Done)
    }

    async fn list(
        &self,
        listing: &Listing,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        assert!((1..=1_000).contains(&limit), "a page has 1 to 1,000 rows, not {limit}");
        let after = match after.map(|text| Cursor::read(text, listing)) {
            None => None,
            Some(None) => return Ok(None),
            Some(cursor) => cursor,
        };
        let rows = self.rows();
        let mut behind = rows.behind(listing, after);
        let page: Vec<_> = behind.by_ref().take(limit).collect();
        let more = behind.next().is_some();
        Ok(Some(Page {
            items: page.iter().map(|(_, row)| rows.joined(row)).collect(),
            next: page.last().filter(|_| more).map(|(cursor, _)| cursor.text()),
        }))
    }

    async fn intend(&self, key: &ObjectKey, at: Timestamp) -> Result<(), Failure> {
        let mut rows = self.rows();
        let at = milliseconds(at);
        let kept = at.saturating_sub(INTENT_MILLISECONDS);
        rows.intents = rows.intents.split_off(&(kept, String::new()));
        rows.intents.insert((at, key.to_string()));
        Ok(())
    }

    async fn intents(
        &self,
        from: Timestamp,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Intent>, Failure> {
        // Intents of the same instant are in the order of their keys.
        let start = match after.and_then(|after| after.split_once('#')) {
            Some((at, key)) => Bound::Excluded((at.parse().unwrap_or_default(), key.to_owned())),
            None => Bound::Included((milliseconds(from), String::new())),
        };
        let rows = self.rows();
        let found: Vec<_> = rows.intents.range((start, Bound::Unbounded)).take(limit).collect();
        let next = found.last().filter(|_| found.len() == limit).map(|(at, key)| format!("{at}#{key}"));
        let intents = found.into_iter().filter_map(|(at, key)| {
            let at = Timestamp::from_milliseconds(i64::try_from(*at).ok()?);
            Some(Intent { at, key: key.parse().ok()? })
        });
        Ok(Page { items: intents.collect(), next })
    }

    async fn note_access(&self, entry: &AuditEntry) -> Result<(), Failure> {
        let mut rows = self.rows();
        let at = milliseconds(entry.at);
        let trusted = match rows.rows.get(&RowKey::Store.to_string()) {
            Some((_, Row::Store(row))) => at.min(milliseconds(row.seen)),
            _ => at,
        };
        let kept = trusted.saturating_sub(AUDIT_KEPT_SECONDS * 1_000);
        rows.accesses.retain(|(_, at, _), _| *at >= kept);
        let key = (entry.file, at, entry.number);
        let before = rows.accesses.insert(key, entry.clone());
        assert!(before.is_none_or(|before| before == *entry), "an entry of the log is never changed");
        Ok(())
    }

    async fn accesses(
        &self,
        file: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page<AuditEntry>>, Failure> {
        assert!((1..=1_000).contains(&limit), "a page has 1 to 1,000 entries, not {limit}");
        let start = match after.map(read_access_position) {
            Some(None) => return Ok(None),
            Some(Some((at, number))) => Bound::Excluded((*file, at, number)),
            None => Bound::Included((*file, 0, 0)),
        };
        let rows = self.rows();
        let end = Bound::Included((*file, u64::MAX, u64::MAX));
        let mut found: Vec<AuditEntry> =
            rows.accesses.range((start, end)).take(limit + 1).map(|(_, entry)| entry.clone()).collect();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(access_position);
        Ok(Some(Page { items: found, next }))
    }

    async fn count_reads(&self, reads: &[(ProofId, Reads)]) -> Result<(), Failure> {
        let mut rows = self.rows();
        for (id, more) in reads {
            if rows.rows.contains_key(&RowKey::Proof(*id).to_string()) {
                let count = rows.reads.entry(*id).or_default();
                *count = count.plus(*more);
            }
        }
        Ok(())
    }

    async fn totals(&self) -> Result<Totals, Failure> {
        let rows = self.rows();
        Ok(rows
            .rows
            .values()
            .fold(Totals::default(), |sum, (_, row)| sum.exchange(&Totals::default(), &row.totals())))
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        None
    }
}
