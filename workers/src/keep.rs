//! What is kept in the cache of this data center, and found there again.

use credlink_core::access::Visibility;
use credlink_core::http::problem::{Kind, Problem};
use credlink_core::legacy::LegacyId;
use credlink_core::link::path;
use credlink_core::object::{Facts, ObjectKey};
use credlink_core::time::Timestamp;
use web_sys::Response;

use crate::entry::{Absence, Content, Entry, alias_tag, tag};
use crate::lifetime::Lifetimes;
use crate::outcome::Outcome;
use crate::runtime::{self, Broken, Bytes};

async fn find(url: &str) -> Result<Option<(Entry, Response)>, Broken> {
    let Some(response) = runtime::cached(url).await? else { return Ok(None) };
    Ok(runtime::said(&response).and_then(|said| Entry::parse(&said)).map(|entry| (entry, response)))
}

/// The cache, under the URLs of one domain.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Scheme and authority: `https://cdn.example.com`.
    pub domain: String,
    /// How long what is good for.
    pub lifetimes: Lifetimes,
}

impl Keeper {
    /// The URL of an object in the cache: nothing of a request's query is in it, and one object has one.
    fn url(&self, key: &ObjectKey) -> String {
        format!("{}{}", self.domain, path(key))
    }

    /// What is kept of an object, and the response that its bytes are in.
    pub async fn find(&self, key: &ObjectKey) -> Result<Option<(Entry, Response)>, Broken> {
        find(&self.url(key)).await
    }

    /// What is kept of a legacy id.
    pub async fn find_alias(&self, id: &LegacyId) -> Result<Option<Entry>, Broken> {
        Ok(find(&self.alias_url(id)).await?.map(|(entry, _)| entry))
    }

    /// No proof id is a legacy id, so that no object has this URL.
    fn alias_url(&self, id: &LegacyId) -> String {
        format!("{}/proofs/{id}", self.domain)
    }

    /// Keeps what a legacy id leads to.
    pub async fn keep_alias(&self, id: &LegacyId, entry: &Entry) -> Result<(), Broken> {
        let (url, lifetimes) = (self.alias_url(id), &self.lifetimes);
        let seconds = match entry.content {
            Content::Alias(_) => lifetimes.kept_alias(),
            Content::Nothing(_) if lifetimes.absent > 0 => lifetimes.absent,
            Content::Nothing(_) | Content::Object(_) => return runtime::forget_cached(&url).await,
        };
        runtime::cache(&url, &entry.headers(&alias_tag(id), seconds), None).await
    }

    /// Whether an object is kept for others than the one who asked.
    pub fn is_kept(&self, facts: &Facts) -> bool {
        facts.visibility == Visibility::Public && (!facts.tombstone || self.lifetimes.absent > 0)
    }

    /// For how many milliseconds others may be answered with what a load came to, as with a fresh entry.
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

    /// Keeps what a load came to. A failure replaces nothing.
    pub async fn keep(&self, key: &ObjectKey, outcome: &Outcome, checked: Timestamp) -> Result<(), Broken> {
        let url = self.url(key);
        match outcome {
            Outcome::Found(found) if self.is_kept(&found.facts) => {
                let entry = Entry::new(Content::Object(found.stored.clone()), checked);
                let headers = entry.headers(&tag(key), self.seconds(key, &found.facts));
                runtime::cache(&url, &headers, Some(&Bytes::Held(found.bytes.clone()))).await
            }
            // It is private now: what was kept while it was public has to go. The bytes may be the same. To who shows no link
            // nothing is there.
            Outcome::Found(found) if found.facts.visibility == Visibility::Private => {
                self.keep_absence(&url, key, &Absence::of(&Problem::new(Kind::NotFound, "")), checked).await
            }
            Outcome::Found(_) => runtime::forget_cached(&url).await,
            Outcome::Same(same) if !self.is_kept(&same.1) => {
                self.keep_absence(&url, key, &Absence::of(&Problem::new(Kind::NotFound, "")), checked).await
            }
            Outcome::Same(same) => {
                let (stored, facts) = &**same;
                // Another isolate may have put a newer object there meanwhile, which these facts are not of.
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

    /// Forgets an object.
    pub async fn forget(&self, key: &ObjectKey) -> Result<(), Broken> {
        runtime::forget_cached(&self.url(key)).await
    }

    /// A marker is kept for as long as an absence: a proof may be stored again.
    const fn seconds(&self, key: &ObjectKey, facts: &Facts) -> u64 {
        if facts.tombstone { self.lifetimes.absent } else { self.lifetimes.kept(key) }
    }
}
