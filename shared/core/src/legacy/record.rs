//! Reading a legacy record.

use std::fmt;

use bytes::Bytes;
use memchr::memmem;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::members::MembersVisitor;
use super::{Fields, LegacyId, LegacyIdError};
use crate::bounds::{MAX_JSON_DEPTH, MAX_LEGACY_RECORD_BYTES};
use crate::c2pa::Binding;
use crate::encoding::from_base64;
use crate::hash::{Digest, HashError, MediaHash};
use crate::json::{TooDeep, check_depth};
use crate::manifest::{Manifest, ManifestError, check_signature};
use crate::time::Timestamp;

/// A legacy record, read and checked.
#[derive(Clone, Debug)]
pub struct LegacyRecord {
    /// The record's legacy ID.
    pub id: LegacyId,
    /// The media hash of the file.
    pub media_hash: MediaHash,
    /// The manifest, byte for byte.
    pub manifest: Manifest,
    /// The detached signature, if there is one.
    pub signature: Option<String>,
    /// Time at which the record was stored.
    pub created: Timestamp,
    /// Time at which the record expires, if it says so.
    pub expires: Option<Timestamp>,
    /// All other members, as a JSON object with their exact text.
    pub fields: Option<Fields>,
}

/// A reason why text is not a legacy record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// The record is longer than the bound.
    #[error("a legacy record has at most {MAX_LEGACY_RECORD_BYTES} bytes; this has {0}")]
    TooLong(usize),
    /// The record is nested too deep.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
    /// The text is not JSON, is not an object, or has a member twice.
    #[error("this is not a legacy record: {0}")]
    NotAnObject(String),
    /// A required member is missing.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member is not valid.
    #[error("`{member}`: {why}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// The fault, and what is allowed.
        why: String,
    },
    /// The manifest is not valid.
    #[error("`manifest`: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names another media file than the record.
    #[error("`imageHash` is {record}, but the manifest's {place} names {manifest}")]
    Binding {
        /// The file that the record names.
        record: MediaHash,
        /// The file that the manifest names.
        manifest: MediaHash,
        /// The part of the manifest that names the file.
        place: &'static str,
    },
}

impl LegacyRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// The first fault of the record, in words.
    pub fn parse(text: &[u8]) -> Result<Self, LegacyError> {
        if text.len() > MAX_LEGACY_RECORD_BYTES {
            return Err(LegacyError::TooLong(text.len()));
        }
        // The record adds a level around its manifest.
        check_depth(text, MAX_JSON_DEPTH + 1)?;
        let malformed = |error: serde_json::Error| LegacyError::NotAnObject(error.to_string());
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let members = deserializer.deserialize_map(MembersVisitor).map_err(malformed)?;
        deserializer.end().map_err(malformed)?;
        let record = Self {
            id: text_of("proofId", required("proofId", members.proof_id)?)?
                .parse()
                .map_err(|error: LegacyIdError| member("proofId", error))?,
            media_hash: media_hash(&text_of("imageHash", required("imageHash", members.image_hash)?)?)
                .map_err(|error| member("imageHash", error))?,
            manifest: manifest(required("manifest", members.manifest)?)?,
            signature: optional(members.signature).map(signature).transpose()?,
            created: instant("timestamp", required("timestamp", members.timestamp)?)?,
            expires: optional(members.expires_at).map(|value| instant("expiresAt", value)).transpose()?,
            fields: fields(&members.rest)?,
        };
        if let Some(expires) = record.expires.filter(|expires| *expires <= record.created) {
            let why = format!("it has to be after `timestamp`, {}; it is {expires}", record.created);
            return Err(member("expiresAt", why));
        }
        record.check_binding()?;
        Ok(record)
    }

    /// Refuses a record whose manifest names another file than the record.
    fn check_binding(&self) -> Result<(), LegacyError> {
        let refused = |named: MediaHash, place| {
            Err(LegacyError::Binding { record: self.media_hash, manifest: named, place })
        };
        match self.manifest.binding() {
            Binding::WholeFile(digest) if digest != self.media_hash.digest() => {
                return refused(MediaHash::from(*digest), "c2pa.hash.data");
            }
            Binding::WholeFile(_) | Binding::Partial(_) | Binding::None => {}
        }
        if self.manifest.id().is_some() {
            return Ok(());
        }
        // A JSON manifest may name its file too. Most do not, which is faster to see than the manifest is to read.
        if !may_have_member(self.manifest.bytes(), &["imageHash", "media_hash"]) {
            return Ok(());
        }
        // A member that is not a SHA-256 means something else.
        let Ok(stated) = serde_json::from_slice::<Stated>(self.manifest.bytes()) else { return Ok(()) };
        let places = [("imageHash", stated.image_hash), ("media_hash", stated.media_hash)];
        for (place, text) in places {
            if let Some(serde_json::Value::String(text)) = text
                && let Ok(named) = media_hash(&text)
                && named != self.media_hash
            {
                return refused(named, place);
            }
        }
        Ok(())
    }
}

