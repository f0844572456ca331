//! Objects of R2 as they are stored.
//!
//! R2 decodes what was stored with `Content-Encoding: gzip` for clients that do not accept gzip, and then its length and
//! checksum are not those of the object. So every request says that it accepts gzip. The header is added behind the
//! signature: what stands between may rewrite it, and the signature would not survive that.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

/// Says that gzip is accepted.
#[derive(Debug)]
pub(super) struct AsStored;

#[dyn_dispatch_hint]
impl Intercept for AsStored {
    fn name(&self) -> &'static str {
        "credlink: objects as stored"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("accept-encoding", "gzip");
        Ok(())
    }
}
