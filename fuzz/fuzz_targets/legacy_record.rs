//! Arbitrary bytes as a legacy record. If one can be read, it becomes a record that can be read, and always the same
//! one, because a migration recognises its copies by their digests.

#![no_main]

use credlink_core::bounds::MAX_RECORD_BYTES;
use credlink_core::legacy::LegacyRecord;
use credlink_core::manifest::ManifestType;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(legacy) = LegacyRecord::parse(bytes) else { return };
    let again = LegacyRecord::parse(bytes).expect("it was read a moment ago");
    let (id, manifest, fields) = (legacy.id.clone(), legacy.manifest.clone(), legacy.fields.clone());
    let draft = legacy.draft(Tenant::default());
    assert_eq!(draft, again.draft(Tenant::default()), "it is read in one way");

    let written = draft.record(1, Timestamp::from_milliseconds(1)).to_bytes();
    let later = draft.record(1, Timestamp::from_milliseconds(2)).to_bytes();
    assert_eq!(written, later, "the instant of its migration is no part of it");
    assert!(written.len() <= MAX_RECORD_BYTES, "what is written can be read");
    let record = Record::parse(&written).expect("what is written can be read");
    assert_eq!(record.to_bytes(), written, "a record is written in one way");
    assert_eq!(record.manifest.sha256, *manifest.sha256());
    let inline = record.manifest.inline_bytes().expect("a digest of these bytes");
    match manifest.kind() {
        ManifestType::Json => {
            assert_eq!(inline.as_ref(), Some(manifest.bytes()), "a JSON manifest is kept as it came")
        }
        ManifestType::C2pa => assert_eq!(inline, None, "a C2PA manifest is an object of its own"),
    }
    let kept = record.legacy.expect("the earlier id is kept");
    assert_eq!((kept.id, kept.fields), (id, fields));
});
