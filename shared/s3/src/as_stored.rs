//! Objects of R2 in their stored form.
//!
//! For clients that do not accept gzip, R2 decodes objects that were stored with `Content-Encoding: gzip`, and then the
//! length and the checksum are not those of the object. So every request says that it accepts gzip. The header is added
//! after signing, because intermediaries may rewrite it, which would break the signature.

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;

/// An interceptor that adds the header for accepting gzip.
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
