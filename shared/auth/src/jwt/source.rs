//! The source of an issuer's keys: a file that may change, or an address.
//!
//! * A file is checked again if its last check is more than a second old, and at once for an unknown key.
//! * An address is requested with the first token, again in the background once its keys are half a minute old, and for
//!   an unknown key, but at most every 30 seconds. There is one request at a time, however many tokens wait for it. A
//!   token that finds the keys older than a minute waits for the request.
//! * So a key that its issuer withdraws is valid for a minute at most. A set without keys is a valid answer: all are
//!   withdrawn.
//! * Keys that cannot be read again stay in use at first, and the log says why. They are dropped 15 minutes after they
//!   were last read, since the issuer may have withdrawn any of them by then. Without keys, a failure to read them is a
//!   failure of the request.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use credlink_client::{CallError, Client, Policy, Timeouts};
use credlink_ports::{Credentials, Failure, FailureKind, Unread};
use http::header::ACCEPT;
use http::{Request, StatusCode};
use jsonwebtoken::Algorithm;
use tokio::sync::Mutex;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use credlink_disk::bounded_file::{self, PATIENCE, Reading};
use credlink_metrics::catalogue::note_unread;
use credlink_runtime::deadline::remaining;

use super::NAME;
use super::keys::{Key, KeySet, KeySetError, MAX_JWKS_BYTES};
use super::settings::Jwks;

/// The name of this source of credentials.
const SOURCE: Credentials = Credentials::Keys;

/// The time for which a file is assumed to be unchanged.
const FILE_AGE: Duration = Duration::from_secs(1);
/// The time for which the keys of an address are assumed to be unchanged. Then they are read again, and stay in use
/// meanwhile.
const URL_AGE: Duration = Duration::from_secs(30);
/// The age of an address's keys above which a token waits for them to be read again.
const URL_AGE_WAITED_FOR: Duration = Duration::from_secs(60);
/// The time for which keys stay in use that cannot be read again.
const MAX_AGE: Duration = Duration::from_secs(900);
/// The pause after a request to an address, whatever its outcome.
const URL_PAUSE: Duration = Duration::from_secs(30);
/// The same pause while there are no keys at all, and so no token can be accepted.
const URL_PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(2);
/// The timeout of a request to an address.
const URL_TIMEOUT: Duration = Duration::from_secs(5);

/// The reason why keys could not be obtained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of {place} cannot be used: {why}")]
pub struct KeysError {
    /// The file or the address.
    pub place: String,
    /// The reason.
    pub why: String,
}

