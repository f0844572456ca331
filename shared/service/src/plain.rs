//! The operations of a service by itself: one table from the routes to the use cases.

mod reads;

use std::future::Future;

use bytes::Bytes;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::http::route::Route;
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

/// The service itself, which answers from its own store alone.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<P: Ports> Handler<P> for Plain {
    async fn perform<B>(&self, service: &Service<P>, call: Call<'_, B>) -> Result<Answer, Error>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        match call.route {
            Route::Read { key, signature, form } => {
                retrieve(service, &call.lookup(service, key, *form, signature.as_ref())).await
            }
            Route::ReadPlainManifest { id, signature, form } => {
                read_plain_manifest(service, &call, id, *form, signature.as_ref()).await
            }
            Route::ReadAlias(id) => read_alias(service, call.caller, id).await,
            // In a box: what these operations need is large, and would be copied with each read.
            _ => Ok(Box::pin(operate(service, call)).await?.into()),
        }
    }
}

/// Does what is neither a read of content nor a preflight, if the guard allows it.
async fn operate<P, B>(service: &Service<P>, call: Call<'_, B>) -> Result<Reply, Error>
where
    P: Ports,
    B: Future<Output = Result<Bytes, Problem>>,
{
    service.check_guard(call.route).await?;
    let (caller, headers, request_id) = (call.caller, &call.request.headers, call.request_id);
    match call.route {
        Route::StoreProof => proofs::store_proof(service, caller, call.json(service).await?).await,
        Route::SupersedeProof(id) => {
            let body = call.json(service).await?;
            proofs::supersede_proof(service, caller, id, headers, body).await
        }
        Route::DeleteProof(id) => proofs::delete_proof(service, caller, id, headers).await,
        Route::BatchDelete => batches::batch_delete(service, caller, call.json(service).await?).await,
        Route::ListProofs { after, limit } => {
            proofs::list_proofs(service, caller, after.as_deref(), *limit).await
        }
        Route::SignLink { id, expires_in } => proofs::sign_link(service, caller, id, *expires_in).await,

        Route::ListAliases { after, limit } => {
            aliases::list_aliases(service, caller, after.as_deref(), *limit).await
        }
        Route::BindAlias(id) => {
            let body = call.json(service).await?;
            aliases::bind_alias(service, caller, id.clone(), body).await
        }
        Route::WithdrawAlias { id, proof } => aliases::withdraw_alias(service, caller, id, proof).await,

        Route::ListManifests { after, limit } => {
            aliases::list_manifests(service, caller, after.as_deref(), *limit).await
        }
        Route::StoreManifest { visibility, tenant, imported } => {
            check_tenant(tenant.as_ref(), &caller.tenant)?;
            let how = (*visibility, Arrival::imported(*imported));
            manifests::store_manifest(service, caller, how, call.c2pa(service).await?).await
        }
        Route::DeleteManifest { id, tenant, imported } => {
            let manifest = (id, tenant.clone());
            manifests::delete_manifest(service, caller, manifest, *imported, headers).await
        }
        Route::DecideFront(id) => manifests::decide_front(service, id, call.json(service).await?).await,
        Route::ChangeVisibility { id, tenant } => {
            let body = call.json(service).await?;
            manifests::change_visibility(service, caller, id, tenant.clone(), body).await
        }

        Route::BeginMigration => {
            migrations::begin_migration(service, call.json(service).await?, request_id).await
        }
        Route::ReadMigration { job, after } => {
            migrations::show_migration(service, caller, job, after.as_deref()).await
        }
        Route::RemoveMigration { job, abandon } => migrations::remove_migration(service, job, *abandon).await,

        Route::Health => Ok(openapi::health(service, caller).await),
        Route::Stats => openapi::stats(service).await,
        Route::OpenApi => Ok(openapi::document()),

        // The router answers preflights, and the reads of content are above.
        Route::Read { .. } | Route::ReadPlainManifest { .. } | Route::ReadAlias(_) | Route::Options(_) => {
            Ok(Reply::empty(StatusCode::NOT_FOUND))
        }
    }
}
