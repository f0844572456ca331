//! Files that functions keep together: clients send bytes to the bucket of the primary, the bucket and the functions put
//! messages about them into a queue, and one function makes the files.

use std::sync::Arc;
use std::time::Duration;

use credlink_core::file::UploadId;
use credlink_core::message::{Message, Work};
use credlink_files::elsewhere::{Address, Addressing, Elsewhere, Wanted};
use credlink_files::{Files, FilesPorts, Notices, Noticing};
use credlink_ports::request::current_request_id;
use credlink_ports::{NoManifests, NoRenderer, Queue as _, Scanner};
use credlink_s3::{AnswerHeaders, S3Objects, S3Quarantine};
use credlink_scanner::Clamd;
use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};

use credlink_aws::SdkConfig;
use credlink_aws::sqs::SqsQueue;

use super::{Finaliser, Kept};
#[cfg(feature = "aws")]
use crate::clients;
use crate::configuration::{FilesConfiguration, ScannerChoice};
use crate::deployment::{AnyQuarantine, Deployment, LINK_SECONDS};
use crate::provider::Provider;

/// The parts that functions share for files.
#[derive(Clone, Debug)]
pub(in crate::deployment) struct SharedFiles {
    /// The quarantine.
    pub(in crate::deployment) quarantine: S3Quarantine,
    /// The bucket of the primary, which readers are sent to.
    pub(in crate::deployment) bucket: S3Objects,
    /// The bucket of the fallback, which readers are sent to while the primary does not answer.
    pub(in crate::deployment) fallback: Option<S3Objects>,
    /// The queue of uploads.
    pub(in crate::deployment) queue: SqsQueue,
}

impl SharedFiles {
    /// Returns the parts that functions share for files, if there is a queue of uploads and the primary is a bucket.
    #[cfg(feature = "aws")]
    pub(in crate::deployment) fn open(
        primary: &Provider,
        fallback: Option<&Provider>,
        queue: Option<SqsQueue>,
        aws: &SdkConfig,
    ) -> Option<Self> {
        let bucket = primary.bucket()?;
        let fallback = fallback.and_then(Provider::bucket).cloned();
        let quarantine = clients::quarantine(bucket, aws);
        Some(Self { quarantine, bucket: bucket.clone(), fallback, queue: queue? })
    }

    /// Returns nothing: without the clients of AWS, there is no bucket.
    #[cfg(not(feature = "aws"))]
    pub(in crate::deployment) fn open(
        _: &Provider,
        _: Option<&Provider>,
        _: Option<SqsQueue>,
        _: &SdkConfig,
    ) -> Option<Self> {
        None
    }
}

impl Deployment {
    /// Keeps files from now on, together with others who use the same index, the same bucket and the same queue. Files are
    /// kept if the configuration names a queue for them and there are keys for links, without which requests about files are
    /// refused, and the cloud storage is not switched off. A program without a `finaliser` leaves uploads to the one that
    /// receives the queue's messages. No program sends bytes: readers are sent elsewhere.
    #[must_use]
    pub fn keeping_shared_files(
        self,
        configuration: &FilesConfiguration,
        finaliser: Option<Finaliser>,
    ) -> Self {
        let Some(shared) = self.shared_files.clone() else { return self };
        let SharedFiles { quarantine, bucket, fallback, queue } = shared;
        let Some(settings) = self.files_settings(configuration) else {
            let has_keys = self.service.settings().link_keys.is_some();
            return Self { files: if has_keys { Kept::No } else { Kept::WithoutKeys }, ..self };
        };
        let is_finaliser = finaliser.is_some();
        let none = || -> Finaliser { (Arc::new(NoRenderer), Arc::new(NoManifests)) };
        let (renderer, manifests) = finaliser.unwrap_or_else(none);
        let scanner = match configuration.scanner.clone() {
            None => None,
            Some(ScannerChoice::Clamd(address)) => Some(Arc::new(Clamd::new(address)) as Arc<dyn Scanner>),
            Some(ScannerChoice::GuardDuty) => Some(quarantine.guardduty()),
        };
        let quarantine = AnyQuarantine::Bucket(quarantine);
        let notices = Arc::new(Queued(queue));
        let files = Files::new(FilesPorts { quarantine, renderer, manifests, scanner, notices }, settings);
        let files = if is_finaliser { files } else { files.leaving_uploads_to_others() };
        let readers = Readers { cdn_url: configuration.cdn_url.clone(), bucket, fallback };
        let files = files.sending_readers(Arc::new(readers));
        Self { files: Kept::Files(Box::new(files)), ..self }
    }
}

/// The queue of uploads, as the receiver of notices.
#[derive(Debug)]
struct Queued(SqsQueue);

impl Notices for Queued {
    fn arrived(&self, upload: UploadId) -> Noticing<'_> {
        Box::pin(async move {
            let request_id = current_request_id().map(|id| id.to_string()).unwrap_or_default();
            let message = Message { request_id, work: Work::Finalise { upload } };
            if let Err(failure) = self.0.send(&message, 0).await {
                tracing::warn!(%upload, reason = %failure, "the finaliser is not told of an upload; cleanup tells it");
            }
        })
    }
}

/// The places to which readers are sent.
#[derive(Debug)]
struct Readers {
    /// The domain of public files.
    cdn_url: Option<String>,
    /// The bucket, whose addresses are signed.
    bucket: S3Objects,
    /// The bucket whose addresses are signed while the first one does not answer.
    fallback: Option<S3Objects>,
}

impl Elsewhere for Readers {
    fn address<'a>(&'a self, wanted: &'a Wanted) -> Addressing<'a> {
        Box::pin(async move {
            let may_be_at_the_edge = wanted.is_public && !wanted.is_for_the_edge;
            if let Some(cdn_url) = self.cdn_url.as_ref().filter(|_| may_be_at_the_edge) {
                let query = if wanted.is_download { "?download=true" } else { "" };
                return Ok(Address { url: format!("{cdn_url}{}{query}", wanted.path), is_lasting: true });
            }
            let header = |name: HeaderName| {
                wanted.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let headers = AnswerHeaders {
                content_type: header(CONTENT_TYPE),
                content_disposition: header(CONTENT_DISPOSITION),
                cache_control: header(CACHE_CONTROL),
            };
            let expires_in = Duration::from_secs(LINK_SECONDS);
            let fallback = self.fallback.as_ref().filter(|_| wanted.primary_is_out);
            let bucket = fallback.unwrap_or(&self.bucket);
            let signed = bucket.sign_get_as(&wanted.key.to_string(), expires_in, headers).await?;
            Ok(Address { url: signed.url, is_lasting: false })
        })
    }
}
