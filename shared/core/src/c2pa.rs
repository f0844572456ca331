//! C2PA manifest stores, as far as storing needs them: the ID of the active manifest, and the file that this manifest
//! binds.
//!
//! In scope: the box structure (ISO/IEC 19566-5, JUMBF), the claim's list of assertions and the hard binding. Out of
//! scope: signatures, trust and everything else a validator does. The only references between boxes that are followed
//! lead from the claim to its manifest's own assertions, so references cannot form a cycle.

mod boxes;
pub mod signature;

use memchr::memmem;

use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_JUMBF_BOXES, MAX_JUMBF_DEPTH};
use crate::cbor::Item;
use crate::hash::Digest;
use crate::manifest_id::{ManifestId, ManifestIdError};

use boxes::{SUPERBOX, Superbox};

/// The words in a manifest that tell of a place, in lower case: the members of EXIF, XMP, IPTC and schema.org.
const PLACES: [&[u8]; 11] = [
    b"latitude",
    b"longitude",
    b"photoshop:city",
    b"photoshop:state",
    b"photoshop:country",
    b"countrycode",
    b"countryname",
    b"provincestate",
    b"addresslocality",
    b"addressregion",
    b"addresscountry",
];

/// The type of a box with compressed content (ISO/IEC 18181-2, which C2PA 2.x uses for manifests), in which no word is found.
const COMPRESSED: &[u8] = b"brob";

/// The beginning of EXIF's other tags with a place. It is short, and also stands in hashes and pictures by chance: it counts at the
/// beginning of a word, with as many characters behind it.
const GPS: (&[u8], usize) = (b"gps", 5);

/// The word that other texts have too ("saved to new location"): it counts as the name of a member, or as a part of one.
const LOCATION: &[u8] = b"location";

/// Returns `true` if a manifest, or a part of one, may tell where a picture was taken: the name of a member with a place stands
/// somewhere in it, in any case of its letters, or it is compressed.
#[must_use]
pub fn tells_place(content: &[u8]) -> bool {
    if memmem::find(content, COMPRESSED).is_some() {
        return true;
    }
    let text = content.to_ascii_lowercase();
    PLACES.iter().any(|word| memmem::find(&text, word).is_some())
        || memmem::find_iter(&text, GPS.0).any(|at| is_gps(&text, at))
        || memmem::find_iter(&text, LOCATION).any(|at| is_member(content, at))
}

fn is_gps(text: &[u8], at: usize) -> bool {
    let (word, behind) = GPS;
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let rest = text.get(at + word.len()..at + word.len() + behind);
    before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        && rest.is_some_and(|rest| rest.iter().all(|byte| (b' '..=b'~').contains(byte)))
}

/// Returns `true` if [`LOCATION`] at this place is the name of a member in CBOR, JSON or XMP, or a part of one
/// (`Iptc4xmpExt:LocationCreated`, `contentLocation`).
fn is_member(content: &[u8], at: usize) -> bool {
    /// The head of a text of eight bytes in CBOR (RFC 8949, section 3).
    const CBOR_TEXT: u8 = 0x68;
    let before = at.checked_sub(1).and_then(|at| content.get(at)).copied();
    let behind = content.get(at + LOCATION.len()..).unwrap_or_default();
    let is_capital = content.get(at).is_some_and(u8::is_ascii_uppercase);
    let has_more = behind.first().is_some_and(u8::is_ascii_uppercase);
    let is_behind_more = is_capital && before.is_some_and(|byte| byte.is_ascii_lowercase());
    let is_in_json =
        || behind.strip_prefix(b"\"").is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"));
    has_more
        || is_behind_more
        || matches!(before, Some(b':' | CBOR_TEXT))
        || before == Some(b'"') && is_in_json()
}

/// Returns the type UUID of a C2PA superbox (C2PA 2.x, section 11.1.4): four letters and a common suffix.
const fn type_uuid(letters: [u8; 4]) -> [u8; 16] {
    let [a, b, c, d] = letters;
    [a, b, c, d, 0x00, 0x11, 0x00, 0x10, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71]
}
const STORE: [u8; 16] = type_uuid(*b"c2pa");
/// The types of standard, update and compressed manifests, and the type that standard manifests have in some stores
/// (C2PA 2.x, section 11.2.2: consumers shall accept it).
const MANIFESTS: [[u8; 16]; 4] =
    [type_uuid(*b"c2ma"), type_uuid(*b"c2um"), type_uuid(*b"c2cm"), type_uuid(*b"c2md")];

/// Labels inside a manifest (C2PA 2.x, sections 10 and 18).
const CLAIM_LABELS: [&str; 2] = ["c2pa.claim.v2", "c2pa.claim"];
const ASSERTION_STORE: &str = "c2pa.assertions";
const DATA_HASH: &str = "c2pa.hash.data";
const HARD_BINDINGS: [&str; 4] = [DATA_HASH, "c2pa.hash.boxes", "c2pa.hash.bmff", "c2pa.hash.collection"];

