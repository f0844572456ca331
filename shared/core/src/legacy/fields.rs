//! Members of a legacy record that have no counterpart in CredLink, unchanged.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bounds::MAX_LEGACY_FIELDS_BYTES;

/// A JSON object that is kept as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Box<RawValue>);

/// A reason why a text cannot be kept as [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// The text is longer than the bound.
    #[error(
        "members that are not CredLink's may have {MAX_LEGACY_FIELDS_BYTES} bytes together; these have more"
    )]
    TooLong,
    /// The text is not a JSON object.
    #[error("it has to be a JSON object")]
    NotAnObject,
}

impl Fields {
    /// Takes the text of a JSON object.
    ///
    /// # Errors
    /// Fails if the text is too long, or is not a JSON object.
    pub fn new(text: String) -> Result<Self, FieldsError> {
        if text.len() > MAX_LEGACY_FIELDS_BYTES {
            return Err(FieldsError::TooLong);
        }
        let value = RawValue::from_string(text).map_err(|_| FieldsError::NotAnObject)?;
        if value.get().starts_with('{') { Ok(Self(value)) } else { Err(FieldsError::NotAnObject) }
    }

    /// Returns the text.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Fields {}
