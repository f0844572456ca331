//! The paths of the API, and the methods that each of them takes.

use http::Method;

use super::Route;
use super::operation::Operation;
use crate::access::Scope;
use crate::http::problem::{Problem, ProblemKind};

/// The value of `Allow` for a path that only reads.
pub(super) const READ_ONLY: &str = "GET, HEAD, OPTIONS";

/// A path of the API.
pub(super) struct Path {
    /// The segments after the version. `*` stands for any segment; there are at most three of them.
    pub(super) segments: &'static [&'static str],
    /// The methods that the path takes, as `Allow` names them (RFC 9110, section 10.2.1).
    pub(super) allow: &'static str,
    /// The operation of each method.
    pub(super) endpoints: &'static [Endpoint],
}

/// The methods of the API, since a [`Method`] cannot be a constant.
#[derive(Clone, Copy)]
enum On {
    /// `GET` and `HEAD`.
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// An operation at a path.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    on: On,
    operation: Operation,
    /// The query parameter that asks for another operation, which needs no scope.
    open_with: Option<&'static str>,
    parse: fn(Given<'_>) -> Result<Route, Problem>,
}

/// The parts of a request line that an endpoint reads.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// The segments in the places where the path has a `*`.
    pub(super) ids: [&'a str; 3],
    /// The query, without its question mark.
    pub(super) query: &'a str,
}

impl Endpoint {
    const fn new(on: On, operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self { on, operation, open_with: None, parse }
    }

    /// Returns an operation of `GET` and `HEAD`.
    pub(super) const fn get(operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self::new(On::Get, operation, parse)
    }

    /// Returns an operation of `POST`.
    pub(super) const fn post(operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self::new(On::Post, operation, parse)
    }

    /// Returns an operation of `PUT`.
    pub(super) const fn put(operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self::new(On::Put, operation, parse)
    }

    /// Returns an operation of `PATCH`.
    pub(super) const fn patch(operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self::new(On::Patch, operation, parse)
    }

    /// Returns an operation of `DELETE`.
    pub(super) const fn delete(operation: Operation, parse: fn(Given<'_>) -> Result<Route, Problem>) -> Self {
        Self::new(On::Delete, operation, parse)
    }

    /// Returns the endpoint with a query parameter that asks for another operation, which needs no scope.
    pub(super) const fn open_with(self, parameter: &'static str) -> Self {
        Self { open_with: Some(parameter), ..self }
    }

    fn takes(&self, method: &Method) -> bool {
        match self.on {
            On::Get => matches!(*method, Method::GET | Method::HEAD),
            On::Post => *method == Method::POST,
            On::Put => *method == Method::PUT,
            On::Patch => *method == Method::PATCH,
            On::Delete => *method == Method::DELETE,
        }
    }

    /// Returns the scope that a request with this query needs.
    pub(super) fn scope(&self, query: &str) -> Option<Scope> {
        let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
        let is_open = self.open_with.is_some_and(|parameter| names.any(|name| name == parameter));
        self.operation.scope.filter(|_| !is_open)
    }
}

impl Path {
    /// Returns the segments of an API path in the places where this path has a `*`, or `None` if the paths differ.
    fn ids<'a>(&self, segments: &[&'a str]) -> Option<[&'a str; 3]> {
        if segments.len() != self.segments.len() {
            return None;
        }
        let mut ids = [""; 3];
        let mut free = ids.iter_mut();
        for (given, own) in segments.iter().zip(self.segments) {
            if *own == "*" {
                *free.next()? = given;
            } else if given != own {
                return None;
            }
        }
        Some(ids)
    }

    /// Returns the operation of this path for `method`.
    pub(super) fn endpoint(&self, method: &Method) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.takes(method))
    }

    /// Reads a request line of this path.
    fn parse(&self, method: &Method, given: Given<'_>) -> Result<Route, Problem> {
        match self.endpoint(method) {
            Some(endpoint) => (endpoint.parse)(given),
            None if *method == Method::OPTIONS => Ok(Route::Options(self.allow)),
            None => Err(Problem::method_not_allowed(method.as_str(), self.allow)),
        }
    }
}

/// The maximum number of segments of a path.
const MAX_SEGMENTS: usize = 6;

/// Returns the first of `paths` that `rest`, a path without its version, matches, and the segments in the places of its
/// `*`.
pub(super) fn find(
    paths: impl IntoIterator<Item = &'static Path>,
    rest: &str,
) -> Option<(&'static Path, [&str; 3])> {
    // An array, because every request comes through here.
    let mut segments = [""; MAX_SEGMENTS];
    let mut count = 0;
    for segment in rest.split('/') {
        *segments.get_mut(count)? = segment;
        count += 1;
    }
    let segments = segments.get(..count)?;
    paths.into_iter().find_map(|path| path.ids(segments).map(|ids| (path, ids)))
}

/// Reads a request line of one of `paths`. If two of them match, the first counts.
///
/// # Errors
/// 404 if there is no such path, 405 if it does not take the method, and the operation's own errors about its IDs and
/// parameters.
pub(super) fn parse(
    paths: impl IntoIterator<Item = &'static Path>,
    method: &Method,
    rest: &str,
    query: &str,
) -> Result<Route, Problem> {
    match find(paths, rest) {
        Some((path, ids)) => path.parse(method, Given { ids, query }),
        None => Err(Problem::new(
            ProblemKind::NoSuchRoute,
            "there is no such path; GET /v1/openapi.json lists those that there are",
        )),
    }
}
