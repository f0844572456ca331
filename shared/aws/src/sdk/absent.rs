//! Stand-ins for the SDK's configuration, in a program without the feature `sdk`. There are no clients that would use it.

use crate::Limits;

/// A pool of connections for clients, of which there are none.
#[derive(Clone, Copy, Debug)]
pub struct HttpClient;

/// The configuration of clients, of which there are none.
#[derive(Clone, Copy, Debug)]
pub struct SdkConfig;

/// Returns a pool without connections.
#[must_use]
pub const fn http_client() -> HttpClient {
    HttpClient
}

/// Returns the empty configuration.
#[must_use]
pub const fn plain_config(_: HttpClient) -> SdkConfig {
    SdkConfig
}

/// Returns the empty configuration.
pub async fn sdk_config(_: HttpClient, _: Option<&str>, _: &Limits) -> SdkConfig {
    SdkConfig
}
