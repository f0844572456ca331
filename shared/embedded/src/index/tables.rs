//! The tables of the embedded index, and the changes that a commit makes to them.

use credlink_core::audit::AuditEntry;
use credlink_core::bounds::AUDIT_KEPT_SECONDS;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Reads, Row, RowKey, State, Totals};
use credlink_core::time::Timestamp;
use credlink_ports::{Commit, Failure, FailureKind, FilesOf};
use redb::{ReadableTable, StorageError, Table, TableDefinition, WriteTransaction};

use credlink_ports::limits::{milliseconds, place};

use super::{NAME, failure};

/// Row key → position in the tenant's listing, and the row as JSON without its read counts.
pub(super) const ROWS: TableDefinition<'_, &str, (u64, &[u8])> = TableDefinition::new("rows");
/// Tenant, instant since which the proof is live (milliseconds), proof ID → nothing. Holds live proofs only.
pub(super) const BY_TENANT: TableDefinition<'_, (&str, u64, &str), ()> = TableDefinition::new("by_tenant");
/// Name of a listing of files, instant at which the file became ready (milliseconds), file ID → nothing. Holds live files
/// only, each in all its listings.
pub(super) const FILES: TableDefinition<'_, (&str, u64, &str), ()> = TableDefinition::new("files");
/// File ID, instant of an access (milliseconds), number of the entry → the entry as JSON.
pub(super) const ACCESSES: TableDefinition<'_, (&str, u64, u64), &[u8]> = TableDefinition::new("accesses");
/// Instant of an access (milliseconds), file ID, number of the entry → nothing, so that old entries are found.
pub(super) const ACCESSES_BY_TIME: TableDefinition<'_, (u64, &str, u64), ()> =
    TableDefinition::new("accesses_by_time");
/// The most old entries that are removed when one is added. With more than one, they become fewer.
const REMOVED_ACCESSES: usize = 4;
/// Instant at which a row is due (milliseconds), row key → nothing.
pub(super) const DUE: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("due");
/// Proof ID → number of reads, and instant of the last one in milliseconds (0: never). Read counts are separate from
/// the rows, so that neither a commit nor a count can undo the other.
pub(super) const READS: TableDefinition<'_, &[u8; 20], (u64, u64)> = TableDefinition::new("reads");
/// Name → JSON. `totals` holds the sums over all rows, `version` the version of the tables. `bookmark` and a name holds
/// the position of a task, as text.
pub(super) const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
/// Prefix of the name of a bookmark in [`ABOUT`].
const BOOKMARK: &str = "bookmark ";
/// The entry of [`ABOUT`] that holds the sums.
pub(super) const TOTALS: &str = "totals";
/// The entry of [`ABOUT`] that holds the version of the tables.
pub(super) const VERSION: &str = "version";

/// A write, prepared by the task that requests it, so that the single writer has less to do.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) key: String,
    pub(super) row: Row,
    pub(super) json: Vec<u8>,
    pub(super) expected: Option<u64>,
}

