//! A service as the destination of a migration.

use std::sync::Arc;

use credlink_core::access::Visibility;
use credlink_core::front::Front;
use credlink_core::http::conditional::entity_tag;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::object::ObjectKey;
use credlink_core::proof_id::ProofId;
use credlink_core::row::{ProofRow, Row, State};
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_core::time::Timestamp;
use credlink_core::tombstone::Tombstone;
use http::header::IF_MATCH;
use http::{HeaderMap, HeaderValue};

use credlink_ports::migration::AdoptedFront;
use credlink_ports::migration::ledger::CopiedItem;
use credlink_ports::migration::proof_content::{difference, difference_in_readers};
use credlink_ports::migration::target::{Payload, Target};
use credlink_ports::migration::{Depth, Destination, ExistingState, Imported, Verdict, Withdrawal};
use credlink_ports::{
    Checksummed, Event, Events as _, Failure, FailureKind, Index as _, Listing, Objects as _, Page, Ports,
};
use credlink_service::aliases::{Claimant, bind};
use credlink_service::error::Error;
use credlink_service::import::import;
use credlink_service::removal::{bury, finish_proof};
use credlink_service::service::{MAX_ATTEMPTS, Service};
use credlink_service::stored::Stored;
use credlink_service::supersede::supersede;

use crate::history::{self, History};
use crate::reserved_ids::{NoReservedIds, ReservedIds, check_reserved};
use crate::{aliases, compare, manifests};

/// A [`Service`] as a destination.
#[derive(Debug)]
pub struct ServiceDestination<P, R = NoReservedIds> {
    service: Arc<Service<P>>,
    /// The tenant whose proofs [`Destination::list`] returns; all tenants' proofs if there is none.
    tenant: Option<Tenant>,
    reserved: R,
}

/// Refuses a payload of another tenant at a destination with a single tenant, where nobody would find it.
///
/// # Errors
/// Fails if the destination `name` has a single tenant and the payload belongs to another one.
pub fn check_one_tenant(payload: &Payload, has_tenants: bool, name: &'static str) -> Result<(), Failure> {
    match payload.tenant() {
        Some(tenant) if !has_tenants && !tenant.is_default() => Err(Failure {
            provider: name,
            kind: FailureKind::AccessDenied,
            message: format!(
                "the destination has one tenant, `default`, and this is to be `{tenant}`'s; set CREDLINK_TENANTS=several for a \
                 destination that has more"
            ),
        }),
        _ => Ok(()),
    }
}

impl<P: Ports> ServiceDestination<P> {
    /// Creates a destination that is served beside no legacy store. Its listing names the proofs of `tenant`, or of all
    /// tenants.
    pub fn new(service: Arc<Service<P>>, tenant: Option<Tenant>) -> Self {
        Self { service, tenant, reserved: NoReservedIds }
    }
}

impl<P: Ports, R: ReservedIds> ServiceDestination<P, R> {
    /// Returns the destination with reserved legacy IDs, which it refuses to bind for another tenant.
    #[must_use]
    pub fn reserving<T: ReservedIds>(self, reserved: T) -> ServiceDestination<P, T> {
        let Self { service, tenant, .. } = self;
        ServiceDestination { service, tenant, reserved }
    }

    /// Returns `true` if the service has several tenants.
    pub fn has_tenants(&self) -> bool {
        self.service.settings().has_tenants
    }

    /// Returns the service.
    pub const fn service(&self) -> &Arc<Service<P>> {
        &self.service
    }

    /// Turns a refusal of the authorization check into a failure that an operator has to act on.
    fn allowed(&self, asked: Result<(), Error>) -> Result<(), Failure> {
        asked.map_err(|error| match error {
            Error::Failure(failure) => failure,
            Error::Problem(problem) => Failure {
                provider: self.service.ports().index().name(),
                kind: FailureKind::AccessDenied,
                message: problem.detail,
            },
        })
    }

