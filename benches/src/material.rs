//! Proofs to store: numbered, all different, and the same on every run.
//!
//! C2PA manifest stores are copies of one that c2pa-rs signed: `benches/material/signed.c2pa`, made by the example `sign`
//! of the command line from a synthetic picture of 1,600 × 1,200 points. It has a thumbnail in JPEG, four assertions, a
//! claim, and a signature with its certificate and a time stamp's room, and binds the whole file. In each copy, the ID
//! of the manifest and the digest of the file are those of its proof. A copy is therefore well-formed, and is stored
//! like any other, but its signature does not hold.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::{data_box, manifest_store, superbox};
use data_encoding::HEXLOWER;

/// Length of a JSON manifest.
pub const JSON_BYTES: usize = 4_096;
/// The manifest store from which all others are copied.
const SIGNED: &[u8] = include_bytes!("../material/signed.c2pa");
/// The ID of the manifest in [`SIGNED`], which is also part of the URL of its signature.
const SIGNED_ID: &str = "urn:c2pa:7b4079d7-6d10-4d40-85d0-6e9c4f2e4f0a";
/// The SHA-256 of the file that [`SIGNED`] binds.
const SIGNED_FILE: &str = "c90ee83e29146e47622d1a5c55104c7ea65409277b6aa46c4cdb49fad7408cc0";
/// Length of a C2PA manifest store.
pub const C2PA_BYTES: usize = SIGNED.len();

/// The kind of a proof's manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialKind {
    /// A JSON manifest of [`JSON_BYTES`]: text with digests in it, which gzip shortens by three quarters.
    Json,
    /// A signed C2PA manifest store of [`C2PA_BYTES`]: nearly all of it a thumbnail.
    C2pa,
}

