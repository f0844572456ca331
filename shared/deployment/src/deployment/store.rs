//! Bytes in one provider or in two, each a bucket or a folder.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, Facts, Head, Object, ObjectKey, StoredTag};
use credlink_core::replica::Replica;
use credlink_core::time::Timestamp;
use credlink_ports::{
    Checksum, Condition, Copied, Copies, Failure, FailureKind, Listed, Objects, Page, ProviderState, Put,
};

use credlink_pair::Replicated;

use super::{Rows, Waiting};
use crate::provider::Provider;

/// The provider that was chosen, or both of them.
#[derive(Debug)]
pub enum Store {
    /// The primary alone.
    One(Provider),
    /// The primary and the fallback.
    Two(Arc<Replicated<Provider, Provider, Arc<Waiting>, Arc<Rows>>>),
}

async fn check(place: &Provider) -> Option<String> {
    match place {
        Provider::Bucket(bucket) => bucket.check().await.err().map(|error| error.to_string()),
        Provider::Folder(_) => None,
    }
}

impl Store {
    /// The providers, the primary first.
    #[must_use]
    pub fn each(&self) -> Vec<&Provider> {
        match self {
            Self::One(place) => vec![place],
            Self::Two(pair) => vec![pair.primary(), pair.fallback()],
        }
    }

    /// What is wrong with the providers, in words.
    pub async fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for place in self.each() {
            wrong.extend(check(place).await);
        }
        wrong
    }

    /// Aborts uploads that were begun before `before`; how many.
    ///
    /// # Errors
    /// A provider failed.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        let mut aborted = 0;
        for place in self.each() {
            if let Provider::Bucket(bucket) = place {
                aborted += bucket.abort_uploads(before).await?;
            }
        }
        Ok(aborted)
    }

    /// A link to an object that the primary signs, if it can.
    pub async fn link(&self, key: &ObjectKey, seconds: u64) -> Option<String> {
        let Some(Provider::Bucket(bucket)) = self.each().first() else { return None };
        let signed = bucket.sign_get(&key.to_string(), Duration::from_secs(seconds)).await;
        signed.ok().map(|signed| signed.url)
    }
}

// A call of an SDK is a future of many kilobytes: in a box, it does not make every future around it as large.
impl Objects for Store {
    fn name(&self) -> &'static str {
        match self {
            Self::One(objects) => objects.name(),
            Self::Two(objects) => objects.name(),
        }
    }

    fn is_at_hand(&self) -> bool {
        match self {
            Self::One(objects) => objects.is_at_hand(),
            Self::Two(objects) => objects.is_at_hand(),
        }
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.get(key)).await,
            Self::Two(objects) => Box::pin(objects.get(key)).await,
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.head(key)).await,
            Self::Two(objects) => Box::pin(objects.head(key)).await,
        }
    }

    async fn head_with_checksum(&self, key: &ObjectKey) -> Result<Option<(Head, Option<Checksum>)>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.head_with_checksum(key)).await,
            Self::Two(objects) => Box::pin(objects.head_with_checksum(key)).await,
        }
    }

    async fn put(
        &self,
        key: &ObjectKey,
        body: Bytes,
        attributes: &Attributes,
        condition: Condition,
    ) -> Result<Put, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.put(key, body, attributes, condition)).await,
            Self::Two(objects) => Box::pin(objects.put(key, body, attributes, condition)).await,
        }
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.delete(key)).await,
            Self::Two(objects) => Box::pin(objects.delete(key)).await,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page<Listed>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.list(prefix, after, limit)).await,
            Self::Two(objects) => Box::pin(objects.list(prefix, after, limit)).await,
        }
    }

    async fn confirm(&self, key: &ObjectKey, expected: &Facts) -> Result<(), Failure> {
        match self {
            Self::One(objects) => objects.confirm(key, expected).await,
            Self::Two(objects) => objects.confirm(key, expected).await,
        }
    }

    async fn get_instead(&self, key: &ObjectKey, damaged: &StoredTag) -> Result<Option<Object>, Failure> {
        match self {
            Self::One(objects) => objects.get_instead(key, damaged).await,
            Self::Two(objects) => objects.get_instead(key, damaged).await,
        }
    }

    fn providers(&self) -> Vec<ProviderState> {
        match self {
            Self::One(objects) => objects.providers(),
            Self::Two(objects) => objects.providers(),
        }
    }

    async fn write_failure(&self) -> Option<FailureKind> {
        match self {
            Self::One(objects) => objects.write_failure().await,
            Self::Two(objects) => objects.write_failure().await,
        }
    }
}

impl Copied for Store {
    async fn copies(&self, key: &ObjectKey) -> Result<Copies<Object>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.copies(key)).await,
            Self::Two(objects) => Box::pin(objects.copies(key)).await,
        }
    }

    async fn copies_by_head(&self, key: &ObjectKey) -> Result<Copies<Head>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.copies_by_head(key)).await,
            Self::Two(objects) => Box::pin(objects.copies_by_head(key)).await,
        }
    }

    async fn list_all(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Listed>, Failure> {
        match self {
            Self::One(objects) => Box::pin(objects.list_all(prefix, after, limit)).await,
            Self::Two(objects) => Box::pin(objects.list_all(prefix, after, limit)).await,
        }
    }

    async fn mend(&self, replica: Replica, key: &ObjectKey, stale: bool) -> Result<(), Failure> {
        match self {
            Self::One(objects) => objects.mend(replica, key, stale).await,
            Self::Two(objects) => Box::pin(objects.mend(replica, key, stale)).await,
        }
    }
}
