use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use credlink_core::access::Visibility;
use credlink_core::bounds::{MAX_MANIFEST_ID_BYTES, MAX_REVISIONS};
use credlink_core::file::{Access, FileId};
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

/// A file enters its listings with its first row, and leaves them with the first that is not live.
#[test]
fn a_live_file_is_in_three_listings() {
    let at = Timestamp::from_milliseconds(7_000);
    let file = FileRow {
        id: FileId::from_random([1; 20]),
        version: 1,
        state: State::Live,
        tenant: Tenant::default(),
        owner: Some("auth0|7".parse().unwrap()),
        collection: "item-photo".parse().unwrap(),
        entity: None,
        unattached: None,
        access: Access::Public,
        media_hash: MediaHash::of(b"x"),
        bytes: 1,
        record_sha256: Digest::of(b"record"),
        revision: 1,
        created: at,
        expires: None,
    };
    let row = Row::File(file.clone());
    let beside = |row: &Row, expected| {
        Beside::of(row, expected)
            .into_iter()
            .map(|Beside { key, expression, values }| {
                let values = values.map(|values| shown(&values)).unwrap_or_default();
                format!("{}{expression}\n{values}", shown(&key))
            })
            .collect::<String>()
    };
    let gone = Row::File(file.in_state(State::Deleting(at)));
    let all = [shown(&stored(&row)), beside(&row, None), beside(&gone, Some(1))];
    insta::assert_snapshot!("file_items", all.join("\n"));
    assert_eq!(beside(&Row::File(file.detached(at)), Some(1)), "");
    assert!(!stored(&gone).contains_key(TENANT_KEY));
    let tenants = Row::File(FileRow { owner: None, ..file });
    assert!(!stored(&tenants).contains_key(TENANT_KEY));
    assert_eq!(beside(&tenants, None).lines().count(), beside(&row, None).lines().count());
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
        let removed = optional(&bare).iter().map(|name| format!("#{name}")).collect::<Vec<_>>().join(", ");
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
