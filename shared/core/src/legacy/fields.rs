//! Members of a legacy record that are not CredLink's, as they stood.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bounds::MAX_LEGACY_FIELDS_BYTES;

/// A JSON object whose text is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Box<RawValue>);

/// Why a text is not kept as [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// Longer than the bound.
    #[error(
        "members that are not CredLink's may have {MAX_LEGACY_FIELDS_BYTES} bytes together; these have more"
    )]
    TooLong,
    /// Not a JSON object.
    #[error("it has to be a JSON object")]
    NotAnObject,
}

impl Fields {
    /// Keeps a JSON object's text.
    ///
    /// # Errors
    /// It is too long, or no JSON object.
    pub fn new(text: String) -> Result<Self, FieldsError> {
        if text.len() > MAX_LEGACY_FIELDS_BYTES {
            return Err(FieldsError::TooLong);
        }
        let value = RawValue::from_string(text).map_err(|_| FieldsError::NotAnObject)?;
        if value.get().starts_with('{') { Ok(Self(value)) } else { Err(FieldsError::NotAnObject) }
    }

    /// The text.
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
