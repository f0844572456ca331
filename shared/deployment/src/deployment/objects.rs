//! Objects at one provider or two, each a bucket or a folder.

use std::time::Duration;

use credlink_core::object::ObjectKey;
use credlink_core::time::Timestamp;
use credlink_ports::{
    Failure, forward_checksummed, forward_medium, forward_objects, forward_replicas, on_variant,
};

use credlink_replication::Replicated;

use super::{AnyIndex, AnyQueue};
use crate::provider::Provider;

/// The provider that was chosen, or the two of them.
#[derive(Debug)]
pub enum AnyObjects {
    /// The primary alone.
    One(Provider),
    /// The primary and the fallback.
    Two(Box<Replicated<Provider, Provider, AnyQueue, AnyIndex>>),
}

async fn check(place: &Provider) -> Option<String> {
    match place {
        Provider::Bucket(bucket) => bucket.check().await.err().map(|error| error.to_string()),
        Provider::Folder(_) => None,
    }
}

impl AnyObjects {
    /// Returns the providers, the primary first.
    #[must_use]
    pub fn each(&self) -> Vec<&Provider> {
        match self {
            Self::One(place) => vec![place],
            Self::Two(pair) => vec![pair.primary(), pair.fallback()],
        }
    }

    /// Returns descriptions of what is wrong with the providers.
    pub async fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for place in self.each() {
            wrong.extend(check(place).await);
        }
        wrong
    }

    /// Aborts uploads that were begun before `before`. Returns their number.
    ///
    /// # Errors
    /// Returns an error if a provider fails.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        let mut aborted = 0;
        for place in self.each() {
            if let Provider::Bucket(bucket) = place {
                aborted += bucket.abort_uploads(before).await?;
            }
        }
        Ok(aborted)
    }

    /// Returns a link to an object that the primary has signed, or `None` if it cannot sign one.
    pub async fn link(&self, key: &ObjectKey, seconds: u64) -> Option<String> {
        let Some(Provider::Bucket(bucket)) = self.each().first() else { return None };
        let signed = bucket.sign_get(&key.to_string(), Duration::from_secs(seconds)).await;
        signed.ok().map(|signed| signed.url)
    }
}

// Boxed: the future of an SDK call takes many kilobytes, and would make every future around it as large.
macro_rules! chosen {
    (now $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, One | Two, $objects => $call)
    };
    ($kind:ident $self:ident, $objects:ident => $call:expr) => {
        on_variant!($self, One | Two, $objects => Box::pin($call).await)
    };
}

forward_objects!(impl[] for AnyObjects, by chosen);
forward_replicas!(impl[] for AnyObjects, by chosen);
forward_medium!(impl[] for AnyObjects, by chosen);
forward_checksummed!(impl[] for AnyObjects, by chosen);
