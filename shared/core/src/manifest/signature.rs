//! The text of a detached signature over a manifest's bytes.

use crate::bounds::MAX_SIGNATURE_BYTES;

/// The error for text that is not a detached signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to {MAX_SIGNATURE_BYTES} bytes of text without control characters")]
pub struct SignatureError;

/// Checks the text of a detached signature. Its form is not checked, since nobody here verifies it.
///
/// # Errors
/// Fails if the text is empty, exceeds the bound, or has control characters other than line ends.
pub fn check_signature(text: &str) -> Result<(), SignatureError> {
    let is_printable =
        text.chars().all(|character| !character.is_control() || character == '\n' || character == '\r');
    if !text.is_empty() && text.len() <= MAX_SIGNATURE_BYTES && is_printable {
        Ok(())
    } else {
        Err(SignatureError)
    }
}
