//! Legacy records: what the service before CredLink stored for a proof.
//!
//! A record is a JSON object `{proofId, imageHash, manifest, signature, timestamp, expiresAt?, metadata?}`. The
//! manifest is kept byte for byte, because a signature may cover it (guarantee 4): a JSON object as it is written, or,
//! if the member is a string, the JSON in that string or the C2PA manifest store that it encodes in base64. All other
//! members are kept with it unchanged.
//!
//! | to find | look in |
//! |---|---|
//! | the ID that a proof had, which stays an alias for ever | [`LegacyId`] |
//! | members that have no counterpart in CredLink | [`Fields`] |
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

/// The parts of a legacy record that are kept in the record that it became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Legacy {
    /// The legacy ID of the proof.
    pub id: LegacyId,
    /// The members that have no counterpart in a record, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub fields: Option<Fields>,
}
