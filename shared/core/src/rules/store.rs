//! Storing and superseding: the body, its check, and what an index row makes of it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::access::Visibility;
use crate::bounds::{
    DEFAULT_LIFETIME_SECONDS, MAX_BATCH, MAX_JSON_DEPTH, MAX_LIFETIME_SECONDS, MAX_MEDIA_TYPE_BYTES,
    MAX_SIGNATURE_BYTES, MAX_TAG_KEY_CHARS, MAX_TAG_VALUE_CHARS, MAX_TAGS,
};
use crate::c2pa::{Binding, C2paError};
use crate::hash::{Digest, MediaHash};
use crate::http::problem::{Kind, Problem};
use crate::json::check_depth;
use crate::legacy::{Fields, Legacy};
use crate::manifest::{Manifest, ManifestError, ManifestType};
use crate::object::{C2PA_TYPE, JSON_TYPE};
use crate::proof_id::ProofId;
use crate::record::{RECORD_VERSION, Record, RecordManifest};
use crate::row::{ProofRow, State};
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The body of `POST /v1/proofs` and `PUT /v1/proofs/{id}`, as it is written. Every member is checked by
/// [`Draft::parse`], so that each error names its member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoreBody<'a> {
    /// The media file: `sha256:` and 64 hexadecimal digits. A replacement may leave it out.
    #[serde(borrow)]
    media_hash: Option<Cow<'a, str>>,
    /// The media file's type, such as `image/jpeg`.
    #[serde(borrow)]
    media_type: Option<Cow<'a, str>>,
    /// A JSON manifest: an object, kept as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    manifest: Option<&'a RawValue>,
    /// A manifest of either type, in base64 (RFC 4648, section 4).
    #[serde(borrow)]
    manifest_base64: Option<Cow<'a, str>>,
    /// `application/c2pa` (the default of `manifest_base64`) or `application/json` (the only one of `manifest`).
    #[serde(borrow)]
    manifest_type: Option<Cow<'a, str>>,
    /// A detached signature over the manifest's bytes, in any text form.
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    /// How long to keep the proof, in seconds. One year by default.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 315_360_000))]
    expires_in: Option<serde_json::Number>,
    /// Up to ten tags.
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

/// What a proof that is taken over from another store brings along.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OriginBody<'a> {
    /// When it was stored there.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    created: Cow<'a, str>,
    /// When it expires.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    expires: Cow<'a, str>,
    /// The id that it had there: it leads to the proof from now on.
    #[serde(borrow)]
    legacy_id: Option<Cow<'a, str>>,
    /// What else stood in its legacy record: an object, kept as exactly this text.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    legacy_fields: Option<&'a RawValue>,
    /// A proof that was deleted is not taken over, unless it was at this very instant.
    #[serde(borrow)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    restores: Option<Cow<'a, str>>,
}

/// Tags as they are written. serde would let the last of two equal keys win, in silence.
#[derive(Default)]
struct Tags(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Tags;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object whose members are text")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if tags.contains_key(&key) {
                        return Err(serde::de::Error::custom(format!("the tag `{key}` is given twice")));
                    }
                    tags.insert(key, value);
                }
                Ok(Tags(tags))
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
    /// How long to keep it, in seconds.
    pub lifetime: u64,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Who may read it.
    pub visibility: Visibility,
    /// Where it was before, of a proof that is taken over.
    pub origin: Option<Origin>,
}

/// What a proof that is taken over from another store brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// When it was stored there.
    pub created: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// What is kept of a legacy record.
    pub legacy: Option<Legacy>,
    /// A proof that was deleted is not taken over (guarantee 8), unless it was at this very instant: a migration that was
    /// rolled back is done again.
    pub restores: Option<Timestamp>,
}

