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
