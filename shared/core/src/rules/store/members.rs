//! What each member of a body may be, and how what is wrong is told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::Deserialize;

use super::{Origin, OriginBody, StoreBody};
use crate::bounds::{
    MAX_LIFETIME_SECONDS, MAX_MEDIA_TYPE_BYTES, MAX_SIGNATURE_BYTES, MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS,
    MAX_TAGS,
};
use crate::c2pa::C2paError;
use crate::hash::MediaHash;
use crate::http::problem::{Kind, Problem};
use crate::json::check_depth;
use crate::legacy::{Fields, Legacy};
use crate::manifest::{Manifest, ManifestError, ManifestType};
use crate::object::{C2PA_TYPE, JSON_TYPE};
use crate::time::Timestamp;

/// Standard base64; padding may be left out. The URL-safe alphabet is another one, and is refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a C2PA manifest or a JSON manifest was refused, as a problem of this member or body.
#[must_use]
pub fn manifest_problem(field: &str, error: &ManifestError) -> Problem {
    match error {
        ManifestError::C2pa(C2paError::TooLong(_)) => Problem::too_large(
            &format!("`{field}`: a C2PA manifest store"),
            crate::bounds::MAX_C2PA_MANIFEST_BYTES,
        )
        .at(field),
        ManifestError::JsonTooLong(_) => {
            Problem::too_large(&format!("`{field}`: a JSON manifest"), crate::bounds::MAX_JSON_MANIFEST_BYTES)
                .at(field)
        }
        other => Problem::new(Kind::InvalidManifest, format!("`{field}`: {other}")).at(field),
    }
}

/// Standard base64 (RFC 4648, section 4), with its padding or without.
pub(crate) fn base64(text: &str) -> Result<Bytes, base64::DecodeError> {
    BASE64.decode(text).map(Bytes::from)
}

/// Reads JSON within the depth, with the path of what is wrong.
pub(in crate::rules) fn json<'de, T: Deserialize<'de>>(body: &'de [u8], depth: usize) -> Result<T, Problem> {
    check_depth(body, depth).map_err(|error| Problem::new(Kind::InvalidRequest, error.to_string()))?;
    // serde also reads a struct out of an array, member by member. No client means that.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(Problem::new(
            Kind::InvalidRequest,
            "the body is not as it has to be: it is no JSON object",
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let detail = error.inner().to_string();
        // serde names an unknown member in its message only: ``unknown field `x`, expected …``.
        let unknown = detail.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
        match (unknown, path.as_str()) {
            (Some(field), _) => {
                let field = short(field).into_owned();
                Problem::new(Kind::InvalidField, format!("the body has an {}", short(&detail))).at(&field)
            }
            (None, "." | "?") => Problem::new(
                Kind::InvalidRequest,
                format!("the body is not as it has to be: {}", short(&detail)),
            ),
            (None, field) => Problem::field(field, short(&detail)),
        }
    })?;
    deserializer.end().map_err(|error| {
        Problem::new(
            Kind::InvalidRequest,
            format!("the body has something behind its JSON document: {error}"),
        )
    })?;
    Ok(value)
}

/// Text of a client in an answer to it, cut where it becomes unreasonable.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

pub(super) fn media_hash(text: Option<&str>, known: Option<&MediaHash>) -> Result<MediaHash, Problem> {
    let given: Option<MediaHash> =
        text.map(str::parse).transpose().map_err(|error| Problem::field("media_hash", error))?;
    match (given, known) {
        (None, None) => Err(Problem::field(
            "media_hash",
            "it is missing; it is `sha256:` and the 64 hexadecimal digits of the media file's SHA-256",
        )),
        (Some(given), Some(known)) if given != *known => Err(Problem::field(
            "media_hash",
            format!("this proof is the one of {known}; a replacement cannot change that"),
        )),
        (Some(hash), _) => Ok(hash),
        (None, Some(known)) => Ok(*known),
    }
}

