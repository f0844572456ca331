//! The checks of a proof that a holder of the file can make, each with its outcome in words.

mod validation;

use credlink_core::access::Visibility;
use credlink_core::c2pa::Binding;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::conditional::entity_tag;
use credlink_core::manifest::{Manifest, ManifestType};
use credlink_core::manifest_id::ManifestId;
use credlink_core::record::{Record, RecordManifest};
use credlink_core::time::Timestamp;
use serde::Serialize;

use crate::media::Media;
use crate::report::Report;
pub use validation::{ManifestLocation, Validated, validate};

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The claim holds.
    Holds,
    /// The claim does not hold.
    Fails,
    /// The claim cannot be decided here, or there is nothing to decide.
    Open,
}

impl Outcome {
    /// Returns the mark that is shown to a person.
    pub const fn mark(self) -> char {
        match self {
            Self::Holds => '✓',
            Self::Fails => '✗',
            Self::Open => '–',
        }
    }

    const fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The subject of the check, as a stable name.
    pub about: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// The outcome in words.
    pub detail: String,
}

impl Check {
    /// Creates a check with its outcome, in words.
    pub fn new(about: &'static str, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { about, outcome, detail: detail.into() }
    }

    /// Creates a check that fails because something could not be obtained.
    pub fn failed(about: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::new(about, Outcome::Fails, why.to_string())
    }
}

/// Checks the digest, the format and the ID of a record. Returns no record if it cannot be parsed.
pub fn record(body: &[u8], etag: Option<&str>) -> (Vec<Check>, Option<Record>) {
    let digest = Digest::of(body);
    let digest = match etag {
        None => Check::new("record_digest", Outcome::Open, "it was served without an ETag"),
        // An intermediary may turn the entity tag into a weak one.
        Some(tag) if tag.strip_prefix("W/").unwrap_or(tag) == entity_tag(&digest, None) => {
            Check::new("record_digest", Outcome::Holds, "the record has the SHA-256 that its ETag says")
        }
        Some(tag) => {
            let detail = format!("the record has the SHA-256 {digest}, and its ETag says {tag}");
            Check::new("record_digest", Outcome::Fails, detail)
        }
    };
    match Record::parse(body) {
        Ok(record) => {
            let detail = format!("the record's id is the one that its owner and file derive: {}", record.id);
            (vec![digest, Check::new("record", Outcome::Holds, detail)], Some(record))
        }
        Err(error) => (vec![digest, Check::failed("record", &error)], None),
    }
}

/// Checks what the record claims about the file and about itself.
pub fn claims(record: &Record, hash: &MediaHash, now: Timestamp) -> Vec<Check> {
    let same = record.media_hash == *hash;
    let said = if same { String::new() } else { format!("; the record says {}", record.media_hash) };
    let in_time = record.expires > now;
    let mut checks = vec![
        Check::new("media_hash", Outcome::of(same), format!("the file is {hash}{said}")),
        Check::new(
            "expiry",
            Outcome::of(in_time),
            format!("it {} on {}", if in_time { "expires" } else { "expired" }, record.expires),
        ),
        match record.visibility {
            Visibility::Public => {
                Check::new("visibility", Outcome::Open, "it is public: anybody can read it")
            }
            Visibility::Private => {
                let detail = "it is private: its owner and holders of signed links can read it";
                Check::new("visibility", Outcome::Open, detail)
            }
        },
    ];
    if record.signature.is_some() {
        let detail =
            "it has a detached signature, which CredLink keeps and cannot check: it does not know the key";
        checks.push(Check::new("signature", Outcome::Open, detail));
    }
    checks
}

/// Returns the check of a public proof's manifest that is private, as its owner sees it.
pub fn withdrawn(record: &Record, is_private: bool) -> Option<Check> {
    let detail = "its manifest alone is private: it was withdrawn, or never published; only its owner and holders of signed \
                  links can read it";
    let is_apart = is_private && record.visibility == Visibility::Public;
    is_apart.then(|| Check::new("manifest_visibility", Outcome::Open, detail))
}

/// Checks the manifest's bytes against the record and the file. `read` reads the file, as described at [`validate`].
///
/// # Errors
/// The errors of `read`.
pub fn manifest<E>(
    recorded: &RecordManifest,
    bytes: &[u8],
    media: &Media,
    media_type: Option<&str>,
    read: impl FnOnce(&Media, &str, Option<&[u8]>) -> Result<Report, E>,
) -> Result<Vec<Check>, E> {
    let digest = Digest::of(bytes);
    let same = digest == recorded.sha256 && bytes.len() as u64 == recorded.length;
    let detail = if same {
        format!("the manifest has the recorded SHA-256 and length ({} bytes)", bytes.len())
    } else {
        format!(
            "the manifest has {} bytes of SHA-256 {digest}; recorded are {} of {}",
            bytes.len(),
            recorded.length,
            recorded.sha256
        )
    };
    let mut checks = vec![Check::new("manifest_digest", Outcome::of(same), detail)];
    let manifest = match Manifest::of_type(recorded.kind, bytes.to_vec().into()) {
        Ok(manifest) => manifest,
        Err(error) => {
            checks.push(Check::failed("manifest", &error));
            return Ok(checks);
        }
    };
    let validated = match manifest.kind() {
        ManifestType::C2pa => Some(validate(bytes, media, media_type, read)?),
        ManifestType::Json => None,
    };
    checks.extend(manifest.id().map(|id| {
        let active = validated.as_ref().and_then(|validated| validated.active.as_deref());
        manifest_id(id, recorded.id.as_ref(), active)
    }));
    checks.push(binding(&manifest, &media.hash, validated.as_ref()));
    checks.extend(validated.into_iter().flat_map(|validated| validated.checks));
    Ok(checks)
}

