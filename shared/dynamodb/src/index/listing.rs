//! Pages of rows.
//!
//! An index has only keys. The rows are read from the table afterwards, so that a page never shows a row that is older
//! than its position in the listing. Rows that have left the listing meanwhile are left out.

use std::collections::HashMap;

use credlink_aws::Error;
use credlink_core::file::FileId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{FileRow, ProofRow, Row, State};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_ports::cursor::Cursor;
use credlink_ports::limits::milliseconds;
use credlink_ports::{Failure, FilesOf, Listing, Page};
use futures_util::future::try_join_all;

use super::DynamoIndex;
use crate::failure::{NAME, damaged};
use crate::item::{self, Item, instant, text};
use crate::table::{
    ACCESS_KEYS, DUE_INDEX, DUE_KEY, DUE_SHARDS, DUE_SORT, INTENT_KEYS, PARTITION_KEY, ROW, SORT_KEY,
    TENANT_INDEX, TENANT_KEY, TENANT_SORT, due_partition,
};

/// A character that sorts after every key of an instant, since keys continue with `#`.
const BEHIND: char = '$';
/// A text that sorts after every sort key with an instant, since instants have 15 digits.
const BEHIND_ALL: &str = "9999999999999999";
/// The prefixes of the keys of rows. Items with other keys are not rows.
const ROW_KEYS: [&str; 10] = [
    "PROOF#",
    "MANIFEST#",
    "ALIAS#",
    "LEGACY#",
    "REPLICA#",
    "FILE#",
    "BLOB#",
    "ENTITY#",
    "UPLOAD#",
    "QUOTA#",
];
/// The prefixes of the partition keys that may have as many items as there are rows: those of migrations, of intents and of
/// the logs of accesses.
const MANY_KEYS: [&str; 3] = ["JOB#", INTENT_KEYS, ACCESS_KEYS];
/// A text that sorts after every sort key that is chosen by people.
const BEHIND_TEXT: &str = "\u{10ffff}";

/// The names of an index and of its keys.
#[derive(Clone, Copy)]
struct Partition {
    index: &'static str,
    key: &'static str,
    sort: &'static str,
}

/// A position in an index: its sort key, and the row's key.
struct QueryPosition {
    sort: String,
    key: String,
}

impl QueryPosition {
    /// Splits the sort key into its instant in milliseconds and the rest.
    fn parts(&self) -> Result<(u64, &str), Failure> {
        let parts = self.sort.split_once('#').and_then(|(at, rest)| Some((at.parse().ok()?, rest)));
        parts.ok_or_else(|| damaged(format!("the place `{}` of {} is none", self.sort, self.key)))
    }
}