/// Returns `false` if no object in the JSON `text` has a member with one of these names: the text contains none of them,
/// and no escape (RFC 8259, section 7) that could stand for one of their letters.
fn may_have_member(text: &[u8], names: &[&str]) -> bool {
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    has("\\u") || names.iter().any(|name| has(name))
}

/// The members of a JSON manifest that may name the file.
#[derive(Deserialize)]
struct Stated {
    #[serde(rename = "imageHash")]
    image_hash: Option<serde_json::Value>,
    media_hash: Option<serde_json::Value>,
}

fn member(member: &'static str, why: impl fmt::Display) -> LegacyError {
    LegacyError::Member { member, why: why.to_string() }
}

fn required<'a>(name: &'static str, value: Option<&'a RawValue>) -> Result<&'a RawValue, LegacyError> {
    optional(value).ok_or(LegacyError::Missing(name))
}

/// Returns the value of a member, which counts as absent if it is `null`.
fn optional(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
}

fn text_of(name: &'static str, value: &RawValue) -> Result<String, LegacyError> {
    serde_json::from_str(value.get()).map_err(|_| member(name, "it has to be a text"))
}

/// Reads hexadecimal digits, with or without `sha256:` before them.
fn media_hash(text: &str) -> Result<MediaHash, HashError> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.parse::<Digest>().map(MediaHash::from)
}

fn manifest(value: &RawValue) -> Result<Manifest, LegacyError> {
    if !value.get().starts_with('"') {
        // The depth of the whole record was checked, and the manifest lies one level deep in it.
        return Ok(Manifest::json_value(value)?);
    }
    let text = text_of("manifest", value)?;
    if text.trim_start().starts_with('{') {
        return Ok(Manifest::json(Bytes::from(text))?);
    }
    let bytes = from_base64(&text).map_err(|error| {
        member("manifest", format!("a text is a JSON object or a C2PA manifest store in base64: {error}"))
    })?;
    Ok(Manifest::c2pa(bytes)?)
}

fn signature(value: &RawValue) -> Result<String, LegacyError> {
    let text = text_of("signature", value)?;
    check_signature(&text).map_err(|error| member("signature", error))?;
    Ok(text)
}

/// The smallest number that is read as milliseconds: 3 March 1973. Smaller numbers most likely count seconds.
const EARLIEST_MILLISECOND: i64 = 100_000_000_000;

/// Reads milliseconds since 1970, as JavaScript has them, or RFC 3339.
fn instant(name: &'static str, value: &RawValue) -> Result<Timestamp, LegacyError> {
    let allowed =
        "it has to be a whole number of milliseconds since 1970, or RFC 3339 such as 2026-01-31T12:00:00Z";
    if let Ok(milliseconds) = serde_json::from_str::<i64>(value.get()) {
        let instant = Timestamp::from_milliseconds(milliseconds);
        if milliseconds < EARLIEST_MILLISECOND || instant.milliseconds() != milliseconds {
            let why = match milliseconds {
                1..EARLIEST_MILLISECOND => "would be before March 1973: it most likely counts seconds",
                _ => "is out of range",
            };
            return Err(member(name, format!("{allowed}; {milliseconds} {why}")));
        }
        return Ok(instant);
    }
    let text = serde_json::from_str::<String>(value.get()).map_err(|_| member(name, allowed))?;
    let shown = || text.chars().take(40).collect::<String>();
    text.parse().map_err(|_| member(name, format!("{allowed}, not `{}`", shown())))
}

/// Returns the other members as one object.
fn fields(members: &[(String, &RawValue)]) -> Result<Option<Fields>, LegacyError> {
    if members.is_empty() {
        return Ok(None);
    }
    let mut text = String::from("{");
    for (number, (name, value)) in members.iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(value.get());
    }
    text.push('}');
    Fields::new(text).map(Some).map_err(|error| LegacyError::NotAnObject(error.to_string()))
}
