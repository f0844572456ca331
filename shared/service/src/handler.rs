//! The seam between the router and the operations: a parsed and authorized request, and its answer.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::Caller;
use credlink_core::http::reply::Reply;
use credlink_core::http::route::{Form, Route};
use credlink_core::link::Signature;
use credlink_core::media_type::{C2PA_TYPE, JSON_TYPE};
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::rules::retrieve::Lookup;
use http::request::Parts;

use credlink_ports::{OpenedContent, Ports};

use crate::error::Error;
use crate::request_body::RequestBody;
use crate::router::body::read_body;
use crate::service::Service;

/// The operations of a service. [`Plain`](crate::plain::Plain) is the service itself; another handler wraps it to
/// answer from elsewhere as well.
///
/// A handler is called once the caller is authenticated and has the scope of the route. It must check the guard
/// ([`Service::check_guard`]) before it reads the body.
pub trait Handler<P: Ports> {
    /// Answers a call.
    ///
    /// # Errors
    /// An answer that is a problem, or a failure.
    fn perform<B: RequestBody>(
        &self,
        service: &Service<P>,
        call: Call<'_, B>,
    ) -> impl Future<Output = Result<Answer, Error>>;
}

/// A reply, and the stored object that supplies its body.
#[derive(Debug)]
pub struct Answer {
    /// The status, the headers, and the body or a description of it.
    pub reply: Reply,
    /// The source of the bytes, if the body is a part of a stored object.
    pub source: Source,
}

/// The source of the bytes of an answer.
#[derive(Debug)]
pub enum Source {
    /// The reply has its bytes, or has none.
    Reply,
    /// A stored object in memory.
    Object(Arc<Verified>),
    /// The part of a stored object that is wanted, piece by piece.
    Opened(OpenedContent),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { reply, source: Source::Reply }
    }
}

/// A parsed and authorized request.
#[derive(Debug)]
pub struct Call<'a, B> {
    /// The operation.
    pub route: &'a Route,
    /// The caller, who has the scope of the route.
    pub caller: &'a Caller,
    /// The head of the request.
    pub request: &'a Parts,
    /// The ID of the request.
    pub request_id: &'a str,
    body: Body<B>,
}

/// The body of a call.
#[derive(Debug)]
enum Body<B> {
    /// It has not been read yet.
    Arriving(B),
    /// It has been read and decoded.
    Read(Bytes),
}

impl<'a, B: RequestBody> Call<'a, B> {
    /// A call whose body has not been read.
    pub(crate) const fn new(
        route: &'a Route,
        caller: &'a Caller,
        request: &'a Parts,
        request_id: &'a str,
        body: B,
    ) -> Self {
        Self { route, caller, request, request_id, body: Body::Arriving(body) }
    }

    /// Reads a JSON body, and removes its content coding.
    ///
    /// # Errors
    /// An unsupported type or coding (415), a body that is too large (413) or cannot be read, or a shutdown of the
    /// process.
    pub async fn json<P: Ports>(self, service: &Service<P>) -> Result<Bytes, Error> {
        self.body.read(service, self.request, JSON_TYPE).await
    }

    /// Reads a C2PA manifest store, and removes its content coding.
    ///
    /// # Errors
    /// The errors of [`Self::json`].
    pub(crate) async fn c2pa<P: Ports>(self, service: &Service<P>) -> Result<Bytes, Error> {
        self.body.read(service, self.request, C2PA_TYPE).await
    }

    /// Reads a JSON body and keeps it in the call, for a handler that inspects the body before it passes the call on.
    ///
    /// # Errors
    /// The errors of [`Self::json`].
    pub async fn read_json<P: Ports>(self, service: &Service<P>) -> Result<(Self, Bytes), Error> {
        let Self { route, caller, request, request_id, body } = self;
        let bytes = body.read(service, request, JSON_TYPE).await?;
        let body = Body::Read(bytes.clone());
        Ok((Self { route, caller, request, request_id, body }, bytes))
    }
}

impl<'a, B> Call<'a, B> {
    /// Returns the lookup of an object for this call.
    #[must_use]
    pub fn lookup<'s, P: Ports>(
        &self,
        service: &'s Service<P>,
        key: &'s ObjectKey,
        form: Form,
        signature: Option<&'s Signature>,
    ) -> Lookup<'s>
    where
        'a: 's,
    {
        Lookup {
            key,
            form,
            method: &self.request.method,
            headers: &self.request.headers,
            signature,
            link_keys: service.settings.link_keys.as_ref(),
            caller: self.caller,
            now: service.now(),
            is_plain: false,
        }
    }
}

impl<B: RequestBody> Body<B> {
    async fn read<P: Ports>(
        self,
        service: &Service<P>,
        request: &Parts,
        wanted: &'static str,
    ) -> Result<Bytes, Error> {
        match self {
            Self::Arriving(body) => read_body(service, request, body, wanted).await,
            Self::Read(bytes) => Ok(bytes),
        }
    }
}
