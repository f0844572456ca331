//! Where an issuer's keys come from: a file that may change, or an address.
//!
//! * A file is looked at again when it was not for a second, and at once for a key that is not known.
//! * An address is asked with the first token, again in the background when its keys are half a minute old, and for a key
//!   that is not known, but not more often than every 30 seconds; by one request at a time, whoever waits for it. A token
//!   that finds them older than a minute waits for it.
//! * So a key that its issuer withdraws is good for a minute at most. A set without keys is an answer too: all are withdrawn.
//! * What cannot be read changes nothing at first: the keys that are there stay in use, and the log says why. 15 minutes
//!   after they were last read they are dropped, as nobody knows what their issuer has withdrawn meanwhile; without keys,
//!   that nothing can be read is a failure.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use credlink_client::{CallError, Client, Policy, Timeouts};
use credlink_ports::{Credentials, Failure, FailureKind, Unread};
use http::header::ACCEPT;
use http::{Request, StatusCode};
use jsonwebtoken::Algorithm;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use credlink_disk::bounded_file::{self, PATIENCE, Reading};
use credlink_metrics::catalogue::note_unread;
use credlink_runtime::deadline::remaining;

use super::NAME;
use super::keys::{Key, KeySet, MAX_JWKS_BYTES};
use super::settings::Jwks;

/// The name of this source of credentials.
const SOURCE: Credentials = Credentials::Keys;

/// How long a file is taken to be unchanged.
const FILE_AGE: Duration = Duration::from_secs(1);
/// How long an address is taken to have the same keys. Then they are read again, and are in use meanwhile.
const URL_AGE: Duration = Duration::from_secs(30);
/// How old the keys of an address may be without a token waiting for them to be read again.
const URL_AGE_WAITED_FOR: Duration = Duration::from_secs(60);
/// How long keys are in use that cannot be read again.
const MAX_AGE: Duration = Duration::from_secs(900);
/// How long an address is left alone after it was asked, whatever came of it.
const URL_PAUSE: Duration = Duration::from_secs(30);
/// The same, while there are no keys at all: nobody can do anything until there are.
const URL_PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(2);
/// How long an address may take to answer.
const URL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why keys could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of {place} cannot be used: {why}")]
pub struct KeysError {
    /// The file or the address.
    pub place: String,
    /// What is wrong there.
    pub why: String,
}

/// A source of keys. Clones are one source.
#[derive(Debug, Clone)]
pub struct KeySource(Arc<Source>);

#[derive(Debug)]
struct Source {
    place: Place,
    state: RwLock<State>,
    /// Held by the one who reads.
    reading: Mutex<()>,
    file: Reading,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url { url: String, timeout: Duration },
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// When they were read.
    read: Option<Instant>,
    /// When it was last tried to read them.
    tried: Option<Instant>,
    /// The time and length of the file that they were read from.
    file: Option<(SystemTime, u64)>,
    /// Why the last try failed, if it did.
    failure: Option<String>,
}

impl State {
    /// The keys, unless they were last read too long ago.
    fn in_use(&self) -> Option<&Arc<KeySet>> {
        self.keys.as_ref().filter(|_| !was_before(self.read, MAX_AGE))
    }
}

impl KeySource {
    /// The keys of this place. A file is read now.
    ///
    /// # Errors
    /// The file cannot be read, or has no key that is taken.
    pub fn open(jwks: &Jwks) -> Result<Self, KeysError> {
        let mut state = State::default();
        let place = match jwks {
            Jwks::Url(url) => Place::Url { url: url.clone(), timeout: URL_TIMEOUT },
            Jwks::File(path) => {
                let read = read_file(path, None).map_err(|why| KeysError { place: jwks.to_string(), why })?;
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
                Place::File(path.clone())
            }
        };
        Ok(Self(Arc::new(Source {
            place,
            state: RwLock::new(state),
            reading: Mutex::new(()),
            file: Reading::default(),
        })))
    }

