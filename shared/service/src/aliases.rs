//! Legacy ids by themselves: binding one to a proof that is there, taking that back, and listing them. For an import of
//! a whole CredLink: most ids come with their proofs.
//!
//! Most legacy ids stand in the record of their proof. Where one leads to is kept in an object of its own as well
//! (`aliases/{legacy id}`) as soon as no record says so: then it is not lost with the index. The row is written first,
//! because it decides between two that bind one id; nobody is answered before the object agrees with it.

mod bind;

use credlink_core::access::{Caller, Visibility};
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::legacy::LegacyId;
use credlink_core::note::AliasNote;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::proof_id::ProofId;
use credlink_core::row::{AliasRow, ProofRow, Row, RowKey};
use credlink_core::rules::alias::{alias_absent, alias_reply, private_alias_reply};
use credlink_core::rules::guard::RETRY_AFTER_SECONDS;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use serde::Serialize;

use credlink_ports::{
    Condition, Failure, FailureKind, Index as _, Listing, Objects as _, Ports, Put, Replicas as _,
};

use crate::delete::claim;
use crate::error::{Error, contended};
use crate::handler::Answer;
use crate::reconcile::may_follow;
use crate::service::{MAX_ATTEMPTS, Service, other_tenant};
use crate::supersede::{any_live_row, live_row};

use bind::catch_up;
pub(crate) use bind::free_for;
pub use bind::{Claimant, bind, of_another_tenant};

/// A legacy id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Alias {
    /// The id.
    pub id: LegacyId,
    /// The proof that it names.
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
/// id that names another live proof or is another tenant's (409); or a failure.
pub async fn name<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<bool, Error> {
    let row = nameable(service, id, proof, tenant).await?;
    bind(service, id, &row, Claimant::Tenant).await
}

/// Returns `true` if nothing is known here of an id that is about to be bound by [`name`]: for a handler that knows of ids
/// elsewhere.
///
/// # Errors
/// As [`name`], short of a conflict.
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

/// The row of a proof of `tenant` that a legacy id may lead to.
async fn nameable<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    proof: &ProofId,
    tenant: &Tenant,
) -> Result<ProofRow, Error> {
    refuse_proof_id(id)?;
    live_row(service, proof, tenant).await
}

/// Lets a legacy id lead to a live proof of whichever tenant, wherever it leads or led before: the word of an operator. Whether
/// that was done here: it may have led there before.
///
/// # Errors
/// An id that is a proof id (400); a proof that is not there (404), or deleted or expired (410); or a failure.
pub async fn reassign<P: Ports>(service: &Service<P>, id: &LegacyId, proof: &ProofId) -> Result<bool, Error> {
    refuse_proof_id(id)?;
    let row = any_live_row(service, proof).await?;
    bind(service, id, &row, Claimant::Operator).await
}

/// Refuses an id that would never lead anywhere: a path with a proof id is that proof's.
fn refuse_proof_id(id: &LegacyId) -> Result<(), Problem> {
    if id.as_str().parse::<ProofId>().is_ok() {
        return Err(Problem::field("id", format!("`{id}` is the id of a proof, and no other name of one")));
    }
    Ok(())
}

/// Takes back that a legacy id leads to `proof`: since when, also where that was done before. `None`: it never led anywhere.
///
/// # Errors
/// An id that leads to another proof (412) or to what everybody may read of another tenant's (403), or a failure.
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
            // As if it had never led anywhere, where the caller may not know that it does (guarantee 13).
            return if leads_for_all(service, &row).await? { Err(other_tenant().into()) } else { Ok(None) };
        }
        if row.proof != *proof {
            let detail = format!("the legacy id `{id}` leads to {}, not to {proof}", row.proof);
            return Err(Problem::new(Kind::PreconditionFailed, detail).at("proof").into());
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

/// Answers with where a legacy id leads, for who may read what is there.
///
/// # Errors
/// It leads to what the caller may not read (404), or a failure.
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

/// Returns `true` if everybody may know where a legacy id leads: to a proof that is public, or was when it was deleted. Where the
/// index has no such proof, nobody is told of one.
async fn leads_for_all<P: Ports>(service: &Service<P>, row: &AliasRow) -> Result<bool, Failure> {
    let proof = service.proof_row(&row.proof).await?;
    Ok(proof.is_some_and(|proof| proof.visibility == Visibility::Public))
}

/// Lets the row of a legacy id follow its object, if the index may be older than the store: before the row is changed, and
/// the object after it. Otherwise the row counts, and nothing is read.
pub(crate) async fn agree<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    if !service.trusts_index().await? {
        follow_alias(service, id, false).await?;
    }
    Ok(())
}

