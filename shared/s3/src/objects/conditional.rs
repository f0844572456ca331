//! Conditional writes, and the one question that HTTP leaves open about them.
//!
//! If the answer to an attempt is lost, the SDK retries it, and a write that took effect the first time then fails
//! against its own object, with 412. To report that as `Lost` would be wrong. So every write carries its own mark.
//! After a 412 that follows an attempt with an unknown outcome, the mark of the current object is read:
//!
//! * If the mark is ours, the write is stored.
//! * If it is another's, or there is none, then our write was refused, or it took effect and was overwritten since. The
//!   answer is a failure, which says nothing about the outcome. This takes a lost answer *and* a rival writer.
//!
//! 409 `ConditionalRequestConflict` means that another write to the key is under way: it is retried, with jitter, until
//! the limit of the operation. A throttled write is retried after a second or more ([`throttle`]), until the same
//! limit. If it is throttled to the end, the failure is `Throttled` only if no attempt can have taken effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use bytes::Bytes;
use credlink_aws::{Error, ErrorKind};
use credlink_core::hash::Digest;
use credlink_core::object::Attributes;
use credlink_ports::{Condition, Put};
use credlink_runtime::deadline::at_most;
use credlink_runtime::throttle;
use data_encoding::BASE64;
use tokio::time::Instant;

use super::S3Objects;
use crate::attributes::{Headers, etag, mark, tag};

/// The longest pause between attempts at a key to which others write.
const MAX_PAUSE_MILLISECONDS: u64 = 800;

/// The number of attempts that were sent and whose outcome is unknown.
#[derive(Debug, Clone, Default)]
struct Unknown(Arc<AtomicUsize>);

impl Unknown {
    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

#[dyn_dispatch_hint]
impl Intercept for Unknown {
    fn name(&self) -> &'static str {
        "credlink: attempts of unknown outcome"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    // Not called for an attempt that times out: its outcome stays unknown.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // 503 is a refusal: S3 returns it instead of executing the request (S3 API, error `SlowDown`).
        let said = context.response().map(|response| response.status().as_u16());
        if said.is_some_and(|status| status < 500 || status == 503) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl S3Objects {
    /// Writes an object if the condition holds.
    pub(crate) async fn put_if(
        &self,
        key: &str,
        body: Bytes,
        attributes: &Attributes,
        condition: &Condition,
    ) -> Result<Put, Error> {
        let own = uuid::Uuid::new_v4().simple().to_string();
        let until = Instant::now() + at_most(self.limits().operation);
        let unknown = Unknown::default();
        let mut pause = 25;
        loop {
            let error =
                match self.put_once(key, body.clone(), attributes, Some(condition), &own, &unknown).await {
                    Ok(stored) => return Ok(stored),
                    Err(error) => error,
                };
            let lost = match error.kind {
                ErrorKind::PreconditionFailed => true,
                // There is no object whose tag could match.
                ErrorKind::NotFound => {
                    matches!(condition, Condition::Matches(_)) && error.code.as_deref() == Some("NoSuchKey")
                }
                _ => false,
            };
            if lost && unknown.any() {
                return self.is_ours(key, &own).await;
            }
            if lost {
                return Ok(Put::Lost);
            }
            let left = until.saturating_duration_since(Instant::now());
            let wait = match error.kind {
                ErrorKind::Conflict => {
                    let wait = Duration::from_millis(fastrand::u64(1..=pause));
                    pause = (pause * 2).min(MAX_PAUSE_MILLISECONDS);
                    (wait < left).then_some(wait)
                }
                ErrorKind::Throttled => {
                    throttle::note();
                    throttle::pause(left)
                }
                _ => None,
            };
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None if error.kind == ErrorKind::Throttled && unknown.any() => {
                    return Err(Error { kind: ErrorKind::Unavailable, ..error });
                }
                None => return Err(error),
            }
        }
    }

    /// Writes an object unconditionally.
    pub(super) async fn put_over(
        &self,
        key: &str,
        body: Bytes,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        self.put_once(key, body, attributes, None, "", &Unknown::default()).await.map(drop)
    }

    /// Returns a request that writes an object, without its body. `sha256` computes the digest of the body, if the provider
    /// compares it.
    pub(super) fn put_request(
        &self,
        key: &str,
        headers: Headers,
        condition: Option<&Condition>,
        sha256: impl FnOnce() -> Digest,
    ) -> PutObjectFluentBuilder {
        let (none_match, matches) = match condition {
            None => (None, None),
            Some(Condition::Absent) => (Some("*".to_owned()), None),
            Some(Condition::Matches(tag)) => (None, Some(etag(tag))),
        };
        self.client()
            .put_object()
            .bucket(self.bucket())
            .key(key)
            .content_type(headers.content_type)
            .set_content_encoding(headers.content_encoding)
            .set_cache_control(headers.cache_control)
            .set_metadata(Some(headers.metadata))
            .set_tagging(headers.tagging.filter(|_| self.takes_tags()))
            .set_storage_class(self.storage_class())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key())
            .set_checksum_sha256(self.sends_sha256().then(|| BASE64.encode(sha256().as_bytes())))
            .set_if_none_match(none_match)
            .set_if_match(matches)
    }

    async fn put_once(
        &self,
        key: &str,
        body: Bytes,
        attributes: &Attributes,
        condition: Option<&Condition>,
        own: &str,
        unknown: &Unknown,
    ) -> Result<Put, Error> {
        let headers = Headers::of(attributes, condition.map(|_| own));
        let config = self.config_for(body.len());
        let put = self.put_request(key, headers, condition, || Digest::of(&body));
        let put = put.body(ByteStream::from(body));
        let put = Box::pin(put.customize().config_override(config).interceptor(unknown.clone()).send()).await;
        Ok(Put::Stored(tag(put.map_err(|error| self.error(&error))?.e_tag())))
    }

    /// Finds out whether the current object is our own write.
    async fn is_ours(&self, key: &str, own: &str) -> Result<Put, Error> {
        let head = self.client().head_object().bucket(self.bucket()).key(key);
        match Box::pin(head.customize().config_override(self.config()).send())
            .await
            .map_err(|error| self.error(&error))
        {
            Ok(head) if mark(head.metadata()) == Some(own) => Ok(Put::Stored(tag(head.e_tag()))),
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => {
                let what = "the answer to a write got lost, and another write stands there now";
                Err(Error::new(self.kind().name(), ErrorKind::Unavailable, format!("{key}: {what}")))
            }
        }
    }
}
