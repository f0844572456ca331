//! Binding a legacy ID to a proof.
//!
//! A legacy ID that led to a tenant's proof stays that tenant's, even after the proof or the alias is gone. Only an
//! operator can give it to another tenant.

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ProofRow, Row, State};
use credlink_core::tenant::Tenant;

use credlink_ports::{Commit, Ports, Write};

use super::agree::{follow_alias, keep_alias, refuse_unknown};
use crate::error::{Error, contended};
use crate::reconcile::{Reconciled, reconcile};
use crate::service::{MAX_ATTEMPTS, Service};

/// The party that binds a legacy ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// The tenant of the proof. It may bind an ID that belongs to nobody, or one of its own that leads to no other live
    /// proof.
    Tenant,
    /// The operator, who may bind any ID.
    Operator,
}

/// Returns `true` if the proof's own record names the ID. Such an ID is not lost with the index, unless it led
/// elsewhere before.
fn is_recorded(legacy: &LegacyId, proof: &ProofRow) -> bool {
    proof.legacy.as_ref() == Some(legacy)
}

/// Brings the row of a legacy ID up to date with the store before the ID is bound to `proof`. An index that lost the
/// row must not forget where the ID led.
///
/// # Errors
/// An error that says what is in doubt (503), or a failure.
pub(super) async fn catch_up<P: Ports>(
    service: &Service<P>,
    legacy: &LegacyId,
    proof: &ProofRow,
) -> Result<(), Error> {
    if !is_recorded(legacy, proof) || service.may_destroy().await.is_err() {
        let is_index_trusted = service.trusts_index().await?;
        follow_alias(service, legacy, is_index_trusted).await?;
    }
    refuse_unknown(service, legacy).await
}

/// Binds `legacy` to a live proof. Returns `true` if this call bound it, and `false` if it already led there.
///
/// # Errors
/// The ID names another proof or is another tenant's (409), or a failure.
pub async fn bind<P: Ports>(
    service: &Service<P>,
    legacy: &LegacyId,
    proof: &ProofRow,
    claimant: Claimant,
) -> Result<bool, Error> {
    catch_up(service, legacy, proof).await?;
    let is_recorded = is_recorded(legacy, proof);
    let mut before: Option<AliasRow> = None;
    for _ in 0..MAX_ATTEMPTS {
        if let Some(row) = &before {
            if row.withdrawn.is_none() && row.proof == proof.id {
                if !is_recorded || row.version > 1 {
                    keep_alias(service, legacy).await?;
                }
                return Ok(false);
            }
            match claimant {
                Claimant::Tenant => free_for(service, row, &proof.id, &proof.tenant).await?,
                Claimant::Operator => tracing::warn!(
                    legacy_id = %legacy, from_tenant = %row.tenant, from_proof = %row.proof,
                    to_tenant = %proof.tenant, to_proof = %proof.id, "an operator gives a legacy id to another proof"
                ),
            }
        }
        let expected = before.as_ref().map(|row| row.version);
        let row = AliasRow {
            id: legacy.clone(),
            version: expected.unwrap_or(0) + 1,
            proof: proof.id,
            tenant: proof.tenant.clone(),
            withdrawn: None,
        };
        match service.write_rows(&[Write { row: Row::Alias(row), expected }]).await? {
            Commit::Done => {
                if is_recorded && expected.is_none() {
                    return Ok(true);
                }
                let kept = keep_alias(service, legacy).await?;
                if kept.as_ref().is_some_and(|kept| kept.proof == proof.id && kept.withdrawn.is_none()) {
                    return Ok(true);
                }
                before = kept;
            }
            Commit::Lost { current, .. } => before = current.and_then(Row::alias),
        }
    }
    Err(contended())
}

/// Refuses a legacy ID that is another tenant's, whatever became of the proof that it led to: published pictures and
/// pages still name it. Also refuses an ID that names another proof, unless that proof is gone according to its objects
/// and not merely to an index that may be older.
pub(crate) async fn free_for<P: Ports>(
    service: &Service<P>,
    row: &AliasRow,
    id: &ProofId,
    tenant: &Tenant,
) -> Result<(), Error> {
    if row.tenant != *tenant {
        return Err(of_another_tenant(&row.id).into());
    }
    if row.withdrawn.is_some() || row.proof == *id {
        return Ok(());
    }
    if let Reconciled::Broken(why) = reconcile(service, &row.proof).await? {
        return Err(service.damaged(&ObjectKey::Record(row.proof), &why).into());
    }
    match service.proof_row(&row.proof).await? {
        Some(named) if named.state == State::Live => Err(Problem::new(
            ProblemKind::AliasConflict,
            format!(
                "the legacy id `{}` names the proof {} already; an id names one proof",
                row.id, row.proof
            ),
        )
        .at("origin.legacy_id")
        .with("proof", row.proof.to_string())
        .into()),
        Some(_) | None => Ok(()),
    }
}

/// The refusal of another tenant's legacy ID. It does not say where the ID leads.
#[must_use]
pub fn of_another_tenant(id: &LegacyId) -> Problem {
    Problem::new(ProblemKind::AliasConflict, format!("the legacy id `{id}` is another tenant's"))
        .at("origin.legacy_id")
}
