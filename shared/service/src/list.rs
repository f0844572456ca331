//! Listings of a tenant's proofs, and of the manifests that it stored for themselves, page by page, from the index
//! alone.

use credlink_core::access::Visibility;
use credlink_core::hash::{Digest, MediaHash};
use credlink_core::http::problem::Problem;
use credlink_core::manifest::ManifestType;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::store_id::StoreId;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde::Serialize;

use credlink_ports::{Index as _, Listing, Ports};

use crate::error::Error;
use crate::reconcile::{Reconciled, settle};
use crate::service::Service;

/// Rows of one page that are brought up to date with their records concurrently.
const SETTLED_AT_ONCE: usize = 16;

/// A proof as listings and stores show it: its record without the content of the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// The proof ID.
    pub id: ProofId,
    /// The hash of the media file.
    pub media_hash: MediaHash,
    /// The manifest.
    pub manifest: ManifestSummary,
    /// The current revision.
    pub revision: u32,
    /// The time at which the proof was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// The time at which the proof expires.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// The readers of the proof.
    pub visibility: Visibility,
}

/// A manifest without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ManifestSummary {
    /// The type of the manifest.
    #[serde(rename = "type")]
    pub kind: ManifestType,
    /// The SHA-256 digest of the manifest.
    pub sha256: Digest,
    /// The length of the manifest in bytes.
    pub length: u64,
    /// The manifest ID of a C2PA manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ManifestId>,
}

/// A proof in a listing: its summary, and how often it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ListedProof {
    /// The proof.
    #[serde(flatten)]
    pub summary: Summary,
    /// Reads counted so far; the count is some seconds behind.
    pub reads: u64,
    /// The time of the last counted read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_read: Option<Timestamp>,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ProofPage {
    /// The proofs, oldest first.
    pub proofs: Vec<ListedProof>,
    /// The tenant that owns the proofs: the tenant of the credential.
    pub tenant: Tenant,
    /// The store that holds the proofs, on the first page. Two addresses with the same store are the same CredLink.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub store: Option<StoreId>,
    /// The cursor to pass as `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A C2PA manifest that was stored for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ListedManifest {
    /// The manifest ID.
    pub id: ManifestId,
    /// The tenant that stored the manifest.
    #[schema(value_type = String)]
    pub tenant: Tenant,
    /// The SHA-256 digest of the manifest.
    pub sha256: Digest,
    /// The length of the manifest in bytes.
    pub length: u64,
    /// The readers of the manifest.
    pub visibility: Visibility,
}

/// A page of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ManifestPage {
    /// The manifests, in the byte order of their IDs.
    pub manifests: Vec<ListedManifest>,
    /// The cursor to pass as `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<&ProofRow> for Summary {
    fn from(row: &ProofRow) -> Self {
        Self {
            id: row.id,
            media_hash: row.media_hash,
            manifest: ManifestSummary {
                kind: row.manifest_type,
                sha256: row.manifest_sha256,
                length: row.manifest_length,
                id: row.manifest_id.clone(),
            },
            revision: row.revision,
            created: row.created,
            expires: row.expires,
            visibility: row.visibility,
        }
    }
}

/// Returns a page of `tenant`'s live proofs, oldest first. The page may have fewer than `limit` proofs even if another
/// page follows.
///
/// # Errors
/// An invalid cursor (400), or a failure of the index.
pub async fn list<P: Ports>(
    service: &Service<P>,
    tenant: Tenant,
    after: Option<&str>,
    limit: usize,
) -> Result<ProofPage, Error> {
    let store = match after {
        None => service.store_row().await?.map(|row| row.identity),
        Some(_) => None,
    };
    let page = service.ports.index().list(&Listing::Tenant(tenant.clone()), after, limit).await?;
    let page = page.ok_or_else(|| Problem::field("after", "it has to be the `next` of an earlier page"))?;
    let now = service.now();
    let mut rows = Vec::with_capacity(page.items.len());
    let mut listed = iter(page.items.into_iter().filter_map(Row::proof))
        // If the row says that a replacement is under way, the record may be ahead of it.
        .map(|row| async { if row.replacing.is_some() { settled(service, row).await } else { Some(row) } })
        .buffered(SETTLED_AT_ONCE);
    while let Some(row) = listed.next().await {
        rows.extend(row);
    }
    drop(listed);
    // Expired proofs are kept for some days, but not shown.
    let rows = rows.into_iter().filter(|row| !row.has_expired(now));
    let proofs = rows
        .map(|row| ListedProof {
            summary: Summary::from(&row),
            reads: row.reads.count,
            last_read: row.reads.last,
        })
        .collect();
    Ok(ProofPage { proofs, tenant, store, next: page.next })
}

/// Returns the row of a live proof after finishing a request that was cut off. If that fails, returns the row as it is,
/// so that a single proof cannot break the listing.
async fn settled<P: Ports>(service: &Service<P>, row: ProofRow) -> Option<ProofRow> {
    let settled = async {
        match settle(service, &row).await? {
            // Another process may have updated the row.
            Reconciled::Changed | Reconciled::Right => Ok(service.proof_row(&row.id).await?),
            Reconciled::Orphan | Reconciled::Risen | Reconciled::Broken(_) => {
                Ok::<_, Error>(Some(row.clone()))
            }
        }
    };
    match settled.await {
        Ok(now) => now.filter(|row| row.state == State::Live),
        Err(error) => {
            tracing::warn!(proof = %row.id, error = error.to_string(), "a proof is listed as its row has it");
            Some(row)
        }
    }
}

/// Returns a page of the C2PA manifests that `tenant` stored for themselves.
///
/// # Errors
/// An invalid cursor (400), or a failure of the index.
pub async fn list_manifests<P: Ports>(
    service: &Service<P>,
    tenant: Tenant,
    after: Option<&str>,
    limit: usize,
) -> Result<ManifestPage, Error> {
    let page = service.ports.index().list(&Listing::Manifests(tenant), after, limit).await?;
    let page = page.ok_or_else(|| Problem::field("after", "it has to be the `next` of an earlier page"))?;
    let manifests = page.items.into_iter().filter_map(Row::manifest);
    let manifests = manifests.map(|row| ListedManifest {
        id: row.id,
        tenant: row.tenant,
        sha256: row.sha256,
        length: row.length,
        visibility: row.visibility,
    });
    Ok(ManifestPage { manifests: manifests.collect(), next: page.next })
}
