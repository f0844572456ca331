//! The mapping of rows to items of the table, and back.
//!
//! The row of a live file has further items beside it, which have only keys: an index lists an item once, and a file is in
//! several listings.
//!
//! A row's members are attributes of the same names: text is `S`, a number `N`, and a list of texts `SS`. In addition,
//! an item has its key, the keys of the two indexes, the token of the commit that wrote it, the version of this format,
//! and the read counts, which commits leave unchanged.

mod error;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_core::row::{AliasRow, FileRow, ManifestRow, ProofRow, Reads, Row, State};
use credlink_core::time::Timestamp;
use credlink_ports::FilesOf;
use credlink_ports::limits::milliseconds;
use serde_json::{Map, Value};

use crate::table::{
    DUE_KEY, DUE_SORT, FORMAT, LAST_READ, MAX_ITEM_BYTES, PARTITION_KEY, READS, ROW, SORT_KEY, TENANT_KEY,
    TENANT_SORT, TOKEN, due_shard,
};

pub(crate) use error::{Damage, ItemError, NumberError};

/// An item, by the names of its attributes.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The version of the format, and the only one that exists.
const FORMAT_VERSION: u64 = 1;

/// The attributes that are not members of a row.
const BESIDE: [&str; 10] =
    [PARTITION_KEY, SORT_KEY, TENANT_KEY, TENANT_SORT, DUE_KEY, DUE_SORT, TOKEN, FORMAT, READS, LAST_READ];

/// Returns the members that are optional in a row of this kind. A commit removes those that only the previous row had.
const fn optional(row: &Row) -> &'static [&'static str] {
    match row {
        Row::Proof(_) => {
            &["at", "manifest_id", "signature_sha256", "held", "pending", "replacing", "legacy", "void"]
        }
        Row::Manifest(_) => &["at", "void"],
        Row::Alias(_) => &["withdrawn"],
        Row::LegacyItem(_) => &[],
        Row::Replica(_) => &["repairs"],
        Row::Store(_) => &["advanced_before", "jumped", "stopped", "stopped_removed", "stopped_examined"],
        Row::File(_) => &["at", "owner", "entity", "unattached", "expires"],
        Row::Blob(_) => &["at", "width", "height", "frames", "unheld", "renditions"],
        Row::List(_) => &[],
        Row::Upload(_) => {
            &["file", "reason", "owner", "entity", "position", "media_hash", "filename", "focal", "multipart"]
        }
        Row::Quota(_) => &["owner", "rested"],
    }
}

/// Returns the key of an item.
pub(crate) fn key(partition: &str, sort: &str) -> Item {
    HashMap::from([(PARTITION_KEY.to_owned(), text(partition)), (SORT_KEY.to_owned(), text(sort))])
}

/// Returns a text as an attribute.
pub(crate) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Returns a number as an attribute.
pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Formats an instant for a sort key, with a fixed width, so that the order of texts is the order of time.
pub(crate) fn instant(milliseconds: u64) -> String {
    format!("{milliseconds:015}")
}

/// A conditional write, in the form of `UpdateItem` and `TransactWriteItems`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Update {
    pub(crate) key: Item,
    pub(crate) expression: String,
    pub(crate) condition: String,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: Item,
}

