//! base64 (RFC 4648, section 4) of clients.

use ::base64::alphabet;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ::base64::{DecodeError, Engine as _};
use bytes::Bytes;

/// Standard base64; padding may be left out. The URL-safe alphabet is another one, and is refused.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes standard base64, with its padding or without.
///
/// # Errors
/// A character that is not of the alphabet, or a length that no encoding has.
pub(crate) fn from_base64(text: &str) -> Result<Bytes, DecodeError> {
    BASE64.decode(text).map(Bytes::from)
}
