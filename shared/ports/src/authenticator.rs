//! The port that checks credentials.

use std::future::Future;

use credlink_core::access::Caller;

use crate::Failure;

/// The reasons why nobody was let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The credential is unknown, malformed or expired; the reason is in words for the caller.
    #[error("{0}")]
    Invalid(String),
    /// The service could not find out if the credential is good: a failure of ours, and not the caller's (guarantee
    /// 7).
    #[error(transparent)]
    Undecided(#[from] Failure),
}

/// A source of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// The list of access tokens.
    Tokens,
    /// The keys that JSON Web Tokens are checked with.
    Keys,
}

impl Credentials {
    /// Its name in health and in metrics: `tokens` or `keys`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Keys => "keys",
        }
    }
}

/// A source of credentials that cannot be read anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The source.
    pub source: Credentials,
    /// The cause in its own words, for an operator: it may name a file or an address.
    pub reason: String,
    /// Seconds since it was last read. `None`: it never was.
    pub read_seconds_ago: Option<u64>,
    /// `true` if what was read then is in use.
    pub is_in_use: bool,
}

/// A check of credentials.
pub trait Authenticator {
    /// Finds out who shows `bearer`, the token of an `Authorization: Bearer` header (RFC 6750, section 2.1), or
    /// nothing.
    fn authenticate(&self, bearer: Option<&str>) -> impl Future<Output = Result<Caller, Refused>>;

    /// Finds out which of its sources cannot be read. A file that was not looked at for a while is looked at now.
    fn unread(&self) -> impl Future<Output = Vec<Unread>>;
}
