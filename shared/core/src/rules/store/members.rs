//! The checks of the members of a body, and the problems that they report.

use std::borrow::Cow;

use super::body::{OriginBody, StoreBody};
use super::draft::Origin;
use crate::bounds::{MAX_LIFETIME_SECONDS, MAX_MEDIA_TYPE_BYTES};
use crate::hash::MediaHash;
use crate::http::problem::Problem;
use crate::legacy::{Fields, Legacy};
use crate::manifest::check_signature;
use crate::rules::body::whole;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// Returns the tenant that a body names.
pub(super) fn tenant(text: &str) -> Result<Tenant, Problem> {
    text.parse().map_err(|error| Problem::field("tenant", error))
}

/// Returns the media hash that a body names. A replacement may leave it out.
pub(super) fn media_hash(text: Option<&str>, is_replacement: bool) -> Result<Option<MediaHash>, Problem> {
    match text {
        Some(text) => text.parse().map(Some).map_err(|error| Problem::field("media_hash", error)),
        None if is_replacement => Ok(None),
        None => Err(no_media_hash()),
    }
}

pub(super) fn no_media_hash() -> Problem {
    Problem::field(
        "media_hash",
        "it is missing; it is `sha256:` and the 64 hexadecimal digits of the media file's SHA-256",
    )
}

pub(super) fn media_type(text: Cow<'_, str>) -> Result<String, Problem> {
    // RFC 6838, section 4.2: type "/" subtype of these characters, with parameters after a semicolon.
    let name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    let well_formed = essence.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype));
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if well_formed && printable && text.len() <= MAX_MEDIA_TYPE_BYTES {
        Ok(text.into_owned())
    } else {
        Err(Problem::field(
            "media_type",
            format!("a media type such as `image/jpeg`, of at most {MAX_MEDIA_TYPE_BYTES} bytes"),
        ))
    }
}

pub(super) fn signature(text: Cow<'_, str>) -> Result<String, Problem> {
    check_signature(&text).map_err(|error| Problem::field("signature", error))?;
    Ok(text.into_owned())
}

pub(super) fn lifetime(number: &serde_json::Number) -> Result<u64, Problem> {
    whole(number).filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).ok_or_else(|| {
        Problem::field(
            "expires_in",
            format!("a whole number of seconds from 1 to {MAX_LIFETIME_SECONDS}, not {number}"),
        )
    })
}

/// Refuses members that would be dropped silently beside an origin (guarantee 3).
pub(super) fn check_origin(
    origin: &OriginBody<'_>,
    body: &StoreBody<'_>,
    is_replacement: bool,
) -> Result<(), Problem> {
    if body.expires_in.is_some() {
        return Err(Problem::field("expires_in", "give this or `origin`, which says when the proof expires"));
    }
    if is_replacement && origin.restores.is_some() {
        let detail = "a replacement restores nothing: its proof is there";
        return Err(Problem::field("origin.restores", detail));
    }
    if is_replacement && (origin.legacy_id.is_some() || origin.legacy_fields.is_some()) {
        let detail = "a replacement cannot set a legacy id: it is set when the proof is stored";
        return Err(Problem::field("origin.legacy_id", detail));
    }
    Ok(())
}

pub(super) fn origin(body: OriginBody<'_>) -> Result<Origin, Problem> {
    let instant = |member: &str, text: &str| -> Result<Timestamp, Problem> {
        text.parse().map_err(|error| Problem::field(&format!("origin.{member}"), error))
    };
    let legacy = match (body.legacy_id, body.legacy_fields) {
        (None, None) => None,
        (None, Some(_)) => {
            let missing = "it is missing; `legacy_fields` are those of a record with an id";
            return Err(Problem::field("origin.legacy_id", missing));
        }
        (Some(id), fields) => {
            let id = id.parse().map_err(|error| Problem::field("origin.legacy_id", error))?;
            let fields = fields.map(|fields| Fields::new(fields.get().to_owned())).transpose();
            let fields = fields.map_err(|error| Problem::field("origin.legacy_fields", error))?;
            Some(Legacy { id, fields })
        }
    };
    let (created, expires) = (instant("created", &body.created)?, instant("expires", &body.expires)?);
    if expires <= created {
        return Err(Problem::field("origin.expires", format!("an instant after `created`, {created}")));
    }
    Ok(Origin {
        created,
        expires,
        legacy,
        restores: body.restores.map(|text| instant("restores", &text)).transpose()?,
        manifest_visibility: body
            .manifest_visibility
            .map(|text| text.parse().map_err(|error| Problem::field("origin.manifest_visibility", error)))
            .transpose()?,
    })
}
