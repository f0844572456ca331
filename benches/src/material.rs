//! Proofs to store: numbered, all different, and the same on every run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::proof_id::ProofId;
use credlink_core::tenant::Tenant;
use credlink_core::testing::{data_box, manifest_store, superbox};

/// Length of a JSON manifest.
pub const JSON_BYTES: usize = 4_096;
/// Length of a C2PA manifest store.
pub const C2PA_BYTES: usize = 65_536;

/// The kind of a proof's manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaterialKind {
    /// A JSON manifest of [`JSON_BYTES`]: text with digests in it, which gzip shortens by three quarters.
    Json,
    /// A C2PA manifest store of [`C2PA_BYTES`]: nearly all of it a thumbnail, which gzip does not shorten.
    C2pa,
}

impl MaterialKind {
    /// The name of the kind in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON, 4 KB",
            Self::C2pa => "C2PA, 64 KB",
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
                format!(r#""manifest_base64":"{}""#, STANDARD.encode(c2pa_manifest(number, C2PA_BYTES)))
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

/// The C2PA manifest store of proof `number`, of exactly `length` bytes: a manifest that binds the media file, preceded
/// by a box of noise, like a thumbnail.
#[must_use]
pub fn c2pa_manifest(number: u64, length: usize) -> Vec<u8> {
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
    fn gzip_saves_of_each_what_it_saves_in_the_wild() {
        let saved = |content: &[u8]| 100 - 100 * at_rest(content).bytes.len() / content.len();
        assert!(
            (70..=80).contains(&saved(json_manifest(1).as_bytes())),
            "{}",
            saved(json_manifest(1).as_bytes())
        );
        assert_eq!(saved(&c2pa_manifest(1, C2PA_BYTES)), 0);
    }
}
