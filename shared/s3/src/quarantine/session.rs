//! The sessions of temporary credentials. An address that such credentials signed is refused once their session has
//! ended, however long it was signed for.
//!
//! The SDK caches credentials and does not say with which of them it signs. So each one is noted when its provider
//! returns it, and found again by the access key that the address names. Environment variables, from which a Lambda
//! function has its credentials, do not say when the session ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};

/// The number of sessions that are remembered: that of the cached credentials, and those of credentials that replace
/// them while addresses are signed.
const REMEMBERED: usize = 4;

/// The ends of the latest sessions, by access key.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<VecDeque<(String, SystemTime)>>>);

impl Sessions {
    /// Notes the end of a session, if the credentials have one.
    pub(super) fn note(&self, credentials: &Credentials) {
        let Some(end) = credentials.expiry() else { return };
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|(key, _)| key != credentials.access_key_id());
        sessions.truncate(REMEMBERED - 1);
        sessions.push_front((credentials.access_key_id().to_owned(), end));
    }

    /// Returns the end of the session of this access key, if it is known to have one.
    pub(super) fn end(&self, access_key: &str) -> Option<SystemTime> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.iter().find(|(key, _)| key == access_key).map(|(_, end)| *end)
    }

    /// Returns a provider that notes the session of all credentials of `provider`.
    pub(super) fn noted(&self, provider: SharedCredentialsProvider) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Noted { provider, sessions: self.clone() })
    }
}

#[derive(Debug)]
struct Noted {
    provider: SharedCredentialsProvider,
    sessions: Sessions,
}

impl ProvideCredentials for Noted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let credentials = self.provider.provide_credentials().await?;
            self.sessions.note(&credentials);
            Ok(credentials)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn credentials(key: &str, end: Option<u64>) -> Credentials {
        let end = end.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        Credentials::new(key, "secret", None, end, "tests")
    }

    #[tokio::test]
    async fn a_session_is_found_by_its_access_key() {
        let sessions = Sessions::default();
        let provider = SharedCredentialsProvider::new(credentials("a", Some(100)));
        sessions.noted(provider).provide_credentials().await.unwrap();
        sessions.note(&credentials("b", Some(200)));
        sessions.note(&credentials("b", Some(300)));
        sessions.note(&credentials("c", None));
        let end =
            |key| sessions.end(key).map(|end| end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
        assert_eq!((end("a"), end("b"), end("c"), end("d")), (Some(100), Some(300), None, None));
        for number in 0..u64::try_from(REMEMBERED).unwrap() {
            sessions.note(&credentials(&number.to_string(), Some(number)));
        }
        assert_eq!((end("a"), end("b"), end("0")), (None, None, Some(0)));
    }
}