pub(super) fn manifest(body: &StoreBody<'_>) -> Result<Manifest, Problem> {
    let kind = match body.manifest_type.as_deref() {
        None => None,
        Some(C2PA_TYPE) => Some(ManifestType::C2pa),
        Some(JSON_TYPE) => Some(ManifestType::Json),
        Some(other) => {
            let allowed = format!("`{C2PA_TYPE}` or `{JSON_TYPE}`, not `{}`", short(other));
            return Err(Problem::field("manifest_type", allowed));
        }
    };
    match (body.manifest, body.manifest_base64.as_deref()) {
        (None, None) => {
            Err(Problem::field("manifest", "it is missing; give `manifest` or `manifest_base64`"))
        }
        (Some(_), Some(_)) => {
            Err(Problem::field("manifest", "give `manifest` or `manifest_base64`, not both"))
        }
        (Some(_), None) if kind == Some(ManifestType::C2pa) => {
            Err(Problem::field("manifest", "a C2PA manifest store is binary: give it as `manifest_base64`"))
        }
        (Some(json), None) => {
            let bytes = Bytes::copy_from_slice(json.get().as_bytes());
            Manifest::json(bytes).map_err(|error| manifest_problem("manifest", &error))
        }
        (None, Some(text)) => {
            let bytes = BASE64.decode(text).map_err(|error| {
                Problem::field("manifest_base64", format!("this is no base64 (RFC 4648, section 4): {error}"))
            })?;
            Manifest::of_type(kind.unwrap_or(ManifestType::C2pa), bytes.into())
                .map_err(|error| manifest_problem("manifest_base64", &error))
        }
    }
}

pub(super) fn media_type(text: Cow<'_, str>) -> Result<String, Problem> {
    // RFC 6838, section 4.2: type "/" subtype of these characters, with parameters behind a semicolon.
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

pub(crate) fn signature(text: Cow<'_, str>) -> Result<String, Problem> {
    let printable =
        text.chars().all(|character| !character.is_control() || character == '\n' || character == '\r');
    if !text.is_empty() && text.len() <= MAX_SIGNATURE_BYTES && printable {
        Ok(text.into_owned())
    } else {
        Err(Problem::field(
            "signature",
            format!("1 to {MAX_SIGNATURE_BYTES} bytes of text without control characters"),
        ))
    }
}

pub(super) fn lifetime(number: &serde_json::Number) -> Result<u64, Problem> {
    number.as_u64().filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).ok_or_else(|| {
        Problem::field(
            "expires_in",
            format!("a whole number of seconds from 1 to {MAX_LIFETIME_SECONDS}, not {number}"),
        )
    })
}

/// Refuses what would be dropped in silence beside an origin (guarantee 3).
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
        let detail = "a replacement has no legacy id: an id is taken over when its proof is stored";
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
    })
}

pub(super) fn tags(tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Problem> {
    if tags.len() > MAX_TAGS {
        return Err(Problem::field("tags", format!("up to {MAX_TAGS} tags; these are {}", tags.len())));
    }
    // What S3 takes: letters, digits, spaces and + - = . _ : / @ (Amazon S3 User Guide, "Categorizing objects").
    let allowed = |character: char| character.is_alphanumeric() || " +-=._:/@".contains(character);
    for (key, value) in &tags {
        let key_fits = (1..=MAX_TAG_KEY_CHARS).contains(&key.chars().count());
        if !key_fits
            || value.chars().count() > MAX_TAG_VALUE_CHARS
            || !key.chars().chain(value.chars()).all(allowed)
        {
            return Err(Problem::field(
                &format!("tags.{}", short(key)),
                format!(
                    "a tag has a key of 1 to {MAX_TAG_KEY_CHARS} and a value of up to {MAX_TAG_VALUE_CHARS} letters, \
                     digits, spaces and + - = . _ : / @"
                ),
            ));
        }
    }
    Ok(tags)
}
