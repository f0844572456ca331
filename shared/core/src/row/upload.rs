//! The row of an upload.

use serde::{Deserialize, Serialize};

use super::{FileTotals, UploadTotals, as_text};
use crate::file::{
    Access, CollectionName, EntityRef, FileId, FileType, FocalPoint, OwnerId, Rejection, UploadId,
};
use crate::hash::MediaHash;
use crate::object::MediaKey;
use crate::tenant::Tenant;
use crate::time::Timestamp;

/// The state of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum UploadState {
    /// Announced; no byte is known to have arrived.
    Pending,
    /// A multipart upload was begun at the provider.
    Uploading,
    /// All bytes are in quarantine.
    Received,
    /// The bytes wait for a scanner's verdict.
    Scanning,
    /// A finaliser has the bytes.
    Processing,
    /// The file is published.
    Ready {
        /// The file.
        file: FileId,
    },
    /// There will be no file, for this reason.
    Rejected {
        /// The reason.
        reason: Rejection,
    },
    /// The bytes did not arrive in time.
    Expired,
}

impl UploadState {
    /// Returns `true` if the state never changes again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Rejected { .. } | Self::Expired)
    }

    /// Returns `true` if the upload has ended and its bytes can be removed. Those of an upload that was rejected as `failed` are
    /// kept until the row is due for the last time, because nothing is known to be wrong with them.
    #[must_use]
    pub const fn needs_no_bytes(&self) -> bool {
        self.is_final() && !matches!(self, Self::Rejected { reason: Rejection::Failed })
    }

    /// Returns the name of the state.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Uploading => "uploading",
            Self::Received => "received",
            Self::Scanning => "scanning",
            Self::Processing => "processing",
            Self::Ready { .. } => "ready",
            Self::Rejected { .. } => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// The row of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRow {
    /// The upload's ID.
    pub id: UploadId,
    /// 1 for the first row, and one more with every commit.
    pub version: u64,
    /// The upload's state.
    #[serde(flatten)]
    pub state: UploadState,
    /// The tenant that the file will belong to.
    pub tenant: Tenant,
    /// The owner that the file will have, or `None` for the tenant itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerId>,
    /// The collection.
    pub collection: CollectionName,
    /// The entity into whose list the file will be put.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub entity: Option<EntityRef>,
    /// The place in that list, from 0; at the end by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The readers that the file will have.
    pub access: Access,
    /// Number of bytes that were announced, and are reserved in the quotas.
    pub size: u64,
    /// The type that was announced.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// The SHA-256 that was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_hash: Option<MediaHash>,
    /// The name that the file had at the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The focal point.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_text::optional")]
    pub focal: Option<FocalPoint>,
    /// The provider's ID of a multipart upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multipart: Option<String>,
    /// Number of times that a finaliser began to process the bytes and has not said what became of it.
    #[serde(default)]
    pub attempts: u32,
    /// Number of times in a row that a finaliser said that something failed, which was not for the bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Time at which the upload was announced.
    pub created: Timestamp,
    /// Time until which the bytes may arrive.
    pub expires: Timestamp,
    /// Time at which the sweeper must look at the upload, or `None` if it never must again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl UploadRow {
    /// Returns the key of the bytes in quarantine.
    #[must_use]
    pub fn key(&self) -> MediaKey {
        MediaKey::Upload(self.tenant.clone(), self.id)
    }

    /// Returns the amounts that the upload adds to the totals. The row of an upload that has ended goes on to count.
    #[must_use]
    pub fn totals(&self) -> FileTotals {
        let uploads = match self.state {
            UploadState::Ready { .. } => UploadTotals { ready: 1, ..UploadTotals::default() },
            UploadState::Rejected { reason } => {
                UploadTotals { rejected: [(reason, 1)].into(), ..UploadTotals::default() }
            }
            UploadState::Expired => UploadTotals { expired: 1, ..UploadTotals::default() },
            UploadState::Pending
            | UploadState::Uploading
            | UploadState::Received
            | UploadState::Scanning
            | UploadState::Processing => {
                UploadTotals { open: 1, open_bytes: self.size, ..UploadTotals::default() }
            }
        };
        FileTotals { uploads, ..FileTotals::default() }
    }

    /// Returns the row in another state, due then, with the next version.
    #[must_use]
    pub fn in_state(&self, state: UploadState, due: Timestamp) -> Self {
        Self { state, due: Some(due), version: self.version + 1, ..self.clone() }
    }

    /// Returns the row of an upload that has ended and is never looked at again, with the next version.
    #[must_use]
    pub fn closed(&self) -> Self {
        Self { due: None, version: self.version + 1, ..self.clone() }
    }

    /// Returns `true` if the sweeper must look at the upload at `now`.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn upload(state: UploadState) -> UploadRow {
        let now = Timestamp::from_milliseconds(1_798_761_600_000);
        UploadRow {
            id: UploadId::from_random([3; 20]),
            version: 2,
            state,
            tenant: Tenant::default(),
            owner: Some("auth0|7".parse().unwrap()),
            collection: "item-photo".parse().unwrap(),
            entity: Some("item/4711".parse().unwrap()),
            position: Some(0),
            access: Access::Public,
            size: 20_000_000,
            kind: FileType::Jpeg,
            media_hash: Some(MediaHash::of(b"x")),
            filename: Some("IMG 1.jpg".to_owned()),
            focal: Some(FocalPoint::CENTRE),
            multipart: None,
            attempts: 0,
            failures: 0,
            created: now,
            expires: now.plus_seconds(86_400),
            due: Some(now.plus_seconds(86_400)),
        }
    }
}
