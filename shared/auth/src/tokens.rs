//! Static credentials: a file of token digests, and the trust of a loopback address.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use credlink_core::access::{Caller, Scope};
use credlink_core::hash::Digest;
use credlink_core::json::in_words_of_json;
use credlink_core::tenant::Tenant;
use credlink_ports::{Authenticator, Credentials, Refused, Unread};
use serde::Deserialize;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use tokio::sync::Mutex;
use tokio::time::Instant;

use credlink_disk::bounded_file::{self, PATIENCE, Reading};
use credlink_metrics::catalogue::note_unread;

/// The name of this source of credentials.
const SOURCE: Credentials = Credentials::Tokens;

/// The maximum length of a file of tokens, in bytes: about 5,000 entries.
const MAX_FILE_BYTES: usize = 1_000_000;

/// Tokens in a file, stored as digests, so that a reader of the file cannot use them.
///
/// ```json
/// [{"name": "signer", "sha256": "<64 hex>", "tenant": "default", "scopes": ["store:manifests"]}]
/// ```
///
/// The first token that is presented more than half a minute after the last check of the file waits for another check,
/// so a token that was removed is valid for that long at most. A file that cannot be used changes nothing, and the log
/// says why. Clones share one set of tokens.
#[derive(Debug, Clone)]
pub struct StaticTokens(Arc<TokenFile>);

#[derive(Debug)]
struct TokenFile {
    file: Option<PathBuf>,
    state: RwLock<State>,
    /// Held by the task that checks the file.
    looking: Mutex<()>,
    reading: Reading,
}

/// A token of the file.
#[derive(Debug)]
struct Listed {
    name: String,
    digest: Digest,
    caller: Caller,
}

#[derive(Debug)]
struct State {
    tokens: Arc<Vec<Listed>>,
    /// The digest of the file that they were read from.
    file: Option<Digest>,
    looked: Instant,
    /// The instant at which the file was last read, or found to be unchanged.
    read: Instant,
    /// The reason why the file cannot be used, if it cannot.
    failure: Option<String>,
}

/// The time for which a file is assumed to be unchanged.
const FILE_AGE: Duration = Duration::from_secs(30);

/// The reasons why tokens could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file could not be read.
    #[error("the token file {} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: io::Error,
    },
    /// The file could not be read in time.
    #[error("the token file {} cannot be read: its file system does not answer within {} s", .0.display(), PATIENCE.as_secs())]
    Late(PathBuf),
    /// The file is longer than any reasonable list.
    #[error("a token file has at most {MAX_FILE_BYTES} bytes; this has more")]
    TooLong,
    /// An entry is not valid.
    #[error(
        "the token file is not valid at `{place}`: {message}. It is a JSON array of {{\"name\": …, \"sha256\": the 64 \
         hexadecimal digits of the token's SHA-256, \"tenant\": …, \"scopes\": [store:manifests, delete:manifests, \
         media:write, media:admin, admin, operator]}}"
    )]
    Entry {
        /// The entry and the field, such as `[2].sha256`.
        place: String,
        /// The fault.
        message: String,
    },
    /// Two entries have the same name.
    #[error("two tokens are named `{0}`; each needs a name of its own")]
    Name(String),
    /// Two entries are for the same token.
    #[error("the tokens `{0}` and `{1}` are the same; each entry needs a token of its own")]
    Same(String, String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: Digest,
    tenant: Tenant,
    scopes: BTreeSet<Scope>,
}

impl StaticTokens {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or is not valid.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TokensError> {
        let path = path.as_ref();
        let json = read(path)?;
        Ok(Self::of(parse(&json)?, Some((path.to_owned(), Digest::of(&json)))))
    }

    /// Reads the content of such a file.
    ///
    /// # Errors
    /// Returns an error if the content is not valid, with the entry, the field and what is allowed there.
    pub fn parse(json: &[u8]) -> Result<Self, TokensError> {
        Ok(Self::of(parse(json)?, None))
    }

    fn of(tokens: Vec<Listed>, file: Option<(PathBuf, Digest)>) -> Self {
        let (file, digest) = file.unzip();
        let now = Instant::now();
        let state = State { tokens: Arc::new(tokens), file: digest, looked: now, read: now, failure: None };
        Self(Arc::new(TokenFile {
            file,
            state: RwLock::new(state),
            looking: Mutex::new(()),
            reading: Reading::default(),
        }))
    }

