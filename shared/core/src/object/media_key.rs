//! The keys of files, of their bytes and of uploads.

use std::fmt;

use crate::cache_policy::CachePolicy;
use crate::file::{BlobId, FileId, ORIGINAL, RenditionName, UploadId};
use crate::media_type::{JSON_TYPE, OCTETS_TYPE};
use crate::tenant::Tenant;

/// The key of an object that belongs to files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaKey {
    /// `uploads/{tenant}/{upload id}`: bytes in quarantine, which nobody reads.
    Upload(Tenant, UploadId),
    /// `media/{blob id}/original`: the bytes that were uploaded. Immutable.
    Original(BlobId),
    /// `media/{blob id}/{profile}-{version}.{extension}`, or with `~{x}x{y}` before the dot for a part around a focal
    /// point: a rendition. Immutable.
    Rendition(BlobId, RenditionName),
    /// `files/{file id}`: the record of a file. Replaced only by compare-and-swap.
    File(FileId),
}

impl MediaKey {
    /// The prefix of every upload.
    pub const UPLOADS: &'static str = "uploads/";
    /// The prefix of every blob: of its original and its renditions.
    pub const MEDIA: &'static str = "media/";
    /// The prefix of every record of a file.
    pub const FILES: &'static str = "files/";

    /// Returns the prefix of the objects of one blob.
    #[must_use]
    pub fn blob(id: &BlobId) -> String {
        format!("{}{id}/", Self::MEDIA)
    }

    /// Reads a key, or returns `None` if it does not belong to files.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix(Self::UPLOADS) {
            let (tenant, id) = rest.split_once('/')?;
            Some(Self::Upload(tenant.parse().ok()?, id.parse().ok()?))
        } else if let Some(rest) = text.strip_prefix(Self::MEDIA) {
            let (blob, name) = rest.split_once('/')?;
            let blob = blob.parse().ok()?;
            if name == ORIGINAL {
                return Some(Self::Original(blob));
            }
            Some(Self::Rendition(blob, name.parse().ok()?))
        } else {
            text.strip_prefix(Self::FILES)?.parse().ok().map(Self::File)
        }
    }

    /// Returns the media type of the object. Originals and uploads are opaque bytes to a browser that gets hold of them:
    /// the record of the file says what they are.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Upload(..) | Self::Original(_) => OCTETS_TYPE,
            Self::Rendition(_, name) => name.format.file_type().media_type(),
            Self::File(_) => JSON_TYPE,
        }
    }

    /// Returns the cache policy of a public object under this key. An original has none of its own, because one blob can
    /// have a public and a private file.
    #[must_use]
    pub const fn cache_policy(&self) -> CachePolicy {
        match self {
            Self::Upload(..) | Self::Original(_) => CachePolicy::Nothing,
            Self::Rendition(_, name) => CachePolicy::of(name.format.file_type().class()),
            Self::File(_) => CachePolicy::Record,
        }
    }
}

impl fmt::Display for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload(tenant, id) => write!(f, "{}{tenant}/{id}", Self::UPLOADS),
            Self::Original(blob) => write!(f, "{}{blob}/{ORIGINAL}", Self::MEDIA),
            Self::Rendition(blob, name) => write!(f, "{}{blob}/{name}", Self::MEDIA),
            Self::File(id) => write!(f, "{}{id}", Self::FILES),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::MediaHash;
    use crate::object::ObjectKey;

    #[test]
    fn keys_have_one_spelling() {
        let blob = BlobId::derive(&Tenant::default(), &MediaHash::of(b"x"));
        let (file, upload) = (FileId::from_random([1; 20]), UploadId::from_random([2; 20]));
        for (key, text, content_type, cache) in [
            (
                MediaKey::Upload("acme".parse().unwrap(), upload),
                format!("uploads/acme/{upload}"),
                "application/octet-stream",
                CachePolicy::Nothing,
            ),
            (
                MediaKey::Original(blob),
                format!("media/{blob}/original"),
                "application/octet-stream",
                CachePolicy::Nothing,
            ),
            (
                MediaKey::Rendition(blob, "large-2.webp".parse().unwrap()),
                format!("media/{blob}/large-2.webp"),
                "image/webp",
                CachePolicy::Picture,
            ),
            (MediaKey::File(file), format!("files/{file}"), "application/json", CachePolicy::Record),
        ] {
            assert_eq!(key.to_string(), text);
            assert_eq!((key.content_type(), key.cache_policy()), (content_type, cache), "{text}");
            let object = ObjectKey::Media(key);
            assert_eq!(text.parse(), Ok(object.clone()));
            assert_eq!(object.cache_control(), cache.header());
            let removed = format!("removed/1798761600000/{text}");
            assert_eq!(removed.parse::<ObjectKey>().unwrap().to_string(), removed);
        }
        for other in [
            "uploads/",
            "uploads/acme",
            "uploads/acme/",
            &format!("uploads/{upload}"),
            &format!("uploads/Acme/{upload}"),
            &format!("uploads/acme/{upload}/1"),
            "media/x/original",
            &format!("media/{blob}"),
            &format!("media/{blob}/"),
            &format!("media/{blob}/large"),
            &format!("media/{blob}/large-01.webp"),
            &format!("media/{blob}/original.jpg"),
            &format!("media/{blob}/../original"),
            "files/",
            "files/x",
            &format!("files/{file}/1"),
            &format!("files/{}", file.to_string().to_uppercase()),
        ] {
            assert!(other.parse::<ObjectKey>().is_err(), "{other}");
        }
    }
}