/// Standard base64; padding may be left out. The URL-safe alphabet is another one, and is refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Draft {
    /// Reads and checks a body, for `tenant`. A replacement knows the media file already: `known`.
    ///
    /// # Errors
    /// 400 with the member that is wrong; 422 where the manifest binds another file.
    pub fn parse(body: &[u8], tenant: Tenant, known: Option<&MediaHash>) -> Result<Self, Problem> {
        // `legacy_fields` of the deepest legacy record lie two levels below it.
        let body: StoreBody<'_> = json(body, MAX_JSON_DEPTH + 3)?;
        let media_hash = media_hash(body.media_hash.as_deref(), known)?;
        let manifest = manifest(&body)?;
        check_binding(&manifest, &media_hash)?;
        if let Some(origin) = &body.origin {
            check_origin(origin, &body, known.is_some())?;
        }
        Ok(Self {
            tenant,
            media_hash,
            media_type: body.media_type.map(media_type).transpose()?,
            manifest,
            signature: body.signature.map(signature).transpose()?,
            lifetime: body.expires_in.as_ref().map_or(Ok(DEFAULT_LIFETIME_SECONDS), lifetime)?,
            tags: tags(body.tags.unwrap_or_default().0)?,
            visibility: match body.visibility {
                None => Visibility::Public,
                Some(text) => text.parse().map_err(|()| {
                    Problem::field("visibility", format!("`public` or `private`, not `{}`", short(&text)))
                })?,
            },
            origin: body.origin.map(origin).transpose()?,
        })
    }

    /// The proof's id.
    #[must_use]
    pub fn id(&self) -> ProofId {
        ProofId::derive(&self.tenant, &self.media_hash)
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

    /// Whether a row stands for the same manifest and signature (guarantee 3).
    #[must_use]
    pub fn is_identical_to(&self, row: &ProofRow) -> bool {
        let signature = self.signature.as_ref().map(|text| Digest::of(text.as_bytes()));
        *self.manifest.sha256() == row.manifest_sha256 && signature == row.signature_sha256
    }
}

/// What a store does next, by what the index says of its id.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Answer with the proof that is there (guarantee 2).
    Answer,
    /// The proof's time is over: delete it, then look again.
    Expire,
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
            State::Live if row.has_expired(now) => Next::Expire,
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

/// The body of `POST /v1/proofs/batch-delete`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BatchDeleteBody {
    /// 1 to 1,000 proof ids.
    pub ids: Vec<String>,
}

