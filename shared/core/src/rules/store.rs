//! Storing and superseding: the body, its check, and what an index row makes of it.

mod batch;
mod members;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::access::Visibility;
use crate::bounds::{DEFAULT_LIFETIME_SECONDS, MAX_JSON_DEPTH, MAX_TAGS};
use crate::c2pa::Binding;
use crate::hash::{Digest, MediaHash};
use crate::http::problem::{Kind, Problem};
use crate::legacy::Legacy;
use crate::manifest::Manifest;
use crate::manifest_key::ManifestKey;
use crate::proof_id::ProofId;
use crate::record::{RECORD_VERSION, Record, RecordManifest};
use crate::row::{ProofRow, State};
use crate::tenant::Tenant;
use crate::time::Timestamp;
#[cfg(feature = "openapi")]
use crate::{legacy::LegacyId, manifest::ManifestType};

pub use batch::BatchDeleteBody;
pub use members::manifest_problem;
pub(crate) use members::{base64, signature, visibility};
use members::{
    check_origin, lifetime, manifest, media_hash, media_type, no_media_hash, origin, tags, tenant,
};
pub(super) use members::{json, whole};

/// The body of `POST /v1/proofs` and `PUT /v1/proofs/{id}`, as it is written. Every member is checked by
/// [`Draft::parse`], so that each error names its member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(description = "A proof. Its manifest is `manifest` or `manifest_base64`, one of them.")
)]
pub struct StoreBody<'a> {
    /// The tenant whose proof it shall be. A credential of another tenant is refused with 403, and nothing is stored. By default the
    /// credential's.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Tenant>))]
    tenant: Option<Cow<'a, str>>,
    /// The media file: `sha256:` and 64 hexadecimal digits. A replacement may leave it out.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<MediaHash>))]
    media_hash: Option<Cow<'a, str>>,
    /// The media file's type, such as `image/jpeg`.
    #[serde(borrow)]
    #[cfg_attr(
        feature = "openapi",
        schema(max_length = 255, pattern = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+ *(;[ -~]*)?$")
    )]
    media_type: Option<Cow<'a, str>>,
    /// A JSON manifest: an object, kept as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    manifest: Option<&'a RawValue>,
    /// A manifest of either type, in base64 (RFC 4648, section 4).
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    manifest_base64: Option<&'a RawValue>,
    /// `application/c2pa` (the default of `manifest_base64`) or `application/json` (the only one of `manifest`).
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ManifestType>))]
    manifest_type: Option<Cow<'a, str>>,
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
    signature: Option<Cow<'a, str>>,
    /// Time to keep the proof, in seconds. One year by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000))]
    expires_in: Option<serde_json::Number>,
    /// Up to ten tags, of the characters that S3 takes: letters, digits, spaces and + - = . _ : / @.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, String>>))]
    tags: Option<Tags>,
    /// `public` (the default) or `private`.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Visibility>))]
    visibility: Option<Cow<'a, str>>,
    /// Of a proof that is taken over from another store: what it brings along. This needs the scope `admin`.
    #[serde(borrow)]
    origin: Option<OriginBody<'a>>,
}

/// The data that a proof brings along when it is taken over from another store.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OriginBody<'a> {
    /// Time at which it was stored there.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    created: Cow<'a, str>,
    /// Time at which it expires.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    expires: Cow<'a, str>,
    /// The id that it had there: it leads to the proof from now on.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<LegacyId>))]
    legacy_id: Option<Cow<'a, str>>,
    /// Anything else that stood in its legacy record: an object, kept as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    legacy_fields: Option<&'a RawValue>,
    /// A proof that was deleted is not taken over, unless it was at this very instant.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    restores: Option<Cow<'a, str>>,
    /// Of a C2PA manifest that others may read than the proof, because it was withdrawn or published by itself: `public` or
    /// `private`. Left out, the manifest has the visibility of the proof.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Visibility>))]
    manifest_visibility: Option<Cow<'a, str>>,
}

/// Tags as they are written: as many as may be, and how many there are. serde would keep them all, and let the last of two equal
/// keys win, in silence.
#[derive(Default)]
struct Tags {
    kept: BTreeMap<String, String>,
    count: usize,
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Tags;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object whose members are text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut kept = BTreeMap::new();
                while kept.len() < MAX_TAGS
                    && let Some((key, value)) = map.next_entry::<String, String>()?
                {
                    if kept.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("the tag `{key}` is given twice")));
                    }
                    kept.insert(key, value);
                }
                let mut count = kept.len();
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Tags { kept, count })
            }
        }

        deserializer.deserialize_map(Each)
    }
}

/// A proof that passed every check and waits to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The owner.
    pub tenant: Tenant,
    /// The media file.
    pub media_hash: MediaHash,
    /// Its type.
    pub media_type: Option<String>,
    /// The manifest, exactly as it came.
    pub manifest: Manifest,
    /// The detached signature.
    pub signature: Option<String>,
    /// Time to keep it, in seconds.
    pub lifetime: u64,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Who may read it.
    pub visibility: Visibility,
    /// The origin of a proof that is taken over.
    pub origin: Option<Origin>,
}