/// The file that the active manifest says it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// A `c2pa.hash.data` without exclusions, by SHA-256: the digest of the whole file.
    WholeFile(Digest),
    /// A hard binding that leaves parts of the file out, or is not SHA-256 over its bytes, with the assertion's label.
    Partial(String),
    /// No binding of its own: an update or compressed manifest, or a manifest whose binding cannot be read without
    /// validation.
    None,
}

/// The parts of a manifest store that storing needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestStore {
    /// The label of the active manifest, which is the last in the store.
    pub active: ManifestId,
    /// The file that the active manifest binds.
    pub binding: Binding,
}

/// A reason why bytes are not a C2PA manifest store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum C2paError {
    /// The store is longer than the bound.
    #[error("a C2PA manifest store may have {MAX_C2PA_MANIFEST_BYTES} bytes; this has {0}")]
    TooLong(usize),
    /// A box is cut short, or has an impossible length.
    #[error("the JUMBF boxes are damaged at byte {0}: a box there is cut short or has an impossible length")]
    Damaged(usize),
    /// The store has too many boxes.
    #[error("the manifest store has more than {MAX_JUMBF_BOXES} JUMBF boxes")]
    TooManyBoxes,
    /// Boxes are nested too deep.
    #[error("the JUMBF boxes are nested more than {MAX_JUMBF_DEPTH} levels deep")]
    TooDeep,
    /// The bytes are something else, or empty.
    #[error("this is not a C2PA manifest store: {0}")]
    NotAStore(&'static str),
    /// The label of the active manifest is not a manifest ID.
    #[error("the active manifest's label is not a manifest id: {0}")]
    Label(#[from] ManifestIdError),
}

impl ManifestStore {
    /// Reads a manifest store (`application/c2pa`). Zero padding after the store is allowed, as other readers allow it.
    ///
    /// # Errors
    /// Fails if the bytes exceed a bound, a box is damaged, or there is no manifest with an ID.
    pub fn parse(bytes: &[u8]) -> Result<Self, C2paError> {
        if bytes.len() > MAX_C2PA_MANIFEST_BYTES {
            return Err(C2paError::TooLong(bytes.len()));
        }
        if bytes.get(4..8) != Some(&SUPERBOX) {
            return Err(C2paError::NotAStore("it does not begin with a JUMBF superbox"));
        }
        boxes::check(bytes)?;
        let (store, rest) = Superbox::read(bytes).ok_or(C2paError::Damaged(0))?;
        if *store.uuid != STORE {
            return Err(C2paError::NotAStore("its outermost box has another type"));
        }
        if rest.iter().any(|byte| *byte != 0) {
            return Err(C2paError::NotAStore("something other than zero padding follows it"));
        }
        let active = active(&store).ok_or(C2paError::NotAStore("it holds no manifest"))?;
        let label = active.label.ok_or(C2paError::NotAStore("its active manifest has no label"))?;
        Ok(Self { active: label.parse()?, binding: binding(&active).unwrap_or(Binding::None) })
    }
}

/// Returns the active manifest of a store, which is the last (C2PA 2.x, section 11.1.4.2).
fn active<'a>(store: &Superbox<'a>) -> Option<Superbox<'a>> {
    store.superboxes().filter(|child| MANIFESTS.contains(child.uuid)).last()
}

/// Returns the binding of a manifest. Anything that cannot be read binds nothing here, and is left for a validator to
/// judge.
fn binding(manifest: &Superbox<'_>) -> Option<Binding> {
    let claim = CLAIM_LABELS.iter().find_map(|label| manifest.child(label))?.cbor()?;
    let assertions = manifest.child(ASSERTION_STORE)?;
    let [claimed, created, gathered, algorithm] =
        claim.members(["assertions", "created_assertions", "gathered_assertions", "alg"])?;
    let references = [claimed, created, gathered].into_iter().flatten().filter_map(Item::elements).flatten();
    // References beyond the number of boxes cannot lead anywhere.
    for reference in references.take(MAX_JUMBF_BOXES) {
        let Some([Some(url)]) = reference.members(["url"]) else { continue };
        let Some(url) = url.text() else { continue };
        let label = url.rsplit('/').next()?;
        // The labels of later versions and further instances: `c2pa.hash.bmff.v3`, `c2pa.hash.data__1`.
        let base = HARD_BINDINGS.iter().find(|base| {
            label.strip_prefix(**base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '_']))
        });
        let Some(base) = base else { continue };
        let assertion = assertions.child(label)?.cbor()?;
        return Some(match whole_file(algorithm, assertion) {
            Some(digest) if *base == DATA_HASH => Binding::WholeFile(digest),
            _ => Binding::Partial(label.to_owned()),
        });
    }
    None
}

