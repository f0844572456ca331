//! Reads pages of listings from one snapshot.

use std::ops::Bound;

use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{Row, RowKey};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::cursor::{Cursor, access_position};
use credlink_ports::limits::milliseconds;
use credlink_ports::{Failure, FailureKind, FilesOf, Listing, Page};
use redb::ReadTransaction;

use super::tables::{self, ACCESSES, BY_TENANT, DUE, FILES, READS, ROWS};
use super::{NAME, failure};

/// Returns a page of a listing, and the cursor of the next one.
pub(super) fn page(
    snapshot: &ReadTransaction,
    listing: &Listing,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Row>, Failure> {
    // One row more than the page holds tells whether there is a next page.
    let wanted = limit + 1;
    let mut places = match listing {
        Listing::Tenant(tenant) => {
            let id;
            let start = match after {
                Some(Cursor::Tenant(_, place, proof)) => {
                    id = proof.to_string();
                    Bound::Excluded((tenant.as_str(), *place, id.as_str()))
                }
                _ => Bound::Included((tenant.as_str(), 0, "")),
            };
            let end = Bound::Excluded((tenant.as_str(), u64::MAX, ""));
            let table = snapshot.open_table(BY_TENANT).map_err(failure)?;
            let range = table.range::<(&str, u64, &str)>((start, end)).map_err(failure)?.take(wanted);
            let of = |(_, place, id): (&str, u64, &str)| {
                let id: ProofId = id.parse().map_err(|_| damaged("a listing", id))?;
                Ok::<_, Failure>((RowKey::Proof(id).to_string(), Cursor::Tenant(tenant.clone(), place, id)))
            };
            range.map(|entry| of(entry.map_err(failure)?.0.value())).collect::<Result<Vec<_>, _>>()?
        }
        Listing::Aliases(_) | Listing::Manifests(_) => alone(snapshot, listing, after, wanted)?,
        Listing::Files(tenant, of) => files(snapshot, (tenant, of), after, wanted)?,
        Listing::Due(by) => due(snapshot, *by, after, wanted)?,
        Listing::All => {
            let start = match after {
                Some(Cursor::All(key)) => Bound::Excluded(key.as_str()),
                _ => Bound::Unbounded,
            };
            let table = snapshot.open_table(ROWS).map_err(failure)?;
            let range = table.range::<&str>((start, Bound::Unbounded)).map_err(failure)?.take(wanted);
            let of = |key: &str| (key.to_owned(), Cursor::All(key.to_owned()));
            range
                .map(|entry| Ok(of(entry.map_err(failure)?.0.value())))
                .collect::<Result<Vec<_>, Failure>>()?
        }
    };
    let more = places.len() > limit;
    places.truncate(limit);
    let rows = snapshot.open_table(ROWS).map_err(failure)?;
    let reads = snapshot.open_table(READS).map_err(failure)?;
    let items = places
        .iter()
        .map(|(key, _)| match tables::stored(&rows, key)? {
            Some((_, row)) => tables::joined(row, &reads),
            None => Err(damaged("a listing names a row that is not there", key)),
        })
        .collect::<Result<_, _>>()?;
    let next = places.last().filter(|_| more).map(|(_, cursor)| cursor.text());
    Ok(Page { items, next })
}

/// Lists legacy IDs, or manifests that were stored for themselves. They have no listing table: their rows are adjacent,
/// and rows of other tenants among them are skipped.
fn alone(
    snapshot: &ReadTransaction,
    listing: &Listing,
    after: Option<&Cursor>,
    wanted: usize,
) -> Result<Vec<(String, Cursor)>, Failure> {
    let (prefix, tenant) = match listing {
        Listing::Aliases(tenant) => ("ALIAS#", tenant),
        Listing::Manifests(tenant) => ("MANIFEST#", tenant),
        Listing::Tenant(_) | Listing::Files(..) | Listing::Due(_) | Listing::All => return Ok(Vec::new()),
    };
    let behind = match after {
        Some(Cursor::Aliases(_, id)) => Some(RowKey::Alias(id.clone()).to_string()),
        Some(Cursor::Manifests(tenant, id)) => {
            Some(RowKey::Manifest(ManifestKey::new(tenant, id)).to_string())
        }
        _ => None,
    };
    let start = behind.as_deref().map_or(Bound::Included(prefix), Bound::Excluded);
    let table = snapshot.open_table(ROWS).map_err(failure)?;
    let mut places = Vec::with_capacity(wanted.min(1_000));
    for entry in table.range::<&str>((start, Bound::Unbounded)).map_err(failure)? {
        let (key, value) = entry.map_err(failure)?;
        if places.len() >= wanted || !key.value().starts_with(prefix) {
            break;
        }
        let row = tables::parse(key.value(), value.value().1)?;
        if row.stands_alone_for() == Some(tenant) {
            places.extend(Cursor::alone(&row).map(|cursor| (key.value().to_owned(), cursor)));
        }
    }
    Ok(places)
}

fn files(
    snapshot: &ReadTransaction,
    (tenant, of): (&Tenant, &FilesOf),
    after: Option<&Cursor>,
    wanted: usize,
) -> Result<Vec<(String, Cursor)>, Failure> {
    let (name, id) = (of.name(tenant), after_file(after));
    let start = match &id {
        Some((at, id)) => Bound::Excluded((name.as_str(), *at, id.as_str())),
        None => Bound::Included((name.as_str(), 0, "")),
    };
    let end = Bound::Excluded((name.as_str(), u64::MAX, ""));
    let table = snapshot.open_table(FILES).map_err(failure)?;
    let range = table.range::<(&str, u64, &str)>((start, end)).map_err(failure)?;
    range
        .take(wanted)
        .map(|entry| {
            let (entry, ()) = entry.map(|(key, _)| (key, ())).map_err(failure)?;
            let (_, at, id) = entry.value();
            let id: FileId = id.parse().map_err(|_| damaged("a listing", id))?;
            Ok((RowKey::File(id).to_string(), Cursor::Files(tenant.clone(), of.clone(), at, id)))
        })
        .collect()
}

fn after_file(after: Option<&Cursor>) -> Option<(u64, String)> {
    match after {
        Some(Cursor::Files(_, _, at, id)) => Some((*at, id.to_string())),
        _ => None,
    }
}

/// Returns a page of the log of accesses to a file.
pub(super) fn accesses(
    snapshot: &ReadTransaction,
    file: &FileId,
    after: Option<(u64, u64)>,
    limit: usize,
) -> Result<Page<AuditEntry>, Failure> {
    let file = file.to_string();
    let start = match after {
        Some((at, number)) => Bound::Excluded((file.as_str(), at, number)),
        None => Bound::Included((file.as_str(), 0, 0)),
    };
    let end = Bound::Included((file.as_str(), u64::MAX, u64::MAX));
    let table = snapshot.open_table(ACCESSES).map_err(failure)?;
    let range = table.range::<(&str, u64, u64)>((start, end)).map_err(failure)?;
    let mut items = range
        .take(limit + 1)
        .map(|entry| {
            let (_, json) = entry.map_err(failure)?;
            serde_json::from_slice(json.value()).map_err(|error| damaged("an access", &error.to_string()))
        })
        .collect::<Result<Vec<AuditEntry>, Failure>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(access_position);
    Ok(Page { items, next })
}

fn due(
    snapshot: &ReadTransaction,
    by: Timestamp,
    after: Option<&Cursor>,
    wanted: usize,
) -> Result<Vec<(String, Cursor)>, Failure> {
    let end = milliseconds(by) + 1;
    let start = match after {
        // The cursor comes from a listing up to a later instant.
        Some(Cursor::Due(due, _)) if *due >= end => return Ok(Vec::new()),
        Some(Cursor::Due(due, key)) => Bound::Excluded((*due, key.as_str())),
        _ => Bound::Unbounded,
    };
    let table = snapshot.open_table(DUE).map_err(failure)?;
    let range = table.range::<(u64, &str)>((start, Bound::Excluded((end, "")))).map_err(failure)?;
    range
        .take(wanted)
        .map(|entry| {
            let (entry, ()) = entry.map(|(key, _)| (key, ())).map_err(failure)?;
            let (due, key) = entry.value();
            Ok((key.to_owned(), Cursor::Due(due, key.to_owned())))
        })
        .collect()
}

fn damaged(what: &str, detail: &str) -> Failure {
    Failure { provider: NAME, kind: FailureKind::Damaged, message: format!("{what}: {detail}") }
}
