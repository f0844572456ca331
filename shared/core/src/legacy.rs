//! Legacy records: what the service kept that CredLink takes over from.
//!
//! A record is a JSON object `{proofId, imageHash, manifest, signature, timestamp, expiresAt?, metadata?}`. The manifest is
//! taken as it stands, because a signature may cover it (guarantee 4): a JSON object to the byte, or, where it is a text,
//! the JSON that the text holds or the C2PA manifest store that it is the base64 of. Whatever else is in the record is
//! kept beside it as it stands.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::access::Visibility;
use crate::bounds::{MAX_JSON_DEPTH, MAX_LEGACY_FIELDS_BYTES, MAX_LEGACY_ID_BYTES, MAX_LEGACY_RECORD_BYTES};
use crate::c2pa::Binding;
use crate::hash::{Digest, HashError, MediaHash, serde_as_text};
use crate::http::problem::Problem;
use crate::json::{TooDeep, check_depth};
use crate::manifest::{Manifest, ManifestError};
use crate::rules::store::{self, Draft, Origin};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The id that the old service gave a proof. It stays good for ever, as another name of the proof.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegacyId(String);

/// Why an id was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegacyIdError {
    /// Empty, or longer than the bound.
    #[error("a legacy id has 1 to {MAX_LEGACY_ID_BYTES} characters; this has {0} bytes")]
    Length(usize),
    /// A character that would not stand in a path, or does at the start what no name does.
    #[error(
        "a legacy id is made of letters, digits, `-`, `.`, `_`, `~` and `:`, and starts with a letter or a digit; \
         character {0} is not allowed there"
    )]
    Character(usize),
}

impl LegacyId {
    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LegacyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LegacyId {
    type Err = LegacyIdError;

    fn from_str(text: &str) -> Result<Self, LegacyIdError> {
        if text.is_empty() || text.len() > MAX_LEGACY_ID_BYTES {
            return Err(LegacyIdError::Length(text.len()));
        }
        let refused = text.char_indices().position(|(at, character)| {
            !(character.is_ascii_alphanumeric()
                || (at > 0 && matches!(character, '-' | '.' | '_' | '~' | ':')))
        });
        match refused {
            Some(position) => Err(LegacyIdError::Character(position + 1)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

serde_as_text!(LegacyId);

/// What a record keeps of the legacy record that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Legacy {
    /// The id that the proof had.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: LegacyId,
    /// The members that have no place of their own in a record, as they stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub fields: Option<Fields>,
}

/// A JSON object whose text is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Box<RawValue>);

/// Why a text is not kept as [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Longer than the bound.
    #[error(
        "members that are not CredLink's may have {MAX_LEGACY_FIELDS_BYTES} bytes together; these have more"
    )]
    TooLong,
    /// Not a JSON object.
    #[error("it has to be a JSON object")]
    NotAnObject,
}

impl Fields {
    /// Keeps a JSON object's text.
    ///
    /// # Errors
    /// It is too long, or no JSON object.
    pub fn new(text: String) -> Result<Self, FieldsError> {
        if text.len() > MAX_LEGACY_FIELDS_BYTES {
            return Err(FieldsError::TooLong);
        }
        let value = RawValue::from_string(text).map_err(|_| FieldsError::NotAnObject)?;
        if value.get().starts_with('{') { Ok(Self(value)) } else { Err(FieldsError::NotAnObject) }
    }