/// The reason why one attempt to read keys failed.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The file system of the file does not answer.
    #[error("its file system does not answer within {} s", PATIENCE.as_secs())]
    Late,
    /// The address does not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The address answers with a status other than 200.
    #[error("it answers with status {0}")]
    Status(u16),
    /// The task that makes the request ended early.
    #[error(transparent)]
    Task(#[from] JoinError),
    /// The content is not a set of acceptable keys.
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// A source of keys. Clones share one source.
#[derive(Debug, Clone)]
pub struct KeySource(Arc<WatchedKeys>);

#[derive(Debug)]
struct WatchedKeys {
    place: KeyLocation,
    state: RwLock<State>,
    /// Held by the task that reads the keys.
    reading: Mutex<()>,
    file: Reading,
}

#[derive(Debug)]
enum KeyLocation {
    File(PathBuf),
    Url { url: String, timeout: Duration },
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// The instant at which they were last read.
    read: Option<Instant>,
    /// The instant of the last attempt to read them.
    tried: Option<Instant>,
    /// The modification time and length of the file that they were read from.
    file: Option<(SystemTime, u64)>,
    /// The reason why the last attempt failed, if it did.
    failure: Option<String>,
}

impl State {
    /// Returns the keys, unless they were last read too long ago.
    fn in_use(&self) -> Option<&Arc<KeySet>> {
        self.keys.as_ref().filter(|_| !was_before(self.read, MAX_AGE))
    }
}

impl KeySource {
    /// Returns the source of the keys at this location. A file is read now.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or has no acceptable key.
    pub fn open(jwks: &Jwks) -> Result<Self, KeysError> {
        let mut state = State::default();
        let place = match jwks {
            Jwks::Url(url) => KeyLocation::Url { url: url.clone(), timeout: URL_TIMEOUT },
            Jwks::File(path) => {
                let read = read_file(path, None)
                    .map_err(|error| KeysError { place: jwks.to_string(), why: error.to_string() })?;
                if let Some((keys, file)) = read {
                    let now = Some(Instant::now());
                    state = State {
                        keys: Some(Arc::new(keys)),
                        read: now,
                        tried: now,
                        file: Some(file),
                        failure: None,
                    };
                }
                KeyLocation::File(path.clone())
            }
        };
        Ok(Self(Arc::new(WatchedKeys {
            place,
            state: RwLock::new(state),
            reading: Mutex::new(()),
            file: Reading::default(),
        })))
    }

    /// Returns the key with this name for `algorithm`, or the only such key if there is no name. `None` means that
    /// there is none.
    ///
    /// # Errors
    /// Returns an error if there are no keys yet, and they cannot be obtained now.
    pub async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<Arc<Key>>, Failure> {
        let (keys, tried) = self.known();
        if let Some(keys) = &keys {
            let is_known = match id {
                Some(id) => keys.names(id),
                None => keys.find(None, algorithm).is_some(),
            };
            match (&self.0.place, is_known) {
                (KeyLocation::File(_), true) if !self.is_older(FILE_AGE) => {
                    return Ok(keys.find(id, algorithm));
                }
                // The last attempt failed, or succeeded a moment ago, so there is nothing to gain by waiting.
                (KeyLocation::Url { .. }, true) if !self.is_to_be_waited_for() => {
                    if self.is_older(URL_AGE) && was_before(tried, URL_PAUSE) {
                        drop(tokio::spawn(self.clone().read_again(tried).in_current_span()));
                    }
                    return Ok(keys.find(id, algorithm));
                }
                (KeyLocation::Url { .. }, true) => {}
                (KeyLocation::Url { .. }, false) if !was_before(tried, URL_PAUSE) => return Ok(None),
                _ => {}
            }
        }
        if keys.is_some()
            || matches!(self.0.place, KeyLocation::File(_))
            || was_before(tried, URL_PAUSE_WITHOUT_KEYS)
        {
            // A task of its own, so that a client that goes away does not end it for the others who wait for it.
            let reading = tokio::spawn(self.clone().read_again(tried).in_current_span());
            let read = match remaining() {
                None => reading.await,
                Some(left) => timeout(left, reading).await.map_err(|_| Failure {
                    kind: FailureKind::TimedOut,
                    ..failure("they did not come before the request's deadline")
                })?,
            };
            read.map_err(|error| failure(&error.to_string()))?;
        }
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        match state.in_use() {
            Some(keys) => Ok(keys.find(id, algorithm)),
            None => Err(failure(state.failure.as_deref().unwrap_or("they were not asked for yet"))),
        }
    }

    /// Returns the reason why the keys cannot be read, if they cannot. A file is checked if its last check is more than
    /// a second old. An address is requested by tokens alone, and the next request makes up for one that fails while
    /// the keys are young.
    pub async fn unread(&self) -> Option<Unread> {
        if matches!(self.0.place, KeyLocation::File(_)) && self.is_older(FILE_AGE) {
            self.clone().read_again(self.known().1).await;
        }
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_young =
            matches!(self.0.place, KeyLocation::Url { .. }) && !was_before(state.read, URL_AGE_WAITED_FOR);
        let reason = state.failure.clone().filter(|_| !is_young)?;
        let read_seconds_ago = state.read.map(|read| read.elapsed().as_secs());
        Some(Unread { source: SOURCE, reason, read_seconds_ago, is_in_use: state.in_use().is_some() })
    }

    fn known(&self) -> (Option<Arc<KeySet>>, Option<Instant>) {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        (state.in_use().cloned(), state.tried)
    }

    /// Returns `true` if the keys of an address are so old that a token waits for them to be read again.
    fn is_to_be_waited_for(&self) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.failure.is_none() && was_before(state.read, URL_AGE_WAITED_FOR)
    }

    fn is_older(&self, age: Duration) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        was_before(if matches!(self.0.place, KeyLocation::File(_)) { state.tried } else { state.read }, age)
    }

    /// Reads the keys, unless another task has done so since the attempt that the caller knows of.
    async fn read_again(self, known: Option<Instant>) {
        let _one = self.0.reading.lock().await;
        let (tried, file) = {
            let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
            (state.tried, state.file)
        };
        if tried != known {
            return;
        }
        let read = match &self.0.place {
            KeyLocation::File(path) => {
                let path = path.clone();
                let read = self.0.file.of(move || read_file(&path, file)).await;
                read.unwrap_or(Err(ReadError::Late)).map(|read| read.map(|(keys, file)| (keys, Some(file))))
            }
            KeyLocation::Url { url, timeout } => {
                let (url, timeout) = (url.clone(), *timeout);
                let read = tokio::task::spawn_blocking(move || read_url(&url, timeout)).await;
                read.unwrap_or_else(|error| Err(error.into())).map(|keys| Some((keys, None)))
            }
        };
        let now = Some(Instant::now());
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        state.tried = now;
        note_unread(SOURCE, read.is_err());
        match read {
            Ok(Some((keys, file))) => {
                *state = State { keys: Some(Arc::new(keys)), read: now, tried: now, file, failure: None };
                tracing::info!("the keys of access tokens were read");
            }
            Ok(None) => (state.read, state.failure) = (now, None),
            Err(error) => {
                let reason = error.to_string();
                let in_use = state.in_use().is_some();
                // A file that stays broken is checked every second, and logged once.
                if state.failure.as_ref() != Some(&reason) {
                    tracing::warn!(%reason, in_use, "the keys of access tokens cannot be read; those in use stay for 15 minutes");
                }
                state.failure = Some(reason);
            }
        }
    }
}

