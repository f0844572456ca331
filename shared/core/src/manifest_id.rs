//! Manifest IDs: the labels of C2PA manifests, as they occur in the wild.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::bounds::MAX_MANIFEST_ID_BYTES;
use crate::hash::serde_as_text;

/// The label of the active manifest of a C2PA store: `urn:c2pa:<uuid>[:generator[:version_reason]]` (C2PA 2.x, section
/// 8.1), or one of the older spellings such as `contentauth:urn:uuid:<uuid>`.
///
/// A generator's name may have any visible characters, including non-ASCII ones. `/` and `%`, which have another
/// meaning in paths and keys, are not allowed in an ID, and neither are white space and control characters.
///
/// UUIDs compare without case (RFC 9562, section 4), so every UUID in the ID is kept in lower case. The rest of the ID
/// is kept unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The id of a C2PA manifest: the label of the active manifest of its store, such as `urn:c2pa:` and a UUID.", max_length = 160, pattern = r"^[A-Za-z0-9][^/%\s\u0000-\u001f\u007f-\u009f]*:[^/%\s\u0000-\u001f\u007f-\u009f]*$"))]
pub struct ManifestId(String);

/// A reason why text is not a manifest ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ManifestIdError {
    /// The ID is empty, or longer than the bound.
    #[error(
        "a manifest id has 1 to {MAX_MANIFEST_ID_BYTES} characters, of which those that are not letters, digits, \
         `:`, `.`, `_`, `-` and `~` of ASCII count three for each byte; this has {0}"
    )]
    Length(usize),
    /// The ID has a character that is not allowed.
    #[error(
        "a manifest id starts with a letter or a digit of ASCII, and has no `/`, no `%`, no white space and no control \
         character; character {0} is not allowed there"
    )]
    Character(usize),
    /// The ID has no colon, so it is neither a URN nor a label with a prefix.
    #[error("a manifest id is a URN such as urn:c2pa:<uuid>; this has no colon")]
    NoColon,
}

impl ManifestId {
    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ManifestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ManifestId {
    type Err = ManifestIdError;

    fn from_str(text: &str) -> Result<Self, ManifestIdError> {
        let length = escaped_length(text);
        if text.is_empty() || length > MAX_MANIFEST_ID_BYTES {
            return Err(ManifestIdError::Length(length));
        }
        let refused = text.char_indices().position(|(at, character)| match at {
            0 => !character.is_ascii_alphanumeric(),
            _ => matches!(character, '/' | '%') || character.is_whitespace() || character.is_control(),
        });
        if let Some(position) = refused {
            return Err(ManifestIdError::Character(position + 1));
        }
        if !text.contains(':') {
            return Err(ManifestIdError::NoColon);
        }
        let segments: Vec<String> = text
            .split(':')
            .map(|segment| if is_uuid(segment) { segment.to_ascii_lowercase() } else { segment.to_owned() })
            .collect();
        Ok(Self(segments.join(":")))
    }
}

/// Returns the number of bytes that `text` takes in the name of a file. Every byte that is not safe there is escaped as
/// three, except for the colon, of which an ID has many.
fn escaped_length(text: &str) -> usize {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'_' | b'-' | b'~');
    text.bytes().map(|byte| if safe(byte) { 1 } else { 3 }).sum()
}

/// Returns `true` if `segment` has the text form of a UUID (RFC 9562, section 4).
fn is_uuid(segment: &str) -> bool {
    segment.len() == 36
        && segment.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

serde_as_text!(ManifestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_wild_is_an_id() {
        let uuid = "F9168C5E-CEB2-4FAA-B6BF-329BF39FA1E4";
        for (id, canonical) in [
            (format!("urn:c2pa:{uuid}"), format!("urn:c2pa:{}", uuid.to_lowercase())),
            (format!("urn:c2pa:{uuid}:ACME:1_2"), format!("urn:c2pa:{}:ACME:1_2", uuid.to_lowercase())),
            (format!("contentauth:urn:uuid:{uuid}"), format!("contentauth:urn:uuid:{}", uuid.to_lowercase())),
            (format!("com.truepic:urn:uuid:{uuid}"), format!("com.truepic:urn:uuid:{}", uuid.to_lowercase())),
            ("adobetest:1".to_owned(), "adobetest:1".to_owned()),
            (format!("urn:c2pa:{uuid}:acme+corp"), format!("urn:c2pa:{}:acme+corp", uuid.to_lowercase())),
            ("urn:c2pa:x:acme@work(2)".to_owned(), "urn:c2pa:x:acme@work(2)".to_owned()),
            ("urn:c2pa:x:acme,inc.".to_owned(), "urn:c2pa:x:acme,inc.".to_owned()),
            ("urn:c2pa:x:größe?#[]\\\"<>|*~".to_owned(), "urn:c2pa:x:größe?#[]\\\"<>|*~".to_owned()),
        ] {
            assert_eq!(id.parse::<ManifestId>().map(|id| id.to_string()), Ok(canonical));
        }
    }

    #[test]
    fn no_id_can_leave_its_directory() {
        assert_eq!("".parse::<ManifestId>(), Err(ManifestIdError::Length(0)));
        assert_eq!("a:".repeat(128).parse::<ManifestId>(), Err(ManifestIdError::Length(256)));
        assert!(format!("a:{}", "+".repeat(52)).parse::<ManifestId>().is_ok());
        assert_eq!(format!("a:{}", "+".repeat(53)).parse::<ManifestId>(), Err(ManifestIdError::Length(161)));
        assert_eq!(format!("a:{}", "ü".repeat(27)).parse::<ManifestId>(), Err(ManifestIdError::Length(164)));
        assert_eq!("..:a".parse::<ManifestId>(), Err(ManifestIdError::Character(1)));
        assert_eq!("a:b/c".parse::<ManifestId>(), Err(ManifestIdError::Character(4)));
        assert_eq!("a:%2e".parse::<ManifestId>(), Err(ManifestIdError::Character(3)));
        for odd in ["urn:\0", "urn:\n", "urn:\u{85}", "urn: ", "urn:\u{a0}", "urn:\u{2028}", "urn:\u{7f}"] {
            assert_eq!(odd.parse::<ManifestId>(), Err(ManifestIdError::Character(5)), "{odd:?}");
        }
        assert_eq!("ä:x".parse::<ManifestId>(), Err(ManifestIdError::Character(1)));
        assert_eq!("abc".parse::<ManifestId>(), Err(ManifestIdError::NoColon));
    }
}