/// The data that a proof brings along when it is taken over from another store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Time at which it was stored there.
    pub created: Timestamp,
    /// Time at which it expires.
    pub expires: Timestamp,
    /// The part of a legacy record that is kept.
    pub legacy: Option<Legacy>,
    /// A proof that was deleted is not taken over (guarantee 8), unless it was at this very instant: a migration that was
    /// rolled back is done again.
    pub restores: Option<Timestamp>,
    /// The readers of its C2PA manifest, where they are others than those of the proof: it was withdrawn or published by
    /// itself.
    pub manifest_visibility: Option<Visibility>,
}

/// A body whose members passed every check that needs nothing but the body: all of the work.
#[derive(Clone, Debug)]
pub struct CheckedBody {
    tenant: Option<Tenant>,
    media_hash: Option<MediaHash>,
    media_type: Option<String>,
    manifest: Manifest,
    signature: Option<String>,
    lifetime: u64,
    tags: BTreeMap<String, String>,
    visibility: Visibility,
    origin: Option<Origin>,
}

impl CheckedBody {
    /// Reads and checks the body of a replacement, which may leave the media file out.
    ///
    /// # Errors
    /// 400 with the member that is wrong.
    pub fn of_replacement(body: &[u8]) -> Result<Self, Problem> {
        Self::parse(body, true)
    }

    fn parse(body: &[u8], is_replacement: bool) -> Result<Self, Problem> {
        // `legacy_fields` of the deepest legacy record lie two levels below it.
        let body: StoreBody<'_> = json(body, MAX_JSON_DEPTH + 3)?;
        let tenant = body.tenant.as_deref().map(tenant).transpose()?;
        let media_hash = media_hash(body.media_hash.as_deref(), is_replacement)?;
        let manifest = manifest(&body)?;
        if let Some(origin) = &body.origin {
            check_origin(origin, &body, is_replacement)?;
        }
        Ok(Self {
            tenant,
            media_hash,
            media_type: body.media_type.map(media_type).transpose()?,
            manifest,
            signature: body.signature.map(signature).transpose()?,
            lifetime: body.expires_in.as_ref().map_or(Ok(DEFAULT_LIFETIME_SECONDS), lifetime)?,
            tags: tags(body.tags.unwrap_or_default())?,
            visibility: body
                .visibility
                .map_or(Ok(Visibility::Public), |text| visibility("visibility", &text))?,
            origin: body.origin.map(origin).transpose()?,
        })
    }

    /// The draft of `tenant` for a proof of `media_hash`.
    ///
    /// # Errors
    /// 403 where the body names another tenant; 400 where it names another file; 422 where the manifest binds another.
    pub fn draft(self, tenant: Tenant, media_hash: &MediaHash) -> Result<Draft, Problem> {
        check_tenant(self.tenant.as_ref(), &tenant)?;
        if self.media_hash.is_some_and(|given| given != *media_hash) {
            let detail = format!("this proof is the one of {media_hash}; a replacement cannot change that");
            return Err(Problem::field("media_hash", detail));
        }
        check_binding(&self.manifest, media_hash)?;
        Ok(Draft {
            tenant,
            media_hash: *media_hash,
            media_type: self.media_type,
            manifest: self.manifest,
            signature: self.signature,
            lifetime: self.lifetime,
            tags: self.tags,
            visibility: self.visibility,
            origin: self.origin,
        })
    }
}

/// Refuses a request that names another tenant than `own`, the credential's.
///
/// # Errors
/// 403 `other-tenant`, which names both.
pub fn check_tenant(named: Option<&Tenant>, own: &Tenant) -> Result<(), Problem> {
    match named.filter(|named| *named != own) {
        None => Ok(()),
        Some(named) => {
            let detail = format!(
                "it is meant for the tenant `{named}`, and the credential is of the tenant `{own}`; nothing was stored"
            );
            Err(Problem::new(Kind::OtherTenant, detail).at("tenant"))
        }
    }
}

impl Draft {
    /// Reads and checks a body, for `tenant`. A replacement knows the media file already: `known`.
    ///
    /// # Errors
    /// 400 with the member that is wrong; 403 where it names another tenant; 422 where the manifest binds another file.
    pub fn parse(body: &[u8], tenant: Tenant, known: Option<&MediaHash>) -> Result<Self, Problem> {
        let body = CheckedBody::parse(body, known.is_some())?;
        let media_hash = known.copied().or(body.media_hash).ok_or_else(no_media_hash)?;
        body.draft(tenant, &media_hash)
    }

    /// The proof's id.
    #[must_use]
    pub fn id(&self) -> ProofId {
        ProofId::derive(&self.tenant, &self.media_hash)
    }

    /// The C2PA manifest that it stores; a JSON manifest has no id.
    #[must_use]
    pub fn manifest_key(&self) -> Option<ManifestKey> {
        self.manifest.id().map(|id| ManifestKey::new(&self.tenant, id))
    }

