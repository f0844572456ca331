//! HTTP in, HTTP out: one router for every runtime. A Lambda and `credlink serve` differ only in how bytes arrive.
//!
//! The order of checks is: the path and method, the credential, its scope, the body, the operation. No body is read
//! before its sender is authorized to send it.
//!
//! | to find | look in |
//! |---|---|
//! | from a path to an operation | [`credlink_core::http::route`] |
//! | authentication and authorization | `authorization` |
//! | from an operation to its use case | [`plain`](crate::plain); the seam is [`handler`](crate::handler) |
//! | the checks of the guard | `guard` |
//! | bodies of requests | `body` |
//! | bodies and headers of responses | `finish` |
//! | the log line and the events of a request | `entry` |

mod authorization;
pub(crate) mod body;
mod entry;
mod finish;
mod guard;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use credlink_core::access::{Caller, Visibility};
use credlink_core::http::cors;
use credlink_core::http::problem::ProblemKind;
use credlink_core::http::request_id;
use credlink_core::http::route::{Documents, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderName, Method, Response};

use credlink_ports::request::within_request;
use credlink_ports::{Clock as _, OpenedContent, Ports};

use crate::error::Error;
use crate::handler::{Answer, Call, Handler, Source};
use crate::plain::Plain;
use crate::request_body::RequestBody;
use crate::service::Service;

use entry::Entry;
use finish::finish;

/// A header in every answer of the API, with the version of the API. A gateway, proxy or web server that answers in its
/// place does not send it, and neither does the edge.
pub const MARK: HeaderName = HeaderName::from_static("credlink-api");

/// The buffer that the body of an answer is a part of, as an extension of the [`Response`]. It stays in memory as long
/// as the part does. The body of an answer without this extension owns its buffer, or is the whole of one.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);

/// The body of an answer that is read piece by piece, as an extension of the [`Response`], whose own body is empty then.
/// It is there only if the files were given [`OpenObjects`](credlink_ports::OpenObjects). Clones share the body.
#[derive(Clone, Debug)]
pub struct Streamed(Arc<Mutex<Option<OpenedContent>>>);

impl Streamed {
    /// Returns the body, the first time.
    #[must_use]
    pub fn take(&self) -> Option<OpenedContent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The room for an answer in the memory of the program that sends it, as an extension of the request. If there is none,
/// that program answers with 503 instead, so an operation that records its answer takes the room first.
#[derive(Clone)]
pub struct AnswerRoom(pub Arc<dyn TakeRoom>);

/// The part of a program that has room for answers.
pub trait TakeRoom: Send + Sync {
    /// Takes the room for an answer from this source. Returns `false` if there is none.
    fn take(&self, source: &Source) -> bool;
}

/// The manifest that a plain address has answered with, as an extension of the [`Response`], in a deployment with
/// several tenants, where the path does not say whose manifest it is.
#[derive(Clone, Debug)]
pub struct Fronted(pub ManifestKey);

/// An extension of a request that is answered like an anonymous one, whatever the authenticator says: the page of
/// another site had a browser send it.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

impl<P: Ports> Service<P> {
    /// Answers a request. `body` is awaited only if the operation needs it. It must stop at
    /// [`MAX_BODY_BYTES`](credlink_core::bounds::MAX_BODY_BYTES) and report a longer body with
    /// [`Problem::too_large`](credlink_core::http::problem::Problem::too_large).
    pub async fn handle<B: RequestBody>(&self, request: &Parts, body: B) -> Response<Bytes> {
        self.handle_by(&Plain, request, body).await
    }

    /// Answers a request as [`Self::handle`] does, with the operations of `handler`.
    pub async fn handle_by<H: Handler<P>, B: RequestBody>(
        &self,
        handler: &H,
        request: &Parts,
        body: B,
    ) -> Response<Bytes> {
        let started = self.ports.clock().monotonic_microseconds();
        let request_id = request_id::given(&request.headers)
            .map_or_else(|| self.ports.clock().request_id().into(), Arc::from);
        let mut entry =
            Entry { request_id, route: "none", bytes: 0, is_open: false, fronted: None, failure: None };
        let request_id = Arc::clone(&entry.request_id);
        let answered = {
            // Pinned where it is created, so that it is not copied into the frame of the future that polls it.
            let answer = pin!(async {
                let answer = self.answer(handler, request, body, &mut entry).await;
                // After a failure too, since a part may be done. Safe methods (RFC 9110, section 9.2.1) do not wait.
                if !request.method.is_safe() {
                    self.announce().await;
                }
                answer
            });
            within_request(request_id, answer).await
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(error) => {
                let problem = error.problem();
                if let Error::Failure(failure) = error {
                    if !request.method.is_safe() {
                        self.note_failed_change();
                    }
                    entry.failure = Some(failure);
                }
                problem.reply(Some(&entry.request_id)).into()
            }
        };
        let response = finish(answer, request, &mut entry);
        let elapsed = self.ports.clock().monotonic_microseconds().saturating_sub(started);
        self.note(request, &response, &entry, elapsed);
        response
    }

    async fn answer<H: Handler<P>, B: RequestBody>(
        &self,
        handler: &H,
        request: &Parts,
        body: B,
        entry: &mut Entry,
    ) -> Result<Answer, Error> {
        let path = request.uri.path();
        let query = request.uri.query().unwrap_or_default();
        // Everybody who tries to read an unknown path is told that it is unknown.
        entry.is_open = request.method.is_safe();
        let route = match Route::parse(&request.method, path, query) {
            Ok(route) => route,
            // A caller who may not send the request is not told how to correct it.
            Err(problem) => {
                if problem.kind == ProblemKind::InvalidField {
                    self.authorize(request, Route::scope_of(&request.method, path, query)).await?;
                }
                return Err(problem.into());
            }
        };
        entry.is_open = false;
        entry.route = route.name();
        if let Route::Options(allow) = route {
            // The preflight before a GET is about that GET.
            let read = Route::parse(&Method::GET, path, request.uri.query().unwrap_or_default());
            entry.is_open = read.is_ok_and(|read| read.is_public_read());
            return Ok(cors::preflight(allow, entry.is_open).into());
        }
        let caller = match self.authorize(request, route.scope()).await {
            // The health report says what is wrong with the authenticator.
            Err(Error::Failure(_)) if matches!(route, Route::Documents(Documents::Health)) => {
                Caller::anonymous()
            }
            caller => caller?,
        };
        // Open only where no credential was needed or shown: an error for a trusted caller may concern something
        // private.
        entry.is_open = route.is_public_read() && !caller.authenticated;
        let call = Call::new(&route, &caller, request, &entry.request_id, body);
        self.check_front(&call)?;
        let answer = handler.perform(self, call).await;
        if matches!(route, Route::Reads(_)) {
            entry.is_open |= is_public(&answer);
        }
        if let (
            Route::Reads(Reads::PlainManifest { id, .. }),
            Ok(Answer { source: Source::Object(found), .. }),
        ) = (&route, &answer)
            && self.settings.has_tenants
        {
            entry.fronted = Some(ManifestKey::new(&found.facts().tenant, id));
        }
        answer
    }
}

/// Returns `true` if anybody would get this answer: public content, the public target of a legacy ID, or the fact that
/// nothing is there.
fn is_public(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(Answer { source: Source::Object(found), .. }) => found.facts().visibility == Visibility::Public,
        Ok(Answer { reply, .. }) => {
            let kept = reply.headers.get(CACHE_CONTROL);
            kept.is_none_or(|kept| !kept.as_bytes().starts_with(b"private"))
        }
        Err(error) => error.problem().kind == ProblemKind::NotFound,
    }
}
