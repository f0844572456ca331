//! Authentication and authorization of callers.

use credlink_core::access::{Caller, Scope};
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::http::route::{Reads, Route};
use credlink_core::object::ObjectKey;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use credlink_ports::{Authenticator as _, Ports, Refused};

use super::Stranger;
use crate::error::Error;
use crate::handler::Call;
use crate::service::Service;

impl<P: Ports> Service<P> {
    /// Returns the caller, if they may do what needs `scope`. A credential that is shown must be valid, even where none
    /// is needed.
    ///
    /// # Errors
    /// A missing, invalid or insufficient credential; or a failure of the authenticator.
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
            return Err(Problem::new(ProblemKind::OtherTenant, detail).into());
        }
        match scope {
            None => Ok(caller),
            Some(_) if !caller.authenticated => Err(Problem::unauthenticated(None).into()),
            Some(scope) if !caller.may(scope) => Err(Problem::insufficient_scope(scope).into()),
            Some(
                Scope::Store
                | Scope::Delete
                | Scope::MediaWrite
                | Scope::MediaAdmin
                | Scope::Admin
                | Scope::Operator,
            ) => Ok(caller),
        }
    }

    /// Hides the front of a plain address in a deployment with one tenant. Nothing is served by a front then, and its
    /// existence would reveal that a manifest was withdrawn. An operator sees it.
    pub(super) fn check_front<B>(&self, call: &Call<'_, B>) -> Result<(), Problem> {
        match call.route {
            Route::Reads(Reads::Object { key: key @ ObjectKey::Front(_), signature, form })
                if !self.settings.has_tenants && !call.caller.may(Scope::Operator) =>
            {
                Err(call.lookup(self, key, *form, signature.as_ref()).absent())
            }
            _ => Ok(()),
        }
    }
}

/// Returns the token of an `Authorization: Bearer` header (RFC 6750, section 2.1).
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
