//! The engines that functions run on: a bucket, a table and a queue of their own, and on request a second bucket, a
//! Redis and folders.

use std::time::Duration;

use credlink_auth::tokens::Trusted;
use credlink_aws::http_client;
use credlink_aws::sqs::SqsQueue;
use credlink_cache::NoCache;
use credlink_core::object::ObjectKey;
use credlink_dynamodb::DynamoIndex;
use credlink_metrics::counters::Counters;
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Objects, Parts};
use credlink_runtime::clock::SystemClock;
use credlink_s3::S3Objects;
use credlink_service::fsck::{Finding, Severity, fsck};
use credlink_service::{Service, ServiceSettings};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::buckets;
use crate::engines::dynoxide::{self, index_at, patient};
use crate::engines::redis::Server;
use crate::engines::{free_port, ministack, r2, sqs, unique};
use crate::world::tokens;

/// The public URL with which the links that the functions return begin.
pub const PUBLIC_URL: &str = "https://credlink.example.com";

/// The key that signs links: `first`, with a secret of 32 bytes in hexadecimal digits.
pub const LINK_KEYS: &str = "first:0707070707070707070707070707070707070707070707070707070707070707";

/// The service in this process, which inspects what functions have left behind.
pub type Inside = Service<Parts<S3Objects, DynamoIndex, NoCache, SystemClock, Counters, Trusted>>;

/// The engines that functions use.
pub struct Ground {
    /// The primary.
    pub s3: S3Objects,
    /// The fallback.
    pub r2: Option<S3Objects>,
    /// The index.
    pub index: DynamoIndex,
    /// The queue.
    pub queue: SqsQueue,
    /// The second layer of the cache.
    redis: Option<Server>,
    /// The third layer of the cache, with a folder for each process.
    folder: Option<TempDir>,
}

impl Ground {
    /// S3, DynamoDB and SQS, all empty.
    pub async fn plain() -> Self {
        let index = dynoxide::index().await;
        Self {
            s3: buckets::s3().await,
            r2: None,
            index,
            queue: sqs::queue().await,
            redis: None,
            folder: None,
        }
    }

    /// Like [`plain`](Self::plain), with R2 as the fallback.
    pub async fn pair() -> Self {
        Self { r2: Some(buckets::r2().await), ..Self::plain().await }
    }

    /// Like [`pair`](Self::pair), with all layers of the cache.
    pub async fn whole() -> Self {
        let redis = Some(Server::at(free_port()));
        Self { redis, folder: Some(tempfile::tempdir().unwrap()), ..Self::pair().await }
    }

    /// The variables of a new process of the function `name`: those that `template.yaml` sets, and the engines'
    /// addresses.
    pub fn variables(&self, name: &str) -> Vec<(String, String)> {
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", ministack::SECRET.to_owned()),
            ("AWS_REGION", ministack::REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynoxide::endpoint().to_owned()),
            ("AWS_ENDPOINT_URL_SQS", ministack::endpoint().to_owned()),
            ("STORAGE_PROVIDER", "s3".to_owned()),
            ("STORAGE_REGION", ministack::REGION.to_owned()),
            ("STORAGE_BUCKET", self.s3.settings().bucket.clone()),
            ("STORAGE_ENDPOINT", ministack::endpoint().to_owned()),
            // Long enough for a machine that is building at the same time.
            ("STORAGE_TIMEOUT", "25000".to_owned()),
            ("CREDLINK_TABLE", self.index.table().to_owned()),
            ("CREDLINK_QUEUE_URL", self.queue.url().to_owned()),
            ("CREDLINK_PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("CREDLINK_LINK_KEYS", LINK_KEYS.to_owned()),
            ("CREDLINK_TOKENS", tokens::file()),
            ("CREDLINK_TENANTS", "several".to_owned()),
            ("RUST_LOG", "info".to_owned()),
        ];
        if let Some(r2) = &self.r2 {
            variables.extend([
                ("STORAGE_FALLBACK_PROVIDER", "r2".to_owned()),
                ("R2_ACCOUNT_ID", "0123456789abcdef0123456789abcdef".to_owned()),
                ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY.to_owned()),
                ("R2_SECRET_ACCESS_KEY", r2::SECRET.to_owned()),
                ("R2_BUCKET", r2.settings().bucket.clone()),
                ("R2_ENDPOINT", r2::endpoint().to_owned()),
            ]);
        }
        variables.extend(self.redis.as_ref().map(|redis| ("REDIS_URL", redis.url())));
        let folder =
            self.folder.as_ref().map(|folder| folder.path().join(unique(name)).display().to_string());
        variables.extend(folder.map(|folder| ("CREDLINK_CACHE_FOLDER", folder)));
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A ground over the same bucket and table without a fallback, as it was before a fallback was added.
    pub async fn alone(&self) -> Self {
        let table = self.index.table();
        let index = index_at(dynoxide::endpoint(), table, http_client(), patient()).await;
        Self { s3: self.s3.clone(), index, ..Self::plain().await }
    }

    /// A ground over the same bucket with another table.
    pub async fn beside(&self, index: DynamoIndex) -> Self {
        Self { s3: self.s3.clone(), index, ..Self::plain().await }
    }

    /// The service in this process, over the primary and the index.
    pub async fn inside(&self) -> Inside {
        let parts = Parts {
            objects: self.s3.clone(),
            index: index_at(dynoxide::endpoint(), self.index.table(), http_client(), patient()).await,
            cache: NoCache,
            clock: SystemClock,
            events: Counters::default(),
            authenticator: Trusted,
            jobs: NoJobs,
        };
        let public_url = PUBLIC_URL.to_owned();
        Service::new(
            parts,
            ServiceSettings {
                public_url,
                link_keys: None,
                count_reads: false,
                notice_on_read: false,
                has_tenants: true,
            },
        )
    }

    /// Asserts that fsck finds nothing broken while no function is running. A process that commits often holds its sums
    /// back for ten seconds, and the tests end processes before that. The sums are therefore counted anew first, as the
    /// schedule does.
    pub async fn assert_sound(&self) {
        self.index.recount(None, Instant::now() + Duration::from_secs(600)).await.unwrap();
        let mut broken: Vec<Finding> = Vec::new();
        let inside = self.inside().await;
        let note = |finding: Finding| {
            if finding.severity == Severity::Broken {
                broken.push(finding);
            }
        };
        fsck(&inside, note).await.unwrap();
        assert_eq!(broken, []);
    }
}

/// Every object of a bucket: its key, its bytes and its attributes.
pub async fn everything(bucket: &S3Objects) -> Vec<(String, Vec<u8>, String)> {
    let mut all = Vec::new();
    let listed = bucket.list("", None, 1_000).await.unwrap();
    assert_eq!(listed.next, None);
    for listed in listed.items {
        let key = listed.key.parse().unwrap();
        if key == ObjectKey::Identity {
            continue;
        }
        let object = Objects::get(bucket, &key).await.unwrap().unwrap();
        all.push((listed.key, object.body.to_vec(), format!("{:?}", object.head.attributes)));
    }
    all
}
