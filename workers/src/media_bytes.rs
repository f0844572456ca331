//! The source of bytes of files: R2. What it lacks is asked of the API by the request itself.

use std::rc::Rc;

use credlink_core::object::Attributes;
use credlink_core::rules::delivery::Delivery;
use credlink_core::time::Timestamp;

use crate::configuration::Configuration;
use crate::entry::{Content, Entry, Stored};
use crate::flight::Brought;
use crate::keep::Keeper;
use crate::log;
use crate::outcome::Outcome;
use crate::runtime::{self, Bytes, Place};
use crate::source::{MAX_OBJECT_BYTES, check};

/// A load of the bytes of a file, shared by one request and all that join it.
///
/// The record was read before, and says that they may be read, and what they are. What the attributes of the object say
/// about readers does not count: files with the same content share it.
pub struct BytesLoad {
    /// The Worker's configuration.
    pub configuration: Rc<Configuration>,
    /// The cache that receives the bytes.
    pub keeper: Keeper,
    /// The ID of the request that started the load.
    pub request_id: String,
    /// The bytes, as the record describes them.
    pub delivery: Delivery,
}

impl BytesLoad {
    /// Returns the name under which requests share the load.
    pub fn name(&self) -> String {
        let Delivery { key, sha256, cache, .. } = &self.delivery;
        format!("{key} {sha256} {}", cache.seconds())
    }

    /// Runs the load. The future beside the result then caches that result.
    pub async fn run(self) -> (Brought<Outcome>, impl Future<Output = ()>) {
        let checked = runtime::now();
        let what = self.ask().await;
        let seconds = if let Outcome::Found(_) = what { self.delivery.cache.seconds() } else { 0 };
        let kept = what.clone();
        let keeping = async move { self.keep(kept, checked).await };
        (Brought { what, good_for: seconds.saturating_mul(1_000) }, keeping)
    }

    async fn ask(&self) -> Outcome {
        let Configuration { bucket, timeout, .. } = &*self.configuration;
        let key = self.delivery.key.to_string();
        let loading = runtime::load_object(bucket, &key, None, MAX_OBJECT_BYTES, None, *timeout);
        let loaded = match loading.await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Outcome::nothing(),
            Err(error) => {
                self.complain("R2 does not answer", &error);
                return Outcome::Unreachable;
            }
        };
        let bytes = loaded.stored();
        let _place = Place::of(bytes.clone());
        let attributes = serde_json::from_str::<Attributes>(&loaded.said()).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length in bytes")]
        let size = loaded.size() as u64;
        let stored = Stored { tag: Some(loaded.etag()), size, attributes };
        let facts = match stored.facts() {
            Ok(facts) if facts.sha256 == self.delivery.sha256 && facts.coding.is_none() => facts,
            Ok(facts) => {
                return self.damaged(&format!(
                    "it has the SHA-256 {}, and the file's record says {}",
                    facts.sha256, self.delivery.sha256
                ));
            }
            Err(error) => return self.damaged(&error),
        };
        let Some(bytes) = bytes else { return self.damaged(&format!("it has {size} bytes")) };
        match check(stored, facts, bytes).await {
            Ok(found) => Outcome::Found(Rc::new(found)),
            Err(why) => self.damaged(&why),
        }
    }

    /// Caches the bytes for as long as the file's kind allows.
    async fn keep(self, outcome: Outcome, checked: Timestamp) {
        let (Delivery { key, cache, tags, .. }, Outcome::Found(found)) = (&self.delivery, outcome) else {
            return;
        };
        if cache.seconds() == 0 {
            return;
        }
        let entry = Entry::new(Content::Object(found.stored.clone()), checked);
        let headers = entry.headers(&tags.join(","), cache.seconds());
        let bytes = Bytes::Held(found.bytes.clone());
        if let Err(error) = runtime::cache(&self.keeper.url(key), &headers, Some(&bytes)).await {
            self.complain("the cache does not keep an object", &error);
        }
    }

    fn damaged(&self, why: &dyn std::fmt::Display) -> Outcome {
        self.complain("an object is damaged", why);
        Outcome::Damaged
    }

    fn complain(&self, message: &str, why: &dyn std::fmt::Display) {
        log::failure(&self.request_id, message, &format!("{}: {why}", self.delivery.key));
    }
}