/// The tables, open for writing.
pub(super) struct Tables<'t> {
    rows: Table<'t, &'static str, (u64, &'static [u8])>,
    by_tenant: Table<'t, (&'static str, u64, &'static str), ()>,
    files: Table<'t, (&'static str, u64, &'static str), ()>,
    accesses: Table<'t, (&'static str, u64, u64), &'static [u8]>,
    accesses_by_time: Table<'t, (u64, &'static str, u64), ()>,
    due: Table<'t, (u64, &'static str), ()>,
    reads: Table<'t, &'static [u8; 20], (u64, u64)>,
    about: Table<'t, &'static str, &'static [u8]>,
    totals: Totals,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Failure> {
        let about = transaction.open_table(ABOUT).map_err(failure)?;
        let totals = totals(&about)?;
        Ok(Self {
            rows: transaction.open_table(ROWS).map_err(failure)?,
            by_tenant: transaction.open_table(BY_TENANT).map_err(failure)?,
            files: transaction.open_table(FILES).map_err(failure)?,
            accesses: transaction.open_table(ACCESSES).map_err(failure)?,
            accesses_by_time: transaction.open_table(ACCESSES_BY_TIME).map_err(failure)?,
            due: transaction.open_table(DUE).map_err(failure)?,
            reads: transaction.open_table(READS).map_err(failure)?,
            about,
            totals,
        })
    }

    /// Writes the sums. After this the transaction can be committed.
    pub(super) fn close(mut self) -> Result<(), Failure> {
        let json = serde_json::to_vec(&self.totals).map_err(|error| damaged(TOTALS, &error))?;
        self.about.insert(TOTALS, json.as_slice()).map(drop).map_err(failure)
    }

    /// Checks every expectation, and only then writes every row.
    pub(super) fn apply(&mut self, writes: &[Prepared]) -> Result<Commit, Failure> {
        let mut befores = Vec::with_capacity(writes.len());
        for (number, write) in writes.iter().enumerate() {
            let current = stored(&self.rows, &write.key)?;
            if current.as_ref().map(|(_, row)| row.version()) != write.expected {
                let current = current.map(|(_, row)| joined(row, &self.reads)).transpose()?;
                return Ok(Commit::Lost { write: number, current });
            }
            befores.push(current);
        }
        for (write, before) in writes.iter().zip(befores) {
            self.write(write, before).map_err(failure)?;
        }
        Ok(Commit::Done)
    }

    fn write(&mut self, write: &Prepared, before: Option<(u64, Row)>) -> Result<(), StorageError> {
        let place = place(&write.row, before.as_ref().map(|(place, row)| (*place, row)));
        let entry = |row: &Row, place| listed(row).map(|(tenant, id)| (tenant, place, id));
        let due = |row: &Row| row.due().map(milliseconds);
        let mut totals = Totals::default();
        let (mut old_entry, mut old_due) = (None, None);
        if let Some((old_place, old)) = &before {
            totals = old.totals();
            old_entry = entry(old, *old_place);
            old_due = due(old);
        }
        let (new_entry, new_due) = (entry(&write.row, place), due(&write.row));
        if old_entry != new_entry {
            if let Some((tenant, place, id)) = &old_entry {
                self.by_tenant.remove((tenant.as_str(), *place, id.as_str()))?;
            }
            if let Some((tenant, place, id)) = &new_entry {
                self.by_tenant.insert((tenant.as_str(), *place, id.as_str()), ())?;
            }
        }
        if old_due != new_due {
            if let Some(due) = old_due {
                self.due.remove((due, write.key.as_str()))?;
            }
            if let Some(due) = new_due {
                self.due.insert((due, write.key.as_str()), ())?;
            }
        }
        if let Row::File(_) = write.row {
            self.list_file(before.as_ref().map(|(_, row)| row), &write.row)?;
        }
        self.rows.insert(write.key.as_str(), (place, write.json.as_slice()))?;
        self.totals = std::mem::take(&mut self.totals).exchange(&totals, &write.row.totals());
        Ok(())
    }

    /// Brings the listings of files up to date with a row.
    fn list_file(&mut self, before: Option<&Row>, row: &Row) -> Result<(), StorageError> {
        let (old, new) = (before.map(file_entries).unwrap_or_default(), file_entries(row));
        if old == new {
            return Ok(());
        }
        for (listing, at, id) in &old {
            self.files.remove((listing.as_str(), *at, id.as_str()))?;
        }
        for (listing, at, id) in &new {
            self.files.insert((listing.as_str(), *at, id.as_str()), ())?;
        }
        Ok(())
    }

    /// Appends an entry to the log of accesses to its file, and removes some that are older than they are kept.
    pub(super) fn note_access(&mut self, entry: &AuditEntry) -> Result<(), Failure> {
        let json = serde_json::to_vec(entry).map_err(|error| damaged("an access", &error))?;
        let (file, at) = (entry.file.to_string(), milliseconds(entry.at));
        self.accesses.insert((file.as_str(), at, entry.number), json.as_slice()).map_err(failure)?;
        self.accesses_by_time.insert((at, file.as_str(), entry.number), ()).map_err(failure)?;
        // A clock that is ahead of what the store has trusted removes nothing.
        let trusted = match stored(&self.rows, &RowKey::Store.to_string())? {
            Some((_, Row::Store(row))) => at.min(milliseconds(row.seen)),
            _ => at,
        };
        let kept = (trusted.saturating_sub(AUDIT_KEPT_SECONDS * 1_000), "", 0);
        let mut old = Vec::new();
        for entry in
            self.accesses_by_time.range::<(u64, &str, u64)>(..kept).map_err(failure)?.take(REMOVED_ACCESSES)
        {
            let (at, file, number) = entry
                .map(|(key, _)| {
                    let (at, file, number) = key.value();
                    (at, file.to_owned(), number)
                })
                .map_err(failure)?;
            old.push((at, file, number));
        }
        for (at, file, number) in old {
            self.accesses.remove((file.as_str(), at, number)).map_err(failure)?;
            self.accesses_by_time.remove((at, file.as_str(), number)).map_err(failure)?;
        }
        Ok(())
    }

    /// Stores a bookmark. `None` removes it.
    pub(super) fn keep(&mut self, name: &str, text: Option<&str>) -> Result<(), StorageError> {
        let name = format!("{BOOKMARK}{name}");
        match text {
            Some(text) => self.about.insert(name.as_str(), text.as_bytes()).map(drop),
            None => self.about.remove(name.as_str()).map(drop),
        }
    }

    /// Adds to the read counts of the proofs that have a row.
    pub(super) fn count(&mut self, reads: &[(ProofId, Reads)]) -> Result<(), StorageError> {
        for (id, more) in reads {
            if self.rows.get(RowKey::Proof(*id).to_string().as_str())?.is_none() {
                continue;
            }
            let sum = read_count(&self.reads, id)?.plus(*more);
            self.reads.insert(id.as_bytes(), (sum.count, sum.last.map_or(0, milliseconds)))?;
        }
        Ok(())
    }
}

