//! HTTP in, HTTP out. One router for every runtime: a Lambda and `credlink serve` differ in how bytes arrive only.
//!
//! The order of checks is: the path and method, the credential, its scope, the body, the operation. A body is not
//! read before its sender may send it.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use credlink_core::access::{Caller, Scope, Visibility};
use credlink_core::bounds::{MAX_BODY_BYTES, QUICK_BYTES};
use credlink_core::encoding::Coding;
use credlink_core::encoding::{DecodeError, decode};
use credlink_core::http::cors;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::http::reply::{Body, Reply};
use credlink_core::http::request_id::{self, REQUEST_ID};
use credlink_core::http::route::{Aliases, Documents, Form, Manifests, Migrations, Proofs, Reads, Route};
use credlink_core::legacy::LegacyId;
use credlink_core::link::Signature;
use credlink_core::manifest_id::ManifestId;
use credlink_core::manifest_key::ManifestKey;
use credlink_core::media_type::{C2PA_TYPE, JSON_TYPE};
use credlink_core::object::{ObjectKey, Verified};
use credlink_core::rules::alias::{alias_absent, alias_reply, private_alias_reply};
use credlink_core::rules::guard::Act;
use credlink_core::rules::retrieve::Lookup;
use credlink_core::rules::store::check_tenant;
use credlink_core::tenant::Tenant;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use credlink_ports::request::within_request;
use credlink_ports::{Authenticator as _, Clock as _, Event, Events as _, Failure, Ports, Refused};

use crate::aliases::leads_for_all;
use crate::error::Error;
use crate::front::Arrival;
use crate::legacy::serve::{Unnamed, off};
use crate::openapi::{self, aliases, batches, manifests, migrations, proofs};
use crate::retrieve::retrieve;
use crate::service::Service;

pub use credlink_core::http::mark::MARK;

/// The version of the API.
const VERSION: HeaderValue = HeaderValue::from_static("1");

/// The buffer that the body of an answer is a part of, as an extension of the [`Response`]: it stays in memory as long as
/// the part does. An answer without it has a buffer of its own, or one that is its body from end to end.
#[derive(Clone, Debug)]
pub struct PartOf(pub Bytes);

/// The manifest that a plain address has answered with, as an extension of the [`Response`], where there are several tenants: the
/// path does not say whose it is.
#[derive(Clone, Debug)]
pub struct Fronted(pub ManifestKey);

/// A range of at most so many bytes is copied, and does not keep the whole in memory.
const COPIED_BYTES: usize = 65_536;

/// What the log says of one request.
struct Entry {
    request_id: Arc<str>,
    route: &'static str,
    bytes: usize,
    /// Whether scripts of other sites may read the answer.
    is_open: bool,
    /// The manifest that a plain address has answered with.
    fronted: Option<ManifestKey>,
    failure: Option<Failure>,
}

/// Marks a request, among its extensions, that is answered as anybody's, whoever the authenticator says is asking: one that
/// the page of another site had a browser make.
#[derive(Clone, Copy, Debug)]
pub struct Stranger;

