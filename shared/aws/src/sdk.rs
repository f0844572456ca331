//! What the clients of S3, R2, DynamoDB and SQS share: connections, time-outs, retries, and what their errors mean.
//!
//! * One pool of connections serves all of them ([`http_client`]). TLS is rustls with ring.
//! * Every call ends: an attempt after [`Limits::attempt`], the whole with its retries after [`Limits::operation`], or
//!   before the [`deadline`](credlink_runtime::deadline) of the request that it is made for, if that comes first.
//! * Retries are the SDK's own: exponential back-off with full jitter, for throttling, time-outs, broken connections
//!   and answers of the 5xx class.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use credlink_runtime::deadline::at_most;

/// How long calls may take, and how often they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until one attempt has its answer.
    pub attempt: Duration,
    /// Until the call has its answer, with all attempts and the pauses between them.
    pub operation: Duration,
    /// Attempts after the first.
    pub retries: u32,
}

impl Default for Limits {
    /// An API Gateway waits 30 s for its Lambda; a call that takes a third of that is better given up.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            attempt: Duration::from_secs(5),
            operation: Duration::from_secs(10),
            retries: 2,
        }
    }
}

impl Limits {
    /// These limits as the SDK takes them, cut down to the deadline of the request at hand. All but the first: the SDK
    /// keeps a pool of connections of its own for every value of it.
    #[must_use]
    pub fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(at_most(self.attempt))
            .operation_timeout(at_most(self.operation))
            .build()
    }

    /// The retries as the SDK takes them.
    #[must_use]
    pub fn retry(&self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.retries.saturating_add(1))
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_secs(2))
    }
}

/// A pool of connections, to be shared by all clients of a process. It belongs to the runtime that uses it first.
#[must_use]
pub fn http_client() -> SharedHttpClient {
    Builder::new()
        // A load balancer of AWS drops a connection that was idle for longer without a word.
        .pool_idle_timeout(Duration::from_secs(20))
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The SDK's configuration without a chain: for a client that is given its key and region.
#[must_use]
pub fn plain_config(client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder().behavior_version(BehaviorVersion::latest()).http_client(client).build()
}

/// The SDK's configuration with its own chain of credentials and regions: environment, profile, container, instance.
/// `region` goes before that of the chain. Credentials are looked up with the first call.
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
