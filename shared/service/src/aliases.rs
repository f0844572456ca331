//! Legacy ids by themselves: binding one to a proof that is there, taking that back, and listing them. For who takes over
//! a whole CredLink: most ids come with their proofs.

use credlink_core::http::problem::{Kind, Problem};
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, Row};
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use crate::delete::claim;
use crate::error::{Error, contended};
use crate::ports::{Index as _, Listing, Ports};
use crate::service::{MAX_ATTEMPTS, Service, owned};
use crate::supersede::live_row;
use crate::take_over::bind;

/// A legacy id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Alias {
    /// The id.
    #[schema(value_type = String)]
    pub id: LegacyId,
    /// The proof that it names.
    #[schema(value_type = String)]
    pub proof: ProofId,
}

/// A page of legacy ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AliasPage {
    /// The ids, in the order of their bytes.
    pub aliases: Vec<Alias>,
    /// Pass this as `after` for the next page; there is none on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Lets a legacy id lead to a live proof of `tenant`. Whether that was done here: it may have led there before.
///
/// # Errors
/// An id that is a proof id (400); a proof that is another tenant's (403), not there (404), or deleted or expired (410); an
/// id that names another live proof (409); or a failure.
pub async fn name<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<bool, Error> {
    if id.as_str().parse::<ProofId>().is_ok() {
        // It would never lead anywhere: a path with a proof id is that proof's.
        return Err(
            Problem::field("id", format!("`{id}` is the id of a proof, and no other name of one")).into()
        );
    }
    let row = live_row(service, proof).await?;
    owned(&row.tenant, tenant)?;
    bind(service, id, proof, &row.tenant).await
}

/// Takes back that a legacy id leads to `proof`: since when, also where that was done before. `None`: it never led anywhere.
///
/// # Errors
/// An id that leads to another proof (412) or is another tenant's (403), or a failure.
pub async fn withdraw<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<Option<Timestamp>, Error> {
    for _ in 0..MAX_ATTEMPTS {
        let Some(row) = service.alias_row(id).await? else { return Ok(None) };
        owned(&row.tenant, tenant)?;
        if row.proof != *proof {
            let detail = format!("the legacy id `{id}` leads to {}, not to {proof}", row.proof);
            return Err(Problem::new(Kind::PreconditionFailed, detail).at("proof").into());
        }
        if row.withdrawn.is_some() {
            return Ok(row.withdrawn);
        }
        let at = service.now();
        let expected = Some(row.version);
        let withdrawn = AliasRow { version: row.version + 1, withdrawn: Some(at), ..row };
        if claim(service, Row::Alias(withdrawn), expected).await? {
            return Ok(Some(at));
        }
    }
    Err(contended())
}

/// A page of the legacy ids that were taken over for `tenant`.
///
/// # Errors
/// A cursor that is none (400), or a failure of the index.
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
