//! Imports: proofs that a migration stores, with the timestamps and the legacy ID that a record had in another store.
//!
//! A request to store a proof is an import if it has an `origin`. An alias never names an absent proof: the legacy ID
//! is bound in the commit of the proof's row if the ID is new and the index is on this machine, and after it otherwise.
//! A crash in between leaves a proof without its alias; importing the proof again binds it.

use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;

use credlink_ports::Ports;

use crate::aliases::agree::{agree, refuse_unknown, secure_alias};
use crate::aliases::{Claimant, bind, free_for};
use crate::error::Error;
use crate::service::Service;
use crate::store::{store, store_named};
use crate::stored::Stored;

/// Imports a proof: stores it, and binds its legacy ID to it. If a proof of the media file already exists, the legacy
/// ID is bound to that proof only if it is identical: nothing is replaced, and an ID never leads to a manifest other
/// than the one for which it was issued.
///
/// # Errors
/// The errors of [`store`]; a proof that was deleted here (410, guarantee 8) or has expired (410); a legacy ID that is
/// the ID of another proof (400) or names another proof (409).
pub async fn import<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<Stored, Error> {
    let legacy = legacy_id(draft, service.now())?;
    let mut is_new = false;
    if let Some(legacy) = legacy {
        match service.alias_row(legacy).await? {
            Some(row) => free_for(service, &row, &draft.id(), &draft.tenant).await?,
            None => is_new = true,
        }
        agree(service, legacy).await?;
        refuse_unknown(service, legacy).await?;
    }
    let (stored, is_bound) = store_named(service, draft, legacy.filter(|_| is_new)).await?;
    if let Some(legacy) = legacy.filter(|_| stored.identical && !is_bound) {
        let bound = bind(service, legacy, &stored.row, Claimant::Tenant).await;
        if let Err(Error::Problem(_)) = &bound {
            // The record names an ID that leads elsewhere, and its target must not depend on the index alone.
            secure_alias(service, legacy).await?;
        }
        bound?;
    }
    Ok(stored)
}

/// Stores a proof, or imports it if the draft has an origin.
///
/// # Errors
/// The errors of [`store`] and [`import`]; an import without the scope for it (403).
pub async fn store_or_import<P: Ports>(
    service: &Service<P>,
    caller: &Caller,
    draft: &Draft,
) -> Result<Stored, Error> {
    if draft.origin.is_none() {
        return store(service, draft).await;
    }
    may_import(caller)?;
    import(service, draft).await
}

/// Refuses an import by a caller without the scope `admin`, because only an administrator can vouch for what a proof
/// brings along from another store.
///
/// # Errors
/// A problem that names the missing scope (403).
pub fn may_import(caller: &Caller) -> Result<(), Problem> {
    if caller.may(Scope::Admin) {
        Ok(())
    } else {
        Err(Problem::insufficient_scope(Scope::Admin).at("origin"))
    }
}

/// Returns the legacy ID that an import would bind to its proof, if this service knows nothing of that ID. A handler
/// that knows of IDs elsewhere asks this first.
///
/// # Errors
/// The import has expired (410), the legacy ID is the ID of another proof (400), or a failure of the index.
pub async fn unknown_legacy_id<'a, P: Ports>(
    service: &Service<P>,
    draft: &'a Draft,
) -> Result<Option<&'a LegacyId>, Error> {
    match legacy_id(draft, service.now())? {
        Some(legacy) if service.alias_row(legacy).await?.is_none() => Ok(Some(legacy)),
        Some(_) | None => Ok(None),
    }
}

/// Returns the legacy ID that is to lead to the draft's proof, if the draft's origin is valid.
fn legacy_id(draft: &Draft, now: Timestamp) -> Result<Option<&LegacyId>, Problem> {
    let Some(origin) = &draft.origin else { return Ok(None) };
    if origin.expires <= now {
        return Err(Problem::new(ProblemKind::Expired, format!("this expired on {}", origin.expires)));
    }
    let Some(legacy) = &origin.legacy else { return Ok(None) };
    match (legacy.id.as_str().parse::<ProofId>(), draft.id()) {
        (Err(_), _) => Ok(Some(&legacy.id)),
        // A proof ID needs no alias to itself.
        (Ok(named), own) if named == own => Ok(None),
        // The alias could never take effect, since a path with a proof ID always leads to that proof.
        (Ok(other), own) => {
            let detail = format!("`{other}` is the id of another proof than this, {own}");
            Err(Problem::field("origin.legacy_id", detail))
        }
    }
}