    /// The key with this name that is for `algorithm`, or the only one if there is no name. `None`: there is none.
    ///
    /// # Errors
    /// There are no keys yet, and they cannot be had now.
    pub async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<Arc<Key>>, Failure> {
        let (keys, tried) = self.known();
        if let Some(keys) = &keys {
            let is_known = match id {
                Some(id) => keys.names(id),
                None => keys.find(None, algorithm).is_some(),
            };
            match (&self.0.place, is_known) {
                (Place::File(_), true) if !self.is_older(FILE_AGE) => return Ok(keys.find(id, algorithm)),
                // The last try failed, or was good a moment ago: who waits gains nothing.
                (Place::Url { .. }, true) if !self.is_to_be_waited_for() => {
                    if self.is_older(URL_AGE) && was_before(tried, URL_PAUSE) {
                        drop(tokio::spawn(self.clone().read_again(tried).in_current_span()));
                    }
                    return Ok(keys.find(id, algorithm));
                }
                (Place::Url { .. }, true) => {}
                (Place::Url { .. }, false) if !was_before(tried, URL_PAUSE) => return Ok(None),
                _ => {}
            }
        }
        if keys.is_some()
            || matches!(self.0.place, Place::File(_))
            || was_before(tried, URL_PAUSE_WITHOUT_KEYS)
        {
            // In a task of its own, so that a client who goes away does not end it for those who wait as well.
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

    /// Why the keys cannot be read, if they cannot. A file is looked at when it was not for a second. An address is asked by
    /// tokens alone, and one read that fails while its keys are young is made good by the next.
    pub async fn unread(&self) -> Option<Unread> {
        if matches!(self.0.place, Place::File(_)) && self.is_older(FILE_AGE) {
            self.clone().read_again(self.known().1).await;
        }
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_young =
            matches!(self.0.place, Place::Url { .. }) && !was_before(state.read, URL_AGE_WAITED_FOR);
        let reason = state.failure.clone().filter(|_| !is_young)?;
        let read_seconds_ago = state.read.map(|read| read.elapsed().as_secs());
        Some(Unread { source: SOURCE, reason, read_seconds_ago, is_in_use: state.in_use().is_some() })
    }

    fn known(&self) -> (Option<Arc<KeySet>>, Option<Instant>) {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        (state.in_use().cloned(), state.tried)
    }

    /// Whether keys of an address are so old that a token waits for them to be read again.
    fn is_to_be_waited_for(&self) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.failure.is_none() && was_before(state.read, URL_AGE_WAITED_FOR)
    }

    fn is_older(&self, age: Duration) -> bool {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        was_before(if matches!(self.0.place, Place::File(_)) { state.tried } else { state.read }, age)
    }

    /// Reads the keys, unless somebody else did since the try that the caller knows of.
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
            Place::File(path) => {
                let path = path.clone();
                let read = self.0.file.of(move || read_file(&path, file)).await;
                let late = || Err(format!("its file system does not answer within {} s", PATIENCE.as_secs()));
                read.unwrap_or_else(late).map(|read| read.map(|(keys, file)| (keys, Some(file))))
            }
            Place::Url { url, timeout } => {
                let (url, timeout) = (url.clone(), *timeout);
                let read = tokio::task::spawn_blocking(move || read_url(&url, timeout)).await;
                read.unwrap_or_else(|error| Err(error.to_string())).map(|keys| Some((keys, None)))
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
            Err(reason) => {
                let in_use = state.in_use().is_some();
                // A file that stays broken is looked at every second; that is said once.
                if state.failure.as_ref() != Some(&reason) {
                    tracing::warn!(%reason, in_use, "the keys of access tokens cannot be read; those in use stay for 15 minutes");
                }
                state.failure = Some(reason);
            }
        }
    }
}

/// Whether `then` is longer ago than `age`, or never was.
fn was_before(then: Option<Instant>, age: Duration) -> bool {
    then.is_none_or(|then| then.elapsed() >= age)
}

fn failure(reason: &str) -> Failure {
    let message = format!("no keys to check access tokens with: {reason}");
    Failure { provider: NAME, kind: FailureKind::Unavailable, message }
}

/// The keys in a file, or `None` if it is the one that is `known` by its time and length.
#[expect(clippy::type_complexity, reason = "keys, and what tells their file from a later one")]
fn read_file(
    path: &Path,
    known: Option<(SystemTime, u64)>,
) -> Result<Option<(KeySet, (SystemTime, u64))>, String> {
    let file = path.metadata().and_then(|about| Ok((about.modified()?, about.len())));
    let file = file.map_err(|error| error.to_string())?;
    if known == Some(file) {
        return Ok(None);
    }
    let json = bounded_file::read(path, MAX_JWKS_BYTES).map_err(|error| error.to_string())?;
    // A file without keys that is there at the start is a mistake; later on it withdraws those that there were.
    let keys = match known {
        None => KeySet::parse(&json),
        Some(_) => KeySet::parse_any(&json).map(|(keys, _)| keys),
    };
    keys.map(|keys| Some((keys, file))).map_err(|error| error.to_string())
}

/// The keys at an address.
fn read_url(url: &str, timeout: Duration) -> Result<KeySet, String> {
    let timeouts = Timeouts { whole: Some(timeout), ..Timeouts::default() };
    let client = Client::new(&Policy { timeouts, ..Policy::default() });
    let request = Request::get(url).header(ACCEPT, "application/json").body(None);
    // No redirection: the address is what the operator trusts.
    let answer = request.map_err(CallError::from).and_then(|request| client.send(request));
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers with status {}", answer.status().as_u16()));
    }
    let json = answer.read(MAX_JWKS_BYTES as u64 + 1).map_err(|error| error.to_string())?.body;
    KeySet::parse_any(&json).map(|(keys, _)| keys).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
