//! Arbitrary bytes as the record of a file, as a configuration of collections, as an announcement of an upload, and as the
//! beginning of a file.

#![no_main]

use credlink_core::access::Caller;
use credlink_core::bounds::{MAX_FILE_RECORD_BYTES, MAX_PARTS};
use credlink_core::collection::Collections;
use credlink_core::file::{FileId, FileType, UploadId};
use credlink_core::file_record::{FileRecord, ServedFile};
use credlink_core::rules::entity_list::ListChange;
use credlink_core::rules::upload::{Announcement, Plan};
use credlink_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = FileRecord::parse(bytes) {
        assert!(bytes.len() <= MAX_FILE_RECORD_BYTES);
        let written = record.to_bytes();
        assert_eq!(FileRecord::parse(&written).as_ref(), Ok(&record), "a record reads back");
        assert_eq!(FileRecord::parse(&written).expect("it reads back").to_bytes(), written);
        let text = std::str::from_utf8(bytes).expect("a record is text");
        let served = ServedFile::parse(text, &record.id);
        assert_eq!(served, Ok(record.served()), "the edge serves the same file");
        let line = record.served().to_line();
        let cached = ServedFile::from_line(&line).expect("the edge reads what it caches");
        assert_eq!(cached.to_line(), line);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Err(error) = ServedFile::parse(text, &FileId::from_random([1; 20])) {
            assert!(!error.is_empty());
        }
        if let Some(file) = ServedFile::from_line(text) {
            assert_eq!(ServedFile::from_line(&file.to_line()), Some(file));
        }
    }
    match Collections::parse(bytes) {
        Ok(collections) => assert!(collections.names().count() > 0),
        Err(error) => assert!(!error.detail.is_empty()),
    }
    if let Ok(announced) = Announcement::parse(bytes, &Collections::default(), &Caller::trusted()) {
        let row = announced.row(UploadId::from_random([0; 20]), Timestamp::from_milliseconds(0));
        let plan = Plan::of(row.size);
        assert!(row.size > 0 && (1..=MAX_PARTS).contains(&plan.count()));
        let last = plan.part(plan.count()).expect("there is a last part");
        assert_eq!(last.range.end, row.size, "the parts are the file");
    }
    for parse in [ListChange::parse_list, ListChange::parse_only, ListChange::parse_change] {
        if let Err(problem) = parse(bytes) {
            assert!(problem.kind.status().is_client_error());
        }
    }
    // A type that the first 64 bytes tell does not depend on what follows.
    if let Some(start) = bytes.get(..64)
        && bytes.get(4..8).is_none_or(|name| name != b"ftyp")
    {
        assert_eq!(FileType::sniff(start), FileType::sniff(bytes));
    }
});
