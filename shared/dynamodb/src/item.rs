//! The mapping of rows to items of the table, and back.
//!
//! A row's members are attributes of the same names: text is `S`, a number `N`, and a list of texts `SS`. In addition,
//! an item has its key, the keys of the two indexes, the token of the commit that wrote it, the version of this format,
//! and the read counts, which commits leave unchanged.

mod error;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_core::row::{AliasRow, ManifestRow, ProofRow, Reads, Row, State};
use credlink_core::time::Timestamp;
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
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fmt::Write as _;

    use credlink_core::access::Visibility;
    use credlink_core::bounds::{MAX_MANIFEST_ID_BYTES, MAX_REVISIONS};
    use credlink_core::hash::{Digest, MediaHash};
    use credlink_core::manifest::ManifestType;
    use credlink_core::proof_id::ProofId;
    use credlink_core::repair_mark::RepairMark;
    use credlink_core::replica::Replica;
    use credlink_core::row::{LegacyItemRow, ReplicaRow, StoreRow};
    use credlink_core::rules::replica_lag::{MAX_REPAIRS, STANDS_SECONDS};
    use credlink_core::store_id::StoreId;
    use credlink_core::tenant::Tenant;

    use super::*;

    fn proof(state: State) -> ProofRow {
        let media_hash = MediaHash::of(b"x");
        ProofRow {
            id: ProofId::derive(&Tenant::default(), &media_hash),
            version: 3,
            state,
            tenant: Tenant::default(),
            media_hash,
            manifest_type: ManifestType::C2pa,
            manifest_sha256: Digest::of(b"m"),
            manifest_length: u64::MAX,
            manifest_id: Some("urn:c2pa:x".parse().unwrap()),
            signature_sha256: Some(Digest::of(b"s")),
            record_sha256: Digest::of(b"r"),
            revision: 2,
            first_revision: 1,
            created: Timestamp::from_milliseconds(7_000),
            expires: Timestamp::from_milliseconds(9_000),
            visibility: Visibility::Private,
            held: ["urn:c2pa:x".parse().unwrap(), "urn:c2pa:a".parse().unwrap()].into(),
            pending: ["2 urn:c2pa:a".parse().unwrap()].into(),
            replacing: Some(Timestamp::from_milliseconds(7_500)),
            legacy: Some("p-1".parse().unwrap()),
            void: false,
            reads: Reads::default(),
        }
    }

    /// Returns a proof's row without any optional member.
    fn bare(state: State) -> ProofRow {
        ProofRow {
            manifest_id: None,
            signature_sha256: None,
            held: BTreeSet::new(),
            pending: BTreeSet::new(),
            replacing: None,
            legacy: None,
            ..proof(state)
        }
    }

    fn manifest() -> ManifestRow {
        ManifestRow {
            id: "urn:c2pa:x".parse().unwrap(),
            version: 1,
            state: State::Live,
            tenant: Tenant::default(),
            sha256: Digest::of(b"m"),
            length: 5,
            holders: 1,
            standalone: false,
            imported: false,
            generation: 0,
            visibility: Visibility::Public,
            void: false,
        }
    }

    fn store() -> StoreRow {
        StoreRow {
            version: 2,
            identity: StoreId::of("one"),
            epoch: 7,
            advanced: Timestamp::from_milliseconds(6_500),
            advanced_before: Some(Timestamp::from_milliseconds(6_400)),
            seen: Timestamp::from_milliseconds(7_000),
            jumped: Some(Timestamp::from_milliseconds(9_000)),
            stopped: Some(Timestamp::from_milliseconds(6_000)),
            stopped_removed: Some(101),
            stopped_examined: Some(500),
        }
    }

    fn alias() -> AliasRow {
        let proof = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        AliasRow {
            id: "urn:old:7".parse().unwrap(),
            version: 2,
            proof,
            tenant: Tenant::default(),
            withdrawn: None,
        }
    }

    fn legacy_item() -> Row {
        let proof = ProofId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        Row::LegacyItem(LegacyItemRow { proof, version: 1, item: "old/2019/1.json".to_owned() })
    }

    fn replica(marks: u64) -> ReplicaRow {
        let now = Timestamp::from_milliseconds(1_800_000_000_000);
        ReplicaRow {
            replica: Replica::Fallback,
            version: 4,
            since: now,
            until: now.plus_seconds(STANDS_SECONDS),
            raised: 3,
            repairs: (0..marks).map(|number| RepairMark::new(now, number)).collect(),
        }
    }

    /// Returns the item that the update leaves under its key.
    fn stored(row: &Row) -> Item {
        let update = Update::of(row, None, "token").unwrap();
        let values = update.values.into_iter().map(|(name, value)| (name[1..].to_owned(), value));
        update.key.into_iter().chain(values).collect()
    }

    fn shown(item: &Item) -> String {
        item.iter().collect::<BTreeMap<_, _>>().into_iter().fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "{name}: {value:?}").unwrap();
            text
        })
    }

    #[test]
    fn items_have_one_form() {
        let deleting = proof(State::Deleting(Timestamp::from_milliseconds(8_000)));
        insta::assert_snapshot!("proof_item", shown(&stored(&Row::Proof(proof(State::Live)))));
        insta::assert_snapshot!("deleting_proof_item", shown(&stored(&Row::Proof(deleting))));
        insta::assert_snapshot!("alias_item", shown(&stored(&Row::Alias(alias()))));
        insta::assert_snapshot!("legacy_item", shown(&stored(&legacy_item())));
        insta::assert_snapshot!("store_item", shown(&stored(&Row::Store(store()))));
        insta::assert_snapshot!("replica_item", shown(&stored(&Row::Replica(replica(2)))));
        insta::assert_snapshot!("manifest_item", shown(&stored(&Row::Manifest(manifest()))));
        let update = Update::of(&Row::Manifest(manifest()), Some(4), "token").unwrap();
        insta::assert_snapshot!("update", format!("{}\nif {}", update.expression, update.condition));
    }

    #[test]
    fn a_row_reads_back() {
        let at = Timestamp::from_milliseconds(8_000);
        let bare = bare(State::Deleted(at));
        for row in [
            Row::Proof(proof(State::Live)),
            Row::Proof(proof(State::Deleting(at))),
            Row::Proof(bare),
            Row::Manifest(manifest()),
            Row::Alias(alias()),
            Row::Alias(AliasRow { withdrawn: Some(at), ..alias() }),
            legacy_item(),
            Row::Store(store()),
            Row::Replica(replica(0)),
            Row::Replica(replica(MAX_REPAIRS as u64)),
            Row::Manifest(manifest().in_state(State::Deleted(at))),
            Row::Manifest(ManifestRow { void: true, ..manifest().in_state(State::Deleted(at)) }),
        ] {
            assert_eq!(parse(&stored(&row)).unwrap(), row);
        }
        let mut read = stored(&Row::Proof(proof(State::Live)));
        read.insert(READS.into(), number(4));
        read.insert(LAST_READ.into(), number(9));
        let reads = Reads { count: 4, last: Some(Timestamp::from_milliseconds(9)) };
        assert_eq!(parse(&read).unwrap().proof().unwrap().reads, reads);
    }

    /// An optional member that is not removed would outlive the row that had it.
    #[test]
    fn every_member_that_may_be_missing_is_removed() {
        let at = Timestamp::from_milliseconds(1);
        let names = |row: &Row| members(row).unwrap().into_keys().collect::<BTreeSet<_>>();
        let full = ProofRow { void: true, ..proof(State::Deleted(at)) };
        let void = ManifestRow { void: true, ..manifest().in_state(State::Deleted(at)) };
        let StoreRow { identity, epoch, seen, .. } = store();
        let calm = StoreRow::new(identity, epoch, seen);
        for (full, bare) in [
            (Row::Proof(full), Row::Proof(bare(State::Live))),
            (Row::Manifest(void), Row::Manifest(manifest())),
            (Row::Alias(AliasRow { withdrawn: Some(at), ..alias() }), Row::Alias(alias())),
            (Row::Replica(replica(1)), Row::Replica(replica(0))),
            (Row::Store(store()), Row::Store(calm)),
        ] {
            let missing: BTreeSet<_> = names(&full).difference(&names(&bare)).cloned().collect();
            assert_eq!(missing, optional(&bare).iter().map(|name| (*name).to_owned()).collect());
            let expression = Update::of(&bare, None, "token").unwrap().expression;
            let removed =
                optional(&bare).iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ");
            assert!(expression.ends_with(&removed), "{expression}");
        }
    }

    #[test]
    fn what_is_no_row_is_refused_in_words() {
        let whole = stored(&Row::Proof(proof(State::Live)));
        let with = |name: &str, value: Option<AttributeValue>| {
            let mut item = whole.clone();
            item.remove(name);
            item.extend(value.map(|value| (name.to_owned(), value)));
            parse(&item).unwrap_err().to_string()
        };
        for (error, words) in [
            (with(PARTITION_KEY, None), "without a key"),
            (with(PARTITION_KEY, Some(text("PROOF#other"))), "it holds the row PROOF#"),
            (with(FORMAT, None), "it has no format"),
            (with(FORMAT, Some(number(2))), "its format is 2"),
            (with("version", Some(number(-1))), "`-1` is no count"),
            (with("version", Some(number("1e3"))), "`1e3` is no count"),
            (with("version", None), "missing field `version`"),
            (with("state", Some(text("odd"))), "unknown variant `odd`"),
            (with("tenant", Some(text(&"t".repeat(65)))), "tenant"),
            (with("manifest_id", Some(text(&"m".repeat(300)))), "160"),
            (with("held", Some(AttributeValue::Null(true))), "held has a type"),
            (with(READS, Some(text("many"))), "a number was expected"),
        ] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_largest_row_fits_an_item() {
        let mut row = proof(State::Live);
        let width = MAX_MANIFEST_ID_BYTES - 4;
        let id = |number: u32| format!("urn:{number:0>width$}").parse().unwrap();
        row.held = (0..MAX_REVISIONS).map(id).collect();
        let item = stored(&Row::Proof(row.clone()));
        assert!(item.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>() < 20_000);
        let item = stored(&Row::Replica(replica(MAX_REPAIRS as u64)));
        assert!(item.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>() < 18_000);
        row.held = (0..3_000).map(id).collect();
        let refused = Update::of(&Row::Proof(row), None, "token").unwrap_err().to_string();
        assert!(refused.ends_with("an item has 409600"), "{refused}");
    }
}
