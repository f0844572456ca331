//! The manifests that earlier records of a life name.

use credlink_core::manifest_key::ManifestKey;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::State;

use credlink_ports::Ports;

use super::{Reconciled, is_conflict, other_content};
use crate::error::{Error, contended};
use crate::guard::may_follow;
use crate::publish::{Published, Reference};
use crate::service::{MAX_ATTEMPTS, Service};

/// Makes the row of a live proof hold the manifest that an earlier record of its life names, which may have been
/// missing when the row was created.
///
/// # Errors
/// The errors of [`reconcile`](super::reconcile).
pub(crate) async fn hold_earlier<P: Ports>(
    service: &Service<P>,
    id: &ProofId,
    revision: u32,
) -> Result<Reconciled, Error> {
    let key = ObjectKey::Revision(*id, revision);
    for _ in 0..MAX_ATTEMPTS {
        let row = service.proof_row(id).await?.filter(|row| row.state == State::Live);
        let Some(row) = row.filter(|row| (row.first_revision..row.revision).contains(&revision)) else {
            return Ok(Reconciled::Right);
        };
        let Some(current) = service.current(&key).await? else { return Ok(Reconciled::Right) };
        let record = service.record(&key, &current.verified)?;
        let Some(manifest) = record.manifest.id.filter(|manifest| !row.held.contains(manifest)) else {
            return Ok(Reconciled::Right);
        };
        let key = ManifestKey::new(&record.tenant, &manifest);
        let Some(facts) = service.manifest_facts(&key).await? else {
            let why = format!("the earlier record names the manifest {manifest}, which is not stored");
            return Ok(Reconciled::Broken(why));
        };
        if facts.sha256 != record.manifest.sha256 {
            return Ok(Reconciled::Broken(other_content(&manifest)));
        }
        may_follow(service).await?;
        let mut next = row.in_state(State::Live);
        next.held.insert(manifest.clone());
        let reference = Reference::found(&key, &facts);
        match service.commit(Some((next, Some(row.version))), &[reference], &[]).await {
            Ok(Published::Done) => return Ok(Reconciled::Changed),
            Ok(Published::Lost(_) | Published::ManifestGone) => {}
            Err(Error::Problem(problem)) if is_conflict(&problem) => {
                return Ok(Reconciled::Broken(problem.detail));
            }
            Err(error) => return Err(error),
        }
    }
    Err(contended())
}
