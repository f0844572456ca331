//! A tenant's proofs, and the manifests that it stored for themselves, page by page, from the index alone.

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

/// Rows of one page that are let follow their records at a time.
const SETTLED_AT_ONCE: usize = 16;

/// A proof as listings and stores show it: all of its record but the manifest's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Summary {
    /// The proof.
    pub id: ProofId,
    /// The media file.
    pub media_hash: MediaHash,
    /// The manifest.
    pub manifest: ManifestSummary,
    /// The current revision.
    pub revision: u32,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When the proof expires.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// Who may read it.
    pub visibility: Visibility,
}

/// A manifest without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ManifestSummary {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ManifestType,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// Of a C2PA manifest: its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ManifestId>,
}

/// A proof of a listing: its summary, and how often it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ListedProof {
    /// The proof.
    #[serde(flatten)]
    pub summary: Summary,
    /// Reads that were counted so far; some seconds behind.
    pub reads: u64,
    /// The last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_read: Option<Timestamp>,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ProofPage {
    /// The proofs, oldest first.
    pub proofs: Vec<ListedProof>,
    /// The tenant whose proofs they are: the credential's.
    pub tenant: Tenant,
    /// The store that they are in, on the first page: two addresses with one store are one CredLink.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub store: Option<StoreId>,
    /// Pass this as `after` for the next page; there is none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A C2PA manifest that was stored for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ListedManifest {
    /// Its id.
    pub id: ManifestId,
    /// The tenant that stored it.
    #[schema(value_type = String)]
    pub tenant: Tenant,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub length: u64,
    /// Its readers.
    pub visibility: Visibility,
}

/// A page of manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ManifestPage {
    /// The manifests, in the order of their ids' bytes.
    pub manifests: Vec<ListedManifest>,
    /// Pass this as `after` for the next page; there is none on the last one.
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

/// A page of `tenant`'s live proofs, oldest first. It may have fewer than `limit`, and another page behind it.
///
/// # Errors
/// A cursor that is none (400), or a failure of the index.
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
        // The record may be ahead of a row that says that a replacement is under way.
        .map(|row| async { if row.replacing.is_some() { settled(service, row).await } else { Some(row) } })
        .buffered(SETTLED_AT_ONCE);
    while let Some(row) = listed.next().await {
        rows.extend(row);
    }
    drop(listed);
    // What has expired is kept for some days, and shown to nobody.
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

/// The row of a live proof after what was cut off is finished; as it is, where that fails: one proof takes no listing down.
async fn settled<P: Ports>(service: &Service<P>, row: ProofRow) -> Option<ProofRow> {
    let settled = async {
        match settle(service, &row).await? {
            // Or another one let it follow.
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

/// A page of the C2PA manifests that `tenant` stored for themselves.
///
/// # Errors
/// A cursor that is none (400), or a failure of the index.
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
