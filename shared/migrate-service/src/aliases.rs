//! Aliases of proofs, in this process.

use credlink_core::hash::Digest;
use credlink_core::http::problem::ProblemKind;
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::State;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::target::{AliasDraft, Target};
use credlink_ports::migration::{ExistingState, Imported, PROOF_MISSING, Verdict, Withdrawal};
use credlink_ports::{Failure, Ports};
use credlink_service::aliases;
use credlink_service::error::Error;
use credlink_service::service::Service;

use crate::reserved_ids::{ReservedIds, check_reserved};

/// Looks up an alias, which may lead to any proof or to none.
pub(super) async fn find_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
) -> Result<ExistingState, Failure> {
    Ok(if service.alias(id).await?.is_some() { ExistingState::Live(None) } else { ExistingState::Absent })
}

/// Makes an alias lead to its proof, if the destination has that proof as the source does.
pub(super) async fn import_alias<P: Ports>(
    service: &Service<P>,
    reserved: &impl ReservedIds,
    alias_draft: &AliasDraft,
) -> Result<Imported, Failure> {
    let proof = &alias_draft.proof;
    let missing = |detail| Imported::Refused { kind: PROOF_MISSING.to_owned(), detail };
    let row = match service.proof_row(proof).await? {
        None => return Ok(missing(format!("it names {proof}, which is not there"))),
        Some(row) => row,
    };
    if let State::Deleting(at) | State::Deleted(at) = row.state {
        return Ok(Imported::Deleted(at));
    }
    let signature = alias_draft.signature.as_ref().map(|text| Digest::of(text.as_bytes()));
    if row.manifest_sha256 != alias_draft.manifest_sha256 || row.signature_sha256 != signature {
        let detail = format!("it names {proof}, which has another manifest or signature there");
        return Ok(Imported::Conflict { detail });
    }
    let target = Target::Alias { id: alias_draft.id.clone(), proof: *proof };
    let AliasDraft { id, tenant, .. } = alias_draft;
    let named = match check_reserved(service, reserved, id, tenant).await {
        Ok(()) => aliases::name(service, id, proof, tenant).await,
        Err(error) => Err(error),
    };
    match named {
        Ok(_) => Ok(Imported::Stored(CopiedItem::beside_proofs(target, Vec::new()))),
        Err(Error::Failure(failure)) => Err(failure),
        Err(Error::Problem(problem)) if problem.kind == ProblemKind::NotFound => Ok(missing(problem.detail)),
        Err(Error::Problem(problem)) => {
            Ok(Imported::Refused { kind: problem.kind.slug().to_owned(), detail: problem.detail })
        }
    }
}

/// Checks an alias. Returns a verdict if it is wrong.
pub(super) async fn check_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
) -> Result<Option<Verdict>, Failure> {
    if let Some(at) = service.alias_row(id).await?.and_then(|row| row.withdrawn) {
        return Ok(Some(Verdict::Changed(format!("the legacy id `{id}` was taken back on {at}"))));
    }
    Ok(match service.alias(id).await? {
        None => Some(Verdict::Missing(format!("the legacy id `{id}` leads nowhere"))),
        Some(row) if row.proof != *proof => {
            Some(Verdict::Changed(format!("the legacy id `{id}` leads to {}", row.proof)))
        }
        Some(_) => None,
    })
}

/// Withdraws an alias if it still leads to the proof. If it is withdrawn already, this succeeds.
pub(super) async fn withdraw_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
) -> Result<Withdrawal, Failure> {
    let Some(row) = service.alias_row(id).await? else { return Ok(Withdrawal::Absent) };
    match aliases::withdraw(service, id, proof, &row.tenant).await {
        Ok(Some(at)) => Ok(Withdrawal::Deleted(at)),
        Ok(None) => Ok(Withdrawal::Absent),
        Err(Error::Problem(_)) => Ok(Withdrawal::Touched),
        Err(Error::Failure(failure)) => Err(failure),
    }
}
