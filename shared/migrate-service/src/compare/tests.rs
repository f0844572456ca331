use credlink_core::access::Visibility;

use super::*;

#[test]
fn a_checksum_says_that_stored_bytes_are_equal_and_never_by_its_absence() {
    let object = |stored, crc64nvme| StoredObject {
        key: "proofs/x".to_owned(),
        content: Digest::of(b"content"),
        stored,
        crc64nvme,
        coding: None,
        private: false,
    };
    let sha256 = Digest::of(b"stored");
    let known = object(Some(sha256), Some(7));
    assert!(is_equal(&known, Checksum::Sha256(sha256)) && is_equal(&known, Checksum::Crc64Nvme(7)));
    let other = Digest::of(b"other");
    assert!(!is_equal(&known, Checksum::Sha256(other)) && !is_equal(&known, Checksum::Crc64Nvme(8)));
    let unknown = object(None, None);
    assert!(!is_equal(&unknown, Checksum::Sha256(sha256)) && !is_equal(&unknown, Checksum::Crc64Nvme(0)));
}

#[test]
fn the_readers_of_a_private_manifest_are_told_as_far_as_they_are_known() {
    let object = |private| StoredObject {
        key: "manifests/urn:c2pa:x".to_owned(),
        content: Digest::of(b"content"),
        stored: None,
        crc64nvme: None,
        coding: None,
        private,
    };
    let told = |readers| match Verdict::of_readers(&object(true), readers) {
        Some(Verdict::Changed(detail)) => detail,
        other => panic!("{other:?}"),
    };
    assert_eq!(told(Some(Visibility::Public)), "manifests/urn:c2pa:x was copied as private, and is public");
    assert!(!told(None).contains("public") && told(None).contains("does not say who may read it"));
    assert_eq!(Verdict::of_readers(&object(true), Some(Visibility::Private)), None);
    for readers in [None, Some(Visibility::Public), Some(Visibility::Private)] {
        assert_eq!(Verdict::of_readers(&object(false), readers), None);
    }
}
