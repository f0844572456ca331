//! SHA-256 digests, and the media hash that names a media file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// The length of a digest as text, in hexadecimal digits.
const DIGITS: usize = 64;

/// A SHA-256 digest (FIPS 180-4), written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "A SHA-256 digest. Answers have it in lower case.", pattern = "^[0-9A-Fa-f]{64}$"))]
pub struct Digest([u8; 32]);

/// A reason why text is not a digest or a media hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The text does not have 64 hexadecimal digits.
    #[error("a SHA-256 digest is 64 hexadecimal digits; this has {0} characters")]
    Length(usize),
    /// A character is not a hexadecimal digit.
    #[error("a SHA-256 digest is 64 hexadecimal digits; character {0} is not one")]
    Digit(usize),
    /// The media hash is of another algorithm.
    #[error("a media hash is written `sha256:` and 64 hexadecimal digits; no other algorithm is allowed")]
    Algorithm,
}

impl Digest {
    /// Returns the digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns a digest that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A digest of bytes that come piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Hashing(Sha256);

impl Hashing {
    /// Adds the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes so far.
    #[must_use]
    pub fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; DIGITS];
        f.write_str(base16ct::lower::encode_str(&self.0, &mut digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.len() != DIGITS {
            return Err(HashError::Length(text.chars().count()));
        }
        let mut bytes = [0; 32];
        base16ct::mixed::decode(text, &mut bytes).map_err(|_| {
            let other = text.bytes().position(|byte| !byte.is_ascii_hexdigit());
            HashError::Digit(other.unwrap_or_default() + 1)
        })?;
        Ok(Self(bytes))
    }
}

/// The SHA-256 of a media file's bytes, written `sha256:<64 hex>`, by which its proof is found.
///
/// Bare hexadecimal is accepted when it is read, because people paste the output of `sha256sum`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "The SHA-256 of a media file's bytes. Answers write it with `sha256:` and in lower case.", pattern = "^(sha256:)?[0-9A-Fa-f]{64}$"))]
pub struct MediaHash(Digest);

impl MediaHash {
    /// Returns the media hash of a file with this content.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Digest::of(bytes))
    }

    /// Returns the digest itself.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.0
    }
}

impl From<Digest> for MediaHash {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for MediaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for MediaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MediaHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        match text.split_once(':') {
            Some(("sha256", hex)) => hex.parse().map(Self),
            Some(_) => Err(HashError::Algorithm),
            None => text.parse().map(Self),
        }
    }
}

/// Implements serialisation of a type by its `Display`, and deserialisation by its `FromStr`.
macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;

serde_as_text!(Digest, MediaHash);

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn media_hash_reads_both_spellings_and_writes_one() {
        let hash = MediaHash::of(b"");
        assert_eq!(hash.to_string(), format!("sha256:{EMPTY}"));
        assert_eq!(EMPTY.parse(), Ok(hash));
        assert_eq!(format!("sha256:{}", EMPTY.to_uppercase()).parse(), Ok(hash));
    }

    #[test]
    fn media_hash_says_what_is_wrong() {
        assert_eq!("sha256:abc".parse::<MediaHash>(), Err(HashError::Length(3)));
        assert_eq!(format!("sha1:{EMPTY}").parse::<MediaHash>(), Err(HashError::Algorithm));
        assert_eq!(EMPTY.replacen('c', "g", 1).parse::<MediaHash>(), Err(HashError::Digit(5)));
        assert_eq!("ä".repeat(32).parse::<MediaHash>(), Err(HashError::Digit(1)));
    }
}