impl Update {
    /// Returns the write of `row` over the version `expected`, marked with `token`.
    ///
    /// # Errors
    /// The row cannot be made into an item.
    pub(crate) fn of(row: &Row, expected: Option<u64>, token: &str) -> Result<Self, ItemError> {
        let partition = row.key().to_string();
        let mut update = Self {
            key: key(&partition, ROW),
            expression: String::new(),
            condition: format!("attribute_not_exists({PARTITION_KEY})"),
            names: HashMap::new(),
            values: HashMap::new(),
        };
        let mut set = Vec::new();
        let mut remove = Vec::new();
        let mut members = members(row)?;
        members.insert(TOKEN.to_owned(), text(token));
        members.insert(FORMAT.to_owned(), number(FORMAT_VERSION));
        match row.due().map(milliseconds) {
            Some(due) => {
                members.insert(DUE_KEY.to_owned(), text(&due_shard(&partition)));
                members.insert(DUE_SORT.to_owned(), text(&format!("{}#{partition}", instant(due))));
            }
            None => remove.extend([DUE_KEY, DUE_SORT]),
        }
        match row {
            Row::Proof(ProofRow { state: State::Live, tenant, created, id, .. }) => {
                members.insert(TENANT_KEY.to_owned(), text(&format!("TENANT#{tenant}")));
                members.insert(
                    TENANT_SORT.to_owned(),
                    text(&format!("{}#{id}", instant(milliseconds(*created)))),
                );
            }
            Row::Alias(AliasRow { id, .. }) if let Some(tenant) = row.stands_alone_for() => {
                members.insert(TENANT_KEY.to_owned(), text(&format!("ALIASES#{tenant}")));
                members.insert(TENANT_SORT.to_owned(), text(id.as_str()));
            }
            Row::Manifest(ManifestRow { id, .. }) if let Some(tenant) = row.stands_alone_for() => {
                members.insert(TENANT_KEY.to_owned(), text(&format!("MANIFESTS#{tenant}")));
                members.insert(TENANT_SORT.to_owned(), text(id.as_str()));
            }
            Row::File(FileRow { state: State::Live, tenant, owner: Some(owner), .. }) => {
                let name = FilesOf::Owner(owner.clone()).name(tenant);
                members.insert(TENANT_KEY.to_owned(), text(&name));
                members.insert(TENANT_SORT.to_owned(), text(&file_sort(row)));
            }
            _ => remove.extend([TENANT_KEY, TENANT_SORT]),
        }
        remove.extend(optional(row).iter().filter(|name| !members.contains_key(**name)));
        let size: usize = members.iter().map(|(name, value)| name.len() + weight(value)).sum();
        if size > MAX_ITEM_BYTES {
            return Err(ItemError::TooLarge { row: partition, size });
        }
        for (name, value) in members {
            set.push(match name.as_str() {
                // A proof that is already live keeps its position in the listing.
                TENANT_SORT => format!("#{name} = if_not_exists(#{name}, :{name})"),
                _ => format!("#{name} = :{name}"),
            });
            update.names.insert(format!("#{name}"), name.clone());
            update.values.insert(format!(":{name}"), value);
        }
        set.sort();
        update.expression = format!("SET {}", set.join(", "));
        for (number, name) in remove.into_iter().enumerate() {
            update.expression.push_str(if number == 0 { " REMOVE " } else { ", " });
            update.expression.push('#');
            update.expression.push_str(name);
            update.names.insert(format!("#{name}"), name.to_owned());
        }
        if let Some(expected) = expected {
            update.condition = "#version = :expected".to_owned();
            update.values.insert(":expected".to_owned(), number(expected));
        }
        Ok(update)
    }
}

/// The sort keys of the items beside the row of a file: one in the listing of all files of its tenant, and one in that of
/// its collection. The row itself is in the listing of its owner.
const LISTED: [&str; 2] = ["LISTED", "LISTED#COLLECTION"];

/// Returns the sort key of a live file in its listings.
fn file_sort(row: &Row) -> String {
    match row {
        Row::File(row) => format!("{}#{}", instant(milliseconds(row.created)), row.id),
        _ => String::new(),
    }
}

/// A change to an item beside a row, which is made together with the write of the row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beside {
    pub(crate) key: Item,
    pub(crate) expression: String,
    pub(crate) values: Option<Item>,
}

impl Beside {
    /// Returns the changes to the items beside a row that is written over the version `expected`. Where a file is listed
    /// never changes, so they enter the listings with the first row of a live file, and leave them once it is no longer
    /// live. Like the row, they are never removed, which no function may do.
    pub(crate) fn of(row: &Row, expected: Option<u64>) -> Vec<Self> {
        let Row::File(file) = row else { return Vec::new() };
        let is_live = file.state == State::Live;
        if is_live && expected.is_some() {
            return Vec::new();
        }
        let listings = [FilesOf::Tenant, FilesOf::Collection(file.collection.clone())];
        let partition = row.key().to_string();
        let change = |(sort, listing): (&str, FilesOf)| {
            let key = key(&partition, sort);
            if !is_live {
                return Self { key, expression: format!("REMOVE {TENANT_KEY}, {TENANT_SORT}"), values: None };
            }
            let name = (":name".to_owned(), text(&listing.name(&file.tenant)));
            let values = Item::from([name, (":sort".to_owned(), text(&file_sort(row)))]);
            let expression = format!("SET {TENANT_KEY} = :name, {TENANT_SORT} = :sort");
            Self { key, expression, values: Some(values) }
        };
        LISTED.into_iter().zip(listings).map(change).collect()
    }
}

