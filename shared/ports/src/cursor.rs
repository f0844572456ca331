//! Cursors of listings of rows: opaque to callers, safe in a URL.

use credlink_core::audit::AuditEntry;
use credlink_core::file::FileId;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::Row;
use credlink_core::tenant::Tenant;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::limits::milliseconds;
use crate::{FilesOf, Listing};

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
    /// A position in a listing of files: the instant at which the file became ready, in milliseconds, and its ID.
    #[serde(rename = "f")]
    Files(Tenant, FilesOf, u64, FileId),
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
            Row::Proof(_)
            | Row::LegacyItem(_)
            | Row::Replica(_)
            | Row::Store(_)
            | Row::File(_)
            | Row::Blob(_)
            | Row::List(_)
            | Row::Upload(_)
            | Row::Quota(_) => None,
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
            (Self::Files(tenant, of, ..), Listing::Files(asked, asked_of)) => {
                tenant == asked && of == asked_of
            }
            (Self::Due(..), Listing::Due(_)) | (Self::All(_), Listing::All) => true,
            _ => false,
        };
        fits.then_some(cursor)
    }
}

/// Returns the position of an entry in the log of its file: its instant in milliseconds (15 digits), and its number (16
/// hexadecimal digits). The order of these texts is that of time.
#[must_use]
pub fn access_position(entry: &AuditEntry) -> String {
    format!("{:015}-{:016x}", milliseconds(entry.at), entry.number)
}

/// Reads what [`access_position`] returned: the instant and the number. Returns `None` for any other text.
#[must_use]
pub fn read_access_position(text: &str) -> Option<(u64, u64)> {
    let (at, number) = text.split_once('-').filter(|_| text.is_ascii() && text.len() == 32)?;
    let is_number = at.len() == 15 && at.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal = number.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (is_number && is_hexadecimal).then_some(())?;
    Some((at.parse().ok()?, u64::from_str_radix(number, 16).ok()?))
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
            Listing::Files(tenant.clone(), FilesOf::Tenant),
            Listing::Files(tenant.clone(), FilesOf::Owner("a#b".parse().unwrap())),
            Listing::Files(tenant.clone(), FilesOf::Owner("a".parse().unwrap())),
            Listing::Files(tenant.clone(), FilesOf::Collection("a".parse().unwrap())),
            Listing::Due(Timestamp::from_milliseconds(9)),
            Listing::All,
        ];
        let file = FileId::from_random([7; 20]);
        // The longest owner, with the characters that take most room in JSON.
        let longest_owner = FilesOf::Owner("\"".repeat(255).parse().unwrap());
        let longest_cursor =
            Cursor::Files("t".repeat(60).parse().unwrap(), longest_owner.clone(), u64::MAX, file);
        let asked = Listing::Files("t".repeat(60).parse().unwrap(), longest_owner);
        assert_eq!(Cursor::read(&longest_cursor.text(), &asked), Some(longest_cursor));
        let longest = format!("MANIFEST#{}", "x".repeat(255));
        let cursors = [
            Cursor::Tenant(tenant.clone(), 7, id),
            Cursor::Aliases(tenant.clone(), "p-1".parse().unwrap()),
            Cursor::Manifests(tenant.clone(), "urn:c2pa:x".parse().unwrap()),
            Cursor::Files(tenant.clone(), FilesOf::Tenant, 7, file),
            Cursor::Files(tenant.clone(), FilesOf::Owner("a#b".parse().unwrap()), 7, file),
            Cursor::Files(tenant.clone(), FilesOf::Owner("a".parse().unwrap()), 7, file),
            Cursor::Files(tenant, FilesOf::Collection("a".parse().unwrap()), 7, file),
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
        assert_eq!(read_access_position("000000000000007-00000000000000ff"), Some((7, 255)));
        for bad in [
            "",
            "7-ff",
            "000000000000007-00000000000000FF",
            "+00000000000007-00000000000000ff",
            "00000000000000é-0000000000000ff",
        ] {
            assert_eq!(read_access_position(bad), None, "{bad}");
        }
        for foreign in ["", "x", "e30", "%%%", &"A".repeat(5_000)] {
            assert_eq!(Cursor::read(foreign, &Listing::All), None);
        }
    }
}