    fn contended(&self, id: &dyn std::fmt::Display) -> Failure {
        Failure {
            provider: self.service.ports().index().name(),
            kind: FailureKind::Unavailable,
            message: format!("{id}: other processes kept changing it"),
        }
    }

    /// Returns the instant at which a proof was deleted. The rollback of a store that was never completed does not
    /// count.
    async fn deleted(&self, id: &ProofId) -> Result<Option<Timestamp>, Failure> {
        if let Some(ProofRow { state: State::Deleting(at) | State::Deleted(at), void: false, .. }) =
            self.service.proof_row(id).await?
        {
            return Ok(Some(at));
        }
        // A tombstone without a row, left by a deletion that a restored index does not know.
        let key = ObjectKey::Record(*id);
        let Some(current) = self.service.current(&key).await? else { return Ok(None) };
        let tombstone =
            current.verified.facts().tombstone.then(|| Tombstone::parse(&current.verified.content()));
        let tombstone = tombstone.and_then(Result::ok).filter(|tombstone| !tombstone.void);
        Ok(tombstone.map(|tombstone| tombstone.deleted))
    }

    /// Returns the outcome of a use case's error, or `None` if the import must start over from the current state.
    async fn refused(&self, id: &ProofId, error: Error) -> Result<Option<Imported>, Failure> {
        let problem = match error {
            Error::Failure(failure) => return Err(failure),
            Error::Problem(problem) => problem,
        };
        match problem.kind {
            ProblemKind::Deleted => Ok(self.deleted(id).await?.map(Imported::Deleted)),
            ProblemKind::Contended
            | ProblemKind::NotFound
            | ProblemKind::Expired
            | ProblemKind::PreconditionFailed => Ok(None),
            kind => Ok(Some(Imported::Refused { kind: kind.slug().to_owned(), detail: problem.detail })),
        }
    }

    /// Makes one step from the current state towards the drafts' history. Returns `None` if there are further steps.
    async fn advance(&self, drafts: &[Draft], stored: &Stored) -> Result<Option<Imported>, Error> {
        let (Some(last), row) = (drafts.last(), &stored.row) else { return Ok(None) };
        if let (Some(body), [draft]) = (&stored.body, drafts) {
            // The record that was just stored is the whole history, and its legacy ID leads to it.
            return Ok(Some(Imported::Stored(history::stored_just_now(draft, row, body))));
        }
        let history = History::new(drafts, row.first_revision);
        let position = history.position(row);
        let is_published = (last.visibility, row.visibility) == (Visibility::Private, Visibility::Public);
        if position.is_none() && last.is_identical_to(row) && is_published {
            return Ok(Some(Imported::Conflict { detail: difference_in_readers(&row.id) }));
        }
        if position.is_some() || last.is_identical_to(row) {
            self.bind(drafts, row).await?;
        }
        match position.and_then(|position| drafts.get(position + 1)) {
            Some(next) => {
                let tag = entity_tag(&row.record_sha256, None);
                let tag = HeaderValue::from_str(&tag).map_err(|_| self.contended(&row.id))?;
                let headers = HeaderMap::from_iter([(IF_MATCH, tag)]);
                let replaced =
                    supersede(&self.service, &row.id, &row.tenant, &headers, |_| Ok(next.clone())).await;
                self.make_way(next, replaced).await?;
                Ok(None)
            }
            None if position.is_some() => {
                self.hide(drafts).await?;
                Ok(Some(Imported::Stored(history.copy(row))))
            }
            None if last.is_identical_to(row) => {
                self.hide(drafts).await?;
                Ok(Some(Imported::Equal(history::standing(row, drafts))))
            }
            None => Ok(Some(Imported::Conflict { detail: difference(&row.id, &row.manifest_sha256, last) })),
        }
    }

