//! The common ground of the clients of S3, R2, DynamoDB and SQS: connections, timeouts, and retries.
//!
//! * One pool of connections serves all of them ([`http_client`]). TLS is rustls with ring.
//! * Every call ends: one attempt after [`Limits::attempt`], and the call with all its retries after
//!   [`Limits::operation`], or before the [`deadline`](credlink_runtime::deadline) of its request if that comes first.
//! * Retries are the SDK's own: exponential backoff with full jitter, for throttling, timeouts, broken connections and
//!   answers of the 5xx class.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use credlink_runtime::deadline::at_most;

use crate::Limits;

pub use aws_config::SdkConfig;

impl Limits {
    /// Returns the limits in the form of the SDK, within the deadline of the current request. The connect timeout is
    /// never shortened, because the SDK keeps a separate pool of connections for each of its values.
    #[must_use]
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(at_most(self.attempt))
            .operation_timeout(at_most(self.operation))
            .build()
    }

    /// Returns the retries in the form of the SDK.
    #[must_use]
    pub fn retry(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.retries.saturating_add(1))
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_secs(2))
    }
}

/// Creates a pool of connections for all clients of a process. It belongs to the runtime that first uses it.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        // AWS load balancers silently drop connections that are idle for longer.
        .pool_idle_timeout(Duration::from_secs(20))
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Returns the SDK's configuration without the credential chain, for a client that is given its access key and region.
#[must_use]
pub fn plain_config(client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder().behavior_version(BehaviorVersion::latest()).http_client(client).build()
}

/// Returns the SDK's configuration with its chain of credentials and regions: environment, profile, container,
/// instance. `region` takes precedence over the chain's. Credentials are looked up with the first call.
pub async fn sdk_config(client: SharedHttpClient, region: Option<&str>, limits: &Limits) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client)
        .timeout_config(limits.timeouts())
        .retry_config(limits.retry());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    loader.load().await
}