    /// The text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Fields {}

/// A legacy record, read and checked.
#[derive(Clone, Debug)]
pub struct LegacyRecord {
    /// The id that it had.
    pub id: LegacyId,
    /// The media file.
    pub media_hash: MediaHash,
    /// The manifest, to the byte.
    pub manifest: Manifest,
    /// The detached signature, if there is one.
    pub signature: Option<String>,
    /// When it was stored.
    pub created: Timestamp,
    /// When it expires, if that was said.
    pub expires: Option<Timestamp>,
    /// Every other member, as a JSON object with the members' own texts.
    pub fields: Option<Fields>,
}

/// Why a text is no legacy record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// Longer than the bound.
    #[error("a legacy record has at most {MAX_LEGACY_RECORD_BYTES} bytes; this has {0}")]
    TooLong(usize),
    /// Nested too deep.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
    /// Not JSON, or no object, or a member twice.
    #[error("this is no legacy record: {0}")]
    NotAnObject(String),
    /// A member that has to be there.
    #[error("the member `{0}` is missing")]
    Missing(&'static str),
    /// A member that is not as it has to be.
    #[error("`{member}`: {why}")]
    Member {
        /// Which.
        member: &'static str,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// The manifest is none.
    #[error("`manifest`: {0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names another media file than the record.
    #[error("`imageHash` is {record}, but the manifest's {place} names {manifest}")]
    Binding {
        /// What the record says.
        record: MediaHash,
        /// What the manifest says.
        manifest: MediaHash,
        /// Where it does.
        place: &'static str,
    },
}

/// The members of a record by name, as text.
#[derive(Default)]
struct Members<'a> {
    proof_id: Option<&'a RawValue>,
    image_hash: Option<&'a RawValue>,
    manifest: Option<&'a RawValue>,
    signature: Option<&'a RawValue>,
    timestamp: Option<&'a RawValue>,
    expires_at: Option<&'a RawValue>,
    rest: Vec<(String, &'a RawValue)>,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        let (mut names, mut length) = (BTreeSet::new(), 0_usize);
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            // Which of two would be the right one, nobody can say.
            let twice = |name: &str| A::Error::custom(format!("the member `{name}` is there twice"));
            let place = match name.as_str() {
                "proofId" => &mut members.proof_id,
                "imageHash" => &mut members.image_hash,
                "manifest" => &mut members.manifest,
                "signature" => &mut members.signature,
                "timestamp" => &mut members.timestamp,
                "expiresAt" => &mut members.expires_at,
                _ => {
                    // A colon and a comma, and the quotes of the name.
                    length = length.saturating_add(name.len() + value.get().len() + 4);
                    if length > MAX_LEGACY_FIELDS_BYTES {
                        return Err(A::Error::custom(FieldsError::TooLong));
                    }
                    if !names.insert(name.clone()) {
                        return Err(twice(&name));
                    }
                    members.rest.push((name, value));
                    continue;
                }
            };
            if place.replace(value).is_some() {
                return Err(twice(&name));
            }
        }
        Ok(members)
    }
}

impl LegacyRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// The first thing that is wrong with it, in words.
    pub fn parse(text: &[u8]) -> Result<Self, LegacyError> {
        if text.len() > MAX_LEGACY_RECORD_BYTES {
            return Err(LegacyError::TooLong(text.len()));
        }
        // The record adds a level around its manifest's.
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

    /// What is stored of it, for `tenant`. The same legacy record always makes the same record.
    ///
    /// One that did not expire does not expire: it gets the latest instant that there is.
    #[must_use]
    pub fn draft(self, tenant: Tenant) -> Draft {
        Draft {
            tenant,
            media_hash: self.media_hash,
            media_type: None,
            manifest: self.manifest,
            signature: self.signature,
            lifetime: 0,
            tags: std::collections::BTreeMap::new(),
            visibility: Visibility::Public,
            origin: Some(Origin {
                created: self.created,
                expires: self.expires.unwrap_or(Timestamp::from_milliseconds(i64::MAX)),
                legacy: Some(Legacy { id: self.id, fields: self.fields }),
                restores: None,
            }),
        }
    }

    /// Refuses a record whose manifest says which file it belongs to, and names another.
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
        // A JSON manifest may name its file too. What is there and is no SHA-256 means something else.
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

/// The members of a JSON manifest that name the file.
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

/// A member that is `null` says nothing.
fn optional(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get() != "null")
}

fn text_of(name: &'static str, value: &RawValue) -> Result<String, LegacyError> {
    serde_json::from_str(value.get()).map_err(|_| member(name, "it has to be a text"))
}

/// Hexadecimal digits, with `sha256:` before them or without.
fn media_hash(text: &str) -> Result<MediaHash, HashError> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.parse::<Digest>().map(MediaHash::from)
}

fn manifest(value: &RawValue) -> Result<Manifest, LegacyError> {
    if !value.get().starts_with('"') {
        return Ok(Manifest::json(Bytes::copy_from_slice(value.get().as_bytes()))?);
    }
    let text = text_of("manifest", value)?;
    if text.trim_start().starts_with('{') {
        return Ok(Manifest::json(Bytes::from(text))?);
    }
    let bytes = store::base64(&text).map_err(|error| {
        member("manifest", format!("a text is a JSON object or a C2PA manifest store in base64: {error}"))
    })?;
    Ok(Manifest::c2pa(bytes)?)
}

fn signature(value: &RawValue) -> Result<String, LegacyError> {
    let text = text_of("signature", value)?;
    store::signature(text.into()).map_err(|problem: Problem| member("signature", strip(&problem.detail)))
}

/// A problem's detail without the name of its member, which stands before it already.
fn strip(detail: &str) -> &str {
    detail.strip_prefix("`signature`: ").unwrap_or(detail)
}

/// The earliest number that is taken for milliseconds: 3 March 1973. Smaller ones are seconds, as like as not.
const EARLIEST_MILLISECOND: i64 = 100_000_000_000;

/// Milliseconds since 1970, as JavaScript has them, or RFC 3339.
fn instant(name: &'static str, value: &RawValue) -> Result<Timestamp, LegacyError> {
    let allowed =
        "it has to be a whole number of milliseconds since 1970, or RFC 3339 such as 2026-01-31T12:00:00Z";
    if let Ok(milliseconds) = serde_json::from_str::<i64>(value.get()) {
        let instant = Timestamp::from_milliseconds(milliseconds);
        if milliseconds < EARLIEST_MILLISECOND || instant.milliseconds() != milliseconds {
            return Err(member(name, format!("{allowed}; {milliseconds} is not in this service's time")));
        }
        return Ok(instant);
    }
    let text = serde_json::from_str::<String>(value.get()).map_err(|_| member(name, allowed))?;
    let shown = || text.chars().take(40).collect::<String>();
    text.parse().map_err(|_| member(name, format!("{allowed}, not `{}`", shown())))
}

