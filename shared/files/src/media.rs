//! The bytes that readers get.

use std::ops::Range;
use std::sync::Arc;

use credlink_core::access::Caller;
use credlink_core::audit::AuditAct;
use credlink_core::file::{MediaName, MediaPath};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::reply::Body;
use credlink_core::link::Signature;
use credlink_core::replica::Replica;
use credlink_core::rules::delivery::{Delivery, deliver};
use credlink_core::rules::file_access::may;
use http::request::Parts;

use credlink_ports::{BreakerState, Failure, OpenedContent, Ports, ProviderState, Quarantine, Replicas as _};
use credlink_service::Service;
use credlink_service::error::Error;
use credlink_service::handler::{Answer, Source};
use credlink_service::router::AnswerRoom;

use crate::audit::{Access, AccessRequest};
use crate::deletion::absent;
use crate::elsewhere::Wanted;
use crate::files::Files;
use crate::objects::{cached, damaged};

/// Maximum length of an original that is held as a whole while it is sent, in bytes. A program that can send longer ones
/// piece by piece does so.
const LONG_BYTES: u64 = 262_144;

impl<Q: Quarantine> Files<Q> {
    /// Answers `GET /media/{file}/{name}`, with the bytes or with a redirect to them.
    ///
    /// # Errors
    /// Fails with 404 if there is no such part for the caller, with 403 for a link that is not valid, with 410 if the file
    /// was deleted or has expired, with 412 or 416 if a condition or a range of the request says so, and with 503 if the
    /// access has to be logged and cannot be. Also fails if a provider or the index fails.
    pub(crate) async fn read_media<P: Ports>(
        &self,
        service: &Service<P>,
        request: AccessRequest<'_>,
        path: &MediaPath,
        signature: Option<&Signature>,
        is_download: bool,
    ) -> Result<Answer, Error> {
        let opens =
            |signature: &Signature| signature.opens_media(&self.settings.link_keys, path, service.now());
        let link = signature.map(opens).transpose();
        let has_link = matches!(link, Ok(Some(())));
        let answered = match link {
            Ok(_) => {
                let AccessRequest { caller, head, .. } = request;
                let read = self.read_part(service, caller, head, path, has_link, is_download).await;
                read.and_then(|answer| with_room(head, answer))
            }
            // A link that is not valid is refused, whether or not something is there.
            Err(problem) => Err(problem.into()),
        };
        let access = Access { act: AuditAct::Read, file: &path.file, name: &path.name, has_link };
        self.logged(service, &request, access, answered, |answer| answer.reply.status).await
    }

    /// Answers with a part of a file, or with a redirect to it, if the caller may read it.
    ///
    /// # Errors
    /// Fails as [`read_media`](Self::read_media) does.
    async fn read_part<P: Ports>(
        &self,
        service: &Service<P>,
        caller: &Caller,
        request: &Parts,
        path: &MediaPath,
        has_link: bool,
        is_download: bool,
    ) -> Result<Answer, Error> {
        let now = service.now();
        let what = absent(&path.file);
        let found = self.found(service, caller, &path.file, has_link).await?;
        let record = &found.record;
        may(caller, &record.guarded(), path.name.action(), has_link)
            .map_err(|refusal| refusal.problem(&what))?;
        let delivery = deliver(&record.served(), &path.name, &request.headers, now)?;
        let reply = delivery.respond(&request.method, &request.headers, record.created, is_download)?;
        // The record has the answer to a `HEAD`, and to a condition that does not hold.
        let Body::Stored { range, .. } = &reply.body else { return Ok(reply.into()) };
        if let Some(elsewhere) = &self.elsewhere {
            let is_out = |state: &ProviderState| {
                state.replica == Replica::Primary && state.breaker != BreakerState::Closed
            };
            let primary_is_out = service.ports().objects().providers().iter().any(is_out);
            let wanted = Wanted::of(path, &request.uri, &delivery, &reply);
            let wanted = Wanted { primary_is_out, is_download, ..wanted };
            return Ok(elsewhere.address(&wanted).await?.reply(delivery.varies).into());
        }
        let range = range.clone().unwrap_or(0..delivery.bytes);
        if let Some(content) = self.opened(service, &path.name, &delivery, range).await? {
            return Ok(Answer { reply, source: Source::Opened(content) });
        }
        let object = match path.name {
            // An original is read past the cache, because one can be as large as everything else in it.
            MediaName::Original => {
                service.current(&delivery.key).await?.map(|current| Arc::new(current.verified))
            }
            MediaName::Rendition(..) => cached(service, &delivery.key).await?,
        };
        let object = object.filter(|object| object.facts().sha256 == delivery.sha256);
        let object = object.ok_or_else(|| other_bytes(service, &delivery))?;
        Ok(Answer { reply, source: Source::Object(object) })
    }

    /// Opens a long original, to be sent piece by piece. Returns `None` for any other part, if this program sends nothing
    /// piece by piece, or if the original is in a place that cannot open it.
    async fn opened<P: Ports>(
        &self,
        service: &Service<P>,
        name: &MediaName,
        delivery: &Delivery,
        range: Range<u64>,
    ) -> Result<Option<OpenedContent>, Failure> {
        let is_long = *name == MediaName::Original && delivery.bytes > LONG_BYTES;
        let Some(opens) = self.opens.as_ref().filter(|_| is_long) else { return Ok(None) };
        let length = range.end.saturating_sub(range.start);
        let opened = opens.open(&delivery.key, range).await?;
        match opened {
            Some(opened) if opened.sha256 != delivery.sha256 || opened.length != length => {
                Err(other_bytes(service, delivery))
            }
            opened => Ok(opened),
        }
    }
}

/// Takes the room for an answer before the access is logged, so that the log has the answer that is sent.
///
/// # Errors
/// Fails with 503 if there is no room.
fn with_room(request: &Parts, answer: Answer) -> Result<Answer, Error> {
    match request.extensions.get::<AnswerRoom>() {
        Some(AnswerRoom(room)) if !room.take(&answer.source) => Err(Problem::no_room_for_answer().into()),
        _ => Ok(answer),
    }
}

/// Returns the failure of an object that has other bytes than the record says, or is gone.
fn other_bytes<P: Ports>(service: &Service<P>, delivery: &Delivery) -> Failure {
    damaged(service, &delivery.key, &"it is not what the record says")
}

/// Returns the refusal of a file that this caller is not told of.
pub(crate) fn no_file(what: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, what)
}
