//! Buckets, a table and a queue, each behind a proxy, and deployments over them.

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_aws::{http_client, sdk_config};
use credlink_core::object::{Attributes, ObjectKey};
use credlink_core::replica::Replica;
use credlink_core::row::{ReplicaRow, Row, RowKey};
use credlink_core::rules::replica_lag::stands;
use credlink_deployment::configuration::{Configuration, Variables};
use credlink_deployment::deployment::{
    AnyIndex, AnyObjects, AnyQueue, Deployed, Deployment, Opening, Surroundings,
};
use credlink_deployment::provider::Provider;
use credlink_deployment::work::Dispatcher;
use credlink_deployment::work::drain::Limits;
use credlink_ports::{Clock as _, Index as _, Objects as _, Queue as _};
use credlink_replication::Replicated;
use credlink_runtime::clock::SystemClock;
use credlink_service::Service;
use credlink_service::fsck::{Severity, fsck};
use futures_util::stream::{self, StreamExt as _};
use http::{Method, Request, Response, Uri};

use crate::buckets;
use crate::engines::proxy::{Fault, Proxy};
use crate::engines::{dynoxide, ministack, r2, sqs, unique};

/// Number of polls after which a queue counts as never drained.
const ROUNDS: usize = 100;

/// Runs a test on a thread with more stack than tests have, since the futures of a whole deployment are large in an
/// unoptimised build.
pub fn with_stack(test: impl AsyncFnOnce() + Send + 'static) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
    };
    let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The permanent part of a world, over which processes come and go.
pub struct Site {
    pub bucket: String,
    pub r2_bucket: String,
    pub table: String,
    pub queue_url: String,
    /// The timeout of a call with its retries, in milliseconds (`STORAGE_TIMEOUT`).
    pub timeout: &'static str,
    /// Interval at which a process checks which provider is behind.
    pub look_every: Duration,
    pub redis: Option<String>,
    /// The address of the edge, and its token.
    pub edge: Option<(String, &'static str)>,
    pub s3: Proxy,
    pub r2: Proxy,
    pub dynamodb: Proxy,
    pub sqs: Proxy,
}

fn proxy(url: &str) -> Proxy {
    let address: SocketAddr = url.parse::<Uri>().unwrap().authority().unwrap().as_str().parse().unwrap();
    Proxy::to(address)
}

impl Site {
    /// An empty site.
    pub async fn new() -> Self {
        let bucket = unique("outage");
        buckets::make(&bucket).await;
        let index = dynoxide::index().await;
        let queue = sqs::queue().await;
        Self {
            bucket,
            r2_bucket: r2::bucket(),
            table: index.table().to_owned(),
            queue_url: queue.url().to_owned(),
            timeout: "10000",
            look_every: Duration::from_millis(500),
            redis: None,
            edge: None,
            s3: proxy(ministack::endpoint()),
            r2: proxy(r2::endpoint()),
            dynamodb: proxy(dynoxide::endpoint()),
            sqs: proxy(ministack::endpoint()),
        }
    }

    /// The proxy in front of an object provider.
    pub fn of(&self, replica: Replica) -> &Proxy {
        match replica {
            Replica::Primary => &self.s3,
            Replica::Fallback => &self.r2,
        }
    }

