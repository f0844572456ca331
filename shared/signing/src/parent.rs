//! An original as the parent of its renditions: what its manifest tells that theirs must not.

use std::io::Cursor;
use std::sync::Arc;

use c2pa::{Context, Error, Reader};
use credlink_core::c2pa::tells_place;
use credlink_core::file::FileType;
use serde_json::Value;

/// The beginning of the labels of pictures in a manifest.
const THUMBNAIL: &str = "c2pa.thumbnail";

/// The beginnings of the labels of assertions that cannot be redacted: the specification forbids it for actions and hashes (C2PA
/// 2.x, section 6.8), and without an ingredient the chain is broken.
const KEPT: [&str; 3] = [ACTIONS, "c2pa.hash.", "c2pa.ingredient"];

/// The beginning of the labels of actions.
const ACTIONS: &str = "c2pa.actions";

/// The parts of an original's manifests that those of its renditions must not pass on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parent {
    /// The addresses of assertions with a place.
    pub(crate) places: Vec<String>,
    /// The addresses of pictures.
    pub(crate) pictures: Vec<String>,
    /// `true` if a manifest tells a place where nothing can be redacted.
    pub(crate) tells_for_ever: bool,
}

impl Parent {
    /// Reads the manifests that an original carries.
    pub(crate) fn read(context: &Arc<Context>, original: &[u8], kind: FileType) -> Result<Self, Error> {
        let reader = Reader::from_shared_context(context);
        match reader.with_stream(kind.media_type(), Cursor::new(original)) {
            Ok(reader) => Ok(Self::of(&serde_json::from_str(&reader.detailed_json())?)),
            // An original without a manifest tells nothing by one.
            Err(
                Error::JumbfNotFound
                | Error::ProvenanceMissing
                | Error::RemoteManifestUrl(_)
                | Error::RemoteManifestFetch(_)
                | Error::UnsupportedType,
            ) => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    fn of(report: &Value) -> Self {
        let mut parent = Self::default();
        for (manifest, content) in report["manifests"].as_object().into_iter().flatten() {
            for (label, data) in content["assertion_store"].as_object().into_iter().flatten() {
                let address = format!("self#jumbf=/c2pa/{manifest}/c2pa.assertions/{label}");
                if label.starts_with(THUMBNAIL) {
                    parent.pictures.push(address);
                } else if is_about_place(label, data) {
                    match KEPT.iter().any(|kept| label.starts_with(kept)) {
                        true => parent.tells_for_ever = true,
                        false => parent.places.push(address),
                    }
                }
            }
            parent.tells_for_ever |= tells_place(content["credential_store"].to_string().as_bytes());
        }
        parent.places.sort_unstable();
        parent.pictures.sort_unstable();
        parent
    }

    /// Returns `true` if a place is told.
    pub(crate) const fn tells_place(&self) -> bool {
        self.tells_for_ever || !self.places.is_empty()
    }
}

/// Returns `true` if the data of an assertion may tell a place. The descriptions of actions are free text about the picture, in which
/// a word is enough.
fn is_about_place(label: &str, data: &Value) -> bool {
    let text = data.to_string();
    tells_place(text.as_bytes())
        || label.starts_with(ACTIONS) && text.to_ascii_lowercase().contains("location")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_and_pictures_are_found_in_every_manifest() {
        let report = json!({"manifests": {
            "urn:c2pa:a": {"assertion_store": {
                "c2pa.actions.v2": {"actions": [{"action": "c2pa.created"}]},
                "c2pa.hash.data": {"name": "jumbf manifest"},
                "c2pa.metadata": {"exif:GPSLatitude": "39,21.102N"},
                "c2pa.thumbnail.claim": "<omitted> len = 4",
            }},
            "urn:c2pa:b": {"assertion_store": {
                "stds.exif__1": {"exif:Make": "Acme"},
                "stds.iptc": {"Iptc4xmpExt:LocationCreated": {}},
                "c2pa.thumbnail.ingredient.jpeg__2": "<omitted> len = 4",
            }},
        }});
        let place = |manifest, label| format!("self#jumbf=/c2pa/{manifest}/c2pa.assertions/{label}");
        let found = Parent::of(&report);
        assert_eq!(found.places, [place("urn:c2pa:a", "c2pa.metadata"), place("urn:c2pa:b", "stds.iptc")]);
        assert_eq!(
            found.pictures,
            [
                place("urn:c2pa:a", "c2pa.thumbnail.claim"),
                place("urn:c2pa:b", "c2pa.thumbnail.ingredient.jpeg__2")
            ]
        );
        assert!(!found.tells_for_ever && found.tells_place());
    }

    #[test]
    fn a_place_in_an_action_is_told_for_ever() {
        let report = json!({"manifests": {"a": {"assertion_store": {
            "c2pa.actions": {"actions": [{"action": "c2pa.edited", "parameters": {"description": "Location added"}}]},
        }}}});
        let found = Parent::of(&report);
        assert!(found.tells_for_ever && found.tells_place() && found.places.is_empty());
        assert!(!Parent::of(&json!({"manifests": {}})).tells_place());
    }
}
