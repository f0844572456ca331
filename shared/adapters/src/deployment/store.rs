//! Bytes in one provider or in two, each a bucket or a folder.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use credlink_core::object::{Attributes, Head, Object, ObjectKey};
use credlink_core::time::Timestamp;
use credlink_service::ports::{Condition, Failure, Listed, Objects, Page, ProviderState, Put};

use super::{Rows, Waiting};
use crate::folder::Folder;
use crate::replicated::Replicated;
use crate::s3::S3Objects;

/// A provider.
#[derive(Debug)]
pub enum Place {
    /// A bucket of S3 or R2.
    Bucket(S3Objects),
    /// A folder of this machine.
    Folder(Folder),
}

/// The provider that was chosen, or both of them.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a process")]
pub enum Store {
    /// The primary alone.
    One(Place),
    /// The primary and the fallback.
    Two(Arc<Replicated<Place, Place, Arc<Waiting>, Arc<Rows>>>),
}

impl Place {
    async fn check(&self) -> Option<String> {
        match self {
            Self::Bucket(bucket) => bucket.check().await.err().map(|error| error.to_string()),
            Self::Folder(_) => None,
        }
    }

    async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        match self {
            Self::Bucket(bucket) => Ok(bucket.abort_uploads(before).await?),
            Self::Folder(_) => Ok(0),
        }
    }

    async fn link(&self, key: &ObjectKey, seconds: u64) -> Option<String> {
        match self {
            Self::Bucket(bucket) => {
                let signed = bucket.sign_get(&key.to_string(), Duration::from_secs(seconds)).await;
                signed.ok().map(|signed| signed.url)
            }
            Self::Folder(_) => None,
        }
    }
}

impl Store {
    /// The providers, the primary first.
    #[must_use]
    pub fn places(&self) -> Vec<&Place> {
        match self {
            Self::One(place) => vec![place],
            Self::Two(pair) => vec![pair.primary(), pair.fallback()],
        }
    }

    /// What is wrong with the providers, in words.
    pub async fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for place in self.places() {
            wrong.extend(place.check().await);
        }
        wrong
    }

    /// Aborts uploads that were begun before `before`; how many.
    ///
    /// # Errors
    /// A provider failed.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        let mut aborted = 0;
        for place in self.places() {
            aborted += place.abort_uploads(before).await?;
        }
        Ok(aborted)
    }

    /// A link to an object that the primary signs, if it can.
    pub async fn link(&self, key: &ObjectKey, seconds: u64) -> Option<String> {
        self.places().first()?.link(key, seconds).await
    }
}

macro_rules! objects {
    ($kind:ident: $($variant:ident)|+) => {
        impl Objects for $kind {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(objects) => objects.name(),)+
                }
            }

            async fn get(&self, key: &ObjectKey) -> Result<Option<Object>, Failure> {
                match self {
                    $(Self::$variant(objects) => objects.get(key).await,)+
                }
            }

            async fn head(&self, key: &ObjectKey) -> Result<Option<Head>, Failure> {
                match self {
                    $(Self::$variant(objects) => objects.head(key).await,)+
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
                    $(Self::$variant(objects) => objects.put(key, body, attributes, condition).await,)+
                }
            }

            async fn delete(&self, key: &ObjectKey) -> Result<(), Failure> {
                match self {
                    $(Self::$variant(objects) => objects.delete(key).await,)+
                }
            }

            async fn list(
                &self,
                prefix: &str,
                after: Option<&str>,
                limit: usize,
            ) -> Result<Page<Listed>, Failure> {
                match self {
                    $(Self::$variant(objects) => objects.list(prefix, after, limit).await,)+
                }
            }

            fn providers(&self) -> Vec<ProviderState> {
                match self {
                    $(Self::$variant(objects) => objects.providers(),)+
                }
            }
        }
    };
}

objects!(Place: Bucket | Folder);
objects!(Store: One | Two);
