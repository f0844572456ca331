//! A world to test in: the whole service over chosen adapters, with a clock that stands still.

mod either;
pub mod tokens;

use std::sync::Arc;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_cache::MemoryCache;
use credlink_core::bounds::MAX_BODY_BYTES;
use credlink_core::http::problem::Problem;
use credlink_core::link::{LinkKey, LinkKeys};
use credlink_core::row::Totals;
use credlink_core::time::Timestamp;
use credlink_deployment::data_folder::index_path;
use credlink_disk::folder::Folder;
use credlink_embedded::index::EmbeddedIndex;
use credlink_metrics::counters::Counters;
use credlink_migrate_service::ServiceDestination;
use credlink_ports::doubles::ManualClock;
use credlink_ports::doubles::{MemoryIndex, MemoryObjects};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{Clock as _, Index as _, Objects as _, Parts, Ports as _};
use credlink_service::cleanup::{Limits, Report, cleanup};
use credlink_service::fsck::{Finding, Severity, fsck};
use credlink_service::{Service, ServiceSettings};
use either::{EitherIndex, EitherObjects};
use http::{Request, Response};
use tempfile::TempDir;

use crate::engines::dynoxide;

/// The URL with which the links of a world begin.
pub const PUBLIC_URL: &str = "https://credlink.test";

/// The adapters of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The in-memory adapters, which enforce the contracts.
    Memory,
    /// The adapters of `credlink serve`: a folder and an embedded index.
    Folder,
    /// Objects in memory, and the index on DynamoDB.
    Dynamo,
}

/// The ports of a world.
pub type Ports = Parts<EitherObjects, EitherIndex, MemoryCache, ManualClock, Counters, Gate>;

/// A service over chosen adapters. Clones are one world.
#[derive(Clone)]
pub struct World {
    service: Arc<Service<Ports>>,
    _folder: Option<Arc<TempDir>>,
}

impl World {
    /// A world in which every caller is trusted, at noon on the first day of 2026.
    pub fn on(ground: Ground) -> Self {
        Self::behind(ground, Gate::of(None, None))
    }

    /// A world that requires [`tokens`].
    pub fn with_tokens(ground: Ground) -> Self {
        Self::behind(ground, Gate::of(Some(tokens::all()), None))
    }

    /// An in-memory world of one tenant behind this authenticator.
    pub fn single(gate: Gate) -> Self {
        Self::with(Ground::Memory, gate, false)
    }

    /// A world of several tenants behind this authenticator.
    pub fn behind(ground: Ground, gate: Gate) -> Self {
        Self::with(ground, gate, true)
    }

    fn with(ground: Ground, gate: Gate, has_tenants: bool) -> Self {
        let clock = ManualClock::at("2026-01-01T12:00:00.250Z".parse().unwrap());
        let (objects, index, folder) = match ground {
            Ground::Memory => {
                let objects = EitherObjects::Memory(MemoryObjects::with_clock(clock.clone()));
                (objects, EitherIndex::Memory(MemoryIndex::new()), None)
            }
            Ground::Dynamo => {
                let objects = EitherObjects::Memory(MemoryObjects::with_clock(clock.clone()));
                (objects, EitherIndex::Dynamo(Box::new(dynoxide::index_of_a_world())), None)
            }
            Ground::Folder => {
                let folder = tempfile::tempdir().unwrap();
                let objects = EitherObjects::Folder(Folder::open(folder.path().join("objects")).unwrap());
                let index = EitherIndex::Embedded(EmbeddedIndex::open(index_path(folder.path())).unwrap());
                (objects, index, Some(Arc::new(folder)))
            }
        };
        let events = Counters::default();
        let parts = Parts {
            objects,
            index,
            cache: MemoryCache::new(),
            clock,
            events,
            authenticator: gate,
            jobs: NoJobs,
        };
        let current = LinkKey::new("first", vec![7; 32]).unwrap();
        let link_keys = Some(LinkKeys { current, previous: None });
        let settings = ServiceSettings {
            public_url: PUBLIC_URL.to_owned(),
            link_keys,
            count_reads: true,
            notice_on_read: true,
            has_tenants,
        };
        Self { service: Arc::new(Service::new(parts, settings).unguarded()), _folder: folder }
    }

    /// Answers a request, with the body bounded as every host bounds it.
    pub async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let bounded = async move {
            if body.len() > MAX_BODY_BYTES {
                return Err(Problem::too_large("a request body", MAX_BODY_BYTES));
            }
            Ok(body)
        };
        self.service.handle(&parts, bounded).await
    }

    /// Answers a request whose body must not be read.
    pub async fn answer_without_reading(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, _) = request.into_parts();
        self.service
            .handle(&parts, async { panic!("{} {}: the body was read", parts.method, parts.uri) })
            .await
    }

    /// The service itself.
    pub fn service(&self) -> &Service<Ports> {
        &self.service
    }

    /// The world as the destination of a migration.
    pub fn destination(&self) -> ServiceDestination<Ports> {
        ServiceDestination::new(self.service.clone(), None)
    }

    /// The keys of everything that is stored.
    pub async fn keys(&self) -> Vec<String> {
        let page = self.service.ports().objects().list("", None, 1_000).await.unwrap();
        assert_eq!(page.next, None, "a test stores fewer objects than a page has");
        page.items.into_iter().map(|listed| listed.key).collect()
    }

    /// The clock.
    pub fn clock(&self) -> &ManualClock {
        &self.service.ports().clock
    }

    /// Sums over everything that is stored.
    pub async fn totals(&self) -> Totals {
        self.service.ports().index().totals().await.unwrap()
    }

    /// Cleans up once, to the end. Orphans of any age are removed, because no other process is at work, or because the
    /// test wants a race.
    pub async fn clean_up(&self) -> Report {
        let deadline: Timestamp = self.clock().now().plus_seconds(1_000_000_000);
        cleanup(&self.service, Limits { any_age: true, ..Limits::until(deadline) }, None).await.unwrap()
    }

    /// Cleans up what is due, and leaves young orphans alone, as the schedule does.
    pub async fn clean_up_on_schedule(&self) -> Report {
        let deadline: Timestamp = self.clock().now().plus_seconds(1_000_000_000);
        cleanup(&self.service, Limits::until(deadline), None).await.unwrap()
    }

    /// The findings of fsck of this severity, in words.
    pub async fn findings(&self, severity: Severity) -> Vec<String> {
        let mut found: Vec<Finding> = Vec::new();
        fsck(&self.service, |finding| found.push(finding)).await.unwrap();
        let chosen = found.into_iter().filter(|finding| finding.severity == severity);
        chosen.map(|finding| format!("{}: {}", finding.key, finding.what)).collect()
    }

    /// Asserts that no guarantee is broken.
    pub async fn assert_sound(&self) {
        assert_eq!(self.findings(Severity::Broken).await, [""; 0]);
    }

    /// Asserts that a cleanup leaves nothing over, and breaks nothing.
    pub async fn assert_tidy(&self) {
        self.assert_sound().await;
        let report = self.clean_up().await;
        assert_eq!(report.failed, 0, "{report:?}");
        self.assert_sound().await;
        assert_eq!(self.findings(Severity::Leftover).await, [""; 0]);
    }
}
