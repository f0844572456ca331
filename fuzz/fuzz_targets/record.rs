//! Arbitrary bytes as a record, and as a JSON manifest that goes into a record and must come out byte for byte
//! (guarantee 4).

#![no_main]

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::bounds::MAX_RECORD_BYTES;
use credlink_core::hash::MediaHash;
use credlink_core::manifest::Manifest;
use credlink_core::proof_id::ProofId;
use credlink_core::record::{RECORD_VERSION, Record, RecordManifest};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::parse(bytes) {
        reads_back(&record);
    }
    if let Ok(manifest) = Manifest::json(Bytes::copy_from_slice(bytes)) {
        let record = record_of(&manifest);
        reads_back(&record);
        let kept = record.manifest.inline_bytes().expect("a digest of these bytes");
        assert_eq!(kept.as_deref(), Some(bytes), "a JSON manifest is kept as it came");
    }
});

fn reads_back(record: &Record) {
    let written = record.to_bytes();
    assert!(written.len() <= MAX_RECORD_BYTES, "what is written can be read");
    let read = Record::parse(&written).expect("what is written can be read");
    assert_eq!(read.to_bytes(), written, "a record is written in one way");
    assert_eq!(read.manifest.inline_bytes(), record.manifest.inline_bytes(), "its manifest is unchanged");
}

fn record_of(manifest: &Manifest) -> Record {
    let (tenant, media_hash) = (Tenant::default(), MediaHash::of(b"the picture"));
    Record {
        version: RECORD_VERSION,
        id: ProofId::derive(&tenant, &media_hash),
        tenant,
        media_hash,
        media_type: None,
        manifest: RecordManifest::of(manifest),
        signature: None,
        created: Timestamp::from_milliseconds(1_767_225_600_000),
        expires: Timestamp::from_milliseconds(1_798_761_600_000),
        revision: 1,
        first_revision: 1,
        visibility: Visibility::Public,
        tags: BTreeMap::new(),
        legacy: None,
    }
}
