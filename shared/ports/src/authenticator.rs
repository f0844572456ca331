//! The port that authenticates callers.

use std::future::Future;

use credlink_core::access::Caller;

use crate::Failure;

/// The reasons why a caller is not authenticated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The credential is unknown, malformed or expired. The text gives the reason to the caller.
    #[error("{0}")]
    Invalid(String),
    /// The service could not find out whether the credential is valid. The fault is ours, not the caller's (guarantee
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
    /// Returns the source's name in health reports and metrics: `tokens` or `keys`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Keys => "keys",
        }
    }
}

/// A source of credentials that could not be reread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The source.
    pub source: Credentials,
    /// The cause in the source's own words, for an operator. It may name a file or an address.
    pub reason: String,
    /// Seconds since the source was last read, or `None` if it never was.
    pub read_seconds_ago: Option<u64>,
    /// `true` if the credentials from that last read are still in use.
    pub is_in_use: bool,
}

/// An authenticator: it checks credentials.
pub trait Authenticator {
    /// Returns the caller to whom `bearer` belongs, the token of an `Authorization: Bearer` header (RFC 6750, section
    /// 2.1). `None` means that the request had no token.
    fn authenticate(&self, bearer: Option<&str>) -> impl Future<Output = Result<Caller, Refused>>;

    /// Returns the sources that cannot be read. A file that was not checked for a while is checked now.
    fn unread(&self) -> impl Future<Output = Vec<Unread>>;
}
