//! Signed URLs, each of which lets its holder do one thing with one object until it expires. Making one sends nothing.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use credlink_aws::{Error, ErrorKind};

use super::S3Objects;
use crate::operations::{AnswerHeaders, SignedUrl};

impl S3Objects {
    /// Returns a URL to read the object under `key`, valid for at most one week (the bound of the signature). A URL of
    /// R2 works only at the address of R2's S3 endpoint.
    ///
    /// # Errors
    /// The time is longer than that, or no credentials can be found.
    pub async fn sign_get(&self, key: &str, expires_in: Duration) -> Result<SignedUrl, Error> {
        self.sign_get_as(key, expires_in, AnswerHeaders::default()).await
    }

    /// Returns a URL as [`Self::sign_get`] does, whose answer has these headers in place of the object's own.
    ///
    /// # Errors
    /// As for [`Self::sign_get`].
    pub async fn sign_get_as(
        &self,
        key: &str,
        expires_in: Duration,
        headers: AnswerHeaders,
    ) -> Result<SignedUrl, Error> {
        let get = self.client().get_object().bucket(self.bucket()).key(key);
        let get = get
            .set_response_content_type(headers.content_type)
            .set_response_content_disposition(headers.content_disposition)
            .set_response_cache_control(headers.cache_control);
        let signed = get.presigned(self.presigning(expires_in)?).await;
        Ok(url(&signed.map_err(|error| self.error(&error))?))
    }

    /// Returns a URL to write an object under `key`, overwriting any object there. If a media type is given, only that
    /// one may be sent.
    ///
    /// # Errors
    /// As for [`Self::sign_get`].
    pub async fn sign_put(
        &self,
        key: &str,
        expires_in: Duration,
        content_type: Option<&str>,
    ) -> Result<SignedUrl, Error> {
        let put = self.client().put_object().bucket(self.bucket()).key(key);
        let put = put.set_content_type(content_type.map(str::to_owned));
        let put = put
            .set_storage_class(self.storage_class())
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.kms_key());
        let signed = put.presigned(self.presigning(expires_in)?).await;
        Ok(url(&signed.map_err(|error| self.error(&error))?))
    }

    fn presigning(&self, expires_in: Duration) -> Result<PresigningConfig, Error> {
        let refused = |error: &dyn std::fmt::Display| {
            let what = format!("a URL cannot be signed for {} s: {error}", expires_in.as_secs());
            Error::new(self.kind().name(), ErrorKind::Refused, what)
        };
        if expires_in.is_zero() {
            return Err(refused(&"it would have expired already"));
        }
        PresigningConfig::expires_in(expires_in).map_err(|error| refused(&error))
    }
}

fn url(request: &PresignedRequest) -> SignedUrl {
    SignedUrl {
        method: request.method().to_owned(),
        url: request.uri().to_owned(),
        headers: request.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}
