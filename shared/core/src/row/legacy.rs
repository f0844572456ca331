//! The rows of legacy IDs, and of the proofs that a legacy source has.

use serde::{Deserialize, Serialize};

use crate::legacy::LegacyId;
use crate::proof_id::ProofId;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The row of a legacy ID, which is an alias of a proof for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRow {
    /// The legacy ID.
    pub id: LegacyId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The proof that the legacy ID leads to.
    pub proof: ProofId,
    /// The tenant that the legacy ID was imported for.
    pub tenant: Tenant,
    /// Time since which the legacy ID leads nowhere, because the migration that imported it was rolled back. The next
    /// import makes it lead to a proof again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
}

/// The row of a proof that a legacy source has: the place of its record there. It is a hint: the reader of the item
/// finds out if it is still that proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegacyItemRow {
    /// The proof that the record becomes.
    pub proof: ProofId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The key of the item within the source, of at most [`MAX_ITEM_KEY_BYTES`](crate::bounds::MAX_ITEM_KEY_BYTES).
    pub item: String,
}
