//! The body of a store or a replacement, as it is written.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::tags::Tags;
#[cfg(feature = "openapi")]
use crate::{access::Visibility, hash::MediaHash, legacy::LegacyId, manifest::ManifestType, tenant::Tenant};

/// The body of `POST /v1/proofs` and `PUT /v1/proofs/{id}`, as it is written. Every member is checked by
/// [`Draft::parse`](super::Draft::parse), so that each error names its member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(description = "A proof. Its manifest is `manifest` or `manifest_base64`, one of them.")
)]
pub struct StoreBody<'a> {
    /// The tenant that shall own the proof. The credential's by default. If the credential is of another tenant, the
    /// request is refused with 403, and nothing is stored.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tenant>))]
    pub(super) tenant: Option<Cow<'a, str>>,
    /// The media hash of the file: `sha256:` and 64 hexadecimal digits. A replacement may leave it out.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MediaHash>))]
    pub(super) media_hash: Option<Cow<'a, str>>,
    /// The media type of the file, such as `image/jpeg`.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "openapi",
        schema(max_length = 255, pattern = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+ *(;[ -~]*)?$")
    )]
    pub(super) media_type: Option<Cow<'a, str>>,
    /// A JSON manifest: an object, stored as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub(super) manifest: Option<&'a RawValue>,
    /// A manifest of either type, in base64 (RFC 4648, section 4).
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub(super) manifest_base64: Option<&'a RawValue>,
    /// `application/c2pa` (the default with `manifest_base64`) or `application/json` (the only type with `manifest`).
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ManifestType>))]
    pub(super) manifest_type: Option<Cow<'a, str>>,
    /// A detached signature over the manifest's bytes, in any text form of at most 16,384 bytes in UTF-8.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 16384,
            pattern = r"^[^\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f-\u009f]+$"
        )
    )]
    pub(super) signature: Option<Cow<'a, str>>,
    /// Lifetime of the proof, in seconds. One year by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000))]
    pub(super) expires_in: Option<serde_json::Number>,
    /// Up to ten tags, of the characters that S3 accepts: letters, digits, spaces and + - = . _ : / @.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
    pub(super) tags: Option<Tags>,
    /// `public` (the default) or `private`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Visibility>))]
    pub(super) visibility: Option<Cow<'a, str>>,
    /// The origin of a proof that is imported from another store. This needs the scope `admin`.
    #[serde(borrow)]
    pub(super) origin: Option<OriginBody<'a>>,
}

/// The data that an imported proof brings along from another store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OriginBody<'a> {
    /// Time at which the proof was stored there.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub(super) created: Cow<'a, str>,
    /// Time at which the proof expires.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub(super) expires: Cow<'a, str>,
    /// The ID that the proof had there. It leads to the proof from now on.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<LegacyId>))]
    pub(super) legacy_id: Option<Cow<'a, str>>,
    /// All other members of the legacy record: an object, stored as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub(super) legacy_fields: Option<&'a RawValue>,
    /// The instant of a deletion to undo. A deleted proof is not imported unless it was deleted at exactly this
    /// instant.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub(super) restores: Option<Cow<'a, str>>,
    /// The visibility of a C2PA manifest that differs from the proof's, because the manifest was withdrawn or published
    /// by itself: `public` or `private`. The proof's by default.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Visibility>))]
    pub(super) manifest_visibility: Option<Cow<'a, str>>,
}
