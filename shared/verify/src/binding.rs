//! The hard binding of a manifest: the assertion whose hash ties it to a file (C2PA 2.x, section 9.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use c2pa::Reader;
use c2pa::validation_status::{
    ASSERTION_BMFFHASH_MALFORMED, ASSERTION_BMFFHASH_MATCH, ASSERTION_BMFFHASH_MISMATCH,
    ASSERTION_BOXHASH_MATCH, ASSERTION_BOXHASH_MISMATCH, ASSERTION_DATAHASH_MATCH,
    ASSERTION_DATAHASH_MISMATCH, ValidationStatus,
};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::byte_range::ByteRange;

/// The status codes with which the validator judges a hard binding.
const VERDICTS: [&str; 7] = [
    ASSERTION_DATAHASH_MATCH,
    ASSERTION_DATAHASH_MISMATCH,
    ASSERTION_BMFFHASH_MATCH,
    ASSERTION_BMFFHASH_MISMATCH,
    ASSERTION_BMFFHASH_MALFORMED,
    ASSERTION_BOXHASH_MATCH,
    ASSERTION_BOXHASH_MISMATCH,
];

/// A hard binding, with its exclusions as they are written.
#[derive(Debug)]
pub enum Binding {
    /// `c2pa.hash.data`: the bytes of the file except some ranges.
    Data(Vec<ByteRange>),
    /// `c2pa.hash.bmff`: the boxes of an ISO base media file except some.
    BaseMedia(BaseMedia),
    /// `c2pa.hash.boxes`: the named parts of a file, in order.
    Boxes(Vec<Part>),
    /// No binding that the validator judged, or one of another kind or form.
    Unknown,
}

/// A `c2pa.hash.bmff`.
#[derive(Debug, Deserialize)]
pub struct BaseMedia {
    /// The version. From 2 on, the hash covers the positions of the boxes.
    #[serde(skip)]
    pub version: usize,
    /// The boxes that are excluded.
    pub exclusions: Vec<BoxExclusion>,
    /// The algorithm of trees that name none of their own.
    pub alg: Option<String>,
    /// The hash of the whole file.
    pub hash: Option<Bytes>,
    /// Hashes of parts of the file.
    pub merkle: Option<Vec<Tree>>,
}

/// Boxes that are excluded, in whole or in part.
#[derive(Debug, Deserialize)]
pub struct BoxExclusion {
    /// The path of the boxes.
    pub xpath: String,
    /// The length that the boxes must have.
    pub length: Option<u64>,
    /// Bytes that the boxes must contain.
    pub data: Option<Vec<Mark>>,
    /// The parts of the boxes that are excluded.
    pub subset: Option<Vec<Subset>>,
    /// The version that the boxes must have.
    pub version: Option<u8>,
    /// The flags that the boxes must have.
    pub flags: Option<Bytes>,
    /// `true` if the boxes must have no other flags.
    pub exact: Option<bool>,
}

/// Bytes at an offset in a box.
#[derive(Debug, Deserialize)]
pub struct Mark {
    /// The offset of the bytes in the box.
    pub offset: u64,
    /// The bytes.
    pub value: Bytes,
}

/// A part of a box.
#[derive(Debug, Deserialize)]
pub struct Subset {
    /// The offset of the part in the box.
    pub offset: u64,
    /// The length of the part, or 0 for everything up to the end.
    pub length: u64,
}

/// The hashes of a track, of the content of a box, or of fragments.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// The algorithm.
    pub alg: Option<String>,
    /// The hash of everything before the fragments.
    pub init_hash: Option<Bytes>,
    /// The length of the blocks, each of which has a hash.
    pub fixed_block_size: Option<u64>,
    /// The lengths of the blocks, if they differ.
    pub variable_block_sizes: Option<Vec<u64>>,
}

/// Parts of a file that share one hash.
#[derive(Debug, Deserialize)]
pub struct Part {
    /// The names of the parts.
    pub names: Vec<String>,
    /// `true` if the parts have no hash.
    pub excluded: Option<bool>,
    /// The ranges of the parts that are excluded.
    pub exclusions: Option<Vec<Value>>,
}

/// A byte string, which the reader writes in base64 or as a list of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Numbers(Vec<u8>),
        }
        match Form::deserialize(deserializer)? {
            Form::Text(text) => STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom),
            Form::Numbers(bytes) => Ok(Self(bytes)),
        }
    }
}

#[derive(Deserialize)]
struct DataHash {
    exclusions: Option<Vec<ByteRange>>,
}

#[derive(Deserialize)]
struct BoxHash {
    boxes: Vec<Part>,
}

