//! The request body that stores a draft together with its origin.

use std::collections::BTreeMap;

use bytes::Bytes;
use credlink_core::access::Visibility;
use credlink_core::hash::MediaHash;
use credlink_core::legacy::{Fields, LegacyId};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use data_encoding::BASE64;
use serde::Serialize;

/// The body that `POST /v1/proofs` and `PUT /v1/proofs/{id}` accept.
#[derive(Serialize)]
struct Upload<'a> {
    /// The intended tenant. The service refuses a credential of another one.
    tenant: &'a Tenant,
    media_hash: MediaHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<&'a str>,
    /// Base64 even for JSON, because whitespace around the object is a part of the bytes.
    manifest_base64: String,
    manifest_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<&'static str>,
    /// The lifetime of a draft without an origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<UploadOrigin<'a>>,
}

#[derive(Serialize)]
struct UploadOrigin<'a> {
    created: Timestamp,
    expires: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy_id: Option<&'a LegacyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy_fields: Option<&'a Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_visibility: Option<Visibility>,
}

/// Returns the body for a draft. `legacy` is the ID that is to lead to its proof, if the draft itself has none.
pub(super) fn body(draft: &Draft, legacy: Option<&LegacyId>) -> Bytes {
    let origin = draft.origin.as_ref().map(|origin| UploadOrigin {
        created: origin.created,
        expires: origin.expires,
        legacy_id: origin.legacy.as_ref().map(|legacy| &legacy.id).or(legacy),
        legacy_fields: origin.legacy.as_ref().and_then(|legacy| legacy.fields.as_ref()),
        restores: origin.restores,
        manifest_visibility: origin.manifest_visibility,
    });
    let upload = Upload {
        tenant: &draft.tenant,
        media_hash: draft.media_hash,
        media_type: draft.media_type.as_deref(),
        manifest_base64: BASE64.encode(draft.manifest.bytes()),
        manifest_type: draft.manifest.kind().as_str(),
        signature: draft.signature.as_deref(),
        tags: &draft.tags,
        visibility: (draft.visibility == Visibility::Private).then_some("private"),
        expires_in: draft.origin.is_none().then_some(draft.lifetime),
        origin,
    };
    // Serialising fails only for maps whose keys are not strings.
    serde_json::to_vec(&upload).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::Digest;
    use credlink_core::legacy::LegacyRecord;
    use credlink_core::manifest::Manifest;
    use credlink_core::rules::store::Origin;
    use credlink_core::testing::manifest_store;

    use super::*;

    #[test]
    fn what_is_sent_is_read_as_the_same_draft() {
        let hash = MediaHash::of(b"the picture");
        let legacy = format!(
            r#"{{"proofId":"p-1","imageHash":"{hash}","manifest":{{ "a" : 1.0 }},"signature":"c2ln","timestamp":1767225600000,"x":[1.50]}}"#
        );
        let legacy = LegacyRecord::parse(legacy.as_bytes()).unwrap().draft(Tenant::default());
        let store = manifest_store("urn:c2pa:x", &Digest::of(b"the picture"));
        let origin = Origin {
            created: Timestamp::from_milliseconds(5),
            expires: Timestamp::from_milliseconds(i64::MAX),
            legacy: None,
            restores: Some(Timestamp::from_milliseconds(9)),
            manifest_visibility: Some(Visibility::Public),
        };
        let full = Draft {
            media_type: Some("image/jpeg".to_owned()),
            manifest: Manifest::c2pa(store.into()).unwrap(),
            signature: None,
            tags: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
            visibility: Visibility::Private,
            origin: Some(origin),
            ..legacy.clone()
        };
        for draft in [legacy, full] {
            let read = Draft::parse(&body(&draft, None), Tenant::default(), None).unwrap();
            // The lifetime is ignored if there is an origin.
            assert_eq!(Draft { lifetime: draft.lifetime, ..read }, draft);
        }
    }
}
