//! Signed links to the bytes of a file.

use credlink_core::access::Caller;
use credlink_core::audit::AuditAct;
use credlink_core::file::{FileId, MediaName, MediaPath};
use credlink_core::http::reply::Reply;
use credlink_core::rules::delivery::deliver;
use credlink_core::rules::file_access::Action;
use http::{HeaderMap, StatusCode};
use serde_json::json;

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::audit::{Access, AccessRequest};
use crate::files::Files;

impl<Q: Quarantine> Files<Q> {
    /// Answers `GET /v1/files/{id}/url`.
    ///
    /// # Errors
    /// Fails with 404 if there is no such file or part for the caller, with 403 if another owner has it, and with 503 if the
    /// access has to be logged and cannot be. Also fails if a provider or the index fails.
    pub(crate) async fn sign_link<P: Ports>(
        &self,
        service: &Service<P>,
        request: AccessRequest<'_>,
        id: &FileId,
        name: &MediaName,
        expires_in: u64,
        is_download: bool,
    ) -> Result<Reply, Error> {
        let signed = self.signed(service, request.caller, id, name, expires_in, is_download).await;
        let access = Access { act: AuditAct::SignLink, file: id, name, has_link: false };
        self.logged(service, &request, access, signed, |reply| reply.status).await
    }

    async fn signed<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        name: &MediaName,
        expires_in: u64,
        is_download: bool,
    ) -> Result<Reply, Error> {
        let found = self.readable(service, caller, id, Action::Change).await?;
        // A link to nothing would be no use to anybody.
        deliver(&found.record.served(), name, &HeaderMap::new(), service.now())?;
        let path = MediaPath { file: *id, name: name.clone() };
        let expires = service.now().plus_seconds(expires_in);
        let query = self.settings.link_keys.sign_media(&path, expires);
        let download = if is_download { "&download=true" } else { "" };
        let url = format!("{}{path}?{query}{download}", self.settings.public_url);
        Ok(Reply::json(StatusCode::OK, &json!({"url": url, "expires": expires})))
    }
}
