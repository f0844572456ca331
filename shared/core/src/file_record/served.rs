//! The part of a file's record that decides how its bytes are served.
//!
//! The edge reads it from records, and caches it as a line of text. Both are read by hand: derived readers would make the
//! edge's program a quarter larger.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::Value;

use super::{FILE_RECORD_VERSION, FileRecord, RenditionRecord};
use crate::bounds::MAX_FILE_RECORD_BYTES;
use crate::collection::Cache;
use crate::file::{Access, BlobId, FileId, FileType, ProfileName};
use crate::hash::MediaHash;
use crate::object::MediaKey;
use crate::rules::file_access::Guarded;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The members of a file's record that decide how its bytes are served. The owner, and everything else that only some
/// callers may see, is not among them, so the edge may cache it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedFile<'a> {
    /// The file's ID.
    pub id: FileId,
    /// The tenant that the file belongs to.
    pub tenant: Cow<'a, Tenant>,
    /// The readers.
    pub access: Access,
    /// `true` if accesses are logged. The line does not have it: what is logged is not public, and only a public file is
    /// cached.
    pub audited: bool,
    /// `true` if readers get the bytes that were uploaded, and not just renditions of them.
    pub shows_original: bool,
    /// The caches that may keep the bytes, if the file is public.
    pub cache: Cache,
    /// The blob.
    pub blob: BlobId,
    /// SHA-256 of the bytes that were uploaded.
    pub media_hash: MediaHash,
    /// The type, by content.
    pub kind: FileType,
    /// Number of bytes that were uploaded.
    pub bytes: u64,
    /// The renditions.
    pub renditions: Cow<'a, [RenditionRecord]>,
    /// The profiles whose renditions are those of another profile.
    pub same: Cow<'a, BTreeMap<ProfileName, ProfileName>>,
    /// Time at which the file became ready.
    pub created: Timestamp,
    /// Time at which the file expires, if it does.
    pub expires: Option<Timestamp>,
}

impl FileRecord {
    /// Returns the part of the record that decides how the bytes are served.
    #[must_use]
    pub const fn served(&self) -> ServedFile<'_> {
        ServedFile {
            id: self.id,
            tenant: Cow::Borrowed(&self.tenant),
            access: self.access,
            audited: self.audited,
            shows_original: self.shows_original,
            cache: self.cache,
            blob: self.blob,
            media_hash: self.media_hash,
            kind: self.kind,
            bytes: self.bytes,
            renditions: Cow::Borrowed(self.renditions.as_slice()),
            same: Cow::Borrowed(&self.same),
            created: self.created,
            expires: self.expires,
        }
    }
}

