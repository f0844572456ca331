//! What the document says of reading objects, which [`retrieve`](crate::retrieve) does for every kind of them.

use credlink_core::front::Front;
use credlink_core::hash::MediaHash;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::record::Record;
use credlink_core::tenant::Tenant;

use super::parameters::StoredForm;

/// Read a record
///
/// Public, unless the proof is private. Conditional requests, ranges and content codings as RFC 9110 has them.
#[utoipa::path(
    get, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "readProof",
    params(
        ("id" = LegacyId, Path, description = "The proof; or the id that it had in a store that was taken over, which leads to it"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the client has"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 308, description = "By an earlier id: where the proof is", headers(
            ("location" = String, description = "The proof's id: a reference relative to this path"),
        )),
        (status = 404, description = "No such proof"),
        (status = 410, description = "Deleted or expired"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_proof() {}

/// Read an earlier record
#[utoipa::path(
    get, path = "/v1/proofs/{id}/{revision}", tag = "proofs", operation_id = "readRevision",
    params(
        ("id" = ProofId, Path, description = "The proof"),
        ("revision" = u32, Path, description = "From 1", format = Int64, minimum = 1, maximum = 4294967295_i64),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 404, description = "No such revision, or the current one"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_revision() {}

/// Read a record by its media hash
#[utoipa::path(
    get, path = "/v1/proofs/by-hash/{media_hash}", tag = "proofs", operation_id = "readByHash",
    params(
        ("media_hash" = MediaHash, Path, description = "64 hexadecimal digits, with `sha256:` before them or without"),
        ("tenant" = Option<Tenant>, Query, description = "The owner, `default` by default"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 404, description = "No such proof"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_by_hash() {}

/// Read a C2PA manifest
///
/// What the XMP of a picture points to. The bytes are exactly those that were stored.
#[utoipa::path(
    get, path = "/v1/manifests/{manifest_id}", tag = "manifests", operation_id = "readManifest",
    params(
        ("manifest_id" = ManifestId, Path, description = "The active manifest's id; colons plain or as `%3A`"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The manifest store", body = Vec<u8>, content_type = "application/c2pa"),
        (status = 404, description = "No such manifest"),
        (status = 410, description = "Deleted"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_manifest() {}

/// Read a tenant's C2PA manifest
///
/// Each tenant's own address serves what that tenant stored under the id, whatever others store there.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/manifests/{manifest_id}", tag = "manifests", operation_id = "readTenantManifest",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored it"),
        ("manifest_id" = ManifestId, Path, description = "The active manifest's id"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The manifest store", body = Vec<u8>, content_type = "application/c2pa"),
        (status = 404, description = "No such manifest, or none that the caller may read"),
        (status = 410, description = "Deleted"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_tenant_manifest() {}

/// Show whose manifest a plain address serves
#[utoipa::path(
    get, path = "/v1/manifests/{manifest_id}/front", tag = "manifests", operation_id = "showFront",
    params(
        ("manifest_id" = ManifestId, Path, description = "The manifest id"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The tenant, and what decided it", body = Front),
        (status = 404, description = "Nothing is decided: the plain address serves what the tenant `default` has under the id, if it has anything"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn show_front() {}
