//! Rows in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Reads, Row, RowKey, State, Totals};
use credlink_core::time::Timestamp;
use credlink_service::ports::{Commit, Failure, Index, Listing, Page, Write};

use crate::cursor::Cursor;

/// Most writes of one commit, as the port says (and DynamoDB allows).
pub(crate) const MAX_WRITES: usize = 100;

/// An index in memory. Clones share their rows.
///
/// # Panics
/// `commit` panics on what no caller may ask for: a version that does not follow on the expected one, two writes to
/// one row, or more than 100 writes.
#[derive(Debug, Clone, Default)]
pub struct MemoryIndex(Arc<Mutex<Rows>>);

#[derive(Debug, Clone, Default)]
struct Rows {
    /// By the text of their keys, with the place of live proofs in their tenant's listing.
    rows: BTreeMap<String, (u64, Row)>,
    reads: HashMap<ProofId, Reads>,
}

/// What is wrong with `writes`, whatever stands in the index.
pub(crate) fn breach(writes: &[Write]) -> Option<String> {
    if writes.len() > MAX_WRITES {
        return Some(format!("{} writes in one commit; {MAX_WRITES} are allowed", writes.len()));
    }
    let mut keys = BTreeSet::new();
    for write in writes {
        let key = write.row.key();
        let (version, expected) = (write.row.version(), write.expected);
        if version != expected.unwrap_or(0).saturating_add(1) {
            return Some(format!("the row {key} of version {version} does not follow on {expected:?}"));
        }
        if !keys.insert(key.clone()) {
            return Some(format!("two writes to the row {key} in one commit"));
        }
    }
    None
}

/// A live proof's place in its tenant's listing: the instant since when it is live. A later revision of it does not
/// move it, or a listing that is under way would show it twice.
pub(crate) fn place(row: &Row, before: Option<(u64, &Row)>) -> u64 {
    let live = |row: &Row| matches!(row, Row::Proof(ProofRow { state: State::Live, .. }));
    match (row, before) {
        (_, Some((place, before))) if live(before) => place,
        (Row::Proof(proof), _) => milliseconds(proof.created),
        (Row::Manifest(_) | Row::Alias(_) | Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_), _) => 0,
    }
}

pub(crate) fn milliseconds(instant: Timestamp) -> u64 {
    instant.milliseconds().unsigned_abs()
}

impl MemoryIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of the index as it is now, which shares nothing with it: what a backup holds.
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

    /// The listing's rows in its order, each with its cursor.
    fn listed(&self, listing: &Listing) -> Vec<((u64, String), Cursor, &Row)> {
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter_map(|(key, (place, row))| match (listing, row) {
                (Listing::Tenant(tenant), Row::Proof(proof))
                    if proof.state == State::Live && proof.tenant == *tenant =>
                {
                    let order = (*place, proof.id.to_string());
                    Some((order, Cursor::Tenant(tenant.clone(), *place, proof.id), row))
                }
                (Listing::Aliases(tenant), Row::Alias(_))
                | (Listing::Manifests(tenant), Row::Manifest(_))
                    if row.stands_alone_for() == Some(tenant) =>
                {
                    Cursor::alone(row).map(|cursor| ((0, key.clone()), cursor, row))
                }
                (Listing::Tenant(_) | Listing::Aliases(_) | Listing::Manifests(_), _) => None,
                (Listing::Due(by), row) => row.due().filter(|due| due <= by).map(|due| {
                    let due = milliseconds(due);
                    ((due, key.clone()), Cursor::Due(due, key.clone()), row)
                }),
                (Listing::All, row) => Some(((0, key.clone()), Cursor::All(key.clone()), row)),
            })
            .collect();
        rows.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        rows
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
            let key = write.row.key().to_string();
            let place = place(&write.row, rows.rows.get(&key).map(|(place, row)| (*place, row)));
            rows.rows.insert(key, (place, write.row.clone()));
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
            Some(Some(Cursor::Tenant(_, place, id))) => Some((place, id.to_string())),
            Some(Some(Cursor::Aliases(_, id))) => Some((0, RowKey::Alias(id).to_string())),
            Some(Some(Cursor::Manifests(_, id))) => Some((0, RowKey::Manifest(id).to_string())),
            Some(Some(Cursor::Due(due, key))) => Some((due, key)),
            Some(Some(Cursor::All(key))) => Some((0, key)),
        };
        let rows = self.rows();
        let listed = rows.listed(listing);
        let start = after.map_or(0, |after| listed.partition_point(|(order, ..)| *order <= after));
        let page = &listed[start..(start + limit).min(listed.len())];
        let more = start + limit < listed.len();
        Ok(Some(Page {
            items: page.iter().map(|(_, _, row)| rows.joined(row)).collect(),
            next: page.last().filter(|_| more).map(|(_, cursor, _)| cursor.text()),
        }))
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
            .fold(Totals::default(), |sum, (_, row)| sum.exchange(Totals::default(), row.totals())))
    }
}
