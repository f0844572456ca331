//! Calls that get no answer.

use std::fmt;
use std::io;

use rustls::InvalidMessage;

/// A call that got no answer. Its text says why.
#[derive(Debug)]
pub struct CallError(ureq::Error);

/// The causes of a [`CallError`] that callers tell apart.
#[derive(Debug)]
pub enum CallErrorKind<'a> {
    /// Nothing accepts connections at the address.
    Unanswered,
    /// The connection broke, or the system did not allow it.
    Broken(&'a io::Error),
    /// The call timed out, in the part that is named.
    TimedOut(String),
    /// The body has more bytes than this.
    TooLong(u64),
    /// The server speaks HTTP without TLS where TLS was expected.
    WithoutTls,
    /// Anything else.
    Other,
}

impl CallError {
    /// Returns the cause.
    #[must_use]
    pub fn kind(&self) -> CallErrorKind<'_> {
        if self.is_without_tls() {
            return CallErrorKind::WithoutTls;
        }
        match &self.0 {
            ureq::Error::Io(error) if error.kind() != io::ErrorKind::ConnectionRefused => {
                CallErrorKind::Broken(error)
            }
            ureq::Error::Io(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                CallErrorKind::Unanswered
            }
            ureq::Error::Timeout(part) => CallErrorKind::TimedOut(part.to_string()),
            ureq::Error::BodyExceedsLimit(limit) => CallErrorKind::TooLong(*limit),
            _ => CallErrorKind::Other,
        }
    }

    /// Returns `true` if the call timed out.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self.0, ureq::Error::Timeout(_))
    }

    /// Returns `true` if the server answered TLS with something else.
    fn is_without_tls(&self) -> bool {
        let tls = match &self.0 {
            ureq::Error::Rustls(error) => Some(error),
            ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
            _ => None,
        };
        matches!(tls, Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)))
    }
}

/// Makes a call, and makes it once more if the connection failed, since a connection that was kept open may have been
/// closed silently. Only for calls that may be made twice.
///
/// # Errors
/// Returns the error of the last call.
pub fn twice<T>(call: impl Fn() -> Result<T, CallError>) -> Result<T, CallError> {
    call().or_else(|error| match error.0 {
        ureq::Error::Io(_) => call(),
        _ => Err(error),
    })
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl From<ureq::Error> for CallError {
    fn from(error: ureq::Error) -> Self {
        Self(error)
    }
}

impl From<http::Error> for CallError {
    fn from(error: http::Error) -> Self {
        Self(error.into())
    }
}
