//! The surroundings of a deployment: clients of AWS, or the engines that stand in for them in tests.

use credlink_aws::{SdkConfig, http_client, plain_config, sdk_config};

use crate::configuration::{Configuration, IndexChoice, QueueChoice};
use crate::legacy::settings::LegacySettings;
use crate::provider::ProviderSettings;

/// The surroundings of a deployment: those of production ([`Surroundings::of`]), or engines on this machine.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The configuration that the clients of AWS share: connections, credentials and the region.
    pub aws: SdkConfig,
    /// The endpoint of DynamoDB, if it differs from the one in `aws`: `http://127.0.0.1:8000`.
    pub dynamodb: Option<String>,
    /// The endpoint of SQS, if it differs from the one in `aws`.
    pub sqs: Option<String>,
    /// The settings by which two providers work together.
    pub replicated: credlink_replication::ReplicationSettings,
}

impl Surroundings {
    /// Returns the surroundings of a configuration, with credentials and the region from the SDK's chain.
    pub async fn of(configuration: &Configuration) -> Self {
        Self {
            aws: shared_config(configuration).await,
            dynamodb: None,
            sqs: None,
            replicated: credlink_replication::ReplicationSettings {
                // Half of the time is left to ask the other provider.
                timeout: configuration.limits.operation / 2,
                hedge: configuration.hedge,
                ..credlink_replication::ReplicationSettings::default()
            },
        }
    }
}

/// Returns the configuration that the clients of AWS share. The chain of credentials and regions, which may use the
/// network, is consulted only if the deployment uses AWS.
async fn shared_config(configuration: &Configuration) -> SdkConfig {
    let is_s3 = |settings: &ProviderSettings| settings.name() == "s3";
    let is_used = is_s3(&configuration.primary)
        || configuration.fallback.as_ref().is_some_and(is_s3)
        || configuration.legacy.as_ref().is_some_and(LegacySettings::is_s3)
        || matches!(configuration.index, IndexChoice::DynamoDb(_))
        || matches!(configuration.queue, QueueChoice::Sqs(_));
    if is_used {
        sdk_config(http_client(), configuration.region.as_deref(), &configuration.limits).await
    } else {
        plain_config(http_client())
    }
}
