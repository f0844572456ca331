//! Drafts from legacy records.

use std::collections::BTreeMap;

use super::draft::{Draft, Origin};
use crate::access::Visibility;
use crate::legacy::{Legacy, LegacyRecord};
use crate::tenant::Tenant;
use crate::time::Timestamp;

impl LegacyRecord {
    /// Returns the draft of the legacy record's proof, for `tenant`. The same legacy record always makes the same
    /// record.
    ///
    /// If the legacy record does not expire, neither does the proof: it gets the latest instant that can be written.
    #[must_use]
    pub fn draft(self, tenant: Tenant) -> Draft {
        Draft {
            tenant,
            media_hash: self.media_hash,
            media_type: None,
            manifest: self.manifest,
            signature: self.signature,
            lifetime: 0,
            tags: BTreeMap::new(),
            visibility: Visibility::Public,
            origin: Some(Origin {
                created: self.created,
                expires: self.expires.unwrap_or(Timestamp::from_milliseconds(i64::MAX)),
                legacy: Some(Legacy { id: self.id, fields: self.fields }),
                restores: None,
                manifest_visibility: None,
            }),
        }
    }
}