impl ServedFile<'static> {
    /// Reads what it needs of a record's text, which was checked against its digest. A program that changes records needs
    /// [`FileRecord::parse`].
    ///
    /// # Errors
    /// The reason, in words, why the text is not the record of the file `id`.
    pub fn parse(text: &str, id: &FileId) -> Result<Self, String> {
        if text.len() > MAX_FILE_RECORD_BYTES {
            return Err(format!("the record has more than {MAX_FILE_RECORD_BYTES} bytes"));
        }
        let record: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if number(&record, "version")? != u64::from(FILE_RECORD_VERSION) {
            return Err(format!("the record does not have version {FILE_RECORD_VERSION}"));
        }
        let found: FileId = member(&record, "id")?;
        if found != *id {
            return Err(format!("it is the record of the file {found}"));
        }
        let mut renditions = Vec::new();
        for made in record.get("renditions").and_then(Value::as_array).into_iter().flatten() {
            renditions.push(RenditionRecord {
                name: member(made, "name")?,
                width: small(made, "width")?,
                height: small(made, "height")?,
                bytes: number(made, "bytes")?,
                sha256: member(made, "sha256")?,
                proof: optional(made, "proof")?,
            });
        }
        let mut same = BTreeMap::new();
        for (profile, other) in record.get("same").and_then(Value::as_object).into_iter().flatten() {
            let name =
                |text: Option<&str>| text.and_then(|text| text.parse().ok()).ok_or_else(|| wrong("same"));
            same.insert(name(Some(profile))?, name(other.as_str())?);
        }
        Ok(Self {
            id: found,
            tenant: Cow::Owned(member(&record, "tenant")?),
            access: member(&record, "access")?,
            audited: flag(&record, "audited")?,
            shows_original: flag(&record, "shows_original")?,
            cache: match record.get("cache").and_then(Value::as_str) {
                None | Some(BY_TYPE) => Cache::ByType,
                Some(NONE) => Cache::None,
                Some(_) => return Err(wrong("cache")),
            },
            blob: member(&record, "blob")?,
            media_hash: member(&record, "media_hash")?,
            kind: member(&record, "type")?,
            bytes: number(&record, "bytes")?,
            renditions: Cow::Owned(renditions),
            same: Cow::Owned(same),
            created: member(&record, "created")?,
            expires: optional(&record, "expires")?,
        })
    }

    /// Reads what [`to_line`](Self::to_line) wrote; `None` if it did not write this.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let mut next = || words.next();
        let id = next()?.parse().ok()?;
        let tenant = Cow::Owned(next()?.parse().ok()?);
        let access = next()?.parse().ok()?;
        let shows_original = match next()? {
            SHOWN => true,
            NOTHING => false,
            _ => return None,
        };
        let cache = match next()? {
            BY_TYPE => Cache::ByType,
            NONE => Cache::None,
            _ => return None,
        };
        let (blob, media_hash) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (kind, bytes) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (created, expires) = (next()?.parse().ok()?, next()?);
        let expires = if expires == NOTHING { None } else { Some(expires.parse().ok()?) };
        let (mut renditions, mut same) = (Vec::new(), BTreeMap::new());
        for word in words {
            if let Some((profile, other)) = word.split_once('=') {
                same.insert(profile.parse().ok()?, other.parse().ok()?);
                continue;
            }
            let mut parts = word.split(':');
            let mut next = || parts.next();
            renditions.push(RenditionRecord {
                name: next()?.parse().ok()?,
                width: next()?.parse().ok()?,
                height: next()?.parse().ok()?,
                bytes: next()?.parse().ok()?,
                sha256: next()?.parse().ok()?,
                proof: None,
            });
        }
        let (renditions, same) = (Cow::Owned(renditions), Cow::Owned(same));
        Some(Self {
            id,
            tenant,
            access,
            audited: false,
            shows_original,
            cache,
            blob,
            media_hash,
            kind,
            bytes,
            renditions,
            same,
            created,
            expires,
        })
    }
}

const BY_TYPE: &str = "by-type";
const NONE: &str = "none";
const SHOWN: &str = "shown";
const NOTHING: &str = "-";

fn wrong(name: &str) -> String {
    format!("the record's `{name}` is missing or malformed")
}

fn member<T: FromStr>(value: &Value, name: &str) -> Result<T, String> {
    optional(value, name)?.ok_or_else(|| wrong(name))
}

fn optional<T: FromStr>(value: &Value, name: &str) -> Result<Option<T>, String> {
    let Some(value) = value.get(name) else { return Ok(None) };
    value.as_str().and_then(|text| text.parse().ok()).map(Some).ok_or_else(|| wrong(name))
}

fn flag(value: &Value, name: &str) -> Result<bool, String> {
    value.get(name).map_or(Ok(false), |flag| flag.as_bool().ok_or_else(|| wrong(name)))
}

fn number(value: &Value, name: &str) -> Result<u64, String> {
    value.get(name).and_then(Value::as_u64).ok_or_else(|| wrong(name))
}

fn small(value: &Value, name: &str) -> Result<u32, String> {
    number(value, name)?.try_into().map_err(|_| wrong(name))
}

