//! Serving while the cloud storage is switched off: operations that need it are refused, and new proofs become legacy
//! records, which a later migration imports.

use credlink_core::access::{Caller, Visibility};
use credlink_core::hash::Digest;
use credlink_core::http::problem::Problem;
use credlink_core::http::route::{Aliases, Documents, Form, Manifests, Migrations, Proofs, Reads, Route};
use credlink_core::legacy::LegacyRecord;
use credlink_core::object::ObjectKey;
use credlink_core::row::ProofRow;
use credlink_core::rules::store::Draft;

use credlink_ports::{Event, Events as _, Failure, FailureKind, Ports};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::stored::Stored;

use crate::hybrid::Hybrid;
use crate::legacy_store::{FoundRecord, LegacyStore};
use crate::reads::deleted;
use crate::written::legacy_json;

/// Seconds after which a client should check whether the cloud storage is on again.
const OFF_SECONDS: u32 = 60;

/// The refusal of an operation that needs the cloud storage while that is off.
fn off(what: &str) -> Problem {
    let mut problem = Problem::unavailable(OFF_SECONDS);
    problem.detail = format!(
        "{what} while the cloud storage is switched off: only the legacy store serves and accepts proofs until \
         CREDLINK_CLOUD_STORAGE is `on` again"
    );
    problem
}

/// Refuses an operation that needs the cloud storage while that is off.
///
/// # Errors
/// A problem that names the unavailable operation (503).
pub(crate) fn check_available(route: &Route) -> Result<(), Problem> {
    match route {
        Route::Proofs(Proofs::Store)
        | Route::Documents(Documents::Health)
        | Route::Documents(Documents::OpenApi)
        | Route::Reads(Reads::Object { key: ObjectKey::Record(_), form: Form::Content, .. })
        | Route::Reads(Reads::Alias(_))
        | Route::Options(_) => Ok(()),
        Route::Reads(Reads::Object { key: ObjectKey::Record(_), form: Form::Stored, .. }) => {
            Err(off("no copies are handed out"))
        }
        Route::Reads(Reads::Object { key: ObjectKey::Revision(..), .. }) => {
            Err(off("earlier records cannot be read"))
        }
        Route::Reads(Reads::Object { key: ObjectKey::Manifest(_) | ObjectKey::Front(_), .. })
        | Route::Reads(Reads::PlainManifest { .. }) => Err(off("manifests cannot be read by themselves")),
        // No path leads to any of the other keys.
        Route::Reads(Reads::Object {
            key:
                ObjectKey::Alias(_)
                | ObjectKey::Hold(..)
                | ObjectKey::Removed(..)
                | ObjectKey::Identity
                | ObjectKey::Media(_),
            ..
        }) => Err(off("this cannot be read")),
        Route::Proofs(Proofs::Supersede(_)) => Err(off("no proof is replaced")),
        Route::Proofs(Proofs::Delete(_))
        | Route::Proofs(Proofs::BatchDelete)
        | Route::Aliases(Aliases::Withdraw { .. })
        | Route::Manifests(Manifests::Delete { .. }) => Err(off("nothing is deleted")),
        Route::Manifests(Manifests::DecideFront(_)) => Err(off("no plain address is decided")),
        Route::Manifests(Manifests::ChangeVisibility { .. }) => Err(off("no manifest is hidden or shown")),
        Route::Aliases(Aliases::Bind(_)) => Err(off("no legacy id is bound")),
        Route::Manifests(Manifests::Store { .. }) => Err(off("no manifest is stored by itself")),
        Route::Migrations(Migrations::Begin) => Err(off("no migration is begun")),
        Route::Uploads(_) | Route::Files(_) | Route::Entities(_) | Route::Media(_) => {
            Err(off("no files are kept"))
        }
        Route::Proofs(Proofs::List { .. })
        | Route::Aliases(Aliases::List { .. })
        | Route::Manifests(Manifests::List { .. })
        | Route::Documents(Documents::Stats)
        | Route::Proofs(Proofs::SignLink { .. })
        | Route::Migrations(Migrations::Show { .. })
        | Route::Migrations(Migrations::Remove { .. }) => Err(off("the index is not asked")),
    }
}

/// Most attempts to write a record. After each attempt that another writer wins, the record is looked up again.
const ATTEMPTS: usize = 3;

impl<L: LegacyStore> Hybrid<L> {
    /// Stores a proof in the legacy store, under its own name.
    ///
    /// # Errors
    /// A legacy record cannot hold the proof, or a migration would leave it out (503); or a failure of the legacy
    /// store.
    pub(crate) async fn store_record<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        draft: &Draft,
    ) -> Result<Stored, Error> {
        let tenant = self.legacy.tenant();
        if caller.tenant != *tenant {
            return Err(off("only the tenant of the legacy store stores proofs").into());
        }
        if draft.visibility == Visibility::Private {
            return Err(off("no private proofs are stored").into());
        }
        if draft.origin.is_some() {
            return Err(off("nothing is imported").into());
        }
        let id = draft.id();
        // A migration does not import a proof that was deleted here.
        if let Some((_, at)) = deleted(service, &id).await {
            return Err(off(&format!(
                "a deleted proof, such as this one (deleted on {at}), is not stored again"
            ))
            .into());
        }
        for _ in 0..ATTEMPTS {
            if let Some(found) = self.locate(service, &id).await? {
                service.ports().events().record(Event::Deduplicated);
                return Ok(stored(service, &found, draft, true));
            }
            let json = legacy_json(draft, service.now()).map_err(|error| self.unwritable(&error))?;
            // The answer is made from the record as it will be read.
            let record = LegacyRecord::parse(&json).map_err(|error| self.unwritable(&error))?;
            let key = format!("{id}.json");
            if self.legacy.create(&key, json).await? {
                service.ports().events().record(Event::Stored);
                let found = FoundRecord { draft: record.draft(tenant.clone()), item: key };
                return Ok(stored(service, &found, draft, false));
            }
        }
        Err(contended())
    }

    fn unwritable(&self, why: &dyn std::fmt::Display) -> Failure {
        let message = format!("a proof cannot be written as a legacy record: {why}");
        Failure { provider: self.legacy.name(), kind: FailureKind::Damaged, message }
    }
}

/// Returns the result of storing a draft, given the record in the legacy store.
fn stored<P: Ports>(service: &Service<P>, found: &FoundRecord, draft: &Draft, deduplicated: bool) -> Stored {
    let record = found.draft.record(1, service.now());
    let row = ProofRow::publish(&record, Digest::of(&record.to_bytes()), None);
    Stored { identical: draft.is_identical_to(&row), row, deduplicated, body: None }
}
