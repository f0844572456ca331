//! Opens the adapters of a deployment and puts them together as its configuration says.

use std::path::Path;
use std::sync::Arc;

use credlink_cache::folder::FolderSettings;
use credlink_cache::redis::RedisSettings;
use credlink_cache::{Layered, Layers};
use credlink_disk::folder::FolderError;
use credlink_disk::foreign::Foreign;
use credlink_disk::private::make_private_folder;
use credlink_disk::reserve::Reserve;
use credlink_hybrid::Hybrid;
use credlink_metrics::metered::Metered;
use credlink_ports::Parts;
use credlink_replication::Replicated;
use credlink_runtime::clock::SystemClock;
use credlink_runtime::threads::Threads;
use credlink_service::{Service, ServiceSettings};

use super::files::{Kept, SharedFiles};
use super::jobs::{LastSource, QueuedJobs};
use super::{AnyIndex, AnyObjects, AnyQueue, Deployment, Machine, OpenError, Opening, Surroundings};
use crate::clients;
use crate::configuration::{Configuration, IndexChoice, QueueChoice};
use crate::data_folder::{DataFolderError, ObjectsLost, index_path, queue_path};
use crate::embedded::{EmbeddedIndex, EmbeddedQueue};
use crate::provider::{self, Provider, ProviderSettings};

impl Deployment {
    /// Opens a deployment. Nothing is sent over the network yet: see [`Deployment::check`].
    ///
    /// # Errors
    /// Returns an error if something on this machine cannot be opened.
    pub async fn open(opening: Opening<'_>) -> Result<Self, OpenError> {
        let surroundings = Surroundings::of(opening.configuration).await;
        Self::open_in(opening, surroundings)
    }

    /// Opens a deployment in the given surroundings. The caller must be inside a Tokio runtime.
    ///
    /// # Errors
    /// Fails as [`Deployment::open`] does.
    pub fn open_in(opening: Opening<'_>, surroundings: Surroundings) -> Result<Self, OpenError> {
        let configuration = opening.configuration;
        let folder = opening.machine.as_ref().map(|machine| machine.data_folder);
        let Surroundings { aws, dynamodb, sqs, replicated } = surroundings;
        if let Some(machine) = &opening.machine {
            check_data_folder(configuration, machine)?;
        }
        // The folder is locked first, since only the holder of the lock may open the index.
        let primary = configuration.primary.open(&aws, folder)?;
        let fallback = match &configuration.fallback {
            Some(settings) => Some(settings.open(&aws, folder)?),
            None => None,
        };
        if let (IndexChoice::Embedded, Some(folder)) = (&configuration.index, folder) {
            // The index may be in another folder than the objects.
            let failed = |source| FolderError::Io { path: folder.to_owned(), source };
            make_private_folder(folder).map_err(|error| provider::OpenError::from(failed(error)))?;
        }
        let reserve = reserve(folder, &primary, fallback.as_ref());
        let kept_reserve = reserve.clone();
        let place = configuration.primary.place(folder);
        let limits = configuration.limits;
        let rows = match &configuration.index {
            IndexChoice::DynamoDb(table) => {
                AnyIndex::DynamoDb(Arc::new(clients::table(table.clone(), dynamodb, limits, &aws)?))
            }
            IndexChoice::Embedded => {
                let machine = opening.machine.as_ref();
                let machine = machine.ok_or(OpenError::NoFolder("the index", "CREDLINK_TABLE"))?;
                AnyIndex::Embedded(Arc::new(open_index(configuration, machine, reserve.clone())?))
            }
        };
        let uploads = configuration.files.queue_url.clone();
        let uploads = uploads.map(|url| clients::queue(url, sqs.clone(), limits, &aws)).transpose()?;
        let shared_files = SharedFiles::open(&primary, fallback.as_ref(), uploads, &aws);
        let waiting = match (&configuration.queue, &fallback) {
            (QueueChoice::Sqs(url), _) => AnyQueue::Sqs(clients::queue(url.clone(), sqs, limits, &aws)?),
            // With one provider, nothing ever waits.
            (QueueChoice::Embedded, None) => AnyQueue::Nothing,
            (QueueChoice::Embedded, Some(_)) => AnyQueue::Embedded(open_queue(folder, reserve)?),
        };
        let objects = match fallback {
            None => AnyObjects::One(primary),
            Some(fallback) => {
                let (queue, index) = (waiting.clone(), rows.clone());
                let pair = Replicated::new(primary, fallback, queue, index, SystemClock, replicated);
                AnyObjects::Two(Box::new(pair))
            }
        };
        let parts = Parts {
            objects,
            index: rows.clone(),
            cache: Layered::new(layers(configuration)),
            clock: SystemClock,
            events: Metered::new(),
            authenticator: opening.gate,
            jobs: QueuedJobs::new(
                rows.clone(),
                waiting.clone(),
                place,
                configuration.migration_sources.clone(),
            ),
        };
        let jobs = parts.jobs.clone();
        let settings = ServiceSettings {
            public_url: opening.public_url,
            link_keys: opening.link_keys,
            count_reads: opening.count_reads,
            notice_on_read: matches!(configuration.index, IndexChoice::Embedded),
            has_tenants: configuration.has_tenants,
        };
        let cdn_url = configuration.cdn_url.clone();
        let mut service = Service::new(parts, settings).computing_by(Arc::new(Threads::new()));
        if let Some(signers) = &configuration.signers {
            service = service.knowing(Arc::new(signers.clone()));
        }
        // A function does not live long enough to walk over a source, or to import proofs in the background.
        let legacy = configuration.legacy.as_ref().map(|settings| match folder {
            Some(_) => settings.open(&aws, true),
            None => settings.open_queued(&aws, jobs),
        });
        let hybrid = legacy.transpose()?.map(Hybrid::new);
        Ok(Self {
            service,
            rows,
            waiting,
            cdn_url,
            hybrid,
            shared_files,
            files: Kept::No,
            reserve: kept_reserve,
            last_source: LastSource::default(),
        })
    }
}

