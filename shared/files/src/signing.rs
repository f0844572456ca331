//! The address for the next request of a client that asks for each of them, as Uppy does.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::problem::Problem;
use credlink_core::http::reply::Reply;
use credlink_core::rules::upload::{Asked, Plan};
use http::StatusCode;
use serde_json::{Map, Value, json};

use credlink_ports::{Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::addresses::{check_open, expiry_of_address};
use crate::files::Files;
use crate::progress::own_upload;

/// The headers that a browser sets itself, and that scripts may not set (WHATWG Fetch, section 2.2.2).
const SET_BY_BROWSERS: [&str; 2] = ["content-length", "host"];

impl<Q: Quarantine> Files<Q> {
    /// Answers `POST /v1/uploads/sign`: announces an upload, or finds the one that was announced before, and signs the `PUT`
    /// of its bytes.
    ///
    /// # Errors
    /// Fails as [`Asked::parse`] and [`begin_upload`](Self::begin_upload) do, with 404 if there is no such upload of the
    /// caller, with 409 if all bytes are there, and with 410 if the upload has expired. Also fails if the quarantine or the
    /// index fails.
    pub(crate) async fn sign<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let row = match Asked::parse(&body, &self.settings.collections, caller)? {
            Asked::Anew(announcement) => self.begin_upload(service, caller, *announcement).await?,
            Asked::Again(id) => own_upload(service, caller, &id).await?,
        };
        check_open(&row, service.now())?;
        if let Plan::Parts { .. } = Plan::of(row.size) {
            let detail = "the upload is sent in parts, whose addresses POST /v1/uploads/{id}/parts has";
            return Err(Problem::field("key", detail).into());
        }
        let signed = self.quarantine.sign_put(&row, expiry_of_address(&row, service.now())).await?;
        let headers = signed.headers.iter().filter(|(name, _)| !SET_BY_BROWSERS.contains(name));
        let headers: Map<String, Value> =
            headers.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let document =
            json!({"url": signed.url, "key": row.id, "headers": headers, "expires": signed.expires});
        Ok(Reply::json(StatusCode::OK, &document))
    }
}