/// Returns the text of a bookmark.
pub(super) fn bookmark(
    about: &impl ReadableTable<&'static str, &'static [u8]>,
    name: &str,
) -> Result<Option<String>, Failure> {
    let text = about.get(format!("{BOOKMARK}{name}").as_str()).map_err(failure)?;
    Ok(text.map(|text| String::from_utf8_lossy(text.value()).into_owned()))
}

/// Returns a row and its position in the listing, without its read counts.
pub(super) fn stored(
    rows: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    key: &str,
) -> Result<Option<(u64, Row)>, Failure> {
    let Some(value) = rows.get(key).map_err(failure)? else { return Ok(None) };
    let (place, json) = value.value();
    parse(key, json).map(|row| Some((place, row)))
}

/// Parses the JSON of a row.
pub(super) fn parse(key: &str, json: &[u8]) -> Result<Row, Failure> {
    serde_json::from_slice(json).map_err(|error| damaged(key, &error))
}

/// Returns the row with its read counts.
pub(super) fn joined(
    mut row: Row,
    reads: &impl ReadableTable<&'static [u8; 20], (u64, u64)>,
) -> Result<Row, Failure> {
    if let Row::Proof(proof) = &mut row {
        proof.reads = read_count(reads, &proof.id).map_err(failure)?;
    }
    Ok(row)
}

/// Returns the sums over all rows.
pub(super) fn totals(about: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Totals, Failure> {
    match about.get(TOTALS).map_err(failure)? {
        None => Ok(Totals::default()),
        Some(json) => serde_json::from_slice(json.value()).map_err(|error| damaged(TOTALS, &error)),
    }
}

fn read_count(
    reads: &impl ReadableTable<&'static [u8; 20], (u64, u64)>,
    id: &ProofId,
) -> Result<Reads, StorageError> {
    Ok(reads.get(id.as_bytes())?.map_or_else(Reads::default, |value| {
        let (count, last) = value.value();
        let last = i64::try_from(last).ok().filter(|last| *last > 0).map(Timestamp::from_milliseconds);
        Reads { count, last }
    }))
}

/// Returns the places of a row in the listings of files: the names of the listings, the instant and the ID.
fn file_entries(row: &Row) -> Vec<(String, u64, String)> {
    let Row::File(row) = row else { return Vec::new() };
    let place = |of: FilesOf| (of.name(&row.tenant), milliseconds(row.created), row.id.to_string());
    FilesOf::all_with(row).map(place).collect()
}

/// Returns the tenant and the ID under which a row stands in its tenant's listing.
fn listed(row: &Row) -> Option<(String, String)> {
    match row {
        Row::Proof(ProofRow { state: State::Live, tenant, id, .. }) => {
            Some((tenant.to_string(), id.to_string()))
        }
        _ => None,
    }
}

fn damaged(what: &str, error: &serde_json::Error) -> Failure {
    Failure { provider: NAME, kind: FailureKind::Damaged, message: format!("{what}: {error}") }
}