    /// Returns the valid tokens, after a check of the file if one is due.
    async fn current(&self) -> Arc<Vec<Listed>> {
        if let Some(path) = &self.0.file
            && self.0.is_old()
        {
            let _one = self.0.looking.lock().await;
            // Another task may have checked the file meanwhile.
            if self.0.is_old() {
                self.look(path).await;
            }
        }
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner).tokens)
    }

    async fn look(&self, path: &Path) {
        let of = path.to_owned();
        let read = self.0.reading.of(move || read(&of)).await;
        self.0.take(read.unwrap_or_else(|| Err(TokensError::Late(path.to_owned()))));
    }

    /// Returns the number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).tokens.len()
    }

    /// Returns the tenants that have tokens.
    #[must_use]
    pub fn tenants(&self) -> BTreeSet<Tenant> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        state.tokens.iter().map(|listed| listed.caller.tenant.clone()).collect()
    }

    /// Returns the names of tokens whose scope `media:write` has no effect: a token of the file names no subject, and
    /// without one only `media:admin` may upload.
    #[must_use]
    pub fn without_owner(&self) -> Vec<String> {
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let is_vain = |listed: &&Listed| {
            listed.caller.scopes.contains(&Scope::MediaWrite) && !listed.caller.may(Scope::MediaAdmin)
        };
        state.tokens.iter().filter(is_vain).map(|listed| listed.name.clone()).collect()
    }

    /// Returns `true` if there are no tokens, so that no caller can write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TokenFile {
    fn is_old(&self) -> bool {
        self.state.read().unwrap_or_else(PoisonError::into_inner).looked.elapsed() >= FILE_AGE
    }

    /// Adopts the result of a check.
    fn take(&self, read: Result<Vec<u8>, TokensError>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.looked = Instant::now();
        let found = read.and_then(|json| {
            let digest = Digest::of(&json);
            let is_new = state.file != Some(digest);
            is_new.then(|| parse(&json).map(|tokens| (tokens, digest))).transpose()
        });
        note_unread(SOURCE, found.is_err());
        match found {
            Ok(found) => {
                state.read = state.looked;
                if state.failure.take().is_some() {
                    tracing::info!("the token file can be used again");
                }
                if let Some((tokens, digest)) = found {
                    tracing::info!(tokens = tokens.len(), "the token file was read again");
                    (state.tokens, state.file) = (Arc::new(tokens), Some(digest));
                }
            }
            Err(error) => {
                let reason = error.to_string();
                if state.failure.as_ref() != Some(&reason) {
                    let read_seconds_ago = state.read.elapsed().as_secs();
                    tracing::error!(%reason, read_seconds_ago, "the token file cannot be used; the tokens that it had stay good");
                }
                state.failure = Some(reason);
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TokensError> {
    bounded_file::read(path, MAX_FILE_BYTES)
        .map_err(|source| TokensError::Io { path: path.to_owned(), source })
}

fn parse(json: &[u8]) -> Result<Vec<Listed>, TokensError> {
    if json.len() > MAX_FILE_BYTES {
        return Err(TokensError::TooLong);
    }
    let invalid =
        |place: String, error: &dyn ToString| TokensError::Entry { place, message: error.to_string() };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let entries: Vec<Entry> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| invalid(error.path().to_string(), &in_words_of_json(&error.inner().to_string())))?;
    deserializer.end().map_err(|error| invalid(".".to_owned(), &error))?;
    for (at, entry) in entries.iter().enumerate() {
        if let Some(other) = entries[..at].iter().find(|other| other.name == entry.name) {
            return Err(TokensError::Name(other.name.clone()));
        }
        if let Some(other) = entries[..at].iter().find(|other| other.sha256 == entry.sha256) {
            return Err(TokensError::Same(other.name.clone(), entry.name.clone()));
        }
    }
    let listed = |entry: Entry| Listed {
        name: entry.name,
        digest: entry.sha256,
        caller: Caller { tenant: entry.tenant, scopes: entry.scopes, authenticated: true, subject: None },
    };
    Ok(entries.into_iter().map(listed).collect())
}

impl Authenticator for StaticTokens {
    // Digests are compared, and all of them, in constant time: the duration reveals neither how close a token is to a
    // valid one nor which entry it matches.
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, Refused> {
        let Some(bearer) = bearer else { return Ok(Caller::anonymous()) };
        let presented = Digest::of(bearer.as_bytes());
        let mut found = u64::MAX;
        let tokens = self.current().await;
        for (number, listed) in tokens.iter().enumerate() {
            let same: Choice = listed.digest.as_bytes().ct_eq(presented.as_bytes());
            found.conditional_assign(&(number as u64), same);
        }
        let caller = usize::try_from(found).ok().and_then(|number| tokens.get(number));
        caller
            .map(|listed| listed.caller.clone())
            .ok_or_else(|| Refused::Invalid("the access token is not known here".into()))
    }

    async fn unread(&self) -> Vec<Unread> {
        drop(self.current().await);
        let state = self.0.state.read().unwrap_or_else(PoisonError::into_inner);
        let unread = |reason: &String| Unread {
            source: SOURCE,
            reason: reason.clone(),
            read_seconds_ago: Some(state.read.elapsed().as_secs()),
            is_in_use: true,
        };
        state.failure.iter().map(unread).collect()
    }
}

/// An authenticator that trusts every caller: for a service that listens on a loopback address and has no tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trusted;

impl Authenticator for Trusted {
    async fn authenticate(&self, _bearer: Option<&str>) -> Result<Caller, Refused> {
        Ok(Caller::trusted())
    }

    async fn unread(&self) -> Vec<Unread> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, token: &str, tenant: &str, scope: &str) -> String {
        let sha256 = Digest::of(token.as_bytes());
        format!(r#"{{"name":"{name}","sha256":"{sha256}","tenant":"{tenant}","scopes":["{scope}"]}}"#)
    }

    #[tokio::test]
    async fn tokens_name_their_callers() {
        let file = format!(
            "[{},{},{}]",
            entry("signer", "one", "default", "store:manifests"),
            entry("owner", "two", "acme", "admin"),
            entry("operator", "three", "default", "operator")
        );
        let tokens = StaticTokens::parse(file.as_bytes()).unwrap();
        let owner = tokens.authenticate(Some("two")).await.unwrap();
        assert_eq!((owner.tenant.as_str(), owner.authenticated), ("acme", true));
        assert!(owner.may(Scope::Delete) && !owner.may(Scope::Operator));
        let operator = tokens.authenticate(Some("three")).await.unwrap();
        assert_eq!(operator.tenant, Tenant::default());
        assert!(operator.may(Scope::Delete) && operator.may(Scope::Operator));
        let signer = tokens.authenticate(Some("one")).await.unwrap();
        assert!(signer.may(Scope::Store) && !signer.may(Scope::Delete));
        assert_eq!(tokens.authenticate(None).await, Ok(Caller::anonymous()));
        for unknown in ["", "four", "one ", &Digest::of(b"one").to_string()] {
            let refused = tokens.authenticate(Some(unknown)).await;
            assert_eq!(refused, Err(Refused::Invalid("the access token is not known here".into())));
        }
        assert!(StaticTokens::parse(b"[]").unwrap().authenticate(Some("one")).await.is_err());
        assert_eq!(Trusted.authenticate(None).await, Ok(Caller::trusted()));
    }

    #[test]
    fn tokens_that_cannot_upload_are_named() {
        let file = format!(
            "[{},{},{}]",
            entry("page", "one", "default", "media:write"),
            entry("backend", "two", "default", "media:admin"),
            entry("both", "three", "default", "media:write\",\"media:admin"),
        );
        assert_eq!(StaticTokens::parse(file.as_bytes()).unwrap().without_owner(), ["page"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let write = |text: String| std::fs::write(&path, text).unwrap();
        write(format!("[{}]", entry("a", "one", "default", "admin")));
        let tokens = StaticTokens::open(&path).unwrap();
        let knows = async |token: &str| {
            tokio::time::advance(FILE_AGE).await;
            tokens.authenticate(Some(token)).await.is_ok()
        };
        assert!(knows("one").await);
        // The content has the same length, and is written within the resolution of some file systems' timestamps.
        write(format!("[{}]", entry("a", "two", "default", "admin")));
        assert!(!knows("one").await, "it was taken out");
        assert!(knows("two").await);
        for (times, broken) in (1..).zip(["nonsense", "", "[{}]"]) {
            write(broken.to_owned());
            assert!(knows("two").await, "{broken}");
            let [unread] = &tokens.unread().await[..] else { panic!("{broken}: it is said") };
            let age = FILE_AGE.as_secs() * times;
            assert_eq!((unread.read_seconds_ago, unread.is_in_use), (Some(age), true), "{broken}");
            assert!(unread.reason.contains("not valid"), "{broken}: {}", unread.reason);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(knows("two").await);
        write("[]".to_owned());
        assert!(!knows("two").await, "none is a content too");
        assert_eq!(tokens.unread().await, []);
    }

    /// A health check, which presents no token, finds a broken file all the same.
    #[tokio::test(start_paused = true)]
    async fn a_broken_file_is_found_without_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        std::fs::write(&path, "[]").unwrap();
        let tokens = StaticTokens::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(FILE_AGE).await;
        let [unread] = &tokens.unread().await[..] else { panic!("it is said") };
        assert!(unread.reason.contains("cannot be read"), "{}", unread.reason);
        std::fs::write(&path, "[]").unwrap();
        tokio::time::advance(FILE_AGE).await;
        assert_eq!(tokens.unread().await, []);
    }

    #[test]
    fn errors_name_the_entry_and_the_field() {
        let good = entry("a", "one", "default", "admin");
        for (file, expected) in [
            (
                format!("[{good},{}]", good.replace("admin", "root")),
                "[1].scopes[0]`: there is no scope `root`",
            ),
            (format!("[{}]", good.replace("default", "De fault")), "[0].tenant`: a tenant is"),
            (format!("[{}]", good.replace("sha256", "token")), "[0].token`: unknown field `token`"),
            (r#"[{"name":"a","sha256":"abc"}]"#.to_owned(), "[0].sha256`: a SHA-256 digest is 64"),
            (r#"[{"name":"a"}]"#.to_owned(), "[0]`: missing field `sha256`"),
            (format!("[{good}] x"), "trailing characters"),
            (format!("[{good},{}]", entry("a", "two", "default", "admin")), "two tokens are named `a`"),
            (format!("[{good},{}]", entry("b", "one", "default", "admin")), "`a` and `b` are the same"),
        ] {
            let error = StaticTokens::parse(file.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}\nlacks {expected}");
        }
        assert!(matches!(StaticTokens::parse(&[b' '; 1_000_001]), Err(TokensError::TooLong)));
    }
}