impl BatchDeleteBody {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 with what is wrong. A malformed id is no error here: it fails by itself.
    pub fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Self = json(body, MAX_JSON_DEPTH)?;
        match body.ids.len() {
            1..=MAX_BATCH => Ok(body),
            count => Err(Problem::field("ids", format!("1 to {MAX_BATCH} ids; these are {count}"))),
        }
    }
}

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
pub(super) fn json<'de, T: Deserialize<'de>>(body: &'de [u8], depth: usize) -> Result<T, Problem> {
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
fn short(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

fn media_hash(text: Option<&str>, known: Option<&MediaHash>) -> Result<MediaHash, Problem> {
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

fn manifest(body: &StoreBody<'_>) -> Result<Manifest, Problem> {
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

fn media_type(text: Cow<'_, str>) -> Result<String, Problem> {
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

fn lifetime(number: &serde_json::Number) -> Result<u64, Problem> {
    number.as_u64().filter(|seconds| (1..=MAX_LIFETIME_SECONDS).contains(seconds)).ok_or_else(|| {
        Problem::field(
            "expires_in",
            format!("a whole number of seconds from 1 to {MAX_LIFETIME_SECONDS}, not {number}"),
        )
    })
}

/// Refuses what would be dropped in silence beside an origin (guarantee 3).
fn check_origin(origin: &OriginBody<'_>, body: &StoreBody<'_>, is_replacement: bool) -> Result<(), Problem> {
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

fn origin(body: OriginBody<'_>) -> Result<Origin, Problem> {
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

fn tags(tags: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::manifest_store;

    fn parse(body: &str) -> Result<Draft, Problem> {
        Draft::parse(body.as_bytes(), Tenant::default(), None)
    }

    fn hash() -> String {
        MediaHash::of(b"the picture").to_string()
    }

    #[test]
    fn a_json_manifest_keeps_its_text() {
        let body = format!(r#"{{"media_hash":"{}","manifest":{{ "a" : 1.0 }}}}"#, hash());
        let draft = parse(&body).unwrap();
        assert_eq!(draft.manifest.bytes(), r#"{ "a" : 1.0 }"#);
        assert_eq!(draft.lifetime, DEFAULT_LIFETIME_SECONDS);
    }

    #[test]
    fn a_c2pa_manifest_has_to_bind_the_file() {
        let store = |digest| BASE64.encode(manifest_store("urn:c2pa:x", &digest));
        let body = |text| format!(r#"{{"media_hash":"{}","manifest_base64":"{text}"}}"#, hash());
        assert!(parse(&body(store(Digest::of(b"the picture")))).is_ok());
        let problem = parse(&body(store(Digest::of(b"another")))).unwrap_err();
        assert_eq!((problem.kind, problem.field.as_deref()), (Kind::BindingMismatch, Some("media_hash")));
    }

    #[test]
    fn every_member_is_named_when_it_is_wrong() {
        let hash = hash();
        let with = |rest: &str| format!(r#"{{"media_hash":"{hash}","manifest":{{}},{rest}}}"#);
        let tags = (0..11).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(",");
        let cases = [
            (r#"{"manifest":{}}"#.to_owned(), "media_hash"),
            (r#"{"media_hash":"md5:00","manifest":{}}"#.to_owned(), "media_hash"),
            (r#"{"media_hash":7,"manifest":{}}"#.to_owned(), "media_hash"),
            (format!(r#"{{"media_hash":"{hash}"}}"#), "manifest"),
            (format!(r#"{{"media_hash":"{hash}","manifest":[]}}"#), "manifest"),
            (format!(r#"{{"media_hash":"{hash}","manifest_base64":"a-_b"}}"#), "manifest_base64"),
            (format!(r#"{{"media_hash":"{hash}","manifest_base64":"AAAA"}}"#), "manifest_base64"),
            (with(r#""manifest_base64":"AAAA""#), "manifest"),
            (with(r#""manifest_type":"text/plain""#), "manifest_type"),
            (with(r#""manifest_type":"application/c2pa""#), "manifest"),
            (with(r#""media_type":"jpeg""#), "media_type"),
            (with(r#""signature":"""#), "signature"),
            (with(r#""signature":"a\u0000b""#), "signature"),
            (with(r#""expires_in":0"#), "expires_in"),
            (with(r#""expires_in":-1"#), "expires_in"),
            (with(r#""expires_in":1.5"#), "expires_in"),
            (with(r#""expires_in":"1""#), "expires_in"),
            (with(r#""expires_in":315360001"#), "expires_in"),
            (with(&format!(r#""tags":{{{tags}}}"#)), "tags"),
            (with(r#""tags":{"a":1}"#), "tags.a"),
            (with(r#""tags":{"a":"1","a":"2"}"#), "tags"),
            (with(r#""tags":{"a;":"b"}"#), "tags.a;"),
            (with(r#""visibility":"secret""#), "visibility"),
            (with(r#""surprise":1"#), "surprise"),
        ];
        for (body, field) in cases {
            let problem = parse(&body).expect_err(&body);
            assert_eq!(problem.field.as_deref(), Some(field), "{body}: {problem}");
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = format!(r#"{{"manifest":{}"#, "[".repeat(100));
        for body in
            ["", "{", "[]", "null", "{} {}", "\u{feff}{}", &deep, r#"{"media_hash":"a","media_hash":"b"}"#]
        {
            assert_eq!(parse(body).expect_err(body).kind.status().as_u16(), 400, "{body}");
        }
        assert!(Draft::parse(&[b'{', 0xff, b'}'], Tenant::default(), None).is_err());
    }

    #[test]
    fn a_replacement_keeps_its_file() {
        let known = MediaHash::of(b"the picture");
        let parse = |body: &str| Draft::parse(body.as_bytes(), Tenant::default(), Some(&known));
        assert_eq!(parse(r#"{"manifest":{}}"#).unwrap().media_hash, known);
        let other = format!(r#"{{"manifest":{{}},"media_hash":"{}"}}"#, MediaHash::of(b"x"));
        assert_eq!(parse(&other).unwrap_err().field.as_deref(), Some("media_hash"));
    }

    #[test]
    fn a_deleted_proof_continues_its_revisions() {
        let now = Timestamp::from_milliseconds(1_000);
        let draft = parse(&format!(r#"{{"media_hash":"{}","manifest":{{}}}}"#, hash())).unwrap();
        let record = draft.record(4, now);
        let live = ProofRow::publish(&record, Digest::of(b""), None);
        assert_eq!(next(None, now), Next::Write { revision: 1 });
        assert_eq!(next(Some(&live), now), Next::Answer);
        assert_eq!(next(Some(&live), record.expires), Next::Expire);
        assert_eq!(next(Some(&live.in_state(State::Deleting(now))), now), Next::FinishDeletion);
        assert_eq!(next(Some(&live.in_state(State::Deleted(now))), now), Next::Write { revision: 5 });
    }

    #[test]
    fn batches_are_bounded() {
        let ids = |count: usize| format!(r#"{{"ids":[{}]}}"#, vec![r#""x""#; count].join(","));
        assert_eq!(BatchDeleteBody::parse(ids(MAX_BATCH).as_bytes()).unwrap().ids.len(), MAX_BATCH);
        for bad in [ids(0), ids(MAX_BATCH + 1), r#"{"ids":[1]}"#.to_owned(), "{}".to_owned()] {
            assert!(BatchDeleteBody::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