/// Refuses to deal with a legacy id of which an index that may be older than the store knows nothing, when it agrees with the
/// note: a record that it does not know may name the id.
///
/// # Errors
/// An error that says what is in doubt (503), or a failure.
pub(crate) async fn refuse_unknown<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    if service.trusts_index().await? || service.alias_row(id).await?.is_some() {
        return Ok(());
    }
    let Err(error) = service.may_destroy().await else { return Ok(()) };
    let why = error.problem().detail;
    let detail = format!("{why} Until then, it is not known whether the legacy id `{id}` leads to a proof.");
    Err(Problem::stopped(detail, RETRY_AFTER_SECONDS).into())
}

/// Makes sure that the object of a legacy id is there and agrees with its row: the object follows the row, or the row the
/// object where the index may be older than the store.
pub(crate) async fn secure_alias<P: Ports>(service: &Service<P>, id: &LegacyId) -> Result<(), Error> {
    agree(service, id).await?;
    keep_alias(service, id).await?;
    Ok(())
}

/// Makes the object of a legacy id agree with its row, and returns that row; where there is none, nothing is done. The row has
/// to be as new as the object: see [`agree`]. It may not be the one that the caller has written, if others write too.
pub(crate) async fn keep_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
) -> Result<Option<AliasRow>, Failure> {
    let key = ObjectKey::Alias(id.clone());
    for _ in 0..MAX_ATTEMPTS {
        // The tag is read before the row: what it names is then no newer than the row.
        let found = service.current(&key).await?;
        let Some(row) = service.alias_row(id).await? else { return Ok(None) };
        let note = AliasNote::of(&row);
        let (condition, written) = match &found {
            None => (Condition::Absent, 0),
            Some(found) => {
                let facts: &Facts = found.verified.facts();
                if AliasNote::parse(&found.verified.content()).is_ok_and(|found| found == note) {
                    service.ports.objects().confirm(&key, facts).await?;
                    return Ok(Some(row));
                }
                (Condition::Matches(found.tag.clone()), facts.generation)
            }
        };
        let (body, attributes) = note.object(written.saturating_add(1), service.now());
        if let Put::Stored(_) = service.ports.objects().put(&key, body.into(), &attributes, condition).await?
        {
            return Ok(Some(row));
        }
    }
    let message = format!("{key}: other requests kept replacing it");
    Err(Failure { provider: service.ports.objects().name(), kind: FailureKind::Unavailable, message })
}

/// Lets the row of a legacy id and its object agree. Whether one of them changed. Where the index is as new as the store, the
/// row decides: a request was cut off between the two. An index that is older, or lacks the row, follows the object.
///
/// # Errors
/// A failure of a provider or the index; the same again goes on.
pub(crate) async fn follow_alias<P: Ports>(
    service: &Service<P>,
    id: &LegacyId,
    is_index_trusted: bool,
) -> Result<bool, Error> {
    may_follow(service).await?;
    let key = ObjectKey::Alias(id.clone());
    for _ in 0..MAX_ATTEMPTS {
        let before = service.alias_row(id).await?;
        let Some(found) = service.current(&key).await? else { return Ok(false) };
        let note = service.alias_note(id, &found.verified)?;
        if before.as_ref().is_some_and(|row| AliasNote::of(row) == note) {
            return Ok(false);
        }
        if before.is_some() && is_index_trusted {
            keep_alias(service, id).await?;
            return Ok(true);
        }
        let expected = before.map(|row| row.version);
        let row = AliasRow { version: expected.unwrap_or(0) + 1, ..note.row() };
        if claim(service, Row::Alias(row), expected).await? {
            return Ok(true);
        }
    }
    Err(contended())
}

/// Returns `true` if a legacy id needs an alias: a proof id is no other name of itself.
#[must_use]
pub fn is_another_name(legacy: &LegacyId, id: &ProofId) -> bool {
    legacy.as_str().parse() != Ok(*id)
}

impl<P: Ports> Service<P> {
    /// Returns where a legacy id leads.
    ///
    /// # Errors
    /// The index failed.
    pub async fn alias(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.alias_row(id).await?.filter(|row| row.withdrawn.is_none()))
    }

    /// Returns where a legacy id leads, or led until that was taken back.
    ///
    /// # Errors
    /// The index failed.
    pub async fn alias_row(&self, id: &LegacyId) -> Result<Option<AliasRow>, Failure> {
        Ok(self.ports.index().get(&RowKey::Alias(id.clone())).await?.and_then(Row::alias))
    }
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
