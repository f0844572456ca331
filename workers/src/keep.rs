//! Reads and writes the cache of this data center.

use credlink_core::access::Visibility;
use credlink_core::file_record::ServedFile;
use credlink_core::http::problem::{Problem, ProblemKind};
use credlink_core::legacy::LegacyId;
use credlink_core::link::path;
use credlink_core::object::{Facts, MediaKey, ObjectKey};
use credlink_core::time::Timestamp;
use web_sys::Response;

use crate::entry::{Absence, Content, Entry, alias_tag, tag};
use crate::lifetime::Lifetimes;
use crate::outcome::Outcome;
use crate::runtime::{self, Broken, Bytes};

/// Returns the entry that a cached response holds, together with the response; `None` if it holds none.
pub fn entry_of(response: Response) -> Option<(Entry, Response)> {
    runtime::said(&response).and_then(|said| Entry::parse(&said)).map(|entry| (entry, response))
}

async fn find(url: &str) -> Result<Option<(Entry, Response)>, Broken> {
    Ok(runtime::cached(url).await?.and_then(entry_of))
}

/// Returns the URL of an object in the cache of a domain: exactly one per object, independent of a request's query.
pub fn url(domain: &str, key: &ObjectKey) -> String {
    format!("{domain}{}", path(key))
}

/// The cache, under the URLs of one domain.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Scheme and authority: `https://cdn.example.com`.
    pub domain: String,
    /// The freshness lifetimes of entries.
    pub lifetimes: Lifetimes,
}

impl Keeper {
    /// Returns the URL of an object in this cache.
    pub fn url(&self, key: &ObjectKey) -> String {
        url(&self.domain, key)
    }

    /// Returns the entry of an object, and the response that holds its bytes.
    pub async fn find(&self, key: &ObjectKey) -> Result<Option<(Entry, Response)>, Broken> {
        find(&self.url(key)).await
    }

    /// Returns the entry of a legacy ID.
    pub async fn find_alias(&self, id: &LegacyId) -> Result<Option<Entry>, Broken> {
        Ok(find(&self.alias_url(id)).await?.map(|(entry, _)| entry))
    }

    /// Returns the URL of a legacy ID in the cache. No object has the same URL, because no proof ID is a legacy ID.
    fn alias_url(&self, id: &LegacyId) -> String {
        format!("{}/proofs/{id}", self.domain)
    }

    /// Caches the proof that a legacy ID names, or that it names none.
    pub async fn keep_alias(&self, id: &LegacyId, entry: &Entry) -> Result<(), Broken> {
        let (url, lifetimes) = (self.alias_url(id), &self.lifetimes);
        let seconds = match entry.content {
            Content::Alias(_) => lifetimes.kept_alias(),
            Content::Nothing(_) if lifetimes.absent > 0 => lifetimes.absent,
            Content::Nothing(_) | Content::Object(_) | Content::File(_) => {
                return runtime::forget_cached(&url).await;
            }
        };
        runtime::cache(&url, &entry.headers(&alias_tag(id), seconds), None).await
    }

    /// Returns `true` if an object may be cached for other clients.
    pub fn is_kept(&self, facts: &Facts) -> bool {
        facts.visibility == Visibility::Public && (!facts.tombstone || self.lifetimes.absent > 0)
    }

    /// Returns the milliseconds for which the outcome of a load may be shared, like a fresh entry.
    pub fn good_for(&self, key: &ObjectKey, outcome: &Outcome) -> u64 {
        let seconds = match outcome {
            Outcome::Found(found) if self.is_kept(&found.facts) => self.lifetimes.fresh(key, &found.facts),
            Outcome::Same(same) if self.is_kept(&same.1) => self.lifetimes.fresh(key, &same.1),
            Outcome::Nothing(_) => self.lifetimes.absent,
            Outcome::Found(_)
            | Outcome::Same(_)
            | Outcome::Refused(_)
            | Outcome::Damaged
            | Outcome::Unreachable => 0,
        };
        seconds.saturating_mul(1_000)
    }

    /// Caches the outcome of a load. A failure replaces nothing.
    pub async fn keep(&self, key: &ObjectKey, outcome: &Outcome, checked: Timestamp) -> Result<(), Broken> {
        let url = self.url(key);
        match outcome {
            Outcome::Found(found) if self.is_kept(&found.facts) => {
                let entry = Entry::new(Content::Object(found.stored.clone()), checked);
                let headers = entry.headers(&tag(key), self.seconds(key, &found.facts));
                runtime::cache(&url, &headers, Some(&Bytes::Held(found.bytes.clone()))).await
            }
            // The object became private, so the public entry has to go, even if the bytes are the same. For a client
            // without a link, the object does not exist.
            Outcome::Found(found) if found.facts.visibility == Visibility::Private => {
                self.keep_absence(&url, key, &Absence::of(&Problem::new(ProblemKind::NotFound, "")), checked)
                    .await
            }
            Outcome::Found(_) => runtime::forget_cached(&url).await,
            Outcome::Same(same) if !self.is_kept(&same.1) => {
                self.keep_absence(&url, key, &Absence::of(&Problem::new(ProblemKind::NotFound, "")), checked)
                    .await
            }
            Outcome::Same(same) => {
                let (stored, facts) = &**same;
                // Another isolate may meanwhile have cached a newer object, to which these facts do not apply.
                let Some((known, response)) = self.find(key).await? else { return Ok(()) };
                let Content::Object(kept) = known.content else { return Ok(()) };
                if kept.tag != stored.tag {
                    return Ok(());
                }
                let entry = Entry::new(Content::Object(stored.clone()), checked);
                let headers = entry.headers(&tag(key), self.seconds(key, facts));
                runtime::cache(&url, &headers, Some(&Bytes::Cached(response))).await
            }
            Outcome::Nothing(absence) => self.keep_absence(&url, key, absence, checked).await,
            Outcome::Refused(_) | Outcome::Damaged | Outcome::Unreachable => Ok(()),
        }
    }

    async fn keep_absence(
        &self,
        url: &str,
        key: &ObjectKey,
        absence: &Absence,
        checked: Timestamp,
    ) -> Result<(), Broken> {
        if self.lifetimes.absent == 0 {
            return runtime::forget_cached(url).await;
        }
        let entry = Entry::new(Content::Nothing(absence.clone()), checked);
        runtime::cache(url, &entry.headers(&tag(key), self.lifetimes.absent), None).await
    }

    /// Removes an object from the cache.
    pub async fn forget(&self, key: &ObjectKey) -> Result<(), Broken> {
        runtime::forget_cached(&self.url(key)).await
    }

    /// Removes a file's record from the cache, and the bytes that the entry of the record names.
    pub async fn forget_file(&self, key: &ObjectKey) -> Result<(), Broken> {
        let found = self.find(key).await?;
        // The record comes first: without it, nobody gets the bytes.
        self.forget(key).await?;
        let Some(Content::File(line)) = found.map(|(entry, _)| entry.content) else { return Ok(()) };
        let Some(file) = ServedFile::from_line(&line) else { return Ok(()) };
        let renditions = file.renditions.iter().map(|made| MediaKey::Rendition(file.blob, made.name.clone()));
        for part in renditions.chain([MediaKey::Original(file.blob)]) {
            self.forget(&ObjectKey::Media(part)).await?;
        }
        Ok(())
    }

    /// Returns the seconds for which an object is cached. A tombstone is cached for as long as an absence, because a
    /// proof may be stored again.
    const fn seconds(&self, key: &ObjectKey, facts: &Facts) -> u64 {
        if facts.tombstone { self.lifetimes.absent } else { self.lifetimes.kept(key) }
    }
}
