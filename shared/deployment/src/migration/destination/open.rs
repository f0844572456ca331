//! Opens the destination that a location names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use credlink_core::tenant::Tenant;
use credlink_migrate_service::ServiceDestination;

use credlink_auth::gate::Gate;
use credlink_disk::foreign::Foreign;
use credlink_migrate_io::TokenError;
use credlink_migrate_io::destination::remote::Remote;
use credlink_s3::BucketKind;

use super::AnyDestination;
use crate::configuration::value::{ConfigurationError, Variables};
use crate::configuration::{Configuration, IndexChoice, TENANTS};
use crate::data_folder::index_path;
use crate::data_folder::note::{Note, NoteError};
use crate::deployment::{self, Deployment, Machine, Surroundings};
use crate::embedded::PASSING_CACHE_BYTES;
use crate::migration::location::{LocationError, MigrationLocation};

/// The permission to make a destination that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// The destination may be made, because proofs are imported into it.
    Allowed,
    /// The destination may not be made: the caller only looks, and an absent destination counts as empty.
    Refused,
}

/// The parameters of a destination.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The operator's variables.
    pub variables: &'a Variables<'a>,
    /// The access token of an API.
    pub token: Option<&'a str>,
    /// The folder with the index of a bucket, if no table is named.
    pub data_folder: Option<&'a Path>,
    /// The tenant whose proofs are listed; `None` lists all of them. An API lists the proofs of its credential's
    /// tenant.
    pub tenant: Option<Tenant>,
    /// The permission to make it.
    pub making: Making,
    /// The surroundings of the deployment; `None` for those of production.
    pub surroundings: Option<Surroundings>,
}

/// A reason why a destination cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The location is not a destination.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The folder holds something else.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// Neither a table nor a folder is named for the index.
    #[error(
        "the index of {0} is in a table or in a folder of this machine: set CREDLINK_TABLE, or name --data-dir"
    )]
    NoIndex(MigrationLocation),
    /// The folder cannot be made or looked into.
    #[error("{} cannot be opened: {error}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// The error of the file system.
        error: io::Error,
    },
    /// A variable cannot be used.
    #[error(transparent)]
    Variables(#[from] ConfigurationError),
    /// The deployment cannot be opened.
    #[error(transparent)]
    Deployment(#[from] deployment::OpenError),
    /// The folder is a part of a larger deployment.
    #[error(transparent)]
    Part(#[from] NoteError),
    /// The access token of an API cannot be used.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl AnyDestination {
    /// Opens the destination that a location names.
    ///
    /// # Errors
    /// Returns an error if the location is not a destination, if something on this machine cannot be opened, or if a
    /// variable is missing or wrong.
    pub async fn open(location: &MigrationLocation, opening: Opening<'_>) -> Result<Self, OpenError> {
        location.check_destination()?;
        match location {
            MigrationLocation::Api(url) => {
                Ok(AnyDestination::Remote(Arc::new(Remote::new(url, opening.token)?)))
            }
            MigrationLocation::Folder(path) => {
                Foreign::check(path, None)?;
                Note::check_alone(path)?;
                let tenants = Variables::new(|name| opening.variables.text(name).filter(|_| name == TENANTS));
                let configuration = with_tenants(Configuration::read(&tenants)?, &tenants, path)?;
                if opening.making == Making::Refused && !index_path(path).exists() {
                    let has_tenants = configuration.has_tenants;
                    return Ok(AnyDestination::Unmade { name: "folder", has_tenants });
                }
                at_hand(&configuration, Some(path), opening).await
            }
            MigrationLocation::Bucket { kind, bucket, .. } => {
                let mut configuration = Configuration::read(&of_bucket(opening.variables, *kind, bucket))?;
                let folder = match (&configuration.index, opening.data_folder) {
                    (IndexChoice::DynamoDb(_), _) => None,
                    (IndexChoice::Embedded, None) => return Err(OpenError::NoIndex(location.clone())),
                    (IndexChoice::Embedded, Some(folder)) => Some(folder),
                };
                if let Some(folder) = folder {
                    if opening.making == Making::Refused && !index_path(folder).exists() {
                        let (name, has_tenants) = (kind.name(), configuration.has_tenants);
                        return Ok(AnyDestination::Unmade { name, has_tenants });
                    }
                    Foreign::check(folder, None)?;
                    let failed = |error| OpenError::Io { path: folder.to_owned(), error };
                    fs::create_dir_all(folder).map_err(failed)?;
                    configuration = with_tenants(configuration, opening.variables, folder)?;
                }
                at_hand(&configuration, folder, opening).await
            }
            // `check_destination` has refused a dump.
            MigrationLocation::Lines(_) => Err(LocationError::DumpAsDestination(location.clone()).into()),
        }
    }
}

async fn at_hand(
    configuration: &Configuration,
    data_folder: Option<&Path>,
    opening: Opening<'_>,
) -> Result<AnyDestination, OpenError> {
    let surroundings = match opening.surroundings {
        Some(surroundings) => surroundings,
        None => Surroundings::of(configuration).await,
    };
    let opened = deployment::Opening {
        configuration,
        machine: data_folder.map(|folder| Machine::new(folder, PASSING_CACHE_BYTES)),
        // The deployment serves no HTTP, so there are no callers.
        gate: Gate::of(None, None),
        public_url: String::new(),
        link_keys: None,
        count_reads: false,
    };
    let (service, legacy_ids) = Deployment::open_in(opened, surroundings)?.into_destination();
    if let Some(folder) = data_folder.filter(|_| opening.making == Making::Allowed) {
        Note::leave_tenants(folder, configuration)?;
    }
    let destination = ServiceDestination::new(Arc::new(service), opening.tenant).reserving(legacy_ids);
    Ok(AnyDestination::Here(Arc::new(destination)))
}

/// Returns the configuration with the tenants that the last server over `folder` had, if the variables do not say.
/// Variables that say several are accepted over any folder.
fn with_tenants(
    configuration: Configuration,
    variables: &Variables<'_>,
    folder: &Path,
) -> Result<Configuration, NoteError> {
    if variables.text(TENANTS).is_some() {
        if !configuration.has_tenants {
            Note::check_one_tenant(folder)?;
        }
        return Ok(configuration);
    }
    let has_tenants = Note::has_tenants(folder)?;
    Ok(Configuration { has_tenants, ..configuration })
}

/// Returns the deployment's variables for one bucket alone, without the second provider, its queue and a cache on this
/// machine. The edge and Redis stay, because they must be told of deletions.
fn of_bucket<'a>(variables: &'a Variables<'a>, kind: BucketKind, bucket: &'a str) -> Variables<'a> {
    Variables::new(move |name| match (name, kind) {
        ("STORAGE_PROVIDER", _) => Some(kind.name().to_owned()),
        ("STORAGE_BUCKET", BucketKind::S3) | ("R2_BUCKET", BucketKind::R2) => Some(bucket.to_owned()),
        ("STORAGE_FALLBACK_PROVIDER" | "CREDLINK_QUEUE_URL" | "CREDLINK_CACHE_FOLDER", _) => None,
        _ => variables.text(name),
    })
}
