//! The quarantine in a bucket of S3 or R2. Clients send bytes to the provider itself, at addresses that are signed here.
//!
//! * **Exact.** The length is a signed header: a request with another one does not match its signature. A `PUT` also
//!   signs `If-None-Match: *`, so that an address that is used again cannot replace what is there, and the SHA-256 if it
//!   was announced, with which the provider compares the bytes.
//! * **Joined here.** The provider's own listing says which parts have arrived, and with which tags, so that a client
//!   needs no `ETag` and cannot join anything else than what was announced.
//! * **Apart.** The keys begin with `uploads/`, which no reader asks for.
//!
//! The lifecycle of the bucket removes what is lost on the way: parts after two days, bytes after three.

mod address;
mod guardduty;
mod multipart;
mod session;

use std::ops::Range;

use aws_config::SdkConfig;
use bytes::Bytes;
use credlink_aws::Error;
use credlink_core::row::UploadRow;
use credlink_core::rules::upload::{Found, Part};
use credlink_core::time::Timestamp;
use credlink_ports::{Failure, Quarantine, SignedPut};

use crate::objects::S3Objects;
use crate::settings::S3Settings;

use session::Sessions;

/// The quarantine of one bucket. Clones share one client.
#[derive(Clone, Debug)]
pub struct S3Quarantine {
    objects: S3Objects,
    sessions: Sessions,
}

impl S3Quarantine {
    /// Creates a client of the bucket, as [`S3Objects::new`] does. It shares the pool of connections, but looks up its
    /// credentials itself, because an address ends with the session of the credentials that signed it.
    #[must_use]
    pub fn new(settings: S3Settings, shared: &SdkConfig) -> Self {
        let sessions = Sessions::default();
        if let Some(credentials) = &settings.credentials {
            sessions.note(credentials);
        }
        let shared = match shared.credentials_provider() {
            Some(provider) => {
                shared.clone().into_builder().credentials_provider(sessions.noted(provider)).build()
            }
            None => shared.clone(),
        };
        Self { objects: S3Objects::new(settings, &shared), sessions }
    }

    /// Returns the settings with which the client was created.
    #[must_use]
    pub fn settings(&self) -> &S3Settings {
        self.objects.settings()
    }

    fn provider(&self) -> &'static str {
        self.objects.kind().name()
    }

    /// Returns the number of bytes of the whole, or `None` if it is absent.
    async fn whole(&self, upload: &UploadRow) -> Result<Option<u64>, Error> {
        Ok(self.objects.describe(&upload.key().to_string()).await?.map(|head| head.size))
    }

    async fn look(&self, upload: &UploadRow) -> Result<Found, Error> {
        if let Some(size) = self.whole(upload).await? {
            return Ok(Found::Whole(size));
        }
        let Some(multipart) = &upload.multipart else { return Ok(Found::Nothing) };
        Ok(match self.parts(upload, multipart).await? {
            Some(parts) if parts.is_empty() => Found::Nothing,
            Some(parts) => Found::Parts(parts.into_iter().map(|part| part.arrived).collect()),
            // Between the two calls, the parts were joined, or the upload was aborted.
            None => self.whole(upload).await?.map_or(Found::Nothing, Found::Whole),
        })
    }
}

impl Quarantine for S3Quarantine {
    fn name(&self) -> &'static str {
        self.provider()
    }

    async fn sign_put(&self, upload: &UploadRow, until: Timestamp) -> Result<SignedPut, Failure> {
        Ok(self.address_of_all(upload, until).await?)
    }

    async fn begin(&self, upload: &UploadRow) -> Result<String, Failure> {
        Ok(self.create(upload).await?)
    }

    async fn sign_part(
        &self,
        upload: &UploadRow,
        part: &Part,
        until: Timestamp,
    ) -> Result<SignedPut, Failure> {
        Ok(self.address_of_part(upload, part, until).await?)
    }

    async fn found(&self, upload: &UploadRow) -> Result<Found, Failure> {
        Ok(self.look(upload).await?)
    }

    async fn join(&self, upload: &UploadRow) -> Result<(), Failure> {
        Ok(self.join_parts(upload).await?)
    }

    async fn read(&self, upload: &UploadRow, range: Range<u64>) -> Result<Option<Bytes>, Failure> {
        Ok(self.objects.read_range(&upload.key().to_string(), None, &range).await?)
    }

    async fn abort(&self, upload: &UploadRow, multipart: &str) -> Result<(), Failure> {
        Ok(self.abort_one(upload, multipart).await?)
    }

    async fn remove(&self, upload: &UploadRow) -> Result<(), Failure> {
        // First the parts: what is joined meanwhile is then removed as well.
        if let Some(multipart) = &upload.multipart {
            self.abort_one(upload, multipart).await?;
        }
        Ok(self.objects.remove(&upload.key().to_string()).await?)
    }
}