impl MaterialKind {
    /// The name of the kind in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON, 4 KB",
            Self::C2pa => "C2PA, 66 KB",
        }
    }

    /// The length of its manifests, in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Json => JSON_BYTES,
            Self::C2pa => C2PA_BYTES,
        }
    }

    /// The body that stores proof `number`.
    #[must_use]
    pub fn body(self, number: u64) -> Bytes {
        let hash = media_hash(number);
        let manifest = match self {
            Self::Json => format!(r#""manifest":{}"#, json_manifest(number)),
            Self::C2pa => {
                format!(r#""manifest_base64":"{}""#, STANDARD.encode(c2pa_manifest(number)))
            }
        };
        format!(r#"{{"media_hash":"{hash}","media_type":"image/jpeg",{manifest}}}"#).into()
    }
}

/// The media hash of proof `number`.
#[must_use]
pub fn media_hash(number: u64) -> MediaHash {
    Digest::of(&number.to_be_bytes()).into()
}

/// The ID of proof `number`.
#[must_use]
pub fn proof_id(number: u64) -> ProofId {
    ProofId::derive(&Tenant::default(), &media_hash(number))
}

/// The ID of the C2PA manifest of proof `number`.
#[must_use]
pub fn manifest_id(number: u64) -> String {
    let digest = *Digest::of(&number.to_le_bytes()).as_bytes();
    let word = |at: usize| digest[at..at + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let (a, b) = (word(0), word(8));
    let uuid = [a >> 32, (a >> 16) & 0xffff, a & 0xffff, b >> 48, b & 0xffff_ffff_ffff];
    format!("urn:c2pa:{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", uuid[0], uuid[1], uuid[2], uuid[3], uuid[4])
}

/// The JSON manifest of proof `number`: exactly [`JSON_BYTES`] long.
#[must_use]
pub fn json_manifest(number: u64) -> String {
    json_manifest_of(number, JSON_BYTES)
}

/// The legacy record of proof `number`: exactly `length` bytes long, nearly all of them its manifest.
#[must_use]
pub fn legacy_record(number: u64, length: usize) -> String {
    let hash = media_hash(number).digest().to_string();
    let around = |manifest: &str| {
        format!(
            r#"{{"proofId":"proof-{number:09}","imageHash":"{hash}","manifest":{manifest},"signature":"{}","timestamp":{},"metadata":{{"camera":"bench"}}}}"#,
            STANDARD.encode(Digest::of(hash.as_bytes()).as_bytes()),
            1_767_225_600_000_u64 + number,
        )
    };
    around(&json_manifest_of(number, length.saturating_sub(around("").len())))
}

/// A JSON manifest of this length.
fn json_manifest_of(number: u64, length: usize) -> String {
    let mut text =
        format!(r#"{{"claim_generator":"credlink-benches/1","title":"picture {number:012}","assertions":["#);
    let end = r#"],"note":""#;
    for assertion in 0_u64.. {
        let hash = Digest::of(&[number.to_be_bytes(), assertion.to_be_bytes()].concat());
        let entry = format!(
            r#"{{"label":"c2pa.ingredient.v3__{assertion}","url":"self#jumbf=c2pa.assertions/c2pa.ingredient.v3__{assertion}","alg":"sha256","hash":"{hash}","relationship":"componentOf","title":"layer {assertion}"}}"#
        );
        if text.len() + 1 + entry.len() + end.len() + 2 > length {
            break;
        }
        if assertion > 0 {
            text.push(',');
        }
        text += &entry;
    }
    text += end;
    let filler = length.saturating_sub(text.len() + 2);
    text.extend("The layers of this picture. ".chars().cycle().take(filler));
    text + r#""}"#
}

/// The C2PA manifest store of proof `number`: exactly [`C2PA_BYTES`] long.
#[must_use]
pub fn c2pa_manifest(number: u64) -> Vec<u8> {
    /// The places of the manifest's ID, and of the file's digest.
    static PLACES: LazyLock<[Vec<usize>; 2]> = LazyLock::new(|| {
        let file = HEXLOWER.decode(SIGNED_FILE.as_bytes()).unwrap_or_default();
        [SIGNED_ID.as_bytes(), &file].map(|wanted| {
            let windows = SIGNED.windows(wanted.len()).enumerate();
            windows.filter_map(|(at, window)| (window == wanted).then_some(at)).collect()
        })
    });
    let mut store = SIGNED.to_vec();
    let (id, media_hash) = (manifest_id(number), media_hash(number));
    for (places, own) in PLACES.iter().zip([id.as_bytes(), media_hash.digest().as_bytes()]) {
        for at in places {
            store[*at..at + own.len()].copy_from_slice(own);
        }
    }
    store
}

/// A manifest store of proof `number` that nobody signed, of exactly `length` bytes: a manifest that binds the media
/// file, preceded by a box of noise, like a thumbnail. It is for what costs by length alone.
#[must_use]
pub fn unsigned_manifest(number: u64, length: usize) -> Vec<u8> {
    const EMBEDDED: [u8; 16] = *b"\x40\xcb\x0c\x32\xbb\x8a\x48\x9d\xa7\x0b\x2a\xd6\xf4\x7f\x43\x69";
    let store = manifest_store(&manifest_id(number), media_hash(number).digest());
    // The store's own box and its description box, which comes first, are opened, and the noise is put after it.
    let described =
        store.get(8..12).and_then(|length| length.try_into().ok()).map_or(0, u32::from_be_bytes) as usize;
    let (description, manifest) = store[8..].split_at(described);
    let thumbnail =
        |noise: &[u8]| superbox(EMBEDDED, "c2pa.thumbnail.claim.jpeg", &[data_box(*b"bidb", noise)]);
    let room = length.saturating_sub(store.len() + thumbnail(&[]).len());
    data_box(*b"jumb", &[description, &thumbnail(&noise(number, room)), manifest].concat())
}

/// Bytes that gzip does not shorten (splitmix64).
#[must_use]
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(length);
    bytes
}

#[cfg(test)]
mod tests {
    use credlink_core::encoding::at_rest;
    use credlink_core::rules::store::Draft;

    use super::*;

    #[test]
    fn proofs_have_the_stated_size_and_pass_every_check() {
        for kind in [MaterialKind::Json, MaterialKind::C2pa] {
            for number in [0, 7, 1_000_000] {
                let draft = Draft::parse(&kind.body(number), Tenant::default(), None).unwrap();
                assert_eq!(draft.manifest.bytes().len(), kind.bytes());
                assert_eq!(draft.id(), proof_id(number));
                assert_eq!(
                    draft.manifest.id().is_some_and(|id| id.as_str() == manifest_id(number)),
                    kind == MaterialKind::C2pa
                );
            }
        }
    }

    #[test]
    fn copies_differ_from_the_signed_store_in_id_and_digest_alone() {
        let differing = |one: &[u8], other: &[u8]| one.iter().zip(other).filter(|(a, b)| a != b).count();
        let (one, other) = (c2pa_manifest(1), c2pa_manifest(2));
        // A UUID has 32 digits, and is there twice.
        for pair in [(&one[..], SIGNED), (&one[..], &other[..])] {
            assert!((64..=2 * 32 + 32).contains(&differing(pair.0, pair.1)), "{}", differing(pair.0, pair.1));
        }
        for name in ["c2pa.thumbnail.claim", "c2pa.actions", "c2pa.claim.v2", "c2pa.signature"] {
            assert!(one.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn gzip_saves_of_each_what_it_saves_in_the_wild() {
        let saved = |content: &[u8]| 100 - 100 * at_rest(content).bytes.len() / content.len();
        let json = saved(json_manifest(1).as_bytes());
        assert!((70..=80).contains(&json), "{json}");
        // Not even a fifth.
        assert_eq!(saved(&c2pa_manifest(1)), 0);
    }

    #[test]
    fn unsigned_manifests_have_the_stated_length_too() {
        for length in [4_096, 1_048_576] {
            let manifest = unsigned_manifest(3, length);
            assert_eq!(manifest.len(), length);
            let store = credlink_core::c2pa::ManifestStore::parse(&manifest).unwrap();
            assert_eq!(store.active.as_str(), manifest_id(3));
        }
    }
}