impl<P: Ports> Service<P> {
    /// Answers a request. `body` is awaited only if the operation needs it; it bounds what it reads by
    /// [`MAX_BODY_BYTES`] and says so with [`Problem::too_large`].
    pub async fn handle<B>(&self, request: &Parts, body: B) -> Response<Bytes>
    where
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
                let answer = self.answer(request, body, &mut entry).await;
                // Also after a failure: a part may be done. Who only reads (RFC 9110, section 9.2.1) waits for nobody.
                if !request.method.is_safe() {
                    self.announce().await;
                }
                answer
            });
            within_request(request_id, answer).await
        };
        let (reply, object) = match answered {
            Ok(answer) => answer,
            Err(error) => {
                let problem = error.problem();
                if let Error::Failure(failure) = error {
                    if !request.method.is_safe() {
                        self.note_failed_change();
                    }
                    entry.failure = Some(failure);
                }
                (problem.reply(Some(&entry.request_id)), None)
            }
        };
        let response = finish(reply, object.as_deref(), request, &mut entry);
        let elapsed = self.ports.clock().monotonic_microseconds().saturating_sub(started);
        self.note(request, &response, &entry, elapsed);
        response
    }

    async fn answer<B>(
        &self,
        request: &Parts,
        body: B,
        entry: &mut Entry,
    ) -> Result<(Reply, Option<Arc<Verified>>), Error>
    where
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
            return Ok((cors::preflight(allow, entry.is_open), None));
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
        if let Route::Reads(Reads::Object { key, signature, form }) = &route {
            let lookup = self.lookup(key, *form, signature.as_ref(), request, &caller);
            // With one tenant nothing is served by a front. That there is one says that a manifest was withdrawn.
            if matches!(key, ObjectKey::Front(_))
                && !self.settings.has_tenants
                && !caller.may(Scope::Operator)
            {
                return Err(lookup.absent().into());
            }
            let answer = retrieve(self, &lookup).await;
            entry.is_open |= is_public(&answer);
            return answer;
        }
        if let Route::Reads(Reads::PlainManifest { id, signature, form }) = &route {
            let answer = self.read_plain(id, *form, signature.as_ref(), request, &caller).await;
            entry.is_open |= is_public(&answer);
            if let (Ok((_, Some(found))), true) = (&answer, self.settings.has_tenants) {
                entry.fronted = Some(ManifestKey::new(&found.facts().tenant, id));
            }
            return answer;
        }
        if let Route::Reads(Reads::Alias(id)) = &route {
            let answer = self.read_alias(id, &caller, request).await;
            entry.is_open |= is_public(&answer);
            return answer;
        }
        // In a box: what these operations need is large, and would be copied with each read.
        Ok((Box::pin(self.perform(route, request, body, &caller, &entry.request_id)).await?, None))
    }

    /// Does what is neither a read of content nor a preflight.
    async fn perform<B>(
        &self,
        route: Route,
        request: &Parts,
        body: B,
        caller: &Caller,
        request_id: &str,
    ) -> Result<Reply, Error>
    where
        B: Future<Output = Result<Bytes, Problem>>,
    {
        self.check_available(&route)?;
        self.check_allowed(&route).await?;
        Ok(match route {
            Route::Proofs(Proofs::Store) => {
                proofs::store_proof(self, caller, json_body(self, request, body).await?).await?
            }
            Route::Proofs(Proofs::Supersede(id)) => {
                let body = json_body(self, request, body).await?;
                self.bring(&id).await?;
                proofs::supersede_proof(self, caller, &id, &request.headers, body).await?
            }
            Route::Proofs(Proofs::Delete(id)) => {
                self.bring(&id).await?;
                proofs::delete_proof(self, caller, &id, &request.headers).await?
            }
            Route::Proofs(Proofs::BatchDelete) => {
                batches::batch_delete(self, caller, json_body(self, request, body).await?).await?
            }
            Route::Proofs(Proofs::List { after, limit }) => {
                proofs::list_proofs(self, caller, after.as_deref(), limit).await?
            }
            Route::Proofs(Proofs::SignLink { id, expires_in }) => {
                // It reads: where nothing may be stored, it signs what is there.
                let may = async || self.standing_for_readers().await.forbids(Act::Change).is_none();
                if self.legacy.is_some() && may().await {
                    self.bring(&id).await?;
                }
                proofs::sign_link(self, caller, &id, expires_in).await?
            }
            Route::Aliases(Aliases::List { after, limit }) => {
                aliases::list_aliases(self, caller, after.as_deref(), limit).await?
            }
            Route::Aliases(Aliases::Bind(id)) => {
                aliases::bind_alias(self, caller, id, json_body(self, request, body).await?).await?
            }
            Route::Aliases(Aliases::Withdraw { id, proof }) => {
                aliases::withdraw_alias(self, caller, &id, &proof).await?
            }
            Route::Manifests(Manifests::List { after, limit }) => {
                aliases::list_manifests(self, caller, after.as_deref(), limit).await?
            }
            Route::Manifests(Manifests::Store { visibility, tenant, imported }) => {
                check_tenant(tenant.as_ref(), &caller.tenant)?;
                let body = read_body(self, request, body, C2PA_TYPE).await?;
                manifests::store_manifest(self, caller, (visibility, Arrival::imported(imported)), body)
                    .await?
            }
            Route::Manifests(Manifests::Delete { id, tenant, imported }) => {
                manifests::delete_manifest(self, caller, (&id, tenant), imported, &request.headers).await?
            }
            Route::Manifests(Manifests::DecideFront(id)) => {
                manifests::decide_front(self, &id, json_body(self, request, body).await?).await?
            }
            Route::Manifests(Manifests::ChangeVisibility { id, tenant }) => {
                let body = json_body(self, request, body).await?;
                manifests::change_visibility(self, caller, &id, tenant, body).await?
            }
            Route::Migrations(Migrations::Begin) => {
                let body = json_body(self, request, body).await?;
                migrations::begin_migration(self, body, request_id).await?
            }
            Route::Migrations(Migrations::Show { job, after }) => {
                migrations::show_migration(self, caller, &job, after.as_deref()).await?
            }
            Route::Migrations(Migrations::Remove { job, abandon }) => {
                migrations::remove_migration(self, &job, abandon).await?
            }
            Route::Documents(Documents::Health) => openapi::health(self, caller).await,
            Route::Documents(Documents::Stats) => openapi::stats(self).await?,
            Route::Documents(Documents::OpenApi) => openapi::document(),
            Route::Reads(_) | Route::Options(_) => Reply::empty(http::StatusCode::NOT_FOUND),
        })
    }

    fn lookup<'a>(
        &'a self,
        key: &'a ObjectKey,
        form: Form,
        signature: Option<&'a Signature>,
        request: &'a Parts,
        caller: &'a Caller,
    ) -> Lookup<'a> {
        Lookup {
            key,
            form,
            method: &request.method,
            headers: &request.headers,
            signature,
            link_keys: self.settings.link_keys.as_ref(),
            caller,
            now: self.now(),
            is_plain: false,
        }
    }

    /// A manifest at its plain address: the one that its front names, or the caller's own where the caller may not read that. As
    /// it is stored, it is that of the tenant `default`, whose key has no tenant in it.
    async fn read_plain(
        &self,
        id: &ManifestId,
        form: Form,
        signature: Option<&Signature>,
        request: &Parts,
        caller: &Caller,
    ) -> Result<(Reply, Option<Arc<Verified>>), Error> {
        let default = ManifestKey::new(&Tenant::default(), id);
        let fronted = match form {
            Form::Content if self.alone().is_none() => self.fronted(id).await?,
            Form::Content | Form::Stored => Some(default.clone()),
        };
        let own = ObjectKey::Manifest(ManifestKey::new(&caller.tenant, id));
        let found = match fronted {
            None => Err(self
                .lookup(&ObjectKey::Manifest(default), form, signature, request, caller)
                .absent()
                .into()),
            Some(manifest) => {
                let key = ObjectKey::Manifest(manifest);
                let lookup = self.lookup(&key, form, signature, request, caller);
                let found = retrieve(self, &Lookup { is_plain: self.settings.has_tenants, ..lookup }).await;
                if key == own { return found } else { found }
            }
        };
        match found {
            Err(Error::Problem(problem)) if problem.kind == Kind::NotFound && caller.authenticated => {
                let lookup = self.lookup(&own, form, signature, request, caller);
                let (mut reply, found) = retrieve(self, &lookup).await?;
                // It is what this caller is served here, and nobody else.
                reply.headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
                Ok((reply, found))
            }
            found => found,
        }
    }

    /// A proof by its earlier id: where that leads, for who may read what is there. It is documented as a part of `readProof`, whose path it has.
    async fn read_alias(
        &self,
        id: &LegacyId,
        caller: &Caller,
        request: &Parts,
    ) -> Result<(Reply, Option<Arc<Verified>>), Error> {
        let alias = if self.alone().is_some() { None } else { self.alias(id).await? };
        if let Some(row) = alias {
            if leads_for_all(self, &row).await? {
                return Ok((alias_reply(&row.proof), None));
            }
            if caller.reads_private(&row.tenant) {
                return Ok((private_alias_reply(&row.proof), None));
            }
            return Err(alias_absent(id).into());
        }
        let Unnamed { proof, verified, leads } = self.unnamed(id).await?;
        let key = ObjectKey::Record(proof);
        let lookup = self.lookup(&key, Form::Content, None, request, caller);
        match lookup.respond(verified.facts()) {
            // What the caller may not read is not there, by this id either.
            Err(problem) if problem.kind == Kind::NotFound => Err(alias_absent(id).into()),
            _ if leads && verified.facts().visibility == Visibility::Private => {
                Ok((private_alias_reply(&proof), None))
            }
            _ if leads => Ok((alias_reply(&proof), None)),
            answer => Ok((answer?, Some(verified))),
        }
    }

    /// Refuses what needs the cloud storage while that is off.
    fn check_available(&self, route: &Route) -> Result<(), Problem> {
        if self.alone().is_none() {
            return Ok(());
        }
        match route {
            Route::Proofs(Proofs::Store)
            | Route::Documents(Documents::Health | Documents::OpenApi)
            | Route::Reads(_)
            | Route::Options(_) => Ok(()),
            Route::Proofs(Proofs::Supersede(_)) => Err(off("no proof is replaced")),
            Route::Proofs(Proofs::Delete(_) | Proofs::BatchDelete)
            | Route::Aliases(Aliases::Withdraw { .. })
            | Route::Manifests(Manifests::Delete { .. }) => Err(off("nothing is deleted")),
            Route::Manifests(Manifests::DecideFront(_)) => Err(off("no plain address is decided")),
            Route::Manifests(Manifests::ChangeVisibility { .. }) => {
                Err(off("no manifest is hidden or shown"))
            }
            Route::Aliases(Aliases::Bind(_)) => Err(off("no legacy id is bound")),
            Route::Manifests(Manifests::Store { .. }) => Err(off("no manifest is stored by itself")),
            Route::Migrations(Migrations::Begin) => Err(off("no migration is begun")),
            Route::Proofs(Proofs::List { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Documents(Documents::Stats)
            | Route::Proofs(Proofs::SignLink { .. })
            | Route::Migrations(Migrations::Show { .. } | Migrations::Remove { .. }) => {
                Err(off("the index is not asked"))
            }
        }
    }

    /// Refuses what the guard forbids. Whatever reads is not asked about, and while the cloud storage is off nothing is.
    async fn check_allowed(&self, route: &Route) -> Result<(), Error> {
        if self.alone().is_some() {
            return Ok(());
        }
        match route {
            Route::Proofs(Proofs::Delete(_) | Proofs::BatchDelete)
            | Route::Manifests(Manifests::Delete { .. }) => self.may_destroy().await,
            Route::Proofs(Proofs::Store | Proofs::Supersede(_))
            | Route::Aliases(Aliases::Bind(_) | Aliases::Withdraw { .. })
            | Route::Manifests(
                Manifests::Store { .. } | Manifests::DecideFront(_) | Manifests::ChangeVisibility { .. },
            )
            | Route::Migrations(Migrations::Begin) => self.may_change().await,
            Route::Reads(_)
            | Route::Options(_)
            | Route::Proofs(Proofs::List { .. })
            | Route::Aliases(Aliases::List { .. })
            | Route::Manifests(Manifests::List { .. })
            | Route::Proofs(Proofs::SignLink { .. })
            | Route::Migrations(Migrations::Show { .. } | Migrations::Remove { .. })
            | Route::Documents(Documents::Health | Documents::Stats | Documents::OpenApi) => Ok(()),
        }
    }

    /// Who asks, if they may do what needs `scope`. A credential that is shown has to be good, also where none is
    /// needed.
    ///
    /// # Errors
    /// No credential, a bad one, or not enough of one; or a failure of what checks them.
    pub async fn authorize(&self, request: &Parts, scope: Option<Scope>) -> Result<Caller, Error> {
        let bearer = bearer(&request.headers)?;
        let caller = match self.ports.authenticator().authenticate(bearer).await {
            Ok(_) if request.extensions.get::<Stranger>().is_some() => Caller::anonymous(),
            Ok(caller) => caller,
            Err(Refused::Invalid(why)) => return Err(Problem::unauthenticated(Some(&why)).into()),
            Err(Refused::Undecided(failure)) => return Err(failure.into()),
        };
        if !self.settings.has_tenants && !caller.tenant.is_default() {
            let detail = format!(
                "this deployment has one tenant, `default`, and the credential is of `{}`; CREDLINK_TENANTS=several lets it have more",
                caller.tenant
            );
            return Err(Problem::new(Kind::OtherTenant, detail).into());
        }
        match scope {
            None => Ok(caller),
            Some(_) if !caller.authenticated => Err(Problem::unauthenticated(None).into()),
            Some(scope) if !caller.may(scope) => Err(Problem::insufficient_scope(scope).into()),
            Some(Scope::Store | Scope::Delete | Scope::Admin | Scope::Operator) => Ok(caller),
        }
    }

    /// One line for each request; failures of ours with all they say.
    fn note(&self, request: &Parts, response: &Response<Bytes>, entry: &Entry, elapsed: u64) {
        let status = response.status().as_u16();
        let (request_id, route, method) = (&*entry.request_id, entry.route, request.method.as_str());
        #[expect(clippy::cast_precision_loss, reason = "a duration needs no more than 52 bits")]
        let latency_ms = elapsed as f64 / 1_000.0;
        if let Some(failure) = &entry.failure {
            let (provider, kind) = (failure.provider, failure.kind.to_string());
            tracing::error!(
                request_id,
                method,
                route,
                status,
                latency_ms,
                provider,
                kind,
                reason = failure.message
            );
        } else {
            tracing::info!(request_id, method, route, status, bytes = entry.bytes, latency_ms, "request");
        }
        let events = self.ports.events();
        events.record(Event::Answered { route, microseconds: elapsed });
        if status >= 500 {
            events.record(Event::Failed);
        } else if response.status().is_success() && entry.route.starts_with("read_") {
            events.record(Event::Retrieved { bytes: entry.bytes as u64 });
        }
    }
}

/// Whether anybody would be answered this: with what is public, with where a legacy id leads, or that nothing is there.
fn is_public(answer: &Result<(Reply, Option<Arc<Verified>>), Error>) -> bool {
    match answer {
        Ok((_, Some(found))) => found.facts().visibility == Visibility::Public,
        Ok((reply, None)) => {
            let kept = reply.headers.get(CACHE_CONTROL);
            kept.is_none_or(|kept| !kept.as_bytes().starts_with(b"private"))
        }
        Err(error) => error.problem().kind == Kind::NotFound,
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::unauthenticated(Some("there is more than one `Authorization` header")));
    }
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token {
        Some(token) if !token.is_empty() => Ok(Some(token)),
        _ => Err(Problem::unauthenticated(Some("the `Authorization` header has to be `Bearer` and a token"))),
    }
}

