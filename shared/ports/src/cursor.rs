//! Cursors of listings of rows: opaque to callers, safe in a URL.

use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::Row;
use credlink_core::tenant::Tenant;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::Listing;

/// The length of the longest cursor that is read, in bytes. It has room for the longest row key (230 bytes) or tenant
/// (60), in JSON and base64.
const MAX_CURSOR_BYTES: usize = 1_024;

/// The position of the last row of a page. A cursor names its listing, so that one tenant's cursor reveals nothing
/// about another tenant's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// A position in a tenant's listing of proofs: the instant since which the proof is live, in milliseconds, and its
    /// ID.
    #[serde(rename = "t")]
    Tenant(Tenant, u64, ProofId),
    /// A position in a tenant's listing of legacy IDs: the ID.
    #[serde(rename = "l")]
    Aliases(Tenant, LegacyId),
    /// A position in a tenant's listing of manifests that were stored for themselves: the manifest ID.
    #[serde(rename = "m")]
    Manifests(Tenant, ManifestId),
    /// A position in the listing of due rows: the instant in milliseconds, and the row's key.
    #[serde(rename = "d")]
    Due(u64, String),
    /// A position in the listing of all rows: the row's key.
    #[serde(rename = "a")]
    All(String),
}

impl Cursor {
    /// Returns the position of a row in its tenant's listing of legacy IDs or of manifests, or `None` if it is in
    /// neither.
    pub fn alone(row: &Row) -> Option<Self> {
        let tenant = row.stands_alone_for()?.clone();
        match row {
            Row::Alias(row) => Some(Self::Aliases(tenant, row.id.clone())),
            Row::Manifest(row) => Some(Self::Manifests(tenant, row.id.clone())),
            Row::Proof(_) | Row::LegacyItem(_) | Row::Replica(_) | Row::Store(_) => None,
        }
    }

    /// Returns the cursor as text: its JSON in base64url.
    pub fn text(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Reads a cursor of `listing`, or returns `None` if `text` is not one.
    pub fn read(text: &str, listing: &Listing) -> Option<Self> {
        if text.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let cursor = serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let fits = match (&cursor, listing) {
            (Self::Tenant(tenant, ..), Listing::Tenant(asked))
            | (Self::Aliases(tenant, _), Listing::Aliases(asked))
            | (Self::Manifests(tenant, _), Listing::Manifests(asked)) => tenant == asked,
            (Self::Due(..), Listing::Due(_)) | (Self::All(_), Listing::All) => true,
            _ => false,
        };
        fits.then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use credlink_core::hash::MediaHash;
    use credlink_core::time::Timestamp;

    use super::*;

    #[test]
    fn a_cursor_is_read_by_its_own_listing_alone() {
        let tenant = Tenant::default();
        let id = ProofId::derive(&tenant, &MediaHash::of(b"x"));
        let listings = [
            Listing::Tenant(tenant.clone()),
            Listing::Aliases(tenant.clone()),
            Listing::Manifests(tenant.clone()),
            Listing::Due(Timestamp::from_milliseconds(9)),
            Listing::All,
        ];
        let longest = format!("MANIFEST#{}", "x".repeat(255));
        let cursors = [
            Cursor::Tenant(tenant.clone(), 7, id),
            Cursor::Aliases(tenant.clone(), "p-1".parse().unwrap()),
            Cursor::Manifests(tenant, "urn:c2pa:x".parse().unwrap()),
            Cursor::Due(7, longest.clone()),
            Cursor::All(longest),
        ];
        for (mine, cursor) in cursors.iter().enumerate() {
            let text = cursor.text();
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            for (other, listing) in listings.iter().enumerate() {
                let expected = (mine == other).then(|| cursor.clone());
                assert_eq!(Cursor::read(&text, listing), expected);
            }
            assert_eq!(Cursor::read(&text, &Listing::Tenant("other".parse().unwrap())), None);
        }
        for foreign in ["", "x", "e30", "%%%", &"A".repeat(5_000)] {
            assert_eq!(Cursor::read(foreign, &Listing::All), None);
        }
    }
}