/// Returns `true` if `then` is longer ago than `age`, or never was.
fn was_before(then: Option<Instant>, age: Duration) -> bool {
    then.is_none_or(|then| then.elapsed() >= age)
}

fn failure(reason: &str) -> Failure {
    let message = format!("no keys to check access tokens with: {reason}");
    Failure { provider: NAME, kind: FailureKind::Unavailable, message }
}

/// Returns the keys in a file, or `None` if its modification time and length are those in `known`.
#[expect(clippy::type_complexity, reason = "keys, and what tells their file from a later one")]
fn read_file(
    path: &Path,
    known: Option<(SystemTime, u64)>,
) -> Result<Option<(KeySet, (SystemTime, u64))>, ReadError> {
    let about = path.metadata()?;
    let file = (about.modified()?, about.len());
    if known == Some(file) {
        return Ok(None);
    }
    let json = bounded_file::read(path, MAX_JWKS_BYTES)?;
    // A file without keys is a mistake at the start; later on, it withdraws the keys that it had.
    let keys = match known {
        None => KeySet::parse(&json),
        Some(_) => KeySet::parse_any(&json).map(|(keys, _)| keys),
    };
    Ok(Some((keys?, file)))
}

/// Requests the keys at an address.
fn read_url(url: &str, timeout: Duration) -> Result<KeySet, ReadError> {
    let timeouts = Timeouts { whole: Some(timeout), ..Timeouts::default() };
    let client = Client::new(&Policy { timeouts, ..Policy::default() });
    let request = Request::get(url).header(ACCEPT, "application/json").body(None).map_err(CallError::from)?;
    // Redirections are not followed: the operator trusts this address alone.
    let answer = client.send(request)?;
    if answer.status() != StatusCode::OK {
        return Err(ReadError::Status(answer.status().as_u16()));
    }
    let json = answer.read(MAX_JWKS_BYTES as u64 + 1)?.body;
    Ok(KeySet::parse_any(&json)?.0)
}

#[cfg(test)]
mod tests;
