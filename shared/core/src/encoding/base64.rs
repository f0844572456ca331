//! base64 (RFC 4648, section 4), as clients send it.

use ::base64::alphabet;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ::base64::{DecodeError, Engine as _};
use bytes::Bytes;

/// Standard base64 with optional padding. The URL-safe alphabet is refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes standard base64, with or without padding.
///
/// # Errors
/// Fails if a character is not in the alphabet, or the length is impossible.
pub(crate) fn from_base64(text: &str) -> Result<Bytes, DecodeError> {
    BASE64.decode(text).map(Bytes::from)
}