    /// The variables of a process at this site.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let r2_path = r2::endpoint().parse::<Uri>().unwrap().path().to_owned();
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", ministack::ACCESS_KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", ministack::SECRET.to_owned()),
            ("AWS_REGION", ministack::REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs.url()),
            ("STORAGE_PROVIDER", "s3".to_owned()),
            ("STORAGE_BUCKET", self.bucket.clone()),
            ("STORAGE_REGION", ministack::REGION.to_owned()),
            ("STORAGE_ENDPOINT", self.s3.url()),
            ("STORAGE_FALLBACK_PROVIDER", "r2".to_owned()),
            ("STORAGE_TIMEOUT", self.timeout.to_owned()),
            ("R2_BUCKET", self.r2_bucket.clone()),
            ("R2_ENDPOINT", format!("{}{}", self.r2.url(), r2_path.trim_end_matches('/'))),
            ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY.to_owned()),
            ("R2_SECRET_ACCESS_KEY", r2::SECRET.to_owned()),
            ("CREDLINK_TABLE", self.table.clone()),
            ("CREDLINK_QUEUE_URL", self.queue_url.clone()),
        ];
        variables.extend(self.redis.clone().map(|url| ("REDIS_URL", url)));
        if let Some((url, token)) = &self.edge {
            variables
                .extend([("CREDLINK_EDGE_URL", url.clone()), ("CREDLINK_EDGE_TOKEN", (*token).to_owned())]);
        }
        variables
    }

    /// A process that has just started, with empty caches and no knowledge of an outage.
    pub async fn process(&self) -> Process {
        let variables = self.variables();
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let configuration = Configuration::read(&Variables::new(find)).unwrap();
        let credentials = buckets::credentials(ministack::ACCESS_KEY, ministack::SECRET);
        let aws = sdk_config(http_client(), Some(ministack::REGION), &configuration.limits).await;
        let aws = aws.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials));
        let mut surroundings = Surroundings::of(&configuration).await;
        surroundings.aws = aws.build();
        surroundings.dynamodb = Some(self.dynamodb.url());
        surroundings.sqs = Some(self.sqs.url());
        surroundings.replicated.look_every = self.look_every;
        surroundings.replicated.repair_delay = 0;
        // Allows for the machine that runs the tests, not for the engine behind a proxy.
        surroundings.replicated.timeout = Duration::from_secs(5);
        let opening = Opening {
            configuration: &configuration,
            machine: None,
            gate: Gate::of(None, None),
            public_url: "https://credlink.test".to_owned(),
            link_keys: None,
            count_reads: false,
        };
        Process(Deployment::open_in(opening, surroundings).unwrap())
    }

    /// Forgets the requests received so far.
    pub fn requests(&self) {
        for proxy in [&self.s3, &self.r2, &self.dynamodb, &self.sqs] {
            proxy.requests();
        }
    }

    /// Ends all faults, so that everything passes again.
    pub fn end_outages(&self) {
        for proxy in [&self.s3, &self.r2, &self.dynamodb, &self.sqs] {
            proxy.set(Fault::Pass);
        }
    }

    /// Works through the queue, as the function behind it does, until it is empty.
    pub async fn repair(&self, when: &str) {
        let process = self.process().await;
        let (pair, queue) = (process.pair(), process.0.waiting());
        let limits = Limits { hidden_seconds: 1, ..Limits::default() };
        for _ in 0..ROUNDS {
            let (primary, fallback) = (pair.primary(), pair.fallback());
            let repairs = Dispatcher::repairing(primary, fallback, process.0.rows(), &SystemClock);
            let report = Box::pin(repairs.drain(queue, limits)).await.unwrap();
            assert_eq!(report.poisoned, 0, "{when}");
            if report.received == 0 && queue.depth().await.unwrap() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{when}: the queue is never empty");
    }

    /// The row of a provider that has missed something.
    pub async fn replica_row(&self, replica: Replica) -> Option<ReplicaRow> {
        let process = self.process().await;
        process.0.rows().get(&RowKey::Replica(replica)).await.unwrap().and_then(Row::replica)
    }

    /// Returns `true` if a provider counts as behind.
    pub async fn is_behind(&self, replica: Replica) -> bool {
        self.replica_row(replica).await.is_some_and(|row| stands(&row, SystemClock.now()))
    }

    /// Asserts that neither provider counts as behind.
    pub async fn check_no_flag(&self, when: &str) {
        for replica in [Replica::Primary, Replica::Fallback] {
            let row = self.replica_row(replica).await;
            let stands = row.as_ref().is_some_and(|row| stands(row, SystemClock.now()));
            assert!(!stands, "{when}: the {replica} counts as behind: {row:?}");
        }
    }

    /// Asserts that both providers hold the same, byte for byte, and that no guarantee is broken.
    pub async fn check_whole(&self, when: &str) {
        let process = self.process().await;
        let pair = process.pair();
        let (primary, fallback) = (contents(pair.primary()).await, contents(pair.fallback()).await);
        let keys = |held: &[Held]| held.iter().map(|held| held.0.clone()).collect::<Vec<_>>();
        assert_eq!(keys(&primary), keys(&fallback), "{when}");
        assert_eq!(primary, fallback, "{when}");
        // Sums lag, and lack what a process that ended had not written yet.
        process.0.rows().recount(None, 60_000).await.unwrap();
        let mut broken = Vec::new();
        let found = fsck(process.service(), |finding| {
            if finding.severity == Severity::Broken {
                broken.push(finding);
            }
        });
        let summary = Box::pin(found).await.unwrap();
        assert!(broken.is_empty() && summary.objects > 0, "{when}: {broken:#?}");
    }
}

/// An object, as its key, attributes and bytes.
type Held = (String, Attributes, Bytes);

/// The contents of a provider, except for tags, which R2 does not have.
async fn contents(provider: &Provider) -> Vec<Held> {
    let page = provider.list("", None, 1_000).await.unwrap();
    assert_eq!(page.next, None);
    let read = |key: String| async move {
        let parsed: ObjectKey = key.parse().unwrap();
        let object = provider.get(&parsed).await.unwrap().unwrap();
        (key, Attributes { tags: std::collections::BTreeMap::new(), ..object.head.attributes }, object.body)
    };
    stream::iter(page.items).map(|item| read(item.key)).buffered(8).collect().await
}

/// A deployment.
pub struct Process(pub Deployment);

impl Process {
    pub fn service(&self) -> &Service<Deployed> {
        self.0.service()
    }

    pub fn pair(&self) -> &Replicated<Provider, Provider, AnyQueue, AnyIndex> {
        match self.0.store() {
            AnyObjects::Two(pair) => pair,
            AnyObjects::One(_) => panic!("two providers are configured"),
        }
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        // The future is large, and the thread of a test has little stack.
        Box::pin(self.service().handle(&parts, async { Ok(body) })).await
    }

    /// Sends a request without a body.
    pub async fn ask(&self, method: Method, path: &str) -> Response<Bytes> {
        self.send(Request::builder().method(method).uri(path).body(Bytes::new()).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Response<Bytes> {
        self.ask(Method::GET, path).await
    }

    /// Returns the number of waiting messages.
    pub async fn depth(&self) -> u64 {
        self.0.depth().await.unwrap()
    }
}
