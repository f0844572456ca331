//! The operations of a plain service: one table from the routes to the use cases.

mod reads;

use std::future::Future;

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::http::route::{Aliases, Documents, Manifests, Migrations, Proofs, Reads, Route};
use credlink_core::rules::store::check_tenant;
use http::StatusCode;

use credlink_ports::Ports;

use crate::error::Error;
use crate::front::Arrival;
use crate::handler::{Answer, Call, Handler};
use crate::openapi::{self, aliases, batches, manifests, migrations, proofs};
use crate::retrieve::retrieve;
use crate::service::Service;

use reads::{read_alias, read_plain_manifest};

/// The plain service, which answers from its own store alone.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<P: Ports> Handler<P> for Plain {
    async fn perform<B>(&self, service: &Service<P>, call: Call<'_, B>) -> Result<Answer, Error>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        match call.route {
            Route::Reads(Reads::Object { key, signature, form }) => {
                retrieve(service, &call.lookup(service, key, *form, signature.as_ref())).await
            }
            Route::Reads(Reads::PlainManifest { id, signature, form }) => {
                read_plain_manifest(service, call, id, *form, signature.as_ref()).await
            }
            Route::Reads(Reads::Alias(id)) => read_alias(service, call.caller, id).await,
            // Boxed, because the state of these operations is large and would be copied with each read.
            _ => Ok(Box::pin(operate(service, call)).await?.into()),
        }
    }
}

/// Performs an operation that is neither a read of content nor a preflight, if the guard allows it.
async fn operate<P, B>(service: &Service<P>, call: Call<'_, B>) -> Result<Reply, Error>
where
    P: Ports,
    B: Future<Output = Result<Bytes, Problem>>,
{
    service.check_guard(call.route).await?;
    let (caller, headers, request_id) = (call.caller, &call.request.headers, call.request_id);
    match call.route {
        Route::Proofs(Proofs::Store) => proofs::store_proof(service, caller, call.json(service).await?).await,
        Route::Proofs(Proofs::Supersede(id)) => {
            let body = call.json(service).await?;
            proofs::supersede_proof(service, caller, id, headers, body).await
        }
        Route::Proofs(Proofs::Delete(id)) => proofs::delete_proof(service, caller, id, headers).await,
        Route::Proofs(Proofs::BatchDelete) => {
            batches::batch_delete(service, caller, call.json(service).await?).await
        }
        Route::Proofs(Proofs::List { after, limit }) => {
            proofs::list_proofs(service, caller, after.as_deref(), *limit).await
        }
        Route::Proofs(Proofs::SignLink { id, expires_in }) => {
            proofs::sign_link(service, caller, id, *expires_in).await
        }

        Route::Aliases(Aliases::List { after, limit }) => {
            aliases::list_aliases(service, caller, after.as_deref(), *limit).await
        }
        Route::Aliases(Aliases::Bind(id)) => {
            let body = call.json(service).await?;
            aliases::bind_alias(service, caller, id.clone(), body).await
        }
        Route::Aliases(Aliases::Withdraw { id, proof }) => {
            aliases::withdraw_alias(service, caller, id, proof).await
        }

        Route::Manifests(Manifests::List { after, limit }) => {
            aliases::list_manifests(service, caller, after.as_deref(), *limit).await
        }
        Route::Manifests(Manifests::Store { visibility, tenant, imported }) => {
            check_tenant(tenant.as_ref(), &caller.tenant)?;
            let how = (*visibility, Arrival::imported(*imported));
            manifests::store_manifest(service, caller, how, call.c2pa(service).await?).await
        }
        Route::Manifests(Manifests::Delete { id, tenant, imported }) => {
            let manifest = (id, tenant.clone());
            manifests::delete_manifest(service, caller, manifest, *imported, headers).await
        }
        Route::Manifests(Manifests::DecideFront(id)) => {
            manifests::decide_front(service, id, call.json(service).await?).await
        }
        Route::Manifests(Manifests::ChangeVisibility { id, tenant }) => {
            let body = call.json(service).await?;
            manifests::change_visibility(service, caller, id, tenant.clone(), body).await
        }

        Route::Migrations(Migrations::Begin) => {
            migrations::begin_migration(service, call.json(service).await?, request_id).await
        }
        Route::Migrations(Migrations::Show { job, after }) => {
            migrations::show_migration(service, caller, job, after.as_deref()).await
        }
        Route::Migrations(Migrations::Remove { job, abandon }) => {
            migrations::remove_migration(service, job, *abandon).await
        }

        Route::Documents(Documents::Health) => Ok(openapi::health(service, caller).await),
        Route::Documents(Documents::Stats) => openapi::stats(service).await,
        Route::Documents(Documents::OpenApi) => Ok(openapi::document()),

        // The router answers preflights, and reads of content are handled above.
        Route::Reads(Reads::Object { .. })
        | Route::Reads(Reads::PlainManifest { .. })
        | Route::Reads(Reads::Alias(_))
        | Route::Options(_) => Ok(Reply::empty(StatusCode::NOT_FOUND)),
    }
}