impl DynamoIndex {
    pub(super) async fn page(
        &self,
        listing: &Listing,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Option<Page<Row>>, Failure> {
        match (listing, after) {
            (Listing::Tenant(tenant), after) => {
                let after = match after {
                    Some(Cursor::Tenant(_, place, id)) => Some(format!("{}#{id}", instant(place))),
                    _ => None,
                };
                self.of_tenant(tenant, after, limit).await.map(Some)
            }
            (Listing::Aliases(tenant) | Listing::Manifests(tenant), after) => {
                let (name, after) = match (listing, after) {
                    (Listing::Aliases(_), Some(Cursor::Aliases(_, id))) => ("ALIASES", Some(id.to_string())),
                    (Listing::Aliases(_), _) => ("ALIASES", None),
                    (_, Some(Cursor::Manifests(_, id))) => ("MANIFESTS", Some(id.to_string())),
                    (_, _) => ("MANIFESTS", None),
                };
                self.alone(&format!("{name}#{tenant}"), after.as_deref(), limit).await.map(Some)
            }
            (Listing::Files(tenant, of), after) => {
                let after = match after {
                    Some(Cursor::Files(_, _, place, id)) => Some(format!("{}#{id}", instant(place))),
                    _ => None,
                };
                self.of_files(tenant, of, after, limit).await.map(Some)
            }
            (Listing::Due(by), Some(Cursor::Due(due, _))) if due > milliseconds(*by) => {
                // The cursor comes from a listing with a later instant.
                Ok(Some(Page::default()))
            }
            (Listing::Due(by), after) => {
                let after = match after {
                    Some(Cursor::Due(due, key)) => Some(format!("{}#{key}", instant(due))),
                    _ => None,
                };
                self.due(*by, after, limit).await.map(Some)
            }
            (Listing::All, Some(Cursor::All(key))) if !is_row(&key) => Ok(None),
            (Listing::All, after) => {
                let after = match after {
                    Some(Cursor::All(key)) => Some(key),
                    _ => None,
                };
                let (items, next) = self.scan(after.as_deref(), limit).await?;
                Ok(Some(Page { items, next: next.map(|key| Cursor::All(key).text()) }))
            }
        }
    }

    async fn of_tenant(
        &self,
        tenant: &Tenant,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<Row>, Failure> {
        let partition = Partition { index: TENANT_INDEX, key: TENANT_KEY, sort: TENANT_SORT };
        let name = format!("TENANT#{tenant}");
        let places = self.places(partition, &name, after.as_deref(), BEHIND_ALL, limit + 1).await?;
        let fits = |row: &Row| matches!(row, Row::Proof(ProofRow { state: State::Live, .. }));
        self.filled(places, limit, fits, |place| {
            let (at, id) = place.parts()?;
            let id: ProofId = id.parse().map_err(|_| damaged(format!("`{id}` is no proof id")))?;
            Ok(Cursor::Tenant(tenant.clone(), at, id))
        })
        .await
    }

    async fn of_files(
        &self,
        tenant: &Tenant,
        of: &FilesOf,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<Row>, Failure> {
        let partition = Partition { index: TENANT_INDEX, key: TENANT_KEY, sort: TENANT_SORT };
        let places =
            self.places(partition, &of.name(tenant), after.as_deref(), BEHIND_ALL, limit + 1).await?;
        let fits = |row: &Row| matches!(row, Row::File(FileRow { state: State::Live, .. }));
        self.filled(places, limit, fits, |place| {
            let (at, id) = place.parts()?;
            let id: FileId = id.parse().map_err(|_| damaged(format!("`{id}` is no file id")))?;
            Ok(Cursor::Files(tenant.clone(), of.clone(), at, id))
        })
        .await
    }

    /// Lists the legacy IDs, or the manifests that were stored for themselves, in the partition `name`.
    async fn alone(&self, name: &str, after: Option<&str>, limit: usize) -> Result<Page<Row>, Failure> {
        let partition = Partition { index: TENANT_INDEX, key: TENANT_KEY, sort: TENANT_SORT };
        let places = self.places(partition, name, after, BEHIND_TEXT, limit + 1).await?;
        let tenant = name.split_once('#').map(|(_, tenant)| tenant);
        let fits = |row: &Row| row.stands_alone_for().map(Tenant::as_str) == tenant;
        self.filled(places, limit, fits, |place| {
            let no = || damaged(format!("the place `{}` of {} is none", place.sort, place.key));
            let tenant = tenant.and_then(|tenant| tenant.parse().ok()).ok_or_else(no)?;
            if place.key.starts_with("ALIAS#") {
                Ok(Cursor::Aliases(tenant, place.sort.parse().map_err(|_| no())?))
            } else {
                Ok(Cursor::Manifests(tenant, place.sort.parse().map_err(|_| no())?))
            }
        })
        .await
    }

    async fn due(&self, by: Timestamp, after: Option<String>, limit: usize) -> Result<Page<Row>, Failure> {
        let behind = format!("{}{BEHIND}", instant(milliseconds(by)));
        let partition = Partition { index: DUE_INDEX, key: DUE_KEY, sort: DUE_SORT };
        let (after, behind) = (after.as_deref(), behind.as_str());
        let shards = (0..DUE_SHARDS).map(|shard| async move {
            self.places(partition, &due_partition(shard), after, behind, limit + 1).await
        });
        let mut places: Vec<_> = try_join_all(shards).await?.into_iter().flatten().collect();
        places.sort_by(|a, b| a.sort.cmp(&b.sort));
        let fits = |row: &Row| row.due().is_some_and(|due| due <= by);
        self.filled(places, limit, fits, |place| {
            let (due, key) = place.parts()?;
            Ok(Cursor::Due(due, key.to_owned()))
        })
        .await
    }

    /// Returns the first `wanted` positions of the partition `name`, after the sort key `after` and before `behind`.
    async fn places(
        &self,
        Partition { index, key, sort }: Partition,
        name: &str,
        after: Option<&str>,
        behind: &str,
        wanted: usize,
    ) -> Result<Vec<QueryPosition>, Failure> {
        let mut places = Vec::new();
        let mut start: Option<Item> = None;
        // A key condition has only one range, which includes both ends, so the item at `after` is skipped.
        let first = after.unwrap_or("0");
        loop {
            let more = wanted + 1 - places.len();
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(index)
                .key_condition_expression("#partition = :partition AND #sort BETWEEN :first AND :behind")
                .expression_attribute_names("#partition", key)
                .expression_attribute_names("#sort", sort)
                .expression_attribute_values(":partition", text(name))
                .expression_attribute_values(":first", text(first))
                .expression_attribute_values(":behind", text(behind))
                .limit(i32::try_from(more).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            for item in answer.items.unwrap_or_default() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
                let place =
                    text(sort).zip(text(PARTITION_KEY)).map(|(sort, key)| QueryPosition { sort, key });
                let place = place.ok_or_else(|| damaged(format!("an entry of {index} has no keys")))?;
                if after != Some(place.sort.as_str()) {
                    places.push(place);
                }
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || places.len() >= wanted {
                places.truncate(wanted);
                return Ok(places);
            }
        }
    }

    /// Returns the page of the first `limit` of `places`, with those of their rows that still belong to it.
    async fn filled(
        &self,
        mut places: Vec<QueryPosition>,
        limit: usize,
        fits: impl Fn(&Row) -> bool,
        cursor: impl Fn(&QueryPosition) -> Result<Cursor, Failure>,
    ) -> Result<Page<Row>, Failure> {
        let more = places.len() > limit;
        places.truncate(limit);
        let next = match places.last() {
            Some(place) if more => Some(cursor(place)?.text()),
            _ => None,
        };
        let keys = places.iter().map(|place| item::key(&place.key, ROW)).collect();
        let mut rows = HashMap::new();
        for item in self.items(keys).await? {
            let row = self.read(&item)?;
            rows.insert(row.key().to_string(), row);
        }
        let items = places.iter().filter_map(|place| rows.remove(&place.key)).filter(fits).collect();
        Ok(Page { items, next })
    }

    /// Returns up to `limit` rows of the whole table after the row `after`, and the row after which to continue if
    /// there are more.
    pub(super) async fn scan(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Row>, Option<String>), Failure> {
        let mut rows: Vec<Row> = Vec::new();
        let mut start = after.map(|key| item::key(key, ROW));
        loop {
            // One row more than the page holds tells whether there is another page.
            let more = limit + 1 - rows.len();
            let request = self
                .client
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .limit(i32::try_from(more).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            let answer = Box::pin(request.customize().config_override(self.timed()).send()).await;
            let answer = answer.map_err(|error| Error::classify(NAME, &error))?;
            for item in answer.items.unwrap_or_default() {
                let key = item.get(PARTITION_KEY).and_then(|value| value.as_s().ok());
                let sort = item.get(SORT_KEY).and_then(|value| value.as_s().ok());
                if key.is_some_and(|key| is_row(key)) && sort.is_some_and(|sort| sort == ROW) {
                    rows.push(self.read(&item)?);
                }
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty()).map(past_many);
            if rows.len() > limit {
                rows.truncate(limit);
                let next = rows.last().map(|row| row.key().to_string());
                return Ok((rows, next));
            }
            if start.is_none() {
                return Ok((rows, None));
            }
        }
    }
}

/// Continues after the partition if it may have as many items as there are rows, so that these are not read one by one.
fn past_many(start: Item) -> Item {
    let partition = start.get(PARTITION_KEY).and_then(|value| value.as_s().ok());
    match partition.filter(|key| MANY_KEYS.iter().any(|prefix| key.starts_with(prefix))) {
        Some(many) => item::key(many, BEHIND_TEXT),
        None => start,
    }
}

fn is_row(key: &str) -> bool {
    ROW_KEYS.iter().any(|prefix| key.starts_with(prefix))
}
