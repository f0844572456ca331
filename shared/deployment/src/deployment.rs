//! A deployment: the service with all its adapters, as an operator has configured them.
//!
//! The Lambdas and `credlink serve` open the same deployment, over S3 and DynamoDB or over a folder. [`Store`], [`Rows`]
//! and [`Waiting`] are the choices that are made at run time.

mod answer;
mod cleaning;
mod jobs;
mod note;
mod rows;
mod store;
#[cfg(test)]
mod tests;
mod waiting;

use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use credlink_core::link::LinkKeys;
use credlink_core::message::{Message, Replica, Work};
use credlink_core::object::ObjectKey;
use credlink_core::repair_mark::RepairMark;
use credlink_core::time::Timestamp;
use credlink_hybrid::Hybrid;
use credlink_pair::repair_mark::lower;
use credlink_pair::replicate::run;
use credlink_ports::{Clock as _, Failure, Parts, Queue as _};
use credlink_service::{Service, Settings};

use crate::worker::{self, drain};

use credlink_auth::gate::Gate;
use credlink_aws::dynamodb::{self, DynamoIndex};
use credlink_aws::sqs::{self, SqsQueue};
use credlink_aws::{Error, http_client, plain_config, sdk_config};
use credlink_cache::folder::FolderSettings;
use credlink_cache::redis::RedisSettings;
use credlink_cache::{Layered, Layers};
use credlink_disk::folder::FolderError;
use credlink_disk::foreign::Foreign;
use credlink_disk::private::make_private_folder;
use credlink_disk::reserve::Reserve;
use credlink_embedded::index::{EmbeddedError, EmbeddedIndex};
use credlink_embedded::queue::{EmbeddedQueue, QueueError};
use credlink_metrics::catalogue::QUEUE_DEPTH;
use credlink_metrics::metered::Metered;
use credlink_pair::Replicated;
use credlink_runtime::clock::SystemClock;
use credlink_runtime::threads::Threads;

use crate::configuration::{Configuration, IndexChoice, QueueChoice};
use crate::legacy::{self, LegacySource};
use crate::local::{IndexLost, NewIndex, ObjectsLost, index_path};
use crate::provider::{self, Provider, ProviderSettings};

pub use jobs::QueuedJobs;
use jobs::{LastSource, Listing};
pub use note::{Note, NoteError};
pub use rows::Rows;
pub use store::Store;
pub use waiting::Waiting;

/// The ports of a deployment.
pub type Deployed = Parts<Store, Arc<Rows>, Layered, SystemClock, Metered, Gate, QueuedJobs>;

/// Time that links work to objects that are too large for an answer, in seconds.
const LINK_SECONDS: u64 = 300;

/// Deliveries after which a message in the embedded queue is loudly left alone.
const ATTEMPTS: u32 = 10;

/// Messages that are put back in one go.
const PUT_BACK_PAGE: usize = 100;

/// The parameters with which a deployment is opened.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The operator's variables.
    pub configuration: &'a Configuration,
    /// The folder for everything that is kept on this machine; a Lambda has none.
    pub data_folder: Option<&'a Path>,
    /// A file that the operator has put into that folder for the deployment: it does not make the folder somebody else's.
    pub own_file: Option<&'a Path>,
    /// The gate that decides who is let in.
    pub gate: Gate,
    /// The part of a link before its path, without a slash at the end.
    pub public_url: String,
    /// The keys of signed links.
    pub link_keys: Option<LinkKeys>,
    /// `true` if reads of proofs are counted in their rows.
    pub count_reads: bool,
    /// Memory for pages of an index in the folder, in bytes: [`SERVING_CACHE_BYTES`](credlink_embedded::index::SERVING_CACHE_BYTES) or
    /// [`PASSING_CACHE_BYTES`](credlink_embedded::index::PASSING_CACHE_BYTES).
    pub index_cache_bytes: usize,
    /// States if an index may be made in the folder over objects that are there already.
    pub new_index: NewIndex,
}

/// The results of a check of everything on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Descriptions of what is wrong, each with what would mend it.
    pub wrong: Vec<String>,
    /// `true` if the service can work all the same: with the index, and one provider.
    pub is_usable: bool,
}

/// The surroundings of a deployment: as production has it ([`Surroundings::of`]), or engines on this machine.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The configuration that the clients of AWS share: connections, credentials and the region.
    pub aws: SdkConfig,
    /// The endpoint of DynamoDB, if it is not where `aws` says: `http://127.0.0.1:8000`.
    pub dynamodb: Option<String>,
    /// The endpoint of SQS, if it is not where `aws` says.
    pub sqs: Option<String>,
    /// Settings for how two providers work together.
    pub replicated: credlink_pair::Settings,
}

