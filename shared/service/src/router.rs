//! HTTP in, HTTP out. One router for every runtime: a Lambda and `credlink serve` differ in how bytes arrive only.
//!
//! The order of checks is: the path and method, the credential, its scope, the body, the operation. A body is not
//! read before its sender may send it.
//!
//! | to find | look in |
//! |---|---|
//! | from a path to an operation | [`credlink_core::http::route`] |
//! | who asks, and whether they may | `authorization` |
//! | from an operation to the use case behind it | [`plain`](crate::plain); the seam is [`handler`](crate::handler) |
//! | what the guard has to allow | `guard` |
//! | bodies of requests | `body` |
//! | bodies and headers of responses | `finish` |
//! | the log line and the events of a request | `entry` |

mod authorization;
pub(crate) mod body;
mod entry;
mod finish;
mod guard;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::{Caller, Visibility};
use credlink_core::http::cors;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::request_id;
use credlink_core::http::route::{Documents, Reads, Route};
use credlink_core::manifest_key::ManifestKey;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderName, Method, Response};

use credlink_ports::request::within_request;
use credlink_ports::{Clock as _, Ports};

use crate::error::Error;
use crate::handler::{Answer, Call, Handler};
use crate::plain::Plain;
use crate::service::Service;

use entry::Entry;
use finish::finish;

/// In every answer of the API, with its version: what no gateway, proxy or web server in its place says. The edge does not say it.
pub const MARK: HeaderName = HeaderName::from_static("credlink-api");

/// The buffer that the body of an answer is a part of, as an extension of the [`Response`]: it stays in memory as long as
/// the part does. An answer without it has a buffer of its own, or one that is its body from end to end.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);

/// The manifest that a plain address has answered with, as an extension of the [`Response`], where there are several tenants: the
/// path does not say whose it is.
#[derive(Clone, Debug)]
pub struct Fronted(pub ManifestKey);

/// Marks a request, among its extensions, that is answered as anybody's, whoever the authenticator says is asking: one that
/// the page of another site had a browser make.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

impl<P: Ports> Service<P> {
    /// Answers a request. `body` is awaited only if the operation needs it; it bounds what it reads by
    /// [`MAX_BODY_BYTES`](credlink_core::bounds::MAX_BODY_BYTES) and says so with [`Problem::too_large`].
    pub async fn handle<B>(&self, request: &Parts, body: B) -> Response<Bytes>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        self.handle_by(&Plain, request, body).await
    }

    /// Answers a request as [`Self::handle`] does, with the operations of `handler`.
    pub async fn handle_by<H, B>(&self, handler: &H, request: &Parts, body: B) -> Response<Bytes>
    where
        H: Handler<P>,
        B: Future<Output = Result<Bytes, Problem>>,
    {
        let started = self.ports.clock().monotonic_microseconds();
        let request_id = request_id::given(&request.headers)
            .map_or_else(|| self.ports.clock().request_id().into(), Arc::from);
        let mut entry =
            Entry { request_id, route: "none", bytes: 0, is_open: false, fronted: None, failure: None };
        let request_id = Arc::clone(&entry.request_id);
        let answered = {
            // Pinned where it is made, so that it is not copied into the frame of what polls it.
            let answer = pin!(async {
                let answer = self.answer(handler, request, body, &mut entry).await;
                // Also after a failure: a part may be done. Who only reads (RFC 9110, section 9.2.1) waits for nobody.
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

    async fn answer<H, B>(
        &self,
        handler: &H,
        request: &Parts,
        body: B,
        entry: &mut Entry,
    ) -> Result<Answer, Error>
    where
        H: Handler<P>,
        B: Future<Output = Result<Bytes, Problem>>,
    {
        let path = request.uri.path();
        let query = request.uri.query().unwrap_or_default();
        // What is no path of the API is told to everybody who tries to read it.
        entry.is_open = request.method.is_safe();
        let route = match Route::parse(&request.method, path, query) {
            Ok(route) => route,
            // Whoever may not ask is not told how to ask.
            Err(problem) => {
                if problem.kind == Kind::InvalidField {
                    self.authorize(request, Route::scope_of(&request.method, path, query)).await?;
                }
                return Err(problem.into());
            }
        };
        entry.is_open = false;
        entry.route = route.name();
        if let Route::Options(allow) = route {
            // What a browser asks before it sends a GET is about that.
            let read = Route::parse(&Method::GET, path, request.uri.query().unwrap_or_default());
            entry.is_open = read.is_ok_and(|read| read.is_public_read());
            return Ok(cors::preflight(allow, entry.is_open).into());
        }
        let caller = match self.authorize(request, route.scope()).await {
            // Health says what is wrong with what checks credentials.
            Err(Error::Failure(_)) if matches!(route, Route::Documents(Documents::Health)) => {
                Caller::anonymous()
            }
            caller => caller?,
        };
        // What nobody's credential was needed for: an error to somebody who is trusted may be about what is private.
        entry.is_open = route.is_public_read() && !caller.authenticated;
        let call = Call::new(&route, &caller, request, &entry.request_id, body);
        self.check_front(&call)?;
        let answer = handler.perform(self, call).await;
        if matches!(
            route,
            Route::Reads(Reads::Object { .. })
                | Route::Reads(Reads::PlainManifest { .. })
                | Route::Reads(Reads::Alias(_))
        ) {
            entry.is_open |= is_public(&answer);
        }
        if let (Route::Reads(Reads::PlainManifest { id, .. }), Ok(Answer { object: Some(found), .. })) =
            (&route, &answer)
            && self.settings.has_tenants
        {
            entry.fronted = Some(ManifestKey::new(&found.facts().tenant, id));
        }
        answer
    }
}

/// Returns `true` if anybody would be answered this: with what is public, with where a legacy id leads, or that nothing is there.
fn is_public(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(Answer { object: Some(found), .. }) => found.facts().visibility == Visibility::Public,
        Ok(Answer { reply, object: None }) => {
            let kept = reply.headers.get(CACHE_CONTROL);
            kept.is_none_or(|kept| !kept.as_bytes().starts_with(b"private"))
        }
        Err(error) => error.problem().kind == Kind::NotFound,
    }
}
