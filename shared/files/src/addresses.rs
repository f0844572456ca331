//! The addresses to which clients send bytes.

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::file::UploadId;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::row::{Row, UploadRow, UploadState};
use credlink_core::rules::expiry::expired;
use credlink_core::rules::upload::{Event, PartsBody, Plan, follow};
use credlink_core::time::Timestamp;
use http::StatusCode;
use serde_json::{Map, Value, json};

use credlink_ports::{Failure, Ports, Quarantine, SignedPut};
use credlink_service::Service;
use credlink_service::error::{Error, contended};
use credlink_service::service::MAX_ATTEMPTS;

use crate::changes::Changes;
use crate::files::Files;
use crate::progress::own_upload;
use crate::rows;

/// The time for which an address is valid, in seconds. A client whose address has ended asks for another one.
const ADDRESS_SECONDS: u64 = 3_600;

/// Returns the time until which an address is valid that is signed at `now`.
pub(crate) fn expiry_of_address(row: &UploadRow, now: Timestamp) -> Timestamp {
    now.plus_seconds(ADDRESS_SECONDS).min(row.expires)
}

/// Returns the members of a document that tell a client where and how to send bytes.
fn address(signed: &SignedPut) -> Map<String, Value> {
    let headers: Map<String, Value> =
        signed.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let document = json!({"url": signed.url, "headers": headers, "expires": signed.expires});
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Returns the document of an upload that was just announced: with the address of a single `PUT`, or with the number of
/// parts whose addresses are asked for.
pub(crate) async fn announcement_document<Q: Quarantine>(
    quarantine: &Q,
    row: &UploadRow,
    now: Timestamp,
) -> Result<Value, Failure> {
    let mut document = json!({
        "id": row.id,
        "state": row.state.name(),
        "collection": row.collection,
        "size": row.size,
        "created": row.created,
        "expires": row.expires,
    });
    let members = match Plan::of(row.size) {
        Plan::Put(_) => {
            let signed = quarantine.sign_put(row, expiry_of_address(row, now)).await?;
            json!({"method": "put", "put": address(&signed)})
        }
        Plan::Parts { part_size, count, .. } => {
            json!({"method": "multipart", "part_size": part_size, "parts": count})
        }
    };
    if let (Some(document), Value::Object(members)) = (document.as_object_mut(), members) {
        document.extend(members);
    }
    Ok(document)
}

impl<Q: Quarantine> Files<Q> {
    /// Answers `POST /v1/uploads/{id}/parts`: the addresses of the parts that are asked for. A file that is sent by a single
    /// `PUT` has one part, whose address is signed anew.
    ///
    /// # Errors
    /// Fails with 404 if there is no such upload of the caller, with 400 if there are no such parts, with 409 if all bytes
    /// are there, and with 410 if the upload has expired. Also fails if the quarantine or the index fails.
    pub(crate) async fn address_parts<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &UploadId,
        body: Bytes,
    ) -> Result<Reply, Error> {
        let row = own_upload(service, caller, id).await?;
        let plan = Plan::of(row.size);
        let parts = PartsBody::parse(&body, &plan)?;
        check_open(&row, service.now())?;
        let mut addresses = Vec::new();
        if let Plan::Put(_) = plan {
            let signed = self.quarantine.sign_put(&row, expiry_of_address(&row, service.now())).await?;
            addresses.push(with_number(1, &signed));
        } else {
            let row = self.with_multipart(service, row).await?;
            for part in &parts {
                let signed =
                    self.quarantine.sign_part(&row, part, expiry_of_address(&row, service.now())).await?;
                addresses.push(with_number(part.number, &signed));
            }
        }
        Ok(Reply::json(StatusCode::OK, &json!({"parts": addresses})))
    }

    /// Begins the multipart upload of an upload, unless it was begun before, and returns the row with it.
    ///
    /// # Errors
    /// Fails with 409 or 410 if the upload takes no more bytes, if other processes keep changing it, or if the quarantine or
    /// the index fails.
    async fn with_multipart<P: Ports>(
        &self,
        service: &Service<P>,
        mut row: UploadRow,
    ) -> Result<UploadRow, Error> {
        for _ in 0..MAX_ATTEMPTS {
            if row.multipart.is_some() {
                return Ok(row);
            }
            let multipart = self.quarantine.begin(&row).await?;
            let now = service.now();
            let next = match follow(&row, &Event::Begun(multipart.clone()), now) {
                Ok(Some(next)) => next,
                Ok(None) | Err(_) => {
                    self.quarantine.abort(&row, &multipart).await?;
                    return Err(closed(&row).into());
                }
            };
            let mut changes = Changes::default();
            changes.put(Row::Upload(next.clone()));
            if changes.commit(service).await? {
                return Ok(next);
            }
            let current = rows::upload(service, &row.id).await?;
            // The quarantine of one machine has one multipart upload for each upload.
            if current.as_ref().and_then(|row| row.multipart.as_ref()) != Some(&multipart) {
                self.quarantine.abort(&row, &multipart).await?;
            }
            row = current.ok_or_else(|| closed(&row))?;
            check_open(&row, now)?;
        }
        Err(contended())
    }
}

/// Returns the document of the address of a part.
fn with_number(number: u32, signed: &SignedPut) -> Value {
    let mut members = address(signed);
    members.insert("number".to_owned(), json!(number));
    Value::Object(members)
}

/// Checks that an upload takes more bytes.
///
/// # Errors
/// Fails with 410 if it has expired, and with 409 if all its bytes are there, or if it has ended.
pub(crate) fn check_open(row: &UploadRow, now: Timestamp) -> Result<(), Problem> {
    match row.state {
        UploadState::Pending | UploadState::Uploading if row.expires <= now => Err(expired(row.expires)),
        UploadState::Pending | UploadState::Uploading => Ok(()),
        UploadState::Expired => Err(expired(row.expires)),
        _ => Err(closed(row)),
    }
}

/// Returns the refusal of bytes by an upload that needs none.
fn closed(row: &UploadRow) -> Problem {
    let detail = format!(
        "the upload {} is {}, and takes no more bytes; GET /v1/uploads/{} says what became of it",
        row.id,
        row.state.name(),
        row.id
    );
    Problem::new(ProblemKind::UploadConflict, detail).with("state", row.state.name())
}
