//! The IDs of files and uploads, which nobody can guess.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base32_id::base32_id;

/// The ID of a file: 160 random bits in lower-case base32; 32 characters. It names one content for ever: what replaces
/// a file has another ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "A file's id, which cannot be guessed. It names one content for ever.", pattern = "^[a-z2-7]{32}$"))]
pub struct FileId([u8; 20]);

/// The error for text that is not a file ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file id is 32 characters of a-z and 2-7")]
pub struct FileIdError;

/// The ID of an upload: 160 random bits in lower-case base32; 32 characters. The file that comes of an upload has
/// another ID, because clients write upload IDs to logs, and a file ID opens what is public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, description = "An upload's id, which cannot be guessed.", pattern = "^[a-z2-7]{32}$"))]
pub struct UploadId([u8; 20]);

/// The error for text that is not an upload ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an upload id is 32 characters of a-z and 2-7")]
pub struct UploadIdError;

impl FileId {
    /// Returns the ID with these bytes, which must come from a cryptographic source of randomness.
    #[must_use]
    pub const fn from_random(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

impl UploadId {
    /// Returns the ID with these bytes, which must come from a cryptographic source of randomness.
    #[must_use]
    pub const fn from_random(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }
}

base32_id!(FileId, FileIdError);
base32_id!(UploadId, UploadIdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling() {
        let (file, upload) = (FileId::from_random([7; 20]), UploadId::from_random([7; 20]));
        assert_eq!(file.to_string(), "a4dqobyha4dqobyha4dqobyha4dqobyh");
        assert_eq!(file.to_string().parse(), Ok(file));
        assert_eq!(upload.to_string().parse(), Ok(upload));
        for bad in ["", "a4dq", "A4DQOBYHA4DQOBYHA4DQOBYHA4DQOBYH", "a4dqobyha4dqobyha4dqobyha4dqoby1"] {
            assert_eq!(bad.parse::<FileId>(), Err(FileIdError), "{bad}");
            assert_eq!(bad.parse::<UploadId>(), Err(UploadIdError), "{bad}");
        }
    }
}