impl Surroundings {
    /// Those of a configuration. The SDK's chain of credentials and regions is asked.
    pub async fn of(configuration: &Configuration) -> Self {
        Self {
            aws: shared_config(configuration).await,
            dynamodb: None,
            sqs: None,
            replicated: credlink_pair::Settings {
                // So that the other provider can still be asked.
                timeout: configuration.limits.operation / 2,
                hedge: configuration.hedge,
                ..credlink_pair::Settings::default()
            },
        }
    }
}

/// The reasons why a deployment could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something is to be kept on this machine, where nothing is kept.
    #[error("{0} would be kept in a folder of this machine, which has none; set {1}")]
    NoFolder(&'static str, &'static str),
    /// A provider.
    #[error(transparent)]
    Provider(#[from] provider::OpenError),
    /// The folder holds other files, and no CredLink.
    #[error(transparent)]
    Foreign(#[from] Foreign),
    /// The index in the folder.
    #[error(transparent)]
    Index(#[from] EmbeddedError),
    /// The index is not in the folder, and objects are.
    #[error(transparent)]
    Lost(#[from] IndexLost),
    /// The objects are not in the folder, and their index is.
    #[error(transparent)]
    ObjectsLost(#[from] ObjectsLost),
    /// The queue in the folder.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The legacy source.
    #[error(transparent)]
    Legacy(#[from] legacy::OpenError),
}

/// The service with all its adapters.
#[derive(Debug)]
pub struct Deployment {
    service: Service<Deployed>,
    rows: Arc<Rows>,
    waiting: Arc<Waiting>,
    cdn_url: Option<String>,
    /// Serves beside a legacy store, where there is one.
    hybrid: Option<Hybrid<LegacySource>>,
    last_source: LastSource,
}

impl Deployment {
    /// Opens a deployment. What is on the network is not asked for anything yet: see [`Deployment::check`].
    ///
    /// # Errors
    /// What is on this machine cannot be opened.
    pub async fn open(opening: Opening<'_>) -> Result<Self, OpenError> {
        let surroundings = Surroundings::of(opening.configuration).await;
        Self::open_in(opening, surroundings)
    }

    /// Opens a deployment in surroundings of one's own. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Deployment::open`].
    pub fn open_in(opening: Opening<'_>, surroundings: Surroundings) -> Result<Self, OpenError> {
        let configuration = opening.configuration;
        let folder = opening.data_folder;
        let Surroundings { aws, dynamodb, sqs, replicated } = surroundings;
        if let (IndexChoice::Embedded, "folder", Some(folder)) =
            (&configuration.index, configuration.primary.name(), folder)
        {
            ObjectsLost::check(folder, configuration.primary.own_folder().unwrap_or(folder))?;
        }
        let providers = [Some(&configuration.primary), configuration.fallback.as_ref()];
        let mut folders = providers.into_iter().flatten().filter(|provider| provider.name() == "folder");
        // Where index and objects are elsewhere, it has room for a full disk alone.
        let is_worked_in = matches!(configuration.index, IndexChoice::Embedded)
            || folders.any(|provider| provider.own_folder().is_none());
        if let Some(folder) = folder.filter(|_| is_worked_in) {
            Foreign::check(folder, opening.own_file)?;
        }
        // The folder's lock comes first: who holds it may open the index.
        let primary = configuration.primary.open(&aws, folder)?;
        let fallback = match &configuration.fallback {
            Some(settings) => Some(settings.open(&aws, folder)?),
            None => None,
        };
        if let (IndexChoice::Embedded, Some(folder)) = (&configuration.index, folder) {
            // It may be another one than that of the objects.
            let failed = |source| FolderError::Io { path: folder.to_owned(), source };
            make_private_folder(folder).map_err(|error| provider::OpenError::from(failed(error)))?;
        }
        let reserve = reserve(folder, &primary, fallback.as_ref());
        let place = configuration.primary.place(folder);
        let limits = configuration.limits;
        let rows = Arc::new(match &configuration.index {
            IndexChoice::DynamoDb(table) => {
                let settings = dynamodb::Settings { table: table.clone(), endpoint: dynamodb, limits };
                Rows::DynamoDb(DynamoIndex::new(&aws, settings))
            }
            IndexChoice::Embedded => {
                let folder = folder.ok_or(OpenError::NoFolder("the index", "CREDLINK_TABLE"))?;
                let providers = [Some(&configuration.primary), configuration.fallback.as_ref()];
                let folders = providers.into_iter().flatten().filter_map(ProviderSettings::own_folder);
                opening.new_index.check(folder, folders)?;
                let (path, cache_bytes) = (index_path(folder), opening.index_cache_bytes);
                let reserve = reserve.clone().unwrap_or_else(|| Reserve::at(folder));
                Rows::Embedded(EmbeddedIndex::open_beside(path, cache_bytes, reserve)?)
            }
        });
        let waiting = Arc::new(match (&configuration.queue, &fallback) {
            (QueueChoice::Sqs(url), _) => {
                let settings = sqs::Settings { queue_url: url.clone(), endpoint: sqs, limits };
                Waiting::Sqs(SqsQueue::new(&aws, settings))
            }
            // With one provider, nothing ever waits.
            (QueueChoice::Embedded, None) => Waiting::Nothing,
            (QueueChoice::Embedded, Some(_)) => {
                let folder = folder.ok_or(OpenError::NoFolder("the queue", "CREDLINK_QUEUE_URL"))?;
                let path = folder.join("queue.redb");
                let reserve = reserve.unwrap_or_else(|| Reserve::at(folder));
                Waiting::Embedded(EmbeddedQueue::open_beside(path, SystemClock, reserve)?)
            }
        });
        let objects = match fallback {
            None => Store::One(primary),
            Some(fallback) => {
                let (queue, index) = (Arc::clone(&waiting), Arc::clone(&rows));
                let pair = Replicated::new(primary, fallback, queue, index, SystemClock, replicated);
                Store::Two(Arc::new(pair))
            }
        };
        let parts = Parts {
            objects,
            index: Arc::clone(&rows),
            cache: Layered::new(layers(configuration)),
            clock: SystemClock,
            events: Metered::new(),
            authenticator: opening.gate,
            jobs: QueuedJobs::new(
                Arc::clone(&rows),
                Arc::clone(&waiting),
                place,
                configuration.migration_sources.clone(),
            ),
        };
        let jobs = parts.jobs.clone();
        let settings = Settings {
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
        // A function does not live long enough to walk over a source, or to import proofs beside its answers.
        let legacy = configuration.legacy.as_ref().map(|settings| match folder {
            Some(_) => settings.open(&aws, true),
            None => settings.open_queued(&aws, jobs),
        });
        let hybrid = legacy.transpose()?.map(Hybrid::new);
        Ok(Self { service, rows, waiting, cdn_url, hybrid, last_source: LastSource::default() })
    }

    /// The service.
    #[must_use]
    pub const fn service(&self) -> &Service<Deployed> {
        &self.service
    }

    /// The service alone, for whoever asks for nothing else.
    #[must_use]
    pub fn into_service(self) -> Service<Deployed> {
        self.service
    }

    /// Returns the store of the objects.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.service.ports().objects
    }

    /// Returns the rows of the index.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The legacy source, where there is one.
    #[must_use]
    pub fn legacy(&self) -> Option<&LegacySource> {
        self.hybrid.as_ref().map(Hybrid::legacy)
    }

    /// Returns the queue in which work waits.
    #[must_use]
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Looks whether what is on the network can be used. Nothing is changed anywhere.
    pub async fn check(&self) -> Checked {
        let providers = self.store().check().await;
        let in_words = |error: Error| error.to_string();
        let index = self.rows.check().await.err().map(in_words);
        let queue = self.waiting.check().await.err().map(in_words);
        let is_usable = providers.len() < self.store().each().len() && index.is_none();
        Checked { wrong: providers.into_iter().chain(index).chain(queue).collect(), is_usable }
    }

    /// Does the work of a message, which was handed out `attempts` times, this time included.
    ///
    /// # Errors
    /// An error that says in words what could not be done. The same message again does the rest.
    pub async fn work(&self, message: &Message, attempts: u32) -> Result<(), String> {
        match &message.work {
            Work::Replicate { to, keys, mark } => self.replicate(*to, keys, *mark).await,
            Work::Migrate { job, keys } => Box::pin(self.migrate(message, job, keys, attempts)).await,
            Work::Enumerate { job, run, after, batch_size } => {
                let listing = Listing { job, run, after: after.as_deref(), batch_size: *batch_size };
                Box::pin(self.enumerate(message, listing)).await
            }
        }
    }

    async fn replicate(
        &self,
        to: Replica,
        keys: &[ObjectKey],
        mark: Option<RepairMark>,
    ) -> Result<(), String> {
        let Store::Two(pair) = self.store() else {
            return Err("there is no fallback provider: set STORAGE_FALLBACK_PROVIDER".to_owned());
        };
        self.service.may_repair().await.map_err(|error| error.to_string())?;
        let now = SystemClock.now();
        let done = run(to, keys, pair.primary(), pair.fallback(), &*self.rows, now).await;
        for (key, _) in
            done.iter().filter(|(_, done)| done.as_ref().is_ok_and(|outcome| outcome.is_a_change()))
        {
            self.note_for_edge(key);
        }
        self.service.announce().await;
        let failed: Vec<String> =
            done.into_iter().filter_map(|(_, done)| done.err()).map(|error| error.to_string()).collect();
        if !failed.is_empty() {
            return Err(failed.join("; "));
        }
        match mark {
            None => Ok(()),
            Some(mark) => lower(&*self.rows, to, mark).await.map_err(|failure| failure.to_string()),
        }
    }

    /// Works the queue of this machine off, until it hands out nothing. Nothing is repaired by an index in doubt.
    ///
    /// # Errors
    /// The queue failed.
    pub async fn drain(&self) -> Result<worker::Report, Failure> {
        let (Store::Two(pair), Waiting::Embedded(queue)) = (self.store(), &*self.waiting) else {
            return Ok(worker::Report::default());
        };
        // It waits for an operator, as the queue does.
        if self.service.may_repair().await.is_err() {
            return Ok(worker::Report::default());
        }
        let limits = worker::Limits { attempts: ATTEMPTS, ..worker::Limits::default() };
        let changed = |key: &ObjectKey| self.note_for_edge(key);
        let drained =
            drain(queue, pair.primary(), pair.fallback(), &*self.rows, &SystemClock, limits, changed).await;
        self.service.announce().await;
        drained
    }

    /// The edge reads from the fallback: where that was behind, the edge may have read it since the change itself.
    fn note_for_edge(&self, key: &ObjectKey) {
        self.service.ports().cache.note_for_edge(key);
    }

    /// Puts back what the queue of this machine has put aside after too many attempts: an outage may have outlasted
    /// them. Repairs are idempotent, so one that can never be done costs a look and a line in the log. Returns the
    /// number of messages that were put back.
    ///
    /// # Errors
    /// The queue failed. What was put back is back.
    pub async fn put_back(&self) -> Result<u64, Failure> {
        let Waiting::Embedded(queue) = &*self.waiting else { return Ok(0) };
        let mut count = 0;
        loop {
            let aside = queue.dead(None, PUT_BACK_PAGE).await?;
            if aside.is_empty() {
                return Ok(count);
            }
            for message in aside {
                count += u64::from(queue.put_back(message.number).await?);
            }
        }
    }

    /// Returns the number of messages that wait; the metric of the queue's depth says so from then on.
    ///
    /// # Errors
    /// The queue failed.
    pub async fn depth(&self) -> Result<u64, Failure> {
        let depth = self.waiting.depth().await?;
        #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than 52 bits")]
        metrics::gauge!(QUEUE_DEPTH).set(depth as f64);
        Ok(depth)
    }

    /// Aborts uploads that were begun before `before` and never ended, at every provider; how many there were.
    ///
    /// # Errors
    /// A provider failed.
    pub async fn abort_uploads(&self, before: Timestamp) -> Result<u64, Failure> {
        self.store().abort_uploads(before).await
    }

    /// A link to an object that works for some minutes: on the CDN domain where anybody may read it, or else signed by
    /// the provider.
    pub async fn link(&self, key: &ObjectKey, is_private: bool) -> Option<String> {
        match &self.cdn_url {
            Some(url) if !is_private => Some(format!("{url}/{key}")),
            _ => self.store().link(key, LINK_SECONDS).await,
        }
    }
}

/// The room that is kept for a full disk in the folder of this machine, if there is one. Objects in folders of their own have
/// a reserve each, as those may be on other disks.
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

/// Makes the configuration that the clients of AWS share. The chain of credentials and regions, which may ask the
/// network, is left alone where nothing of AWS is used.
async fn shared_config(configuration: &Configuration) -> SdkConfig {
    let is_s3 = |settings: &ProviderSettings| settings.name() == "s3";
    let is_used = is_s3(&configuration.primary)
        || configuration.fallback.as_ref().is_some_and(is_s3)
        || configuration.legacy.as_ref().is_some_and(legacy::Settings::is_s3)
        || matches!(configuration.index, IndexChoice::DynamoDb(_))
        || matches!(configuration.queue, QueueChoice::Sqs(_));
    if is_used {
        sdk_config(http_client(), configuration.region.as_deref(), &configuration.limits).await
    } else {
        plain_config(http_client())
    }
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
