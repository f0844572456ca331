//! A file that nothing is known of by its hash: what it names itself, in it or in its XMP, may be stored here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use credlink_core::c2pa::ManifestStore;
use credlink_core::manifest_id::ManifestId;
use percent_encoding::percent_decode_str;

use super::{Verification, unread};
use crate::checks::{self, Check, Outcome, Place};
use crate::client::Client;
use crate::media::{Media, kind};
use crate::reading::{self, Embedded};
use crate::trouble::Trouble;

/// Looks for the manifest that the file names. `None`: it names none, or none that is here.
pub fn look<'a>(client: &Client, media: &'a Media) -> Result<Option<Verification<'a>>, Trouble> {
    let Some((id, place)) = named(media)? else { return Ok(None) };
    let manifest = match client.manifest(&id) {
        Ok(answer) => answer.body,
        Err(trouble) if trouble.is_absence() || trouble.is_refusal() => return Ok(None),
        Err(trouble) => return Err(trouble),
    };
    let validated = checks::validate(&manifest, media, None).map_err(|error| unread(media, &error))?;
    let is_other_manifest = validated.place == Place::Other;
    let changed = validated.is_other_file || is_other_manifest;
    let (outcome, said) = match validated.outcome() {
        _ if validated.is_other_file => (
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
        // A manifest that stands in the file leaves out its own place, so that two files may have it.
        Outcome::Holds => {
            (Outcome::Open, "this manifest is stored here, and not as the proof of this very file")
        }
        Outcome::Open => {
            (Outcome::Open, "this manifest is stored here; whether it is this file's is not known")
        }
    };
    let mut checks = vec![Check::new("manifest", outcome, format!("{place} {id}: {said}"))];
    checks.extend(validated.checks);
    let holds = checks.iter().all(|check| check.outcome != Outcome::Fails);
    Ok(Some(Verification { file: media.name(), media_hash: media.hash, id: None, holds, changed, checks }))
}

/// The manifest that the file names, and how: in it, or by the last segment of the URL in its XMP.
fn named(media: &Media) -> Result<Option<(ManifestId, &'static str)>, Trouble> {
    let kind = media.kind();
    let Some(format) = kind.media_type().and_then(kind::format) else { return Ok(None) };
    let report = reading::of(media, &format, None).map_err(|error| unread(media, &error))?;
    let embedded = match report.embedded {
        Embedded::Found(bytes) => STANDARD.decode(bytes).ok(),
        _ => None,
    };
    let embedded = embedded.and_then(|bytes| ManifestStore::parse(&bytes).ok());
    let remote = report.remote.as_deref().and_then(last_segment);
    Ok(match (embedded, remote) {
        (Some(store), _) => Some((store.active, "the file holds the manifest")),
        (None, Some(id)) => Some((id, "the file's XMP names the manifest")),
        (None, None) => None,
    })
}

/// The manifest id that a URL ends with.
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
