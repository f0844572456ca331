//! The handler: the requests that are not answered by the service alone.

use credlink_core::http::route::{Aliases, Documents, Manifests, Migrations, Proofs, Reads, Route};
use credlink_core::rules::guard::Act;

use credlink_ports::Ports;
use credlink_service::Service;
use credlink_service::aliases::redirect;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Call, Handler};
use credlink_service::openapi::batches::{delete_each, delete_one};
use credlink_service::openapi::proofs::{read_draft, store_draft, store_reply};
use credlink_service::plain::Plain;
use credlink_service::request_body::RequestBody;

use crate::cloud_storage_off::check_available;
use crate::hybrid::Hybrid;
use crate::legacy_store::LegacyStore;

impl<P: Ports, L: LegacyStore> Handler<P> for Hybrid<L> {
    async fn perform<B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        if self.legacy.is_cloud_storage_off() {
            self.perform_without_cloud_storage(service, call).await
        } else {
            self.perform_beside(service, call).await
        }
    }
}

impl<L: LegacyStore> Hybrid<L> {
    /// Answers from the service, and falls back to the legacy store.
    async fn perform_beside<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        match call.route {
            Route::Reads(Reads::Object { key, signature, form }) => {
                self.read(service, &call.lookup(service, key, *form, signature.as_ref())).await
            }
            Route::Reads(Reads::Alias(id)) => match service.alias(id).await? {
                Some(row) => redirect(service, call.caller, &row).await,
                None => self.read_by_legacy_id(service, call, id).await,
            },
            Route::Proofs(Proofs::Store) => {
                service.check_guard(call.route).await?;
                let caller = call.caller;
                let draft = read_draft(service, caller, call.json(service).await?).await?;
                self.check_origin(service, caller, &draft).await?;
                Ok(store_draft(service, caller, &draft).await?.into())
            }
            Route::Proofs(Proofs::Supersede(id)) => {
                service.check_guard(call.route).await?;
                let (call, _) = call.read_json(service).await?;
                self.import_before_change(service, id).await?;
                Plain.perform(service, call).await
            }
            Route::Proofs(Proofs::Delete(id)) => {
                service.check_guard(call.route).await?;
                self.import_before_change(service, id).await?;
                Plain.perform(service, call).await
            }
            Route::Proofs(Proofs::BatchDelete) => {
                service.check_guard(call.route).await?;
                let caller = call.caller;
                let body = call.json(service).await?;
                let delete = |id| async move {
                    self.import_before_change(service, &id).await?;
                    delete_one(service, caller, id).await
                };
                Ok(delete_each(service, body, delete).await?.into())
            }
            Route::Proofs(Proofs::SignLink { id, .. }) => {
                // Signing a link is a read: even if nothing may be stored, a link to a stored proof is signed.
                if service.standing_for_readers().await.forbids(Act::Change).is_none() {
                    self.import_before_change(service, id).await?;
                }
                Plain.perform(service, call).await
            }
            Route::Aliases(Aliases::Bind(id)) => {
                service.check_guard(call.route).await?;
                let (call, body) = call.read_json(service).await?;
                self.check_name(service, call.caller, id, &body).await?;
                Plain.perform(service, call).await
            }
            // The legacy store has nothing for these operations.
            Route::Reads(Reads::PlainManifest { .. })
            | Route::Proofs(Proofs::List { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Aliases(Aliases::Withdraw { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Manifests(Manifests::Store { .. })
            | Route::Manifests(Manifests::Delete { .. })
            | Route::Manifests(Manifests::DecideFront(_))
            | Route::Manifests(Manifests::ChangeVisibility { .. })
            | Route::Migrations(Migrations::Begin)
            | Route::Migrations(Migrations::Show { .. })
            | Route::Migrations(Migrations::Remove { .. })
            | Route::Uploads(_)
            | Route::Files(_)
            | Route::Entities(_)
            | Route::Media(_)
            | Route::Documents(Documents::Health)
            | Route::Documents(Documents::Stats)
            | Route::Documents(Documents::OpenApi)
            | Route::Options(_) => Plain.perform(service, call).await,
        }
    }

    /// Answers from the legacy store alone.
    async fn perform_without_cloud_storage<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        check_available(call.route)?;
        match call.route {
            Route::Reads(Reads::Object { key, signature, form }) => {
                self.read_record(service, &call.lookup(service, key, *form, signature.as_ref())).await
            }
            Route::Reads(Reads::Alias(id)) => self.read_by_legacy_id(service, call, id).await,
            Route::Proofs(Proofs::Store) => {
                let caller = call.caller;
                let draft = read_draft(service, caller, call.json(service).await?).await?;
                let stored = self.store_record(service, caller, &draft).await?;
                Ok(store_reply(service, &stored).into())
            }
            // The state of the service, and the document of its API.
            _ => Plain.perform(service, call).await,
        }
    }
}