impl ServedFile<'_> {
    /// Returns the facts that decide which callers without a credential may read. The owner is not known here.
    #[must_use]
    pub fn guarded(&self) -> Guarded<'_> {
        Guarded {
            tenant: &self.tenant,
            owner: None,
            access: self.access,
            shows_original: self.shows_original,
        }
    }

    /// Writes the file as a line of visible ASCII and spaces, without the proofs of its renditions, which decide nothing.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { id, tenant, access, blob, media_hash, kind, bytes, created, .. } = self;
        let shown = if self.shows_original { SHOWN } else { NOTHING };
        let cache = if self.cache == Cache::ByType { BY_TYPE } else { NONE };
        let expires = self.expires.map_or_else(|| NOTHING.to_owned(), |expires| expires.to_string());
        let mut line = format!(
            "{id} {tenant} {access} {shown} {cache} {blob} {media_hash} {kind} {bytes} {created} {expires}"
        );
        // Writing to a `String` does not fail.
        for RenditionRecord { name, width, height, bytes, sha256, .. } in self.renditions.iter() {
            let _ = write!(line, " {name}:{width}:{height}:{bytes}:{sha256}");
        }
        for (profile, other) in self.same.iter() {
            let _ = write!(line, " {profile}={other}");
        }
        line
    }

    /// Returns the tags by which caches at the edge are told of a change: the file and its blob.
    #[must_use]
    pub fn purge_tags(&self) -> [String; 2] {
        [format!("{}{}", MediaKey::FILES, self.id), format!("{}{}", MediaKey::MEDIA, self.blob)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::file_record::tests::record;

    /// The file as its line tells it.
    fn without_proofs(mut file: ServedFile<'_>) -> ServedFile<'_> {
        for made in file.renditions.to_mut() {
            made.proof = None;
        }
        file
    }

    #[test]
    fn it_is_read_from_a_record_and_has_nothing_that_is_the_owners() {
        let record = record();
        let text = String::from_utf8(record.to_bytes().to_vec()).unwrap();
        let file = ServedFile::parse(&text, &record.id).unwrap();
        assert_eq!(file, record.served());
        let line = file.to_line();
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line}");
        assert!(!line.contains(['"', '\\']), "{line}");
        for hidden in ["auth0", "IMG", "latitude", "Model", "spring", "bicycle"] {
            assert!(!line.contains(hidden), "{hidden}: {line}");
        }
        assert_eq!(ServedFile::from_line(&line), Some(without_proofs(file)));
        let other = FileRecord { shows_original: true, cache: Cache::None, expires: None, ..record.clone() };
        let line = other.served().to_line();
        assert_eq!(ServedFile::from_line(&line), Some(without_proofs(other.served())));
        let [file, blob] = record.served().purge_tags();
        assert_eq!(file, record.key().to_string());
        assert_eq!(blob, format!("media/{}", record.blob));
    }

    #[test]
    fn what_is_not_the_record_of_the_file_is_refused() {
        let text = String::from_utf8(record().to_bytes().to_vec()).unwrap();
        let id = record().id;
        for (good, bad, part) in [
            ("\"version\":1,\"id\"", "\"version\":2,\"id\"", "does not have version 1"),
            ("\"public\"", "\"secret\"", "`access`"),
            ("\"by-type\"", "\"always\"", "`cache`"),
            ("\"blob\"", "\"bolb\"", "`blob`"),
            ("\"large\":\"medium\"", "\"large\":7", "`same`"),
            ("\"access\":\"public\"", "\"access\":\"public\",\"audited\":1", "`audited`"),
            ("\"width\":300", "\"width\":-1", "`width`"),
            ("\"width\":300", "\"width\":4294967296", "`width`"),
            ("\"height\":225", "\"height\":4294967296", "`height`"),
            ("thumbnail-1.webp", "thumbnail.webp", "`name`"),
            ("2028-01-01", "2028-13-01", "`expires`"),
        ] {
            assert!(text.contains(good), "{good}: {text}");
            let error = ServedFile::parse(&text.replacen(good, bad, 1), &id).unwrap_err();
            assert!(error.contains(part), "{error}\nwithout {part}");
        }
        let other = FileId::from_random([9; 20]);
        assert!(ServedFile::parse(&text, &other).unwrap_err().contains("the record of the file"));
        let long = format!("{text}{}", " ".repeat(MAX_FILE_RECORD_BYTES));
        assert!(ServedFile::parse(&long, &id).unwrap_err().contains("65536 bytes"));
        for end in 0..text.len() {
            assert!(ServedFile::parse(&text[..end], &id).is_err(), "{end}");
        }
    }

    proptest! {
        /// A line that is read says what is written again.
        #[test]
        fn no_line_is_too_much(at in 0_usize..600, character in "[ -~]") {
            let mut line = record().served().to_line();
            let at = at.min(line.len() - 1);
            line.replace_range(at..=at, &character);
            if let Some(file) = ServedFile::from_line(&line) {
                prop_assert_eq!(ServedFile::from_line(&file.to_line()), Some(file));
            }
            let _ = ServedFile::from_line(&line[..at]);
        }
    }
}
