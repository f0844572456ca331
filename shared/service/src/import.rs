//! Imports: what a migration stores, with the instants and the legacy id that a record had in another store.
//!
//! A request to store a proof is an import if it has an `origin`. The proof comes first, and the alias of its legacy id last: an
//! alias never names a proof that is not there. A crash between them leaves a proof without its alias; importing it once more
//! binds it.

use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::legacy::LegacyId;
use credlink_core::proof_id::ProofId;
use credlink_core::rules::store::Draft;
use credlink_core::time::Timestamp;

use credlink_ports::Ports;

use crate::aliases::{Claimant, agree, bind, free_for, refuse_unknown, secure_alias};
use crate::error::Error;
use crate::service::Service;
use crate::store::{Stored, store};

/// Imports a proof: stores it, and lets the legacy id that it brings along lead to it. Where a proof of the media file is there
/// already, the legacy id leads to that one only if it is identical: nothing is replaced, and no id ever leads to another
/// manifest than the one it was given for.
///
/// # Errors
/// As [`store`]; a proof that was deleted here (410, guarantee 8), or has expired (410); a legacy id that is the id of another
/// proof (400), or names another one (409).
pub async fn import<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<Stored, Error> {
    let legacy = legacy_id(draft, service.now())?;
    if let Some(legacy) = legacy {
        if let Some(row) = service.alias_row(legacy).await? {
            free_for(service, &row, &draft.id(), &draft.tenant).await?;
        }
        agree(service, legacy).await?;
        refuse_unknown(service, legacy).await?;
    }
    let stored = store(service, draft).await?;
    if let Some(legacy) = legacy.filter(|_| stored.identical) {
        let bound = bind(service, legacy, &stored.row, Claimant::Tenant).await;
        if let Err(Error::Problem(_)) = &bound {
            // The record names an id that leads elsewhere: where to must not hang on the index alone.
            secure_alias(service, legacy).await?;
        }
        bound?;
    }
    Ok(stored)
}

/// Refuses an import to a caller without the scope `admin`: what a proof brings along from another store is the word of an
/// administrator.
///
/// # Errors
/// 403, which names the scope.
pub fn may_import(caller: &Caller) -> Result<(), Problem> {
    if caller.may(Scope::Admin) {
        Ok(())
    } else {
        Err(Problem::insufficient_scope(Scope::Admin).at("origin"))
    }
}

/// Returns the legacy id that an import would let lead to its proof, if nothing is known of that id here: for a handler that knows
/// of ids elsewhere.
///
/// # Errors
/// An import that has expired (410), a legacy id that is the id of another proof (400), or a failure of the index.
pub async fn unknown_legacy_id<'a, P: Ports>(
    service: &Service<P>,
    draft: &'a Draft,
) -> Result<Option<&'a LegacyId>, Error> {
    match legacy_id(draft, service.now())? {
        Some(legacy) if service.alias_row(legacy).await?.is_none() => Ok(Some(legacy)),
        Some(_) | None => Ok(None),
    }
}

/// The legacy id that is to lead to the draft's proof, if what it brings along is good.
fn legacy_id(draft: &Draft, now: Timestamp) -> Result<Option<&LegacyId>, Problem> {
    let Some(origin) = &draft.origin else { return Ok(None) };
    if origin.expires <= now {
        return Err(Problem::new(Kind::Expired, format!("this expired on {}", origin.expires)));
    }
    let Some(legacy) = &origin.legacy else { return Ok(None) };
    match (legacy.id.as_str().parse::<ProofId>(), draft.id()) {
        (Err(_), _) => Ok(Some(&legacy.id)),
        // A proof id is no other name of itself.
        (Ok(named), own) if named == own => Ok(None),
        // It would never lead here: a path with a proof id is that proof's.
        (Ok(other), own) => {
            let detail = format!("`{other}` is the id of another proof than this, {own}");
            Err(Problem::field("origin.legacy_id", detail))
        }
    }
}
