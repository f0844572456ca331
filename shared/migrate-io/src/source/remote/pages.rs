//! The listings of the API.

use credlink_core::access::Visibility;
use credlink_core::hash::Digest;
use credlink_core::legacy::LegacyId;
use credlink_core::manifest_id::ManifestId;
use credlink_core::proof_id::ProofId;
use credlink_core::store_id::StoreId;
use credlink_core::tenant::Tenant;
use credlink_ports::{Failure, FailureKind};
use http::header::LOCATION;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{Api, Question, Unexpected as _, failure};
use crate::side::Side;

/// A page of `GET /v1/proofs`.
#[derive(Debug, Deserialize)]
pub(crate) struct Proofs {
    pub(crate) proofs: Vec<Listed>,
    pub(crate) next: Option<String>,
    pub(super) tenant: Option<Tenant>,
    pub(super) store: Option<StoreId>,
}

/// A proof in a page; other members are ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: ProofId,
    pub(super) revision: u32,
    pub(super) manifest: ListedManifest,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedManifest {
    pub(super) length: u64,
}

/// A page of `GET /v1/aliases`.
#[derive(Debug, Deserialize)]
pub(super) struct Aliases {
    pub(super) aliases: Vec<ListedAlias>,
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedAlias {
    pub(super) id: LegacyId,
    pub(super) proof: ProofId,
}

/// A page of `GET /v1/manifests`.
#[derive(Debug, Deserialize)]
pub(super) struct Manifests {
    pub(super) manifests: Vec<AloneManifest>,
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct AloneManifest {
    pub(super) id: ManifestId,
    pub(super) tenant: Tenant,
    pub(super) sha256: Digest,
    pub(super) length: u64,
    pub(super) visibility: Visibility,
}

/// Returns the store behind an API, and the tenant of the credential.
pub(crate) async fn side(api: &Api) -> Result<Side, Failure> {
    let Proofs { tenant, store, .. } = page(api, None, 1).await?;
    Ok(Side { store, tenant })
}

/// Returns a page of the proofs of the credential's tenant.
pub(crate) async fn page(api: &Api, after: Option<&str>, limit: usize) -> Result<Proofs, Failure> {
    part(api, "proofs", after, limit).await
}

/// Returns the proof that a legacy ID leads to, if any.
pub(crate) async fn proof_named(api: &Api, id: &LegacyId) -> Result<Option<ProofId>, Failure> {
    let target = format!("/v1/proofs/{id}");
    let answer = api.ask(Question::new(Method::GET, target.clone())).await?;
    let location = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let proof = location.and_then(|location| location.rsplit('/').next()).and_then(|id| id.parse().ok());
    match (answer.status, proof) {
        (StatusCode::PERMANENT_REDIRECT, Some(proof)) => Ok(Some(proof)),
        _ if answer.is_not_found() => Ok(None),
        _ => Err(answer.unexpected(&target)),
    }
}

/// Returns a page of a listing.
pub(super) async fn part<T: DeserializeOwned>(
    api: &Api,
    part: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<T, Failure> {
    let after = after
        .map(|after| format!("&after={}", utf8_percent_encode(after, NON_ALPHANUMERIC)))
        .unwrap_or_default();
    let target = format!("/v1/{part}?limit={limit}{after}");
    let answer = api.ask(Question::new(Method::GET, target.clone())).await?;
    let target = format!("{}{target}", api.base);
    if answer.status != StatusCode::OK {
        return Err(answer.unexpected(&target));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        failure(FailureKind::Damaged, format!("{target}: it is no CredLink that answers: {error}"))
    })
}