/// Returns the binding that the validator judged. If the active manifest is an update, that is not its own. `all` is
/// the detailed report of the reader.
pub fn judged(reader: &Reader, all: &Value) -> Binding {
    let results = reader.validation_results();
    let active = results.and_then(|results| results.active_manifest()).into_iter();
    let deltas = results.and_then(|results| results.ingredient_deltas()).into_iter().flatten();
    let codes = active.chain(deltas.map(|delta| delta.validation_deltas()));
    let statuses = codes.flat_map(|codes| codes.success().iter().chain(codes.failure()));
    let mut places: Vec<&str> = statuses
        .filter(|status| VERDICTS.contains(&status.code()))
        .filter_map(ValidationStatus::url)
        .collect();
    places.sort_unstable();
    places.dedup();
    let [place] = places.as_slice() else { return Binding::Unknown };
    let Some((manifest, label)) = split(place) else { return Binding::Unknown };
    read(label, &all["manifests"][manifest]["assertion_store"][label]).unwrap_or(Binding::Unknown)
}

/// Splits the URI of an assertion into the labels of its manifest and of the assertion.
fn split(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix("self#jumbf=/c2pa/")?.split_once("/c2pa.assertions/")
}

/// Parses the binding in an assertion. Returns `None` if it has another form.
fn read(label: &str, assertion: &Value) -> Option<Binding> {
    fn form<'de, T: Deserialize<'de>>(assertion: &'de Value) -> Option<T> {
        T::deserialize(assertion).ok()
    }
    let base = label.split("__").next()?;
    if base == "c2pa.hash.data" {
        let data: DataHash = form(assertion)?;
        return Some(Binding::Data(data.exclusions.unwrap_or_default()));
    }
    if base == "c2pa.hash.boxes" {
        return form(assertion).map(|BoxHash { boxes }| Binding::Boxes(boxes));
    }
    let version = match base.strip_prefix("c2pa.hash.bmff")? {
        "" => 1,
        version => version.strip_prefix(".v")?.parse().ok()?,
    };
    form(assertion).map(|hash: BaseMedia| Binding::BaseMedia(BaseMedia { version, ..hash }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_binding_is_read_as_it_is_written() {
        let data = json!({ "exclusions": [{ "start": 20, "length": 9 }], "alg": "sha256", "hash": "" });
        let Some(Binding::Data(ranges)) = read("c2pa.hash.data__1", &data) else { panic!("no data hash") };
        assert_eq!(ranges, [ByteRange { start: 20, length: 9 }]);
        let boxes = json!({ "exclusions": [{ "xpath": "/uuid", "data": [{ "offset": 8, "value": "AQI=" }] }],
            "merkle": [{ "initHash": [1, 2], "fixedBlockSize": 4 }] });
        for (label, version) in [("c2pa.hash.bmff", 1), ("c2pa.hash.bmff.v2", 2), ("c2pa.hash.bmff.v3__2", 3)]
        {
            let Some(Binding::BaseMedia(hash)) = read(label, &boxes) else { panic!("{label}") };
            assert_eq!(hash.version, version);
            assert_eq!(hash.exclusions[0].data.as_ref().unwrap()[0].value, Bytes(vec![1, 2]));
            let tree = &hash.merkle.unwrap()[0];
            assert_eq!((&tree.init_hash, tree.fixed_block_size), (&Some(Bytes(vec![1, 2])), Some(4)));
        }
    }

    #[test]
    fn what_has_another_form_is_not_passed_over() {
        for (label, assertion) in [
            ("c2pa.hash.data", json!({ "exclusions": [{ "start": -1, "length": 9 }] })),
            ("c2pa.hash.data", json!({ "exclusions": { "start": 1 } })),
            ("c2pa.hash.bmff.v2", json!({ "hash": "" })),
            ("c2pa.hash.bmff.v2", json!({ "exclusions": [{ "xpath": 1 }] })),
            ("c2pa.hash.bmff.next", json!({ "exclusions": [] })),
            ("c2pa.hash.boxes", json!({ "boxes": [{ "names": "SOI" }] })),
            ("c2pa.hash.collection", json!({})),
            ("c2pa.hash.data", Value::Null),
        ] {
            assert!(read(label, &assertion).is_none(), "{label} {assertion}");
        }
        assert_eq!(
            split("self#jumbf=/c2pa/urn:a/c2pa.assertions/c2pa.hash.data"),
            Some(("urn:a", "c2pa.hash.data"))
        );
        assert_eq!(split("c2pa.hash.data"), None);
    }
}