    /// Makes the history's legacy ID lead to the existing proof.
    async fn bind(&self, drafts: &[Draft], proof: &ProofRow) -> Result<(), Error> {
        let Some((legacy, _)) = history::legacy(drafts) else { return Ok(()) };
        match self.service.alias(legacy).await? {
            Some(row) if row.proof == proof.id => Ok(()),
            _ => bind(&self.service, legacy, proof, Claimant::Tenant).await.map(drop),
        }
    }

    /// Makes the manifests of an imported proof private if they are private at the source and public here.
    async fn hide(&self, drafts: &[Draft]) -> Result<(), Error> {
        for draft in drafts.iter().filter(|draft| draft.has_private_manifest()) {
            if let Some(manifest) = draft.manifest_key() {
                manifests::hide(&self.service, &manifest, draft.manifest.sha256()).await?;
            }
        }
        Ok(())
    }

    /// Makes a manifest private if a private draft was refused because the same manifest is public here. Returns `None`
    /// if the draft can then be stored. Nothing is changed if the draft is refused anyway: a deleted proof stays
    /// deleted, and its manifest stays as it is.
    async fn make_way<T>(&self, draft: &Draft, stored: Result<T, Error>) -> Result<Option<T>, Error> {
        let problem = match stored {
            Err(Error::Problem(problem)) if problem.kind == ProblemKind::VisibilityConflict => problem,
            stored => return stored.map(Some),
        };
        let Some(manifest) = draft.manifest_key().filter(|_| draft.has_private_manifest()) else {
            return Err(problem.into());
        };
        let restores = draft.origin.as_ref().and_then(|origin| origin.restores);
        if let Some(at) = self.deleted(&draft.id()).await?
            && restores != Some(at)
        {
            return Err(Problem::deleted(at).into());
        }
        if manifests::make_private(&self.service, &manifest, draft.manifest.sha256()).await? {
            return Ok(None);
        }
        Err(problem.into())
    }

    /// Refuses drafts with a legacy ID that is reserved for another tenant.
    async fn check_ids(&self, drafts: &[Draft]) -> Result<(), Error> {
        match history::legacy(drafts) {
            None => Ok(()),
            Some((id, draft)) => check_reserved(&self.service, &self.reserved, id, &draft.tenant).await,
        }
    }

    /// Imports a proof from its drafts, which are in order of revision, the current one last.
    async fn import_proof(&self, drafts: &[Draft]) -> Result<Imported, Failure> {
        let Some(first) = drafts.first() else {
            let problem = Problem::new(ProblemKind::InvalidRequest, "a proof has at least one record");
            return Ok(Imported::Refused { kind: problem.kind.slug().to_owned(), detail: problem.detail });
        };
        let id = first.id();
        // Each draft is a step, may first need its manifest made private, and may be disturbed by other writers.
        for _ in 0..MAX_ATTEMPTS + 2 * drafts.len() {
            // If the proof exists already, this changes nothing and returns it.
            let stored = match self.check_ids(drafts).await {
                Ok(()) => import(&self.service, first).await,
                Err(error) => Err(error),
            };
            let stored = match self.make_way(first, stored).await {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(error) => match self.refused(&id, error).await? {
                    Some(outcome) => return Ok(outcome),
                    None => continue,
                },
            };
            match self.advance(drafts, &stored).await {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(error) => {
                    if let Some(outcome) = self.refused(&id, error).await? {
                        return Ok(outcome);
                    }
                }
            }
        }
        Err(self.contended(&id))
    }

