//! The stored form of content, which follows from its key.

use super::{MediaKey, ObjectKey};
use crate::encoding::{AtRest, as_it_came, at_rest_again};

impl ObjectKey {
    /// Returns the form in which `content` is stored under this key: C2PA manifest stores and media as they came, JSON gzipped if
    /// that saves at least a fifth.
    ///
    /// Content that may have been stored under this key before needs another `form` than it had then, so that its bytes
    /// differ ([`at_rest_again`]). Form 0 is the first.
    #[must_use]
    pub fn at_rest<'a>(&self, content: &'a [u8], form: u32) -> AtRest<'a> {
        match self {
            Self::Manifest(_)
            | Self::Media(MediaKey::Upload(..) | MediaKey::Original(_) | MediaKey::Rendition(..)) => {
                as_it_came(content, form)
            }
            Self::Record(_)
            | Self::Revision(..)
            | Self::Front(_)
            | Self::Alias(_)
            | Self::Hold(..)
            | Self::Identity
            | Self::Media(MediaKey::File(_)) => at_rest_again(content, form),
            Self::Removed(_, key) => key.at_rest(content, form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Coding;
    use crate::hash::MediaHash;
    use crate::proof_id::ProofId;
    use crate::tenant::Tenant;
    use crate::time::Timestamp;

    #[test]
    fn json_is_compressed_and_c2pa_is_not() {
        let content = [b' '; 1_000];
        let manifest = ObjectKey::Manifest("urn:c2pa:x".parse().unwrap());
        let record = ObjectKey::Record(ProofId::derive(&Tenant::default(), &MediaHash::of(b"x")));
        let removed =
            |key: &ObjectKey| ObjectKey::Removed(Timestamp::from_milliseconds(0), Box::new(key.clone()));
        for (key, coding) in [(&manifest, None), (&record, Some(Coding::Gzip))] {
            assert_eq!(key.at_rest(&content, 0).coding, coding, "{key}");
            assert_eq!(removed(key).at_rest(&content, 0).coding, coding, "{key}");
            assert_eq!(key.at_rest(&content, 1).coding, Some(Coding::Gzip), "{key}");
        }
        assert!(record.at_rest(&content, 1).bytes.len() < content.len());
        assert!(manifest.at_rest(&content, 1).bytes.len() > content.len());
    }
}