/// The other members as one object.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn record(change: impl Fn(String) -> String) -> Result<LegacyRecord, LegacyError> {
        let text = format!(
            r#"{{"proofId":"p-1","imageHash":"{HASH}","manifest":{{ "title" : 1.0 }},"signature":"c2ln","timestamp":1767225600000}}"#
        );
        LegacyRecord::parse(change(text).as_bytes())
    }

    #[test]
    fn a_record_is_read_and_its_manifest_is_kept_to_the_byte() {
        let read = record(|text| text).unwrap();
        assert_eq!((read.id.as_str(), read.media_hash.to_string()), ("p-1", format!("sha256:{HASH}")));
        assert_eq!(&**read.manifest.bytes(), b"{ \"title\" : 1.0 }");
        assert_eq!(
            (read.signature.as_deref(), read.created.milliseconds()),
            (Some("c2ln"), 1_767_225_600_000)
        );
        assert!(read.expires.is_none() && read.fields.is_none());
    }

    #[test]
    fn every_spelling_is_read() {
        let prefixed = record(|text| text.replace(HASH, &format!("sha256:{}", HASH.to_uppercase()))).unwrap();
        assert_eq!(prefixed.media_hash.to_string(), format!("sha256:{HASH}"));
        let dated = record(|text| {
            text.replace("1767225600000", "\"2026-01-01T00:00:00Z\",\"expiresAt\":1798761600000")
        });
        let dated = dated.unwrap();
        assert_eq!(dated.created.milliseconds(), 1_767_225_600_000);
        assert_eq!(dated.expires.map(Timestamp::milliseconds), Some(1_798_761_600_000));
        let bare = record(|text| text.replace("\"c2ln\"", "null")).unwrap();
        assert_eq!((bare.signature, bare.expires), (None, None));
    }

    #[test]
    fn what_is_not_ours_is_kept_as_it_stands() {
        let more = r#","metadata":{"a" : [1.50]},"x\"y":null}"#;
        let read = record(|text| format!("{}{more}", text.strip_suffix('}').unwrap())).unwrap();
        assert_eq!(read.fields.unwrap().get(), r#"{"metadata":{"a" : [1.50]},"x\"y":null}"#);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (from, to, says) in [
            ("\"proofId\":\"p-1\",", "", "the member `proofId` is missing"),
            ("\"p-1\"", "null", "the member `proofId` is missing"),
            ("\"p-1\"", "7", "`proofId`: it has to be a text"),
            ("\"p-1\"", "\"../x\"", "`proofId`: a legacy id is made of letters"),
            (
                "e3b0",
                "e3bx",
                "`imageHash`: a SHA-256 digest is 64 hexadecimal digits; character 4 is not one",
            ),
            ("{ \"title\" : 1.0 }", "[]", "`manifest`: a JSON manifest is an object"),
            ("\"c2ln\"", "{}", "`signature`: it has to be a text"),
            ("1767225600000", "1767225600", "1767225600 is not in this service's time"),
            ("1767225600000", "\"yesterday\"", "not `yesterday`"),
            ("1767225600000", "1.5", "`timestamp`: it has to be a whole number"),
            ("\"signature\"", "\"manifest\"", "the member `manifest` is there twice"),
            ("1767225600000}", "1767225600000", "this is no legacy record"),
            ("1767225600000}", "1767225600000}{}", "this is no legacy record"),
        ] {
            let error = record(|text| text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
        assert!(matches!(LegacyRecord::parse(b"[]"), Err(LegacyError::NotAnObject(_))));
        let deep = record(|text| text.replace("1.0", &"[".repeat(MAX_JSON_DEPTH)));
        assert!(matches!(deep, Err(LegacyError::TooDeep(_))), "{deep:?}");
    }

    #[test]
    fn ids_are_names_in_a_path() {
        for id in ["a", "7", "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4", "proof_1.2~3:4"] {
            assert_eq!(id.parse::<LegacyId>().map(|id| id.to_string()), Ok(id.to_owned()));
        }
        for (id, error) in [
            ("", LegacyIdError::Length(0)),
            ("..", LegacyIdError::Character(1)),
            ("a/b", LegacyIdError::Character(2)),
            ("a b", LegacyIdError::Character(2)),
            ("ä", LegacyIdError::Character(1)),
        ] {
            assert_eq!(id.parse::<LegacyId>(), Err(error), "{id}");
        }
        assert!("x".repeat(MAX_LEGACY_ID_BYTES + 1).parse::<LegacyId>().is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\PC{0,80}") {
            prop_assert!(LegacyRecord::parse(text.as_bytes()).is_err());
        }
    }
}