async fn json_body<P, B>(service: &Service<P>, request: &Parts, body: B) -> Result<Bytes, Error>
where
    P: Ports,
    B: Future<Output = Result<Bytes, Problem>>,
{
    read_body(service, request, body, JSON_TYPE).await
}

/// Reads a body of the one type that the path takes, and removes its content coding.
async fn read_body<P, B>(
    service: &Service<P>,
    request: &Parts,
    body: B,
    wanted: &'static str,
) -> Result<Bytes, Error>
where
    P: Ports,
    B: Future<Output = Result<Bytes, Problem>>,
{
    let unsupported = |field: &str, allowed: String, header: (HeaderName, &'static str)| {
        let mut problem = Problem::new(Kind::UnsupportedMediaType, format!("`{field}`: {allowed}")).at(field);
        problem.headers.push((header.0, HeaderValue::from_static(header.1)));
        problem
    };
    let given = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(wanted) {
        let given =
            if essence.is_empty() { "and no type is given".to_owned() } else { format!("not `{essence}`") };
        return Err(unsupported(
            "content-type",
            format!("this path takes `{wanted}`, {given}"),
            (ACCEPT, wanted),
        )
        .into());
    }
    // RFC 9110, section 12.5.3: a 415 for a coding says which codings are taken.
    let coding = content_coding(&request.headers).ok_or_else(|| {
        unsupported("content-encoding", "`gzip` or none".to_owned(), (ACCEPT_ENCODING, "gzip, identity"))
    })?;
    let stated =
        request.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Problem::too_large("a request body", MAX_BODY_BYTES).into());
    }
    let bytes = body.await?;
    let Some(coding) = coding else { return Ok(bytes) };
    // Nobody knows how much comes out before it has: what is short is not made to wait for what is long.
    if bytes.len() <= QUICK_BYTES {
        match decode(&bytes, Some(coding), QUICK_BYTES) {
            Err(DecodeError::TooLong(_)) => {}
            quick => return Ok(unpacked(quick)?),
        }
    }
    let unpack = move || unpacked(decode(&bytes, Some(coding), MAX_BODY_BYTES));
    Ok(service.compute(MAX_BODY_BYTES, unpack).await??)
}

