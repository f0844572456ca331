//! What each member of a body may be, and how what is wrong is told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::Deserialize;

use super::{Origin, OriginBody, StoreBody, Tags};
use crate::access::Visibility;
use crate::bounds::{
    MAX_JSON_TEXT_BYTES, MAX_LIFETIME_SECONDS, MAX_MEDIA_TYPE_BYTES, MAX_SIGNATURE_BYTES, MAX_TAG_KEY_CHARS,
    MAX_TAG_VALUE_CHARS, MAX_TAGS,
};
use crate::c2pa::C2paError;
use crate::hash::MediaHash;
use crate::http::problem::{Kind, Problem};
use crate::json::{check_depth, check_texts};
use crate::legacy::{Fields, Legacy};
use crate::manifest::{Manifest, ManifestError, ManifestType};
use crate::object::{C2PA_TYPE, JSON_TYPE};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// Standard base64; padding may be left out. The URL-safe alphabet is another one, and is refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The member of a body that may be longer than any other text: a C2PA manifest in base64.
const LONG_MEMBER: &str = "manifest_base64";

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
    check_texts(body, MAX_JSON_TEXT_BYTES, LONG_MEMBER)
        .map_err(|error| Problem::new(Kind::InvalidRequest, error.to_string()))?;
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

/// The tenant that a body names.
pub(super) fn tenant(text: &str) -> Result<Tenant, Problem> {
    text.parse().map_err(|error| Problem::field("tenant", error))
}

/// The media file that a body names; a replacement need not.
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
    match (body.manifest, body.manifest_base64) {
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
            let no_base64 = |why: &dyn std::fmt::Display| {
                Problem::field(LONG_MEMBER, format!("this is no base64 (RFC 4648, section 4): {why}"))
            };
            let text =
                unescaped(text.get()).ok_or_else(|| no_base64(&"it is no text of those characters"))?;
            let bytes = BASE64.decode(&*text).map_err(|error| no_base64(&error))?;
            drop(text);
            Manifest::of_type(kind.unwrap_or(ManifestType::C2pa), bytes.into())
                .map_err(|error| manifest_problem(LONG_MEMBER, &error))
        }
    }
}

/// The text of a JSON text, of which nothing is copied unless something in it is escaped: some writers escape each slash. `None`:
/// it is another value, or has an escape that stands for no character of base64.
fn unescaped(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.into());
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        rest = match escape.strip_prefix('/') {
            Some(rest) => {
                text.push('/');
                rest
            }
            None => {
                let (code, rest) = escape.strip_prefix('u')?.split_at_checked(4)?;
                text.push(u32::from_str_radix(code, 16).ok().and_then(char::from_u32)?);
                rest
            }
        };
    }
    text.push_str(rest);
    Some(text.into())
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

/// A detached signature that is too long, empty, or no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to {MAX_SIGNATURE_BYTES} bytes of text without control characters")]
pub(crate) struct SignatureError;

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        Self::field("signature", error)
    }
}

/// The detached signature that a member holds.
pub(crate) fn signature(text: Cow<'_, str>) -> Result<String, SignatureError> {
    let printable =
        text.chars().all(|character| !character.is_control() || character == '\n' || character == '\r');
    if !text.is_empty() && text.len() <= MAX_SIGNATURE_BYTES && printable {
        Ok(text.into_owned())
    } else {
        Err(SignatureError)
    }
}

/// A number without a fraction: `86400.0` and `8.64e4` are as whole as `86400` (JSON Schema, section 6.1.1 of its
/// validation vocabulary).
pub(in crate::rules) fn whole(number: &serde_json::Number) -> Option<u64> {
    /// The largest number up to which a double holds every whole one: 2^53 − 1.
    const EXACT: f64 = 9_007_199_254_740_991.0;
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole, and within the bounds"
        )]
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(number as u64)
    })
}

pub(super) fn lifetime(number: &serde_json::Number) -> Result<u64, Problem> {
    whole(number).filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).ok_or_else(|| {
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
        manifest_visibility: body
            .manifest_visibility
            .map(|text| visibility("origin.manifest_visibility", &text))
            .transpose()?,
    })
}

/// The readers that the member or parameter `field` says.
pub(crate) fn visibility(field: &str, text: &str) -> Result<Visibility, Problem> {
    let allowed = |()| Problem::field(field, format!("`public` or `private`, not `{}`", short(text)));
    text.parse().map_err(allowed)
}

pub(super) fn tags(tags: Tags) -> Result<BTreeMap<String, String>, Problem> {
    let Tags { kept: tags, count } = tags;
    if count > MAX_TAGS {
        return Err(Problem::field("tags", format!("up to {MAX_TAGS} tags; these are {count}")));
    }
    for (key, value) in &tags {
        let allowed = is_allowed_in_a_tag;
        let key_fits = (1..=MAX_TAG_KEY_CHARS).contains(&key.chars().count());
        // "System tags begin with aws:": S3 refuses those of anybody else, whatever their case.
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            let detail = "a key that begins with `aws:` is kept for AWS's own tags; begin it otherwise";
            return Err(Problem::field(&format!("tags.{}", short(key)), detail));
        }
        if !key_fits
            || value.chars().count() > MAX_TAG_VALUE_CHARS
            || !key.chars().chain(value.chars()).all(allowed)
        {
            return Err(Problem::field(
                &format!("tags.{}", short(key)),
                format!(
                    "a tag has a key of 1 to {MAX_TAG_KEY_CHARS} and a value of up to {MAX_TAG_VALUE_CHARS} letters, \
                     digits, spaces and + - = . _ : / @; combining marks, as some scripts have, are no letters"
                ),
            ));
        }
    }
    Ok(tags)
}

/// What S3 takes in a tag: `[\p{L}\p{Z}\p{N}_.:/=+\-@]` (Amazon S3 API Reference, "Tag"), and of separators the space alone.
/// [`char::is_alphanumeric`] has more: the marks that some scripts write vowels with.
fn is_allowed_in_a_tag(character: char) -> bool {
    use unicode_general_category::GeneralCategory as C;
    " +-=._:/@".contains(character)
        || matches!(
            unicode_general_category::get_general_category(character),
            C::UppercaseLetter
                | C::LowercaseLetter
                | C::TitlecaseLetter
                | C::ModifierLetter
                | C::OtherLetter
                | C::DecimalNumber
                | C::LetterNumber
                | C::OtherNumber
        )
}
