//! The rows of legacy ids, and of what a legacy source has.

use serde::{Deserialize, Serialize};

use crate::legacy::LegacyId;
use crate::proof_id::ProofId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a legacy id: another name of a proof, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRow {
    /// The legacy id.
    pub id: LegacyId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The proof that it names.
    pub proof: ProofId,
    /// The tenant that it was taken over for.
    pub tenant: Tenant,
    /// Time since which it names nothing any more: the migration that made it was rolled back. Whoever takes it over
    /// makes it name a proof again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
}

/// The row of a proof that a legacy source has: where its record is there. A hint: whoever reads the item finds out whether it
/// is still that proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyItemRow {
    /// The proof that the record becomes.
    pub proof: ProofId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The key of the item within the source, of at most [`MAX_ITEM_KEY_BYTES`](crate::bounds::MAX_ITEM_KEY_BYTES).
    pub item: String,
}