    async fn withdraw_row(
        &self,
        id: &ProofId,
        copy: &CopiedItem,
        at: Timestamp,
    ) -> Result<Option<Withdrawal>, Failure> {
        let row = match self.service.proof_row(id).await? {
            None => return Ok(Some(Withdrawal::Absent)),
            Some(row) => row,
        };
        match row.state {
            State::Deleting(deleted) if deleted == at => finish_proof(&self.service, &row).await?,
            State::Deleted(deleted) if deleted == at => {}
            State::Deleting(_) | State::Deleted(_) => return Ok(Some(Withdrawal::Touched)),
            State::Live => {
                if copy.objects.first().is_none_or(|record| record.content != row.record_sha256) {
                    return Ok(Some(Withdrawal::Touched));
                }
                // Deletes this very row: a replacement that is made meanwhile wins.
                let Some(row) = bury(&self.service, &row, at).await? else { return Ok(None) };
                finish_proof(&self.service, &row).await?;
                self.service.ports().events().record(Event::Deleted);
            }
        }
        Ok(Some(Withdrawal::Deleted(at)))
    }
}

impl<P: Ports<Objects: Checksummed>, R: ReservedIds> Destination for ServiceDestination<P, R> {
    fn name(&self) -> &'static str {
        self.service.ports().objects().name()
    }

    async fn admits(&self, payload: &Payload) -> Result<(), Failure> {
        self.allowed(self.service.may_change().await)?;
        check_one_tenant(payload, self.service.settings().has_tenants, self.name())
    }

    async fn adopt_front(&self, front: &Front) -> Result<Option<AdoptedFront>, Failure> {
        self.service.adopt_front(front).await
    }

    async fn release_front(&self, adopted: &AdoptedFront) -> Result<(), Failure> {
        self.service.release_front(adopted).await
    }

    async fn find(&self, target: &Target) -> Result<ExistingState, Failure> {
        let id = match target {
            Target::Proof(id) => id,
            Target::Alias { id, .. } => return aliases::find_alias(&self.service, id).await,
            Target::Manifest(id) => return manifests::find_manifest(&self.service, id).await,
        };
        let Some(row) = self.service.proof_row(id).await? else { return Ok(ExistingState::Absent) };
        Ok(match row.state {
            State::Live => ExistingState::Live(Some((&row).into())),
            State::Deleting(at) | State::Deleted(at) => ExistingState::Deleted(at),
        })
    }

    async fn import(&self, payload: &Payload) -> Result<Imported, Failure> {
        self.admits(payload).await?;
        match payload {
            Payload::Proof(drafts) => self.import_proof(drafts).await,
            Payload::Alias(alias_draft) => {
                aliases::import_alias(&self.service, &self.reserved, alias_draft).await
            }
            Payload::Manifest(manifest_draft) => {
                manifests::import_manifest(&self.service, manifest_draft).await
            }
        }
    }

    async fn verify(&self, copy: &CopiedItem, depth: Depth) -> Result<Verdict, Failure> {
        compare::verify(&self.service, copy, depth).await
    }

    async fn withdraw(&self, copy: &CopiedItem, at: Timestamp) -> Result<Withdrawal, Failure> {
        self.allowed(self.service.may_destroy().await)?;
        for _ in 0..MAX_ATTEMPTS {
            let withdrawal = match &copy.target {
                Target::Proof(id) => self.withdraw_row(id, copy, at).await?,
                Target::Alias { id, proof } => Some(aliases::withdraw_alias(&self.service, id, proof).await?),
                Target::Manifest(id) => manifests::withdraw_manifest(&self.service, id, copy, at).await?,
            };
            if let Some(withdrawal) = withdrawal {
                self.service.announce().await;
                return Ok(withdrawal);
            }
        }
        Err(self.contended(&copy.target))
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page<ProofId>, Failure> {
        let listing = self.tenant.clone().map_or(Listing::All, Listing::Tenant);
        let page =
            self.service.ports().index().list(&listing, after, limit).await?.ok_or_else(|| Failure {
                provider: self.service.ports().index().name(),
                kind: FailureKind::Unavailable,
                message: "it does not know its own cursor any more".to_owned(),
            })?;
        let live = page.items.into_iter().filter_map(Row::proof).filter(|row| row.state == State::Live);
        Ok(Page { items: live.map(|row| row.id).collect(), next: page.next })
    }
}