/// A body without its content coding.
fn unpacked(content: Result<Cow<'_, [u8]>, DecodeError>) -> Result<Bytes, Problem> {
    match content {
        Ok(content) => Ok(content.into_owned().into()),
        Err(DecodeError::TooLong(limit)) => Err(Problem::too_large("a request body, unpacked,", limit)),
        Err(error) => Err(Problem::new(Kind::InvalidRequest, format!("the body's content coding: {error}"))
            .at("content-encoding")),
    }
}

/// The coding of a request's content; `None` where it is one that is not taken here, or several. Names of codings have no case, and
/// `x-gzip` is gzip (RFC 9110, sections 8.4.1 and 8.4.1.3).
fn content_coding(headers: &HeaderMap) -> Option<Option<Coding>> {
    let mut coding = None;
    for value in headers.get_all(CONTENT_ENCODING) {
        for name in value.to_str().ok()?.split(',').map(str::trim) {
            match name.to_ascii_lowercase().as_str() {
                "" | "identity" => {}
                "gzip" | "x-gzip" if coding.is_none() => coding = Some(Coding::Gzip),
                _ => return None,
            }
        }
    }
    Some(coding)
}

/// Turns a reply into a response: the stored bytes that it describes, and the headers that every response has.
fn finish(reply: Reply, object: Option<&Verified>, request: &Parts, entry: &mut Entry) -> Response<Bytes> {
    let mut part_of = None;
    let bytes = match (reply.body, object) {
        (Body::Bytes(bytes), _) => bytes,
        (Body::Stored { decode, range }, Some(object)) => {
            let whole = if decode { object.content() } else { object.stored().clone() };
            match range {
                None => whole,
                // The range was cut to the recorded length, which `Verified` has checked.
                Some(range) => {
                    let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
                    let part = whole.slice(position(range.start)..position(range.end));
                    if part.len() <= COPIED_BYTES {
                        Bytes::copy_from_slice(&part)
                    } else {
                        part_of = Some(PartOf(whole));
                        part
                    }
                }
            }
        }
        (Body::Empty | Body::Stored { .. }, _) => Bytes::new(),
    };
    entry.bytes = bytes.len();
    let mut response = Response::new(bytes);
    if let Some(whole) = part_of {
        response.extensions_mut().insert(whole);
    }
    if let Some(manifest) = entry.fronted.take() {
        response.extensions_mut().insert(Fronted(manifest));
    }
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    let headers = response.headers_mut();
    cors::without_guessing(headers);
    headers.insert(MARK, VERSION);
    if entry.is_open {
        cors::open(headers);
    }
    if let Ok(id) = HeaderValue::from_str(&entry.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if request.method == Method::HEAD {
        // The answer to HEAD has the headers of the answer to GET, and no body (RFC 9110, section 9.3.2).
        let length = response.body().len();
        if length > 0 {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            *response.body_mut() = Bytes::new();
        }
    }
    response
}
