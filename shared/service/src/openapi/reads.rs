//! The OpenAPI description of reading objects, which [`retrieve`](crate::retrieve) implements for every kind of object.

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
/// The record is public, unless the proof is private. Conditional requests, ranges and content codings work as in RFC
/// 9110.
#[utoipa::path(
    get, path = "/v1/proofs/{id}", tag = "proofs", operation_id = "readProof",
    params(
        ("id" = LegacyId, Path, description = "The proof ID, or a legacy ID that leads to the proof"),
        ("If-None-Match" = Option<String>, Header, description = "The ETags of the records that the client has"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 308, description = "The address of the proof, if it was requested by a legacy ID", headers(
            ("location" = String, description = "The proof ID, as a reference relative to this path"),
        )),
        (status = 404, description = "There is no such proof"),
        (status = 410, description = "The proof is deleted or expired"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_proof() {}

/// Read an earlier record
#[utoipa::path(
    get, path = "/v1/proofs/{id}/{revision}", tag = "proofs", operation_id = "readRevision",
    params(
        ("id" = ProofId, Path, description = "The proof ID"),
        ("revision" = u32, Path, description = "The number of the revision, from 1", format = Int64, minimum = 1, maximum = 4294967295_i64),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 404, description = "There is no such revision, or it is the current one"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_revision() {}

/// Read a record by its media hash
#[utoipa::path(
    get, path = "/v1/proofs/by-hash/{media_hash}", tag = "proofs", operation_id = "readByHash",
    params(
        ("media_hash" = MediaHash, Path, description = "The media hash: 64 hexadecimal digits, with or without the prefix `sha256:`"),
        ("tenant" = Option<Tenant>, Query, description = "The tenant that owns the proof, `default` by default"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The record", body = Record),
        (status = 404, description = "There is no such proof"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_by_hash() {}

/// Read a C2PA manifest
///
/// The XMP of a picture points to this address. The bytes are exactly those that were stored.
#[utoipa::path(
    get, path = "/v1/manifests/{manifest_id}", tag = "manifests", operation_id = "readManifest",
    params(
        ("manifest_id" = ManifestId, Path, description = "The ID of the active manifest, with colons plain or as `%3A`"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The manifest store", body = Vec<u8>, content_type = "application/c2pa"),
        (status = 404, description = "There is no such manifest"),
        (status = 410, description = "The manifest is deleted"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_manifest() {}

/// Read a tenant's C2PA manifest
///
/// The tenant's own address serves the manifest that the tenant stored under the ID, whatever other tenants store
/// there.
#[utoipa::path(
    get, path = "/v1/tenants/{tenant}/manifests/{manifest_id}", tag = "manifests", operation_id = "readTenantManifest",
    params(
        ("tenant" = Tenant, Path, description = "The tenant that stored the manifest"),
        ("manifest_id" = ManifestId, Path, description = "The ID of the active manifest"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The manifest store", body = Vec<u8>, content_type = "application/c2pa"),
        (status = 404, description = "There is no such manifest, or the caller may not read it"),
        (status = 410, description = "The manifest is deleted"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn read_tenant_manifest() {}

/// Show which tenant's manifest a plain address serves
#[utoipa::path(
    get, path = "/v1/manifests/{manifest_id}/front", tag = "manifests", operation_id = "showFront",
    params(
        ("manifest_id" = ManifestId, Path, description = "The manifest ID"),
        StoredForm,
    ),
    responses(
        (status = 200, description = "The tenant, and how it was decided", body = Front),
        (status = 404, description = "Nothing is decided, and the plain address serves the manifest of the tenant `default` under the ID, if there is one"),
    )
)]
#[expect(dead_code, reason = "describes what `retrieve` does for every kind of object")]
fn show_front() {}
