//! The settings of a legacy source, from environment variables.

use credlink_core::job_name::JobName;
use credlink_core::tenant::Tenant;

use crate::configuration::value::{ConfigurationError, Variables};
use crate::migration::location::{LocationError, MigrationLocation, bucket_settings};
use crate::migration::sources::own_bucket;
use crate::provider::ProviderSettings;

/// The variable that names the source.
pub(super) const SOURCE: &str = "CREDLINK_LEGACY_SOURCE";
/// The variable that switches the cloud storage on or off.
const CLOUD_STORAGE: &str = "CREDLINK_CLOUD_STORAGE";
/// The variable that names the owner.
const TENANT: &str = "CREDLINK_LEGACY_TENANT";
/// The variable that names the job.
const JOB: &str = "CREDLINK_LEGACY_JOB";
/// The locations that a legacy source may be in.
const PLACES: &str = "dir:PATH, jsonl:FILE, s3://BUCKET/PREFIX or r2://BUCKET/PREFIX";
/// The default name of the job.
const DEFAULT_JOB: &str = "legacy";

/// The settings of a legacy source.
#[derive(Clone, Debug)]
pub struct LegacySettings {
    pub(super) location: MigrationLocation,
    /// The settings of the bucket, if the source is one.
    pub(super) bucket: Option<ProviderSettings>,
    pub(super) tenant: Tenant,
    /// The queued job that imports requested proofs, if this process does not import them itself.
    pub(super) job: JobName,
    /// `true` if the cloud storage is off.
    pub(super) is_cloud_storage_off: bool,
}

impl LegacySettings {
    /// Reads the variables.
    ///
    /// # Errors
    /// Returns an error for a variable that cannot be used.
    pub fn read(source: &Variables<'_>) -> Result<Option<Self>, ConfigurationError> {
        let is_cloud_storage_off = !source.switch(CLOUD_STORAGE)?.unwrap_or(true);
        let tenant = source.text(TENANT).map(|text| {
            text.parse::<Tenant>()
                .map_err(|error| ConfigurationError::invalid(TENANT, &text, error.to_string()))
        });
        let tenant = tenant.transpose()?.unwrap_or_default();
        let job = source.text(JOB).unwrap_or_else(|| DEFAULT_JOB.to_owned());
        let job: JobName =
            job.parse().map_err(|error| ConfigurationError::invalid(JOB, &job, format!("{error}")))?;
        let Some(text) = source.text(SOURCE) else {
            let missing = || {
                let allowed =
                    format!("the legacy store, which reads and writes go to while {CLOUD_STORAGE} is `off`");
                ConfigurationError::Missing { variable: SOURCE, allowed }
            };
            return if is_cloud_storage_off { Err(missing()) } else { Ok(None) };
        };
        let invalid = |allowed: &str| ConfigurationError::invalid(SOURCE, &text, allowed);
        let location = text.parse().map_err(|error| match error {
            LocationError::Unknown(_) => invalid(PLACES),
            error => invalid(&format!("{PLACES}: {error}")),
        })?;
        if let Some(variable) = own_bucket(source, &location) {
            return Err(invalid(&format!(
                "another bucket than the deployment's own, which {variable} names"
            )));
        }
        let bucket = match &location {
            MigrationLocation::Folder(_) => None,
            MigrationLocation::Lines(_) if is_cloud_storage_off => {
                return Err(invalid(
                    "dir:PATH, s3://BUCKET/PREFIX or r2://BUCKET/PREFIX while CREDLINK_CLOUD_STORAGE is `off`: a dump \
                     is read only",
                ));
            }
            MigrationLocation::Lines(_) => None,
            MigrationLocation::Bucket { kind, bucket, .. } => Some(bucket_settings(source, *kind, bucket)?),
            MigrationLocation::Api(_) => return Err(invalid(PLACES)),
        };
        Ok(Some(Self { location, bucket, tenant, job, is_cloud_storage_off }))
    }

    /// Returns `true` if the source is an S3 bucket.
    #[must_use]
    pub fn is_s3(&self) -> bool {
        self.bucket.as_ref().is_some_and(|settings| settings.name() == "s3")
    }
}
