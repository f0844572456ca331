//! The legacy records that are written while the cloud storage is off.

use bytes::Bytes;
use credlink_core::manifest::ManifestType;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::value::RawValue;

/// A legacy record in its written form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    proof_id: String,
    image_hash: String,
    manifest: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    timestamp: i64,
    expires_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

/// The members of a draft that a legacy record has no field for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    tags: &'a std::collections::BTreeMap<String, String>,
}

/// Returns the legacy record of a draft that is stored at `now`, as JSON that
/// [`LegacyRecord::parse`](credlink_core::legacy::LegacyRecord::parse) reads back.
///
/// # Errors
/// A manifest that JSON cannot hold.
pub fn legacy_json(draft: &Draft, now: Timestamp) -> Result<Bytes, serde_json::Error> {
    let bytes = draft.manifest.bytes();
    let manifest = match draft.manifest.kind() {
        ManifestType::C2pa => RawValue::from_string(serde_json::to_string(&BASE64.encode(bytes))?)?,
        ManifestType::Json => {
            let text = std::str::from_utf8(bytes).map_err(serde::de::Error::custom)?;
            // Surrounding white space would be lost, and a JSON string keeps it.
            match RawValue::from_string(text.to_owned()) {
                Ok(raw) if raw.get().len() == text.len() => raw,
                Ok(_) | Err(_) => RawValue::from_string(serde_json::to_string(text)?)?,
            }
        }
    };
    let has_metadata = draft.media_type.is_some() || !draft.tags.is_empty();
    let written = Written {
        proof_id: draft.id().to_string(),
        image_hash: draft.media_hash.to_string(),
        manifest,
        signature: draft.signature.as_deref(),
        timestamp: now.milliseconds(),
        expires_at: now.plus_seconds(draft.lifetime).milliseconds(),
        metadata: has_metadata
            .then_some(Metadata { media_type: draft.media_type.as_deref(), tags: &draft.tags }),
    };
    serde_json::to_vec(&written).map(Bytes::from)
}
