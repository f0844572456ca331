//! The handler: the requests that are about files. All others go to the handler that it wraps.

use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::http::route::{Entities, Files as FileRoutes, Media, Route, Uploads};
use credlink_core::rules::entity_list::ListChange;
use credlink_core::rules::file_search::FileSearch;
use http::StatusCode;

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Call, Handler};
use credlink_service::request_body::RequestBody;

use crate::audit::AccessRequest;
use crate::files::Files;
use crate::reception::takes_no_bytes;

/// A handler that also answers requests about files.
#[derive(Debug)]
pub struct WithFiles<'a, Q, H> {
    files: &'a Files<Q>,
    inner: &'a H,
}

impl<'a, Q, H> WithFiles<'a, Q, H> {
    /// Wraps `inner`, which answers everything that is not about files.
    pub const fn new(files: &'a Files<Q>, inner: &'a H) -> Self {
        Self { files, inner }
    }
}

impl<P: Ports, Q: Quarantine, H: Handler<P>> Handler<P> for WithFiles<'_, Q, H> {
    async fn perform<B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> Result<Answer, Error> {
        // Boxed, because the state of these operations is large and would be a part of every read.
        match call.route {
            Route::Uploads(operation) => {
                Ok(Box::pin(self.files.on_uploads(service, call, operation)).await?.into())
            }
            Route::Files(operation) => {
                Ok(Box::pin(self.files.on_files(service, call, operation)).await?.into())
            }
            Route::Entities(operation) => {
                Ok(Box::pin(self.files.on_entities(service, call, operation)).await?.into())
            }
            Route::Media(Media::Read { path, signature, download }) => {
                let Call { caller, request: head, request_id, .. } = call;
                let request = AccessRequest { caller, head, request_id };
                Box::pin(self.files.read_media(service, request, path, signature.as_ref(), *download)).await
            }
            _ => self.inner.perform(service, call).await,
        }
    }
}

/// A parser of the body of a change to a list.
type ParseChange = fn(&[u8]) -> Result<ListChange, Problem>;

impl<Q: Quarantine> Files<Q> {
    async fn on_uploads<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
        operation: &Uploads,
    ) -> Result<Reply, Error> {
        service.check_guard(call.route).await?;
        let caller = call.caller;
        match operation {
            Uploads::Announce => self.announce(service, caller, call.json(service).await?).await,
            Uploads::Show(id) => self.show_upload(service, caller, id).await,
            Uploads::Abort(id) => self.abort(service, caller, id).await,
            Uploads::AddressParts(id) => {
                self.address_parts(service, caller, id, call.json(service).await?).await
            }
            Uploads::Complete(id) => self.complete(service, caller, id).await,
            Uploads::Sign => self.sign(service, caller, call.json(service).await?).await,
            // A program that receives bytes itself does so before it asks this handler.
            Uploads::Receive { .. } => Err(takes_no_bytes().into()),
        }
    }

    async fn on_files<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
        operation: &FileRoutes,
    ) -> Result<Reply, Error> {
        service.check_guard(call.route).await?;
        let (caller, headers) = (call.caller, &call.request.headers);
        match operation {
            FileRoutes::Find { entity, owner, collection, after, limit } => {
                let (entity, owner, collection) = (entity.clone(), owner.clone(), collection.clone());
                let search = FileSearch::of(caller, entity, owner, collection)?;
                self.find_files(service, caller, search, after.as_deref(), *limit).await
            }
            FileRoutes::BatchDelete => self.batch_delete(service, caller, call.json(service).await?).await,
            FileRoutes::Show(id) => self.show_file(service, caller, id).await,
            FileRoutes::Change(id) => {
                self.change_file(service, caller, id, headers, call.json(service).await?).await
            }
            FileRoutes::Delete(id) => {
                self.delete(service, caller, id, headers).await?;
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            FileRoutes::Render { id, only_missing, profile } => {
                self.make_renditions(service, caller, id, (*only_missing, profile.as_ref())).await
            }
            FileRoutes::Audit { id, after, limit } => {
                self.show_audit(service, caller, id, after.as_deref(), *limit).await
            }
            FileRoutes::SignLink { id, name, expires_in, download } => {
                let request = AccessRequest { caller, head: call.request, request_id: call.request_id };
                self.sign_link(service, request, id, name, *expires_in, *download).await
            }
        }
    }

    async fn on_entities<P: Ports, B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
        operation: &Entities,
    ) -> Result<Reply, Error> {
        service.check_guard(call.route).await?;
        let (caller, headers) = (call.caller, &call.request.headers);
        let (place, parse): (_, ParseChange) = match operation {
            Entities::Show(place) => return self.show_list(service, caller, place).await,
            Entities::Put(place) => (place, ListChange::parse_list),
            Entities::Change(place) => (place, ListChange::parse_change),
            Entities::PutOnly(place) => (place, ListChange::parse_only),
        };
        let body = call.json(service).await?;
        self.change_list(service, caller, place, headers, &parse(&body)?).await
    }
}