/// Checks that the data folder of this machine belongs to the deployment.
///
/// # Errors
/// Fails if the index in the folder has lost its objects, or if the folder has foreign files.
fn check_data_folder(configuration: &Configuration, machine: &Machine<'_>) -> Result<(), OpenError> {
    let folder = machine.data_folder;
    let has_index = matches!(configuration.index, IndexChoice::Embedded);
    if has_index && configuration.primary.name() == "folder" {
        ObjectsLost::check(folder, configuration.primary.own_folder().unwrap_or(folder))
            .map_err(DataFolderError::from)?;
    }
    let mut folders = providers(configuration).filter(|provider| provider.name() == "folder");
    // If the index and the objects are elsewhere, the folder holds nothing but the reserve for a full disk.
    if has_index || folders.any(|provider| provider.own_folder().is_none()) {
        Foreign::check(folder, machine.own_file)?;
    }
    Ok(())
}

/// Returns the settings of all providers.
fn providers(configuration: &Configuration) -> impl Iterator<Item = &ProviderSettings> {
    [Some(&configuration.primary), configuration.fallback.as_ref()].into_iter().flatten()
}

/// Opens the index in the data folder of this machine.
fn open_index(
    configuration: &Configuration,
    machine: &Machine<'_>,
    reserve: Option<Reserve>,
) -> Result<EmbeddedIndex, OpenError> {
    let folder = machine.data_folder;
    let folders = providers(configuration).filter_map(ProviderSettings::own_folder);
    machine.new_index.check(folder, folders).map_err(DataFolderError::from)?;
    let cache_bytes = configuration.index_cache_bytes.unwrap_or(machine.index_cache_bytes);
    let reserve = reserve.unwrap_or_else(|| Reserve::at(folder));
    let index = EmbeddedIndex::open_beside(index_path(folder), cache_bytes, reserve);
    Ok(index.map_err(DataFolderError::from)?)
}

/// Opens the queue in the data folder of this machine.
fn open_queue(
    folder: Option<&Path>,
    reserve: Option<Reserve>,
) -> Result<EmbeddedQueue<SystemClock>, OpenError> {
    let folder = folder.ok_or(OpenError::NoFolder("the queue", "CREDLINK_QUEUE_URL"))?;
    let reserve = reserve.unwrap_or_else(|| Reserve::at(folder));
    Ok(EmbeddedQueue::open_beside(queue_path(folder), SystemClock, reserve)?)
}

/// Returns the reserve for a full disk in the data folder of this machine, if there is one. Objects in folders of their
/// own have a reserve each, since those may be on other disks.
fn reserve(data_folder: Option<&Path>, primary: &Provider, fallback: Option<&Provider>) -> Option<Reserve> {
    let folders = [Some(primary), fallback].into_iter().flatten().filter_map(|provider| match provider {
        Provider::Folder(folder) => Some(folder),
        Provider::Bucket(_) => None,
    });
    let mut shared = None;
    for folder in folders {
        folder.reserve().keep();
        if data_folder.is_some_and(|path| folder.is_at(path)) {
            shared = Some(folder.reserve().clone());
        }
    }
    shared.or_else(|| {
        let own = Reserve::at(data_folder?);
        own.keep();
        Some(own)
    })
}

fn layers(configuration: &Configuration) -> Layers {
    let folder = configuration.cache_folder.as_ref();
    Layers {
        redis: configuration.redis.clone().map(RedisSettings::new),
        folder: folder.map(|(path, bytes)| FolderSettings { path: path.clone(), bytes: *bytes }),
        edge: configuration.edge.clone(),
        ..Layers::default()
    }
}
