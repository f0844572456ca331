//! Legacy records: what the service kept that CredLink takes over from.
//!
//! A record is a JSON object `{proofId, imageHash, manifest, signature, timestamp, expiresAt?, metadata?}`. The manifest is
//! taken as it stands, because a signature may cover it (guarantee 4): a JSON object to the byte, or, where it is a text,
//! the JSON that the text holds or the C2PA manifest store that it is the base64 of. Whatever else is in the record is
//! kept beside it as it stands.
//!
//! | to find | look in |
//! |---|---|
//! | the id that a proof had, its other name for ever | [`LegacyId`] |
//! | what is kept of members that are not CredLink's | [`Fields`] |
//! | reading a record | [`LegacyRecord`] |

mod fields;
mod id;
mod members;
mod record;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use fields::{Fields, FieldsError};
pub use id::{LegacyId, LegacyIdError};
pub use record::{LegacyError, LegacyRecord};

/// What a record keeps of the legacy record that it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Legacy {
    /// The id that the proof had.
    pub id: LegacyId,
    /// The members that have no place of their own in a record, as they stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub fields: Option<Fields>,
}
