//! Single rows of the index: the row of a live proof, and the commit of one row.

use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::tenant::Tenant;

use credlink_ports::{Commit, Failure, Ports, Write};

use crate::error::Error;
use crate::service::{Service, is_visible, other_tenant};

/// Returns the row of a live proof of `tenant`, to be replaced, read or shared.
pub(crate) async fn live_row<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    tenant: &Tenant,
) -> Result<ProofRow, Error> {
    let row = service.proof_row(id).await?.filter(|row| is_visible(row, tenant));
    if row.as_ref().is_some_and(|row| row.state == State::Live && row.tenant != *tenant) {
        return Err(other_tenant().into());
    }
    live(service, id, row)
}

/// Returns the row of a live proof of any tenant, for the operator.
pub(crate) async fn any_live_row<P: Ports>(service: &Service<P>, id: &ProofId) -> Result<ProofRow, Error> {
    live(service, id, service.proof_row(id).await?)
}

fn live<P: Ports>(service: &Service<P>, id: &ProofId, row: Option<ProofRow>) -> Result<ProofRow, Error> {
    let absent = || Problem::new(ProblemKind::NotFound, format!("no proof has the id {id}"));
    let row = row.ok_or_else(absent)?;
    match row.state {
        State::Deleting(_) | State::Deleted(_) if row.void => Err(absent().into()),
        State::Deleting(at) | State::Deleted(at) => Err(Problem::deleted(at).into()),
        State::Live if row.has_expired(service.now()) => {
            Err(Problem::new(ProblemKind::Expired, format!("this expired on {}", row.expires)).into())
        }
        State::Live => Ok(row),
    }
}

/// Commits one row. Returns `true` if the expected version matched.
pub async fn claim<P: Ports>(service: &Service<P>, row: Row, expected: Option<u64>) -> Result<bool, Failure> {
    Ok(service.write_rows(&[Write { row, expected }]).await? == Commit::Done)
}
