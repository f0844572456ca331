//! Manifests, checked when they arrive.

mod signature;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::bounds::{MAX_JSON_DEPTH, MAX_JSON_MANIFEST_BYTES};
use crate::c2pa::{Binding, C2paError, ManifestStore};
use crate::hash::Digest;
use crate::json::{TooDeep, check_depth};
use crate::manifest_id::ManifestId;
use crate::media_type::{C2PA_TYPE, JSON_TYPE};

pub use signature::{SignatureError, check_signature};

/// The type of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ManifestType {
    /// A C2PA manifest store (JUMBF).
    #[serde(rename = "application/c2pa")]
    C2pa,
    /// A JSON document.
    #[serde(rename = "application/json")]
    Json,
}

impl ManifestType {
    /// Returns the media type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::C2pa => C2PA_TYPE,
            Self::Json => JSON_TYPE,
        }
    }
}

/// A manifest that was read and keeps its bytes exactly (guarantee 4).
#[derive(Clone, Debug)]
pub struct Manifest {
    bytes: Bytes,
    sha256: Digest,
    kind: ManifestContent,
}

#[derive(Clone, Debug)]
enum ManifestContent {
    C2pa(ManifestStore),
    /// With the text as a value, if it was read as one before it came here.
    Json(Option<Arc<Box<RawValue>>>),
}

/// The text of a value, as the bytes of a manifest.
struct Text(Arc<Box<RawValue>>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.get().as_bytes()
    }
}

// Everything else follows from the bytes.
impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.bytes == other.bytes
    }
}

impl Eq for Manifest {}

