//! Legacy IDs on their own: binding one to a stored proof, withdrawing it, and listing them. This is for importing a
//! whole CredLink; most legacy IDs arrive together with their proofs.
//!
//! Most legacy IDs are recorded in the record of their proof. If no record names an ID, its target is also kept in an
//! object of its own (`aliases/{legacy id}`), so that it is not lost with the index. The row is written first, because
//! it decides between two callers that bind the same ID; no caller gets an answer before the object agrees with the
//! row.
//!
//! | to find | look in |
//! |---|---|
//! | naming, withdrawing, redirecting, listing | here |
//! | binding, and who may bind | `bind` |
//! | making the row and the object agree | `agree` |

pub(crate) mod agree;
mod bind;

use credlink_core::access::{Caller, Visibility};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ProofRow, Row};
use credlink_core::rules::alias::{alias_absent, alias_reply, private_alias_reply};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use credlink_ports::{Failure, Index as _, Listing, Ports};

use crate::error::{Error, contended};
use crate::handler::Answer;
use crate::rows::{any_live_row, claim, live_row};
use crate::service::{MAX_ATTEMPTS, Service, other_tenant};

use agree::{agree, keep_alias, refuse_unknown};
use bind::catch_up;
pub(crate) use bind::free_for;
pub use bind::{Claimant, bind, of_another_tenant};

/// A legacy ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Alias {
    /// The legacy ID.
    pub id: LegacyId,
    /// The proof that the ID leads to.
    pub proof: ProofId,
}

/// A page of legacy IDs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AliasPage {
    /// The legacy IDs, in byte order.
    pub aliases: Vec<Alias>,
    /// The cursor to pass as `after` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Binds a legacy ID to a live proof of `tenant`. Returns `true` if this call bound it, and `false` if it already led
/// there.
///
/// # Errors
/// The ID is a proof ID (400); the proof is another tenant's (403), absent (404), or deleted or expired (410); the ID
/// names another live proof or is another tenant's (409); or a failure.
pub async fn name<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<bool, Error> {
    let row = nameable(service, id, proof, tenant).await?;
    bind(service, id, &row, Claimant::Tenant).await
}

/// Returns `true` if this service knows nothing of an ID that is about to be bound by [`name`]. A handler that knows of
/// IDs elsewhere asks this first.
///
/// # Errors
/// The errors of [`name`], except for a conflict.
pub async fn is_unknown<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<bool, Error> {
    let row = nameable(service, id, proof, tenant).await?;
    catch_up(service, id, &row).await?;
    Ok(service.alias_row(id).await?.is_none())
}

/// Returns the row of a proof of `tenant` that a legacy ID may lead to.
async fn nameable<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<ProofRow, Error> {
    refuse_proof_id(id)?;
    live_row(service, proof, tenant).await
}

/// Binds a legacy ID to a live proof of any tenant, wherever the ID leads or led before. Only an operator may do this.
/// Returns `true` if this call bound it, and `false` if it already led there.
///
/// # Errors
/// The ID is a proof ID (400); the proof is absent (404), or deleted or expired (410); or a failure.
pub async fn reassign<P: Ports>(service: &Service<P>, id: &LegacyId, proof: &ProofId) -> Result<bool, Error> {
    refuse_proof_id(id)?;
    let row = any_live_row(service, proof).await?;
    bind(service, id, &row, Claimant::Operator).await
}

/// Refuses an ID that could never lead anywhere, since a path with a proof ID always leads to that proof.
fn refuse_proof_id(id: &LegacyId) -> Result<(), Problem> {
    if id.as_str().parse::<ProofId>().is_ok() {
        return Err(Problem::field("id", format!("`{id}` is the id of a proof, and no other name of one")));
    }
    Ok(())
}

/// Withdraws the alias from a legacy ID to `proof`. Returns when it was withdrawn, also if that happened earlier, or
/// `None` if the ID never led anywhere.
///
/// # Errors
/// The ID leads to another proof (412), or to a public proof of another tenant (403); or a failure.
pub async fn withdraw<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<Option<Timestamp>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        agree(service, id).await?;
        refuse_unknown(service, id).await?;
        let Some(row) = service.alias_row(id).await? else { return Ok(None) };
        if row.tenant != *tenant {
            // Where the caller may not know of the alias, the answer is the same as if it had never existed (guarantee
            // 13).
            return if leads_for_all(service, &row).await? { Err(other_tenant().into()) } else { Ok(None) };
        }
        if row.proof != *proof {
            let detail = format!("the legacy id `{id}` leads to {}, not to {proof}", row.proof);
            return Err(Problem::new(ProblemKind::PreconditionFailed, detail).at("proof").into());
        }
        if row.withdrawn.is_some() {
            keep_alias(service, id).await?;
            return Ok(row.withdrawn);
        }
        let at = service.now();
        let expected = Some(row.version);
        let withdrawn = AliasRow { version: row.version + 1, withdrawn: Some(at), ..row };
        if claim(service, Row::Alias(withdrawn), expected).await? {
            let kept = keep_alias(service, id).await?;
            if kept.is_some_and(|kept| kept.withdrawn.is_some()) {
                return Ok(Some(at));
            }
        }
    }
    Err(contended())
}

/// Answers with the target of a legacy ID, if the caller may read it.
///
/// # Errors
/// The caller may not read the target (404), or a failure.
pub async fn redirect<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    row: &AliasRow,
) -> Result<Answer, Error> {
    if leads_for_all(service, row).await? {
        return Ok(alias_reply(&row.proof).into());
    }
    if caller.reads_private(&row.tenant) {
        return Ok(private_alias_reply(&row.proof).into());
    }
    Err(alias_absent(&row.id).into())
}

/// Returns `true` if everybody may know where a legacy ID leads: its proof is public, or was public when it was
/// deleted. If the index has no such proof, nobody is told of one.
async fn leads_for_all<P: Ports>(service: &Service<P>, row: &AliasRow) -> Result<bool, Failure> {
    let proof = service.proof_row(&row.proof).await?;
    Ok(proof.is_some_and(|proof| proof.visibility == Visibility::Public))
}

/// Returns `true` if a legacy ID needs an alias. A proof ID needs no alias to itself.
#[must_use]
pub fn is_another_name(legacy: &LegacyId, id: &ProofId) -> bool {
    legacy.as_str().parse() != Ok(*id)
}

/// Returns a page of the legacy IDs that were imported for `tenant`.
///
/// # Errors
/// An invalid cursor (400), or a failure of the index.
pub async fn list<P: Ports>(
    service: &Service<P>,
    tenant: Tenant,
    after: Option<&str>,
    limit: usize,
) -> Result<AliasPage, Error> {
    let page = service.ports.index().list(&Listing::Aliases(tenant), after, limit).await?;
    let page = page.ok_or_else(|| Problem::field("after", "it has to be the `next` of an earlier page"))?;
    let aliases = page.items.into_iter().filter_map(Row::alias);
    Ok(AliasPage {
        aliases: aliases.map(|row| Alias { id: row.id, proof: row.proof }).collect(),
        next: page.next,
    })
}