/// Returns the approximate number of bytes that DynamoDB counts for a value.
fn weight(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::Ss(texts) => texts.iter().map(|text| text.len() + 1).sum(),
        _ => 1,
    }
}

/// Returns the members of a row as attributes, without its read counts.
fn members(row: &Row) -> Result<Item, ItemError> {
    let Ok(Value::Object(members)) = serde_json::to_value(row) else {
        return Err(ItemError::NoObject(row.key().to_string()));
    };
    let members = members.into_iter().filter(|(name, _)| name != READS);
    members
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => AttributeValue::S(text),
                Value::Number(number) => AttributeValue::N(number.to_string()),
                Value::Bool(bool) => AttributeValue::Bool(bool),
                Value::Array(texts) => {
                    let texts = texts.into_iter().map(|text| match text {
                        Value::String(text) => Ok(text),
                        value => Err(ItemError::Listed { name: name.clone(), value }),
                    });
                    AttributeValue::Ss(texts.collect::<Result<_, _>>()?)
                }
                value => return Err(ItemError::Member { name, value }),
            };
            Ok((name, value))
        })
        .collect()
}

/// Returns the token of the commit that wrote an item.
pub(crate) fn token(item: &Item) -> Option<&str> {
    item.get(TOKEN)?.as_s().ok().map(String::as_str)
}

/// Reads the item of a row.
///
/// # Errors
/// The item is not a row of this format.
pub(crate) fn parse(item: &Item) -> Result<Row, ItemError> {
    let partition = item.get(PARTITION_KEY).and_then(|value| value.as_s().ok());
    let partition = partition.ok_or(ItemError::NoKey)?;
    let damaged = |damage: Damage| ItemError::Damaged { key: partition.clone(), damage };
    match item.get(FORMAT).map(unsigned) {
        Some(Ok(FORMAT_VERSION)) => {}
        Some(Ok(other)) => {
            return Err(damaged(Damage::Format { found: other, read: FORMAT_VERSION }));
        }
        _ => return Err(damaged(Damage::NoFormat)),
    }
    let mut members = Map::new();
    for (name, value) in item.iter().filter(|(name, _)| !BESIDE.contains(&name.as_str())) {
        let value = match value {
            AttributeValue::S(text) => Value::String(text.clone()),
            AttributeValue::N(_) => Value::from(unsigned(value).map_err(|error| damaged(error.into()))?),
            AttributeValue::Bool(bool) => Value::Bool(*bool),
            AttributeValue::Ss(texts) => texts.iter().cloned().map(Value::String).collect(),
            _ => return Err(damaged(Damage::Type(name.clone()))),
        };
        members.insert(name.clone(), value);
    }
    let mut row: Row =
        serde_json::from_value(Value::Object(members)).map_err(|error| damaged(error.into()))?;
    if row.key().to_string() != *partition {
        return Err(damaged(Damage::OtherRow(row.key().to_string())));
    }
    if let Row::Proof(proof) = &mut row {
        let count = |name| item.get(name).map(unsigned).transpose();
        let last = count(LAST_READ).map_err(|error| damaged(error.into()))?;
        let last = last.and_then(|last| i64::try_from(last).ok()).map(Timestamp::from_milliseconds);
        proof.reads =
            Reads { count: count(READS).map_err(|error| damaged(error.into()))?.unwrap_or(0), last };
    }
    Ok(row)
}

/// Reads a whole number that is not negative.
///
/// # Errors
/// The attribute is not such a number.
pub(crate) fn unsigned(value: &AttributeValue) -> Result<u64, NumberError> {
    let text = value.as_n().map_err(|_| NumberError::Type)?;
    text.parse().map_err(|_| NumberError::NoCount(text.clone()))
}

#[cfg(test)]
mod tests;