/// A reason why a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are not a C2PA manifest store.
    #[error(transparent)]
    C2pa(#[from] C2paError),
    /// The JSON manifest is longer than the bound.
    #[error("a JSON manifest may have {MAX_JSON_MANIFEST_BYTES} bytes; this has {0}")]
    JsonTooLong(usize),
    /// The JSON manifest is nested too deep.
    #[error(transparent)]
    JsonTooDeep(#[from] TooDeep),
    /// The bytes are not JSON.
    #[error("this is not JSON: {0}")]
    NotJson(String),
    /// The JSON is not an object.
    #[error("a JSON manifest is an object")]
    NotAnObject,
}

impl Manifest {
    /// Reads a C2PA manifest store.
    ///
    /// # Errors
    /// The errors of [`ManifestStore::parse`].
    pub fn c2pa(bytes: Bytes) -> Result<Self, ManifestError> {
        let store = ManifestStore::parse(&bytes)?;
        Ok(Self { sha256: Digest::of(&bytes), bytes, kind: ManifestContent::C2pa(store) })
    }

    /// Reads a JSON manifest: one object, with any content within the bounds.
    ///
    /// # Errors
    /// Fails if the bytes exceed a bound, or are not one JSON object.
    pub fn json(bytes: Bytes) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_JSON_MANIFEST_BYTES {
            return Err(ManifestError::JsonTooLong(bytes.len()));
        }
        check_depth(&bytes, MAX_JSON_DEPTH)?;
        let value: &RawValue =
            serde_json::from_slice(&bytes).map_err(|error| ManifestError::NotJson(error.to_string()))?;
        if !value.get().starts_with('{') {
            return Err(ManifestError::NotAnObject);
        }
        Ok(Self { sha256: Digest::of(&bytes), bytes, kind: ManifestContent::Json(None) })
    }

    /// Takes a JSON manifest that was read as a member of another text, so that it is not read again. The caller has
    /// checked that it is nested at most [`MAX_JSON_DEPTH`] levels deep.
    ///
    /// # Errors
    /// Fails if it is too long, or not an object.
    pub(crate) fn json_value(value: &RawValue) -> Result<Self, ManifestError> {
        if value.get().len() > MAX_JSON_MANIFEST_BYTES {
            return Err(ManifestError::JsonTooLong(value.get().len()));
        }
        if !value.get().starts_with('{') {
            return Err(ManifestError::NotAnObject);
        }
        let value = Arc::new(value.to_owned());
        let bytes = Bytes::from_owner(Text(Arc::clone(&value)));
        Ok(Self { sha256: Digest::of(&bytes), bytes, kind: ManifestContent::Json(Some(value)) })
    }

    /// Reads a manifest of the given type.
    ///
    /// # Errors
    /// The errors of [`Self::c2pa`] and [`Self::json`].
    pub fn of_type(kind: ManifestType, bytes: Bytes) -> Result<Self, ManifestError> {
        match kind {
            ManifestType::C2pa => Self::c2pa(bytes),
            ManifestType::Json => Self::json(bytes),
        }
    }

    /// Returns the exact bytes that arrived.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the SHA-256 of the bytes.
    #[must_use]
    pub const fn sha256(&self) -> &Digest {
        &self.sha256
    }

    /// Returns the manifest's type.
    #[must_use]
    pub const fn kind(&self) -> ManifestType {
        match self.kind {
            ManifestContent::C2pa(_) => ManifestType::C2pa,
            ManifestContent::Json(_) => ManifestType::Json,
        }
    }

    /// Returns the ID of a C2PA store's active manifest.
    #[must_use]
    pub const fn id(&self) -> Option<&ManifestId> {
        match &self.kind {
            ManifestContent::C2pa(store) => Some(&store.active),
            ManifestContent::Json(_) => None,
        }
    }

    /// Returns the text of a JSON manifest as a value, or `None` if there is white space around it, or if this is not
    /// JSON.
    pub(crate) fn value(&self) -> Option<Box<RawValue>> {
        match &self.kind {
            ManifestContent::C2pa(_) => None,
            ManifestContent::Json(Some(value)) => Some((**value).to_owned()),
            ManifestContent::Json(None) => {
                let value: Box<RawValue> = serde_json::from_slice(&self.bytes).ok()?;
                (value.get().len() == self.bytes.len()).then_some(value)
            }
        }
    }

    /// Returns the manifest's binding to a file.
    #[must_use]
    pub const fn binding(&self) -> &Binding {
        match &self.kind {
            ManifestContent::C2pa(store) => &store.binding,
            ManifestContent::Json(_) => &Binding::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn json_is_kept_as_it_came() {
        let text = "{ \"b\" : 1.10,\n\"a\":\"\\u0041\" }\n";
        let manifest = Manifest::json(Bytes::from(text)).unwrap();
        assert_eq!(manifest.bytes(), text.as_bytes());
        assert_eq!(*manifest.sha256(), Digest::of(text.as_bytes()));
    }

    #[test]
    fn a_member_of_another_text_is_the_manifest_that_it_would_be_alone() {
        let around: BTreeMap<&str, &RawValue> =
            serde_json::from_str("{ \"a\" : { \"b\" : 1.10 } , \"c\" : [] }").unwrap();
        let manifest = Manifest::json_value(around["a"]).unwrap();
        let alone = Manifest::json(Bytes::from_static(b"{ \"b\" : 1.10 }")).unwrap();
        assert_eq!(manifest, alone);
        assert_eq!(manifest.sha256(), alone.sha256());
        let text = |manifest: &Manifest| manifest.value().map(|value| value.get().to_owned());
        assert_eq!(text(&manifest), Some("{ \"b\" : 1.10 }".to_owned()));
        assert_eq!(text(&manifest), text(&alone));
        assert_eq!(Manifest::json_value(around["c"]), Err(ManifestError::NotAnObject));
        let with_blanks = Manifest::json(Bytes::from_static(b" {}")).unwrap();
        assert_eq!(text(&with_blanks), None, "a value inside another text would lose them");
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let json = |text: &str| Manifest::json(Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
        assert_eq!(json("[]"), ManifestError::NotAnObject);
        assert!(matches!(json("{} {}"), ManifestError::NotJson(_)));
        assert!(matches!(json("{\"a\":"), ManifestError::NotJson(_)));
        assert!(matches!(json(&"[".repeat(65)), ManifestError::JsonTooDeep(_)));
        assert!(matches!(json(&" ".repeat(MAX_JSON_MANIFEST_BYTES + 1)), ManifestError::JsonTooLong(_)));
    }
}
