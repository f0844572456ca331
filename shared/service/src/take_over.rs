//! Taking a proof over from another store: a store that brings its instants and its earlier id along.
//!
//! The proof comes first, and the alias of its legacy id last: an alias never names a proof that is not there. A crash
//! between them leaves a proof without its alias; taking it over once more binds it.
//!
//! An id that led to a tenant's proof stays that tenant's, also when the proof or the alias is gone. An operator alone gives it
//! to another one.

use credlink_core::http::problem::{Kind, Problem};
use credlink_core::legacy::LegacyId;
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ProofRow, Row, RowKey, State};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;

use credlink_ports::{Commit, Failure, Index as _, Ports, Write};

use crate::aliases::{agree, follow_alias, keep_alias, refuse_unknown, secure_alias};
use crate::error::{Error, contended};
use crate::legacy::Wanted;
use crate::reconcile::{Reconciled, reconcile};
use crate::service::{MAX_ATTEMPTS, Service};
use crate::store::{Stored, store};

/// Stores a proof, and lets the legacy id that it brings along lead to it. Where a proof of the media file is there
/// already, the legacy id leads to that one only if it is identical: nothing is replaced, and no id ever leads to another
/// manifest than the one it was given for.
///
/// # Errors
/// As [`store`]; of what brings its origin along, a proof that was deleted here (410, guarantee 8), or has expired (410); a
/// legacy id that is the id of another proof (400), or names another one (409).
pub async fn take_over<P: Ports>(service: &Service<P>, draft: &Draft) -> Result<Stored, Error> {
    let legacy = legacy_id(draft, service.now())?;
    if let Some(legacy) = legacy {
        match service.alias_row(legacy).await? {
            Some(row) => free_for(service, &row, &draft.id(), &draft.tenant).await?,
            None => service.refuse_unmigrated(legacy, &draft.tenant).await?,
        }
    }
    if let Some(legacy) = legacy {
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

/// Whether a legacy id needs an alias: a proof id is no other name of itself.
pub fn is_another_name(legacy: &LegacyId, id: &ProofId) -> bool {
    legacy.as_str().parse() != Ok(*id)
}

/// Who binds a legacy id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimant {
    /// The tenant of the proof: an id that is nobody's, or its own and leads to no other live proof.
    Tenant,
    /// The operator: any id.
    Operator,
}

/// Lets `legacy` lead to a live proof. Whether that was done here: it may have led there before.
///
/// # Errors
/// It names another proof or is another tenant's (409), or a failure.
pub async fn bind<P: Ports>(
    service: &Service<P>,
    legacy: &LegacyId,
    proof: &ProofRow,
    claimant: Claimant,
) -> Result<bool, Error> {
    // An id that the proof's own record names is not lost with the index, unless it led elsewhere before.
    let is_recorded = proof.legacy.as_ref() == Some(legacy);
    // An index that lost its row must not forget where the id led.
    if !is_recorded || service.may_destroy().await.is_err() {
        let is_index_trusted = service.trusts_index().await?;
        follow_alias(service, legacy, is_index_trusted).await?;
    }
    refuse_unknown(service, legacy).await?;
    if claimant == Claimant::Tenant && service.alias_row(legacy).await?.is_none() {
        service.refuse_unmigrated(legacy, &proof.tenant).await?;
    }
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

/// Refuses a legacy id that is another tenant's, whatever became of the proof that it led to: pictures and pages that are out
/// there still name it. And one that names another proof, unless that is gone, by its objects and not just by an index that
/// may be older.
async fn free_for<P: Ports>(
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
            Kind::AliasConflict,
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

/// The refusal of another tenant's legacy id. Where it leads is nobody else's business.
fn of_another_tenant(id: &LegacyId) -> Problem {
    Problem::new(Kind::AliasConflict, format!("the legacy id `{id}` is another tenant's"))
        .at("origin.legacy_id")
}

impl<P: Ports> Service<P> {
    /// Refuses a legacy id that nothing is known of here yet, and that a record of the legacy source has: it is the id of the
    /// tenant whose proofs those become.
    ///
    /// # Errors
    /// It is another tenant's (409), or the legacy source cannot say.
    async fn refuse_unmigrated(&self, id: &LegacyId, tenant: &Tenant) -> Result<(), Error> {
        let Some(legacy) = self.legacy.as_deref().filter(|legacy| legacy.tenant() != tenant) else {
            return Ok(());
        };
        match legacy.find(&Wanted::Legacy(id.clone())).await? {
            Some(_) => Err(of_another_tenant(id).into()),
            None => Ok(()),
        }
    }

    /// What a legacy id names.
    pub async fn alias(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.alias_row(id).await?.filter(|row| row.withdrawn.is_none()))
    }

    /// What a legacy id names, or named until that was taken back.
    pub async fn alias_row(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Alias(id.clone())).await?.and_then(Row::alias))
    }
}
