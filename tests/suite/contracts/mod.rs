//! The contracts that every adapter of a port must fulfil.

pub mod cache;
mod checksums;
mod folder;
mod index;
mod ledger;
mod objects;
mod quarantine;
mod queue;
mod stores;

use std::collections::{BTreeMap, BTreeSet};

use credlink_core::bounds::EXPIRY_GRACE_SECONDS;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::manifest::ManifestType;
use credlink_core::object::Attributes;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ManifestRow, ProofRow, Reads, Row, State};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

/// Defines a `#[tokio::test]` for every case over every adapter. `$make` returns a guard (a temporary directory, or
/// nothing) and the adapter. The tests run on several threads, so that adapters that pass work to other threads are
/// really raced.
macro_rules! over_every_adapter {
    ($cases:tt $($adapter:ident => $make:expr),+ $(,)?) => {
        $($crate::contracts::over_one_adapter! { $cases $adapter => $make })+
    };
}
macro_rules! over_one_adapter {
    ({ $($case:ident),+ $(,)? } $adapter:ident => $make:expr) => {
        mod $adapter {
            use super::*;

            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (_guard, adapter) = $make;
                    super::$case(&adapter).await;
                }
            )+
        }
    };
}
/// The same over every one of the [`stores`], which is imported beside this.
macro_rules! over_every_store {
    ($cases:tt) => {
        $crate::contracts::over_every_adapter! {
            $cases
            memory => stores::memory(),
            folder => stores::folder(),
            s3 => stores::s3().await,
            r2 => stores::r2().await,
        }
    };
}
use {over_every_adapter, over_every_store, over_one_adapter};

pub fn proof_id(name: &str) -> ProofId {
    ProofId::derive(&Tenant::default(), &MediaHash::of(name.as_bytes()))
}

pub fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_milliseconds(milliseconds)
}

/// The instant at which a proof is due that expires `milliseconds` after the start of 1970.
pub fn due(milliseconds: i64) -> Timestamp {
    at(milliseconds).plus_seconds(EXPIRY_GRACE_SECONDS)
}

/// Attributes with a value in every field.
fn attributes() -> Attributes {
    let text = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
    };
    Attributes {
        content_type: "application/json; charset=\"utf-8\"".into(),
        content_encoding: Some("gzip".into()),
        cache_control: Some("public, max-age=60".into()),
        metadata: text(&[("sha256", "~!@ \"\\"), ("empty", "")]),
        tags: text(&[("Größe", "schön\n"), ("k", "")]),
    }
}

/// The first row of a live proof.
pub fn proof(name: &str, tenant: &str, created: i64, expires: i64) -> ProofRow {
    ProofRow {
        id: ProofId::derive(&tenant.parse().unwrap(), &MediaHash::of(name.as_bytes())),
        version: 1,
        state: State::Live,
        tenant: tenant.parse().unwrap(),
        media_hash: MediaHash::of(name.as_bytes()),
        manifest_type: ManifestType::Json,
        manifest_sha256: Digest::of(name.as_bytes()),
        manifest_length: 100,
        manifest_id: None,
        signature_sha256: None,
        record_sha256: Digest::of(b"record"),
        revision: 1,
        first_revision: 1,
        created: at(created),
        expires: at(expires),
        visibility: credlink_core::access::Visibility::Private,
        held: ["urn:c2pa:held".parse().unwrap()].into(),
        pending: BTreeSet::new(),
        replacing: None,
        legacy: None,
        void: false,
        reads: Reads::default(),
    }
}

/// The first row of a live manifest.
pub fn manifest(id: &str, length: u64) -> ManifestRow {
    ManifestRow {
        id: id.parse().unwrap(),
        version: 1,
        state: State::Live,
        tenant: Tenant::default(),
        sha256: Digest::of(id.as_bytes()),
        length,
        holders: 1,
        standalone: false,
        imported: false,
        generation: 0,
        visibility: credlink_core::access::Visibility::Public,
        void: false,
    }
}

/// The next version of a row, altered by `change`.
pub fn next(row: &ProofRow, change: impl FnOnce(&mut ProofRow)) -> Row {
    let mut row = ProofRow { version: row.version + 1, ..row.clone() };
    change(&mut row);
    Row::Proof(row)
}
