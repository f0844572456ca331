//! Verification of a file whose hash is unknown, against the stored manifest that the file contains or that its XMP
//! names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::c2pa::ManifestStore;
use credlink_core::manifest::ManifestType;
use credlink_core::manifest_id::ManifestId;
use credlink_verify::checks::{self, Check, ManifestLocation, Outcome, Validated};
use credlink_verify::media::{Media, detected_type};
use credlink_verify::report::Embedded;
use percent_encoding::percent_decode_str;

use super::{Verification, unread};
use crate::client::Client;
use crate::error::{Trouble, TroubleKind};
use crate::isolation;

/// The manifest that a file names.
struct Named {
    /// The ID of the manifest in the file, or the one at the end of the URL in its XMP.
    id: Option<ManifestId>,
    /// The place of the ID in the file, in words: the manifest or the XMP.
    place: &'static str,
    /// The bytes of the manifest in the file.
    embedded: Option<Vec<u8>>,
    /// A description of all this in words, for the case that no such manifest is stored here.
    words: String,
}

/// Looks up the manifest that the file names. If it names none, or none that is stored here, returns what it names in
/// words.
pub fn look<'a>(client: &Client, media: &'a Media) -> Result<Result<Verification<'a>, String>, Trouble> {
    let Named { id, place, embedded, words } = named(media)?;
    let Some(id) = id else { return Ok(Err(words)) };
    let manifest = match client.any_manifest(&id) {
        Ok(answer) => answer.body,
        Err(trouble) if trouble.is_absence() || trouble.is_refusal() => return Ok(Err(words)),
        Err(trouble) => return Err(trouble),
    };
    let validate = |manifest: &[u8]| {
        checks::validate(manifest, media, None, isolation::read).map_err(|error| unread(media, &error))
    };
    let stored = validate(&manifest)?;
    // Anybody may store another manifest under the ID, which says nothing about a file whose own manifest is valid for
    // it.
    let own = match embedded.filter(|_| stored.place == ManifestLocation::Other) {
        Some(own) => Some(validate(&own)?).filter(|own| own.outcome() != Outcome::Fails),
        None => None,
    };
    Ok(Ok(match own {
        Some(own) => with_another_stored(media, &id, own),
        None => against(media, &format!("{place} {id}"), stored),
    }))
}

/// Describes a file whose own manifest does not fail, while another one is stored under its ID.
fn with_another_stored<'a>(media: &'a Media, id: &ManifestId, own: Validated) -> Verification<'a> {
    let of_own = match own.outcome() {
        Outcome::Holds => "the one in the file is valid for it",
        _ => "what is known about the one in the file follows below",
    };
    let said = format!("another manifest is stored here under the id {id}; {of_own}");
    let check = Check::new("manifest", Outcome::Open, said);
    Verification { other_is_stored: true, ..verification(media, false, check, own) }
}

/// Compares a file with the manifest that is stored under the ID that the file names.
fn against<'a>(media: &'a Media, named: &str, stored: Validated) -> Verification<'a> {
    let is_other_manifest = stored.place == ManifestLocation::Other;
    let changed = stored.is_other_file || is_other_manifest;
    let (outcome, said) = match stored.outcome() {
        _ if stored.is_other_file => (
            Outcome::Fails,
            "this manifest is stored here, and it does not match this file: the file was changed after it was signed",
        ),
        _ if is_other_manifest => (
            Outcome::Fails,
            "this manifest is stored here with other bytes than the file has: the file was changed after it was signed",
        ),
        Outcome::Fails => {
            (Outcome::Fails, "this manifest is stored here, and it does not hold for this file")
        }
        // A manifest in a file excludes its own place, so two files may have the same manifest.
        Outcome::Holds => {
            (Outcome::Open, "this manifest is stored here, and not as the proof of this very file")
        }
        Outcome::Open => {
            (Outcome::Open, "this manifest is stored here; it is not known whether it belongs to this file")
        }
    };
    verification(media, changed, Check::new("manifest", outcome, format!("{named}: {said}")), stored)
}

fn verification(media: &Media, changed: bool, first: Check, validated: Validated) -> Verification<'_> {
    let mut checks = vec![first];
    checks.extend(validated.checks);
    let holds = checks.iter().all(|check| check.outcome != Outcome::Fails);
    Verification {
        file: media.name(),
        media_hash: media.hash,
        id: None,
        holds,
        changed,
        other_is_stored: false,
        checks,
    }
}

/// Returns the manifest that the file contains, or that the last segment of the URL in its XMP names. A file that is
/// itself a manifest is an error.
fn named(media: &Media) -> Result<Named, Trouble> {
    let name = media.name().display();
    let kind = media.detected_type();
    if kind.media_type() == Some(ManifestType::C2pa.as_str()) {
        let detail = format!("{name} is a manifest: name its picture or video");
        return Err(Trouble::new(TroubleKind::Usage, detail));
    }
    let format = media
        .type_of(&kind)
        .and_then(|media_type| detected_type::format(media_type).map_err(|error| error.to_string()));
    let format = match format {
        Ok(format) => format,
        Err(why) => {
            let words = format!("no manifest is looked for in {name}: {why}");
            return Ok(Named { id: None, place: "", embedded: None, words });
        }
    };
    let report = isolation::read(media, &format, None).map_err(|error| unread(media, &error))?;
    let (embedded, unusable) = match report.embedded {
        Embedded::Found(text) => (STANDARD.decode(text).ok(), "a manifest that cannot be read is in"),
        Embedded::TooLong(_) => (None, "a manifest that is longer than any may be is in"),
        Embedded::Unreadable(_) => (None, "no manifest can be read in"),
        Embedded::None => (None, "no manifest is in"),
    };
    let store = embedded.as_deref().and_then(|bytes| ManifestStore::parse(bytes).ok());
    let remote = report.remote;
    let at = remote.as_deref().map_or_else(String::new, |url| format!("; its XMP says that one is at {url}"));
    let remote = remote.as_deref().and_then(last_segment);
    Ok(match store {
        Some(store) => Named {
            words: format!(
                "the manifest in {name}, {}, is not stored here for this reader{at}",
                store.active
            ),
            id: Some(store.active),
            place: "the file holds the manifest",
            embedded,
        },
        None => Named {
            words: format!("{unusable} {name}{at}"),
            id: remote,
            place: "the file's XMP names the manifest",
            embedded: None,
        },
    })
}

/// Returns the manifest ID at the end of a URL.
fn last_segment(url: &str) -> Option<ManifestId> {
    let path = url.split(['?', '#']).next()?.trim_end_matches('/');
    let segment = percent_decode_str(path.rsplit('/').next()?).decode_utf8().ok()?;
    segment.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_ends_with_the_id() {
        let id = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
        for url in [
            format!("https://a.example/v1/manifests/{id}"),
            format!("https://a.example/v1/manifests/{}?form=stored#x", id.replace(':', "%3A")),
            format!("https://a.example/manifests/{id}/"),
        ] {
            assert_eq!(last_segment(&url), Some(id.parse().unwrap()), "{url}");
        }
        assert_eq!(last_segment("https://a.example/%ff"), None);
    }
}
