//! The log of accesses to private files: an entry is written before the answer.

use credlink_core::access::Caller;
use credlink_core::audit::{Asked, AuditAct, AuditEntry};
use credlink_core::file::{FileId, MediaName};
use credlink_core::file_record::FileRecord;
use credlink_core::http::peer::{Peer, client_address};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Reply;
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::rules::file_access::{Action, may};
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use credlink_ports::{Failure, Index as _, Ports, Quarantine};
use credlink_service::Service;
use credlink_service::error::Error;

use crate::deletion::{absent, guarded};
use crate::files::Files;
use crate::objects::{cached, parse};
use crate::rows;

/// The seconds after which a client tries again whose access could not be logged.
const RETRY_SECONDS: u32 = 2;

/// The request of an access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccessRequest<'a> {
    /// The caller.
    pub(crate) caller: &'a Caller,
    /// The head of the request.
    pub(crate) head: &'a Parts,
    /// The ID of the request.
    pub(crate) request_id: &'a str,
}

/// An access to a part of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access<'a> {
    /// The act.
    pub(crate) act: AuditAct,
    /// The file.
    pub(crate) file: &'a FileId,
    /// The part.
    pub(crate) name: &'a MediaName,
    /// `true` if the request has a valid link to the part.
    pub(crate) has_link: bool,
}

impl<Q: Quarantine> Files<Q> {
    /// Logs an access to a part of a file, if accesses to this file are logged, and returns `answered`. A failure is not
    /// logged, because it gave nobody anything.
    ///
    /// # Errors
    /// Fails with the error that `answered` is, or with 503 if an access that was allowed cannot be logged. An access that
    /// was refused stays refused in the same words, because another answer would tell that the file exists.
    pub(crate) async fn logged<P: Ports, T>(
        &self,
        service: &Service<P>,
        request: &AccessRequest<'_>,
        access: Access<'_>,
        answered: Result<T, Error>,
        status: impl Fn(&T) -> StatusCode,
    ) -> Result<T, Error> {
        let Access { act, file, name, has_link } = access;
        let status = match &answered {
            Ok(answer) => status(answer),
            Err(Error::Problem(problem)) => problem.kind.status(),
            Err(Error::Failure(_)) => return answered,
        };
        let log = async {
            let Some(record) = audited_record(service, file).await? else { return Ok(()) };
            let address = request.head.extensions.get::<Peer>().map(|Peer(peer)| {
                client_address(*peer, &request.head.headers, &self.settings.trusted_proxies)
            });
            let (caller, request_id) = (request.caller, request.request_id);
            let asked = Asked { act, name, caller, has_link, address, request_id };
            let number =
                self.random()?.into_iter().take(8).fold(0, |number, byte| number << 8 | u64::from(byte));
            let of = (*file, &record.guarded());
            let entry = AuditEntry::of(&asked, of, status.as_u16(), service.now(), number);
            if entry.is_refused_to_nobody() {
                self.note_refusal(service, entry).await
            } else {
                service.ports().index().note_access(&entry).await
            }
        };
        match (log.await, answered) {
            (Ok(()), answered) => answered,
            (Err(failure), refused) => {
                let refused = refused.err();
                tracing::error!(%file, status = status.as_u16(), reason = %failure, "an access to a private file could not be logged");
                Err(refused.unwrap_or_else(|| Problem::unavailable(RETRY_SECONDS).into()))
            }
        }
    }

    /// Logs an access that was refused to a caller without a credential or a valid link. The first one of an address within a
    /// minute has an entry of its own, and those that follow share one.
    async fn note_refusal<P: Ports>(&self, service: &Service<P>, entry: AuditEntry) -> Result<(), Failure> {
        let Some(entry) = self.refusals.add(entry) else { return Ok(()) };
        let noted = service.ports().index().note_access(&entry).await;
        if noted.is_err() {
            self.refusals.put_back(&entry);
        }
        noted
    }

    /// Logs the refused accesses that have waited for a minute to share an entry.
    ///
    /// # Errors
    /// Fails if the index fails. Accesses that are not logged still wait.
    pub(crate) async fn note_refusals<P: Ports>(&self, service: &Service<P>) -> Result<(), Failure> {
        let mut due = self.refusals.due(service.now()).into_iter();
        while let Some(entry) = due.next() {
            if let Err(failure) = service.ports().index().note_access(&entry).await {
                self.refusals.put_back(&entry);
                due.for_each(|entry| self.refusals.put_back(&entry));
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Answers `GET /v1/files/{id}/audit`: the log of a file, for its owner and `media:admin`, also once it is deleted.
    ///
    /// # Errors
    /// Fails with 404 or 403 for other callers, and with 400 for a malformed cursor. Also fails if the index fails.
    pub(crate) async fn show_audit<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        id: &FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Reply, Error> {
        let row =
            rows::file(service, id).await?.ok_or_else(|| Problem::new(ProblemKind::NotFound, absent(id)))?;
        may(caller, &guarded(&row), Action::ReadDetails, false)
            .map_err(|refusal| refusal.problem(&absent(id)))?;
        let page = service.ports().index().accesses(id, after, limit).await?;
        let page =
            page.ok_or_else(|| Problem::field("after", "it has to be the `next` of an earlier page"))?;
        let entries: Vec<Value> = page.items.iter().map(shown).collect();
        let mut document = json!({"file": id, "entries": entries});
        if let Some(next) = page.next {
            document["next"] = json!(next);
        }
        Ok(Reply::json(StatusCode::OK, &document))
    }
}

/// Returns the record of a file if accesses to it are logged.
async fn audited_record<P: Ports>(
    service: &Service<P>,
    file: &FileId,
) -> Result<Option<FileRecord>, Failure> {
    let key = ObjectKey::Media(MediaKey::File(*file));
    let Some(object) = cached(service, &key).await? else { return Ok(None) };
    // Nobody gets anything of a deleted file.
    if object.facts().tombstone {
        return Ok(None);
    }
    let record = parse(service, &key, &object)?;
    Ok(record.audited.then_some(record))
}

/// Returns an entry as the API shows it: without the file, which all entries of a log share, and without the number, which
/// only the index needs.
fn shown(entry: &AuditEntry) -> Value {
    let mut document = serde_json::to_value(entry).unwrap_or_default();
    if let Some(members) = document.as_object_mut() {
        members.remove("file");
        members.remove("number");
    }
    document
}