/// Returns the digest of a `c2pa.hash.data` that covers every byte with SHA-256 (C2PA 2.x, section 18.5). `algorithm`
/// is the claim's.
fn whole_file(algorithm: Option<Item<'_>>, assertion: Item<'_>) -> Option<Digest> {
    let [exclusions, own, hash] = assertion.members(["exclusions", "alg", "hash"])?;
    if exclusions.and_then(Item::elements).is_some_and(|mut list| list.next().is_some()) {
        return None;
    }
    if own.or(algorithm).and_then(Item::text).is_some_and(|name| name != "sha256") {
        return None;
    }
    hash?.bytes()?.as_ref().try_into().ok().map(Digest::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{data_box, manifest_store, store_of, superbox};

    const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

    #[test]
    fn a_place_is_told_by_words_and_hidden_by_compression() {
        for telling in [
            &br#"{"exif:GPSLatitude":"39,21.102N"}"#[..],
            b"GPS 39,21.102N",
            b"\x68exif:GPSAltitude\x01",
            br#"<Iptc4xmpExt:LocationCreated>"#,
            br#"{"location" : "Munich"}"#,
            br#"{"contentLocation":{}}"#,
            b"\xa1\x68location\x66Munich",
            b"\x6fcontentLocation",
            b"photoshop:City",
            b"....brob....",
        ] {
            assert!(tells_place(telling), "{}", telling.escape_ascii());
        }
        // Letters that stand somewhere by chance, as in a hash, are no word.
        for silent in [
            &b""[..],
            b"gps",
            b"xGPSLatit",
            b"\x00gps\x01\x02\x03\x04\x05",
            b"Kgps/3fgX2",
            b"velocity",
            br#"stEvt:action="saved to new location""#,
            br#""explanation":"data hash exclusion does not match the manifest location in the asset""#,
        ] {
            assert!(!tells_place(silent), "{}", silent.escape_ascii());
        }
    }

    #[test]
    fn the_last_manifest_is_the_active_one() {
        let first = superbox(MANIFESTS[0], "urn:c2pa:1", &[]);
        for kind in MANIFESTS {
            let last = superbox(kind, ID, &[]);
            let store = ManifestStore::parse(&store_of(&[first.clone(), last])).unwrap();
            assert_eq!((store.active.as_str(), store.binding), (ID, Binding::None));
        }
    }

    #[test]
    fn an_unexcluded_data_hash_binds_the_file() {
        let digest = Digest::of(b"the picture");
        let store = manifest_store(ID, &digest);
        assert_eq!(ManifestStore::parse(&store).unwrap().binding, Binding::WholeFile(digest));
        let padded = [store.as_slice(), &[0; 100]].concat();
        assert_eq!(ManifestStore::parse(&padded).unwrap().binding, Binding::WholeFile(digest));
        assert_eq!(
            ManifestStore::parse(&[store.as_slice(), b"0"].concat()),
            Err(C2paError::Damaged(store.len()))
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let store = manifest_store(ID, &Digest::of(b"x"));
        for length in 0..store.len() {
            assert!(ManifestStore::parse(&store[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn boxes_that_contain_themselves_end_at_the_bound() {
        // A length of 0 means "to the end": the content of each such superbox is the rest of the file.
        let endless = [0, 0, 0, 0, b'j', b'u', b'm', b'b'].repeat(1_000);
        assert_eq!(ManifestStore::parse(&endless), Err(C2paError::TooDeep));
        let many = store_of(&vec![data_box(*b"free", &[]); MAX_JUMBF_BOXES]);
        assert_eq!(ManifestStore::parse(&many), Err(C2paError::TooManyBoxes));
        let huge = [[0, 0, 0, 1].as_slice(), b"jumb", &u64::MAX.to_be_bytes()].concat();
        assert_eq!(ManifestStore::parse(&huge), Err(C2paError::Damaged(0)));
    }

    #[test]
    fn what_is_no_store_is_named() {
        assert!(matches!(ManifestStore::parse(b"{}"), Err(C2paError::NotAStore(_))));
        assert!(matches!(
            ManifestStore::parse(&store_of(&[])),
            Err(C2paError::NotAStore("it holds no manifest"))
        ));
        let slashed = store_of(&[superbox(MANIFESTS[0], "urn:../x", &[])]);
        assert!(matches!(ManifestStore::parse(&slashed), Err(C2paError::Label(_))));
        let other = superbox(MANIFESTS[0], "c2pa", &[]);
        assert!(matches!(ManifestStore::parse(&other), Err(C2paError::NotAStore(_))));
    }
}
