//! C2PA manifest stores for tests: well-formed boxes without a signature.

use ciborium::Value;

use crate::hash::Digest;

/// Returns a JUMBF content box.
#[must_use]
pub fn data_box(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), &kind, content].concat()
}

/// Returns a JUMBF superbox: a description with type and label, and its children.
#[must_use]
pub fn superbox(uuid: [u8; 16], label: &str, children: &[Vec<u8>]) -> Vec<u8> {
    let description = data_box(*b"jumd", &[uuid.as_slice(), &[3], label.as_bytes(), &[0]].concat());
    data_box(*b"jumb", &[description, children.concat()].concat())
}

/// Returns a manifest store with these manifests.
#[must_use]
pub fn store_of(manifests: &[Vec<u8>]) -> Vec<u8> {
    superbox(uuid(*b"c2pa"), "c2pa", manifests)
}

/// Returns a manifest store of one manifest, which binds a file with the digest `whole_file`.
#[must_use]
pub fn manifest_store(id: &str, whole_file: &Digest) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned());
    let hash = Value::Bytes(whole_file.as_bytes().to_vec());
    let url = text("self#jumbf=c2pa.assertions/c2pa.hash.data");
    let claim = Value::Map(vec![
        (text("alg"), text("sha256")),
        (text("created_assertions"), Value::Array(vec![Value::Map(vec![(text("url"), url)])])),
    ]);
    let assertion = Value::Map(vec![(text("name"), text("jumbf manifest")), (text("hash"), hash)]);
    let cbor = |value: &Value| {
        let mut bytes = Vec::new();
        // Writing to a Vec does not fail.
        let _ = ciborium::into_writer(value, &mut bytes);
        data_box(*b"cbor", &bytes)
    };
    let assertion = superbox(uuid(*b"cbor"), "c2pa.hash.data", &[cbor(&assertion)]);
    let assertions = superbox(uuid(*b"c2as"), "c2pa.assertions", &[assertion]);
    let claim = superbox(uuid(*b"c2cl"), "c2pa.claim.v2", &[cbor(&claim)]);
    store_of(&[superbox(uuid(*b"c2ma"), id, &[assertions, claim])])
}

const fn uuid(letters: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = letters;
    [a, b, c, d, 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71]
}