/// Compares the ID of the active manifest in its boxes, in the record and in the validator's report.
fn manifest_id(id: &ManifestId, recorded: Option<&ManifestId>, active: Option<&str>) -> Check {
    let mut said = format!("the active manifest is {id}");
    let mut same = true;
    if recorded != Some(id) {
        let recorded = recorded.map_or("none", ManifestId::as_str);
        said.push_str(&format!("; recorded is {recorded}"));
        same = false;
    }
    // The validator writes UUIDs in lower case.
    if let Some(active) = active.filter(|active| !active.eq_ignore_ascii_case(id.as_str())) {
        said.push_str(&format!("; the validator takes {active} for it"));
        same = false;
    }
    Check::new("manifest_id", Outcome::of(same), said)
}

fn binding(manifest: &Manifest, hash: &MediaHash, validated: Option<&Validated>) -> Check {
    let place = validated.map_or(ManifestLocation::Unknown, |validated| validated.place);
    let (outcome, detail) = match (manifest.kind(), manifest.binding()) {
        (ManifestType::Json, _) => {
            (Outcome::Open, "a JSON manifest says nothing of which file it belongs to".into())
        }
        (_, Binding::WholeFile(digest)) if digest == hash.digest() => {
            (Outcome::Holds, "the manifest binds this file, and all of it".into())
        }
        (_, Binding::WholeFile(digest)) => {
            (Outcome::Fails, format!("the manifest binds another file: sha256:{digest}"))
        }
        // The binding excludes the place of a manifest in the file, and another manifest is there.
        _ if place == ManifestLocation::Other => (
            Outcome::Fails,
            "the file has another manifest in it than the one that is stored, which does not cover its place"
                .into(),
        ),
        (_, Binding::Partial(label)) if place == ManifestLocation::Same => {
            let binds_the_rest = validated.is_some_and(|validated| validated.binds_the_rest);
            let how = if binds_the_rest { "the rest of it" } else { "some of the rest" };
            (
                Outcome::Open,
                format!("the manifest is in the file, and binds {how} ({label}), as validated below"),
            )
        }
        (_, Binding::Partial(label)) => {
            (Outcome::Open, format!("the manifest binds a file by {label}, as validated below"))
        }
        (_, Binding::None) => (Outcome::Open, "the manifest has no binding of its own to a file".into()),
    };
    Check::new("binding", outcome, detail)
}

#[cfg(test)]
mod tests {
    use credlink_core::testing::manifest_store;

    use super::*;

    const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

    fn outcomes(checks: &[Check]) -> Vec<(&str, Outcome)> {
        checks.iter().map(|check| (check.about, check.outcome)).collect()
    }

    #[test]
    fn a_manifest_is_held_against_record_and_file() {
        let hash = MediaHash::of(b"the picture");
        let store = manifest_store(ID, hash.digest());
        let recorded = RecordManifest::of(&Manifest::c2pa(store.clone().into()).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.unknown");
        std::fs::write(&path, b"the picture").unwrap();
        let media = Media::open(&path).unwrap();
        let manifest = |bytes: &[u8]| {
            let checked = manifest(&recorded, bytes, &media, None, |_, _, _| Err("its type is not known"));
            checked.unwrap()
        };
        let checks = manifest(&store);
        assert_eq!(
            outcomes(&checks),
            [
                ("manifest_digest", Outcome::Holds),
                ("manifest_id", Outcome::Holds),
                ("binding", Outcome::Holds),
                ("validation", Outcome::Open),
            ]
        );
        let other = manifest_store(&ID.replace('f', "e"), MediaHash::of(b"another").digest());
        let checks = manifest(&other);
        assert_eq!(
            outcomes(&checks)[..3].iter().filter(|(_, outcome)| *outcome == Outcome::Fails).count(),
            3
        );
        let checks = manifest(b"{}");
        assert_eq!(outcomes(&checks), [("manifest_digest", Outcome::Fails), ("manifest", Outcome::Fails)]);
    }

    #[test]
    fn three_have_to_agree_on_the_active_manifest() {
        let id: ManifestId = ID.parse().unwrap();
        let other: ManifestId = "urn:c2pa:other".parse().unwrap();
        let check = |recorded, active| manifest_id(&id, recorded, active);
        assert_eq!(check(Some(&id), None).outcome, Outcome::Holds);
        let loud = ID.to_uppercase();
        assert_eq!(check(Some(&id), Some(&loud)).outcome, Outcome::Holds);
        assert!(check(Some(&other), None).detail.ends_with("recorded is urn:c2pa:other"));
        let check = check(Some(&id), Some("urn:c2pa:other"));
        assert_eq!(check.outcome, Outcome::Fails);
        assert!(check.detail.ends_with("the validator takes urn:c2pa:other for it"));
    }

    #[test]
    fn a_record_that_was_changed_is_told() {
        let (checks, found) = record(b"{}", Some("\"abc\""));
        assert!(found.is_none());
        assert_eq!(outcomes(&checks), [("record_digest", Outcome::Fails), ("record", Outcome::Fails)]);
        let tag = entity_tag(&Digest::of(b"{}"), None);
        for same in [tag.clone(), format!("W/{tag}")] {
            assert_eq!(record(b"{}", Some(&same)).0[0].outcome, Outcome::Holds, "{same}");
        }
        assert_eq!(record(b"{}", Some("W/\"abc\"")).0[0].outcome, Outcome::Fails);
    }
}
