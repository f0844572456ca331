//! The operations of a plain service: one table from the routes to the use cases.

mod reads;

use credlink_core::access::Caller;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::http::route::{Aliases, Documents, Manifests, Migrations, Proofs, Reads, Route};
use credlink_core::rules::store::check_tenant;
use http::StatusCode;

use credlink_ports::Ports;

use crate::error::Error;
use crate::front::Arrival;
use crate::handler::{Answer, Call, Handler};
use crate::openapi::{self, aliases, batches, manifests, migrations, proofs};
use crate::request_body::RequestBody;
use crate::retrieve::retrieve;
use crate::service::Service;

use reads::{read_alias, read_plain_manifest};

/// The plain service, which answers from its own store alone.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<P: Ports> Handler<P> for Plain {
    async fn perform<B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        match call.route {
            Route::Reads(Reads::Object { key, signature, form }) => {
                retrieve(service, &call.lookup(service, key, *form, signature.as_ref())).await
            }
            Route::Reads(Reads::PlainManifest { id, signature, form }) => {
                read_plain_manifest(service, call, id, *form, signature.as_ref()).await
            }
            Route::Reads(Reads::Alias(id)) => read_alias(service, call.caller, id).await,
            // Boxed, because the state of these operations is large and would be copied with each read.
            Route::Proofs(operation) => Ok(Box::pin(on_proofs(service, call, operation)).await?.into()),
            Route::Aliases(operation) => Ok(Box::pin(on_aliases(service, call, operation)).await?.into()),
            Route::Manifests(operation) => Ok(Box::pin(on_manifests(service, call, operation)).await?.into()),
            Route::Migrations(operation) => {
                Ok(Box::pin(on_migrations(service, call, operation)).await?.into())
            }
            Route::Documents(document) => Ok(Box::pin(show(service, call.caller, document)).await?.into()),
            Route::Uploads(_) | Route::Files(_) | Route::Entities(_) | Route::Media(_) => {
                Err(no_files().into())
            }
            // The router answers preflights.
            Route::Options(_) => Ok(Reply::empty(StatusCode::NOT_FOUND).into()),
        }
    }
}

/// Returns the answer to requests about files. A handler that wraps this one may keep files (`credlink-files`).
fn no_files() -> Problem {
    let detail = "this deployment keeps no files, only proofs; `credlink serve` over a folder of its own keeps both, and so do \
                  functions that share a queue for uploads (CREDLINK_FILES_QUEUE_URL)";
    Problem::new(ProblemKind::NotFound, detail)
}

/// Performs an operation on proofs, if the guard allows it.
async fn on_proofs<P: Ports, B: RequestBody>(
    service: &Service<P>,
    call: Call<'_, B>,
    operation: &Proofs,
) -> Result<Reply, Error> {
    service.check_guard(call.route).await?;
    let (caller, headers) = (call.caller, &call.request.headers);
    match operation {
        Proofs::Store => proofs::store_proof(service, caller, call.json(service).await?).await,
        Proofs::Supersede(id) => {
            let body = call.json(service).await?;
            proofs::supersede_proof(service, caller, id, headers, body).await
        }
        Proofs::Delete(id) => proofs::delete_proof(service, caller, id, headers).await,
        Proofs::BatchDelete => batches::batch_delete(service, caller, call.json(service).await?).await,
        Proofs::List { after, limit } => proofs::list_proofs(service, caller, after.as_deref(), *limit).await,
        Proofs::SignLink { id, expires_in } => proofs::sign_link(service, caller, id, *expires_in).await,
    }
}

/// Performs an operation on legacy IDs, if the guard allows it.
async fn on_aliases<P: Ports, B: RequestBody>(
    service: &Service<P>,
    call: Call<'_, B>,
    operation: &Aliases,
) -> Result<Reply, Error> {
    service.check_guard(call.route).await?;
    let caller = call.caller;
    match operation {
        Aliases::List { after, limit } => {
            aliases::list_aliases(service, caller, after.as_deref(), *limit).await
        }
        Aliases::Bind(id) => {
            let body = call.json(service).await?;
            aliases::bind_alias(service, caller, id.clone(), body).await
        }
        Aliases::Withdraw { id, proof } => aliases::withdraw_alias(service, caller, id, proof).await,
    }
}

/// Performs an operation on manifests, if the guard allows it.
async fn on_manifests<P: Ports, B: RequestBody>(
    service: &Service<P>,
    call: Call<'_, B>,
    operation: &Manifests,
) -> Result<Reply, Error> {
    service.check_guard(call.route).await?;
    let (caller, headers) = (call.caller, &call.request.headers);
    match operation {
        Manifests::List { after, limit } => {
            manifests::list_manifests(service, caller, after.as_deref(), *limit).await
        }
        Manifests::Store { visibility, tenant, imported } => {
            check_tenant(tenant.as_ref(), &caller.tenant)?;
            let how = (*visibility, Arrival::imported(*imported));
            manifests::store_manifest(service, caller, how, call.c2pa(service).await?).await
        }
        Manifests::Delete { id, tenant, imported } => {
            let manifest = (id, tenant.clone());
            manifests::delete_manifest(service, caller, manifest, *imported, headers).await
        }
        Manifests::DecideFront(id) => manifests::decide_front(service, id, call.json(service).await?).await,
        Manifests::ChangeVisibility { id, tenant } => {
            let body = call.json(service).await?;
            manifests::change_visibility(service, caller, id, tenant.clone(), body).await
        }
    }
}

/// Performs an operation on migrations, if the guard allows it.
async fn on_migrations<P: Ports, B: RequestBody>(
    service: &Service<P>,
    call: Call<'_, B>,
    operation: &Migrations,
) -> Result<Reply, Error> {
    service.check_guard(call.route).await?;
    let (caller, request_id) = (call.caller, call.request_id);
    match operation {
        Migrations::Begin => {
            migrations::begin_migration(service, call.json(service).await?, request_id).await
        }
        Migrations::Show { job, after } => {
            migrations::show_migration(service, caller, job, after.as_deref()).await
        }
        Migrations::Remove { job, abandon } => migrations::remove_migration(service, job, *abandon).await,
    }
}

/// Shows a document about the service.
async fn show<P: Ports>(service: &Service<P>, caller: &Caller, document: &Documents) -> Result<Reply, Error> {
    match document {
        Documents::Health => Ok(openapi::health(service, caller).await),
        Documents::Stats => openapi::stats(service).await,
        Documents::OpenApi => Ok(openapi::document()),
    }
}