    /// The visibility of the C2PA manifest that it stores: that of the proof, unless its origin says otherwise.
    #[must_use]
    pub fn manifest_visibility(&self) -> Visibility {
        let said = self.origin.as_ref().and_then(|origin| origin.manifest_visibility);
        said.unwrap_or(self.visibility)
    }

    /// Returns `true` if its manifest is for its tenant alone.
    #[must_use]
    pub fn has_private_manifest(&self) -> bool {
        self.manifest_visibility() == Visibility::Private
    }

    /// The record of this draft, stored at `now` as `revision`, with which the proof's life begins.
    #[must_use]
    pub fn record(&self, revision: u32, now: Timestamp) -> Record {
        let (created, expires) = match &self.origin {
            None => (now, now.plus_seconds(self.lifetime)),
            Some(origin) => (origin.created, origin.expires),
        };
        Record {
            version: RECORD_VERSION,
            id: self.id(),
            tenant: self.tenant.clone(),
            media_hash: self.media_hash,
            media_type: self.media_type.clone(),
            manifest: RecordManifest::of(&self.manifest),
            signature: self.signature.clone(),
            created,
            expires,
            revision,
            first_revision: revision,
            visibility: self.visibility,
            tags: self.tags.clone(),
            legacy: self.origin.as_ref().and_then(|origin| origin.legacy.clone()),
        }
    }

    /// Returns `true` if this draft makes this record, apart from its instants and its revision.
    #[must_use]
    pub fn makes(&self, record: &Record) -> bool {
        let made = self.record(record.revision, record.created);
        let comparable = |record: &Record| {
            let lifetime = record.expires.milliseconds() - record.created.milliseconds();
            (
                record.media_type.clone(),
                record.signature.clone(),
                record.visibility,
                record.tags.clone(),
                lifetime,
            )
        };
        made.id == record.id
            && made.manifest.sha256 == record.manifest.sha256
            && made.manifest.id == record.manifest.id
            && comparable(&made) == comparable(record)
    }

    /// Refuses a proof that was deleted at `at` to a draft with an origin, which is older than that: what was deleted does not come
    /// back with a migration (guarantee 8), unless that restores what was deleted at this very instant.
    ///
    /// # Errors
    /// 410 `deleted`.
    pub fn may_follow_deletion(&self, at: Timestamp) -> Result<(), Problem> {
        match &self.origin {
            Some(origin) if origin.restores != Some(at) => {
                Err(Problem::new(Kind::Deleted, format!("this was deleted on {at}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Refuses a proof that expired on `expires` to a draft with an origin: a proof of another store that expired here is over.
    ///
    /// # Errors
    /// 410 `expired`.
    pub fn may_follow_expiry(&self, expires: Timestamp) -> Result<(), Problem> {
        match &self.origin {
            Some(_) => Err(Problem::new(Kind::Expired, format!("this expired on {expires}"))),
            None => Ok(()),
        }
    }

    /// Returns `true` if a row stands for the same manifest and signature (guarantee 3).
    #[must_use]
    pub fn is_identical_to(&self, row: &ProofRow) -> bool {
        let signature = self.signature.as_ref().map(|text| Digest::of(text.as_bytes()));
        *self.manifest.sha256() == row.manifest_sha256 && signature == row.signature_sha256
    }
}

/// The next step of a store, by what the index says of its id.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer with the proof that is there (guarantee 2).
    Answer,
    /// The proof's time is over: store over it.
    Revive,
    /// A deletion is unfinished: finish it, then look again.
    FinishDeletion,
    /// Write the record as at least this revision.
    Write {
        /// 1 for a proof that never was; one more than the last for one that was deleted.
        revision: u32,
    },
}

/// Decides what a store does next.
#[must_use]
pub fn next(row: Option<&ProofRow>, now: Timestamp) -> Next {
    match row {
        None => Next::Write { revision: 1 },
        Some(row) => match row.state {
            State::Live if row.has_expired(now) => Next::Revive,
            State::Live => Next::Answer,
            State::Deleting(_) => Next::FinishDeletion,
            State::Deleted(_) => Next::Write { revision: row.revision.saturating_add(1) },
        },
    }
}

/// Refuses a manifest that says which file it belongs to, and names another.
///
/// # Errors
/// 422.
pub fn check_binding(manifest: &Manifest, media_hash: &MediaHash) -> Result<(), Problem> {
    match manifest.binding() {
        Binding::WholeFile(digest) if digest != media_hash.digest() => Err(Problem::new(
            Kind::BindingMismatch,
            format!(
                "the manifest's c2pa.hash.data binds the file sha256:{digest}, but `media_hash` is {media_hash}; \
                 hash the file after it was signed"
            ),
        )
        .at("media_hash")
        .with("bound_media_hash", format!("sha256:{digest}"))),
        Binding::WholeFile(_) | Binding::Partial(_) | Binding::None => Ok(()),
    }
}
