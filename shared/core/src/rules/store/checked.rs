//! The body of a store or a replacement after its members were checked.

use std::collections::BTreeMap;

use super::body::StoreBody;
use super::draft::{Draft, Origin};
use super::manifest::manifest;
use super::members::{
    check_origin, lifetime, media_hash, media_type, no_media_hash, origin, signature, tenant,
};
use super::tags::tags;
use super::{check_binding, check_tenant};
use crate::access::Visibility;
use crate::bounds::{DEFAULT_LIFETIME_SECONDS, MAX_JSON_DEPTH};
use crate::hash::MediaHash;
use crate::http::problem::Problem;
use crate::manifest::Manifest;
use crate::rules::body::json;
use crate::tenant::Tenant;

/// A body that passed every check that needs nothing else. These checks are all of the work.
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
    /// Reads and checks the body of a replacement, which may leave the media hash out.
    ///
    /// # Errors
    /// 400, with the member that is wrong.
    pub fn of_replacement(body: &[u8]) -> Result<Self, Problem> {
        Self::parse(body, true)
    }

    fn parse(body: &[u8], is_replacement: bool) -> Result<Self, Problem> {
        // The `legacy_fields` of the deepest legacy record lie two levels below it.
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
            visibility: body.visibility.map_or(Ok(Visibility::Public), |text| {
                text.parse().map_err(|error| Problem::field("visibility", error))
            })?,
            origin: body.origin.map(origin).transpose()?,
        })
    }

    /// Returns the draft of `tenant` for a proof of `media_hash`.
    ///
    /// # Errors
    /// 403 if the body names another tenant; 400 if it names another file; 422 if the manifest binds another file.
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

impl Draft {
    /// Reads and checks a body for `tenant`. A replacement passes the media hash of its proof in `known`.
    ///
    /// # Errors
    /// 400, with the member that is wrong; 403 if the body names another tenant; 422 if the manifest binds another
    /// file.
    pub fn parse(body: &[u8], tenant: Tenant, known: Option<&MediaHash>) -> Result<Self, Problem> {
        let body = CheckedBody::parse(body, known.is_some())?;
        let media_hash = known.copied().or(body.media_hash).ok_or_else(no_media_hash)?;
        body.draft(tenant, &media_hash)
    }
}
