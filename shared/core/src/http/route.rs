//! The operations that a request can ask for: method, path and query, parsed once.
//!
//! Each subject has a file with its operations, their names and scopes, its paths with their methods, and the
//! parameters that they take. The table below names the subjects.

mod aliases;
mod documents;
mod entities;
mod files;
mod manifests;
mod media;
mod migrations;
mod operation;
mod parameter;
mod path;
mod proofs;
mod reads;
mod segment;
#[cfg(test)]
mod tests;
mod uploads;

use http::Method;

use self::operation::Operation;
use self::path::Path;
use super::problem::{Problem, ProblemKind};
use crate::access::Scope;
use crate::bounds::{MAX_C2PA_MANIFEST_BYTES, MAX_TARGET_BYTES};

pub use self::reads::Form;

/// Declares [`Route`] from the subjects.
macro_rules! subjects {
    ($($(#[$documentation:meta])* $subject:ident in $file:ident;)*) => {
        $(pub use self::$file::$subject;)*

        /// An operation of the API, by subject.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Route {
            $($(#[$documentation])* $subject($subject),)*
            /// `OPTIONS` of a path that takes these methods.
            Options(&'static str),
        }

        /// The paths of the API by subject. If two of them match, the first counts.
        const PATHS: &[&[Path]] = &[$($file::PATHS),*];

        const OPERATIONS: &[&[Operation]] = &[$($file::OPERATIONS,)* &[OPTIONS]];

        impl Route {
            const fn operation(&self) -> Operation {
                match self {
                    $(Self::$subject(asked) => asked.operation(),)*
                    Self::Options(_) => OPTIONS,
                }
            }
        }
    };
}

subjects! {
    /// Proofs.
    Proofs in proofs;
    /// Reads of objects.
    Reads in reads;
    /// Legacy IDs.
    Aliases in aliases;
    /// C2PA manifests by themselves.
    Manifests in manifests;
    /// Migrations.
    Migrations in migrations;
    /// Uploads.
    Uploads in uploads;
    /// Files.
    Files in files;
    /// Lists of files.
    Entities in entities;
    /// Bytes of files.
    Media in media;
    /// Documents about the service.
    Documents in documents;
}

const OPTIONS: Operation = Operation::open("options");

impl Route {
    /// Returns the scope that a caller needs, or `None` if reading is public or the object decides (see
    /// [`crate::rules::retrieve`]).
    #[must_use]
    pub const fn scope(&self) -> Option<Scope> {
        self.operation().scope
    }

    /// Returns the bytes of memory that the answer may take for stored content, in addition to the body: a manifest
    /// whose visibility changes is read and written again.
    #[must_use]
    pub const fn rewritten_bytes(&self) -> usize {
        match self {
            Self::Manifests(Manifests::ChangeVisibility { .. }) => 2 * MAX_C2PA_MANIFEST_BYTES,
            _ => 0,
        }
    }

    /// Returns `true` if the operation reads something that is public by itself, or may be if the object says so. Only
    /// the answers to such operations may be read by scripts of other sites ([`super::cors`]).
    #[must_use]
    pub const fn is_public_read(&self) -> bool {
        self.operation().is_public_read
    }

    /// Returns the scope that a path needs, whatever its IDs and parameters are. If one of them is malformed there is
    /// no route, and the credential is checked all the same.
    #[must_use]
    pub fn scope_of(method: &Method, path: &str, query: &str) -> Option<Scope> {
        let (path, _) = path::find(PATHS.iter().copied().flatten(), path.strip_prefix("/v1/")?)?;
        path.endpoint(method)?.scope(query)
    }

    /// Returns every [`name`](Self::name).
    pub fn names() -> impl Iterator<Item = &'static str> {
        OPERATIONS.iter().copied().flatten().map(|operation| operation.name)
    }

    /// Returns a short name from a fixed set, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.operation().name
    }

    /// Reads a request line of the API. Paths that only read are also accepted without `/v1`, as on the CDN domain.
    ///
    /// # Errors
    /// 404 if the path does not exist, 405 if it does not take the method, 400 if an ID or a parameter is malformed.
    pub fn parse(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        let Some(rest) = path.strip_prefix("/v1/") else { return Self::parse_public(method, path, query) };
        check_length(path, query)?;
        path::parse(PATHS.iter().copied().flatten(), method, rest, query)
    }

    /// Reads a request line of the CDN domain, whose paths only read and have no version.
    ///
    /// # Errors
    /// The errors of [`parse`](Self::parse).
    pub fn parse_public(method: &Method, path: &str, query: &str) -> Result<Self, Problem> {
        check_length(path, query)?;
        path::parse(reads::PUBLIC_PATHS, method, path.strip_prefix('/').unwrap_or(path), query)
    }
}

fn check_length(path: &str, query: &str) -> Result<(), Problem> {
    if path.len() + query.len() > MAX_TARGET_BYTES {
        let detail = format!("a path and query may have {MAX_TARGET_BYTES} bytes together");
        return Err(Problem::new(ProblemKind::TargetTooLong, detail));
    }
    Ok(())
}
