//! The use cases of files over doubles: a store that several processes have in common, some of which are cut off.

use std::future::ready;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_cache::{MemoryCache, NoCache};
use credlink_core::collection::Collections;
use credlink_core::file::{FocalPoint, Rejection, UploadId};
use credlink_core::link::{LinkKey, LinkKeys};
use credlink_core::object::{MediaKey, ObjectKey};
use credlink_core::row::{FileRow, QuotaRow, Row, RowKey, State, UploadRow};
use credlink_core::rules::quota::Limits;
use credlink_core::rules::renditions::RenditionPlan;
use credlink_core::rules::upload::Plan;
use credlink_files::{Files, FilesPorts, FilesSettings, Notices, Noticing, Others, WithFiles};
use credlink_metrics::counters::Counters;
use credlink_ports::doubles::faults::{FaultPlan, Faulty};
use credlink_ports::doubles::{ManualClock, MemoryIndex, MemoryObjects, MemoryQuarantine};
use credlink_ports::migration::jobs::NoJobs;
use credlink_ports::{
    Index, Listing, MadeRendition, Medium, NoManifests, NotRendered, Objects as _, Parts, RenderOrder,
    RenderedPicture, Renderer, Rendering, RenditionSigner, Replicas,
};
use credlink_service::plain::Plain;
use credlink_service::{Service, ServiceSettings};
use http::{Method, Request};
use serde_json::{Value, json};

/// A PNG, as far as its first bytes tell.
pub(super) const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\nthe pixels";

/// A renderer whose renditions follow from the original.
#[derive(Debug, Default)]
pub struct Copies {
    /// The refusal of every picture, if there is one.
    refusal: Option<Rejection>,
    /// The bytes that another version of an encoder adds.
    addition: &'static str,
}

impl Renderer for Copies {
    fn render(&self, original: Bytes, order: RenderOrder) -> Rendering<'_> {
        let plan = RenditionPlan::of(&order.collection, order.kind, 2_000, 1_000, order.focal);
        let made = plan.made.iter().map(|planned| MadeRendition {
            name: planned.name.clone(),
            width: planned.geometry.width,
            height: planned.geometry.height,
            bytes: [&original, planned.name.to_string().as_bytes(), self.addition.as_bytes()].concat().into(),
        });
        let picture = RenderedPicture {
            width: 2_000,
            height: 1_000,
            frames: 1,
            renditions: made.collect(),
            same: plan.same,
            thumbhash: None,
            details: None,
        };
        let refused = self.refusal.map(NotRendered::Refused);
        Box::pin(ready(refused.map_or(Ok(picture), Err)))
    }
}

/// The notices of arrivals.
#[derive(Debug, Default)]
struct Noted(Mutex<Vec<UploadId>>);

impl Notices for Noted {
    fn arrived(&self, upload: UploadId) -> Noticing<'_> {
        self.0.lock().unwrap().push(upload);
        Box::pin(ready(()))
    }
}

pub(super) type Ports =
    Parts<Faulty<MemoryObjects>, Faulty<MemoryIndex>, MemoryCache, ManualClock, Counters, Gate>;

/// The state that outlives a process.
pub(super) struct Ground {
    pub(super) objects: MemoryObjects,
    pub(super) index: MemoryIndex,
    pub(super) clock: ManualClock,
    pub(super) quarantine: MemoryQuarantine,
    pub(super) refusal: Option<Rejection>,
    pub(super) collections: Collections,
    pub(super) signer: Option<Arc<dyn RenditionSigner>>,
    /// The bytes that the encoder of this time adds to its renditions.
    pub(super) addition: &'static str,
}

/// A process.
pub(super) struct Process {
    pub(super) service: Service<Ports>,
    pub(super) files: Files<MemoryQuarantine>,
}

pub(super) fn random() -> Result<[u8; 20], String> {
    let (one, two) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(one.as_bytes());
    bytes[16..].copy_from_slice(&two.as_bytes()[..4]);
    Ok(bytes)
}

impl Ground {
    pub(super) fn new() -> Self {
        let clock = ManualClock::at("2026-01-01T12:00:00Z".parse().unwrap());
        Self {
            objects: MemoryObjects::with_clock(clock.clone()),
            index: MemoryIndex::new(),
            clock,
            quarantine: MemoryQuarantine::new(),
            refusal: None,
            collections: Collections::default(),
            signer: None,
            addition: "",
        }
    }

    pub(super) fn process(&self, plan: &FaultPlan) -> Process {
        let Process { service, files } = self.guarded(plan);
        Process { service: service.unguarded(), files }
    }

    /// A process whose service compares index, store and clock.
    pub(super) fn guarded(&self, plan: &FaultPlan) -> Process {
        let parts = Parts {
            objects: Faulty::new(self.objects.clone(), plan.clone()),
            index: Faulty::new(self.index.clone(), plan.clone()),
            cache: MemoryCache::new(),
            clock: self.clock.clone(),
            events: Counters::default(),
            authenticator: Gate::of(None, None),
            jobs: NoJobs,
        };
        let settings = ServiceSettings { notice_on_read: true, ..ServiceSettings::default() };
        Process { service: Service::new(parts, settings), files: self.use_cases() }
    }

    /// A service without a cache over this store and this index, which compares index, store and clock.
    pub(super) fn service_over<O: Replicas + Medium, I: Index>(
        &self,
        objects: O,
        index: I,
    ) -> Service<Parts<O, I, NoCache, ManualClock, Counters, Gate>> {
        let parts = Parts {
            objects,
            index,
            cache: NoCache,
            clock: self.clock.clone(),
            events: Counters::default(),
            authenticator: Gate::of(None, None),
            jobs: NoJobs,
        };
        Service::new(parts, ServiceSettings { notice_on_read: true, ..ServiceSettings::default() })
    }

    /// The use cases of files, over the quarantine.
    pub(super) fn use_cases(&self) -> Files<MemoryQuarantine> {
        let keys = LinkKeys { current: LinkKey::new("k", vec![7; 32]).unwrap(), previous: None };
        let files = FilesSettings {
            collections: Arc::new(self.collections.clone()),
            link_keys: keys,
            public_url: "https://credlink.test".to_owned(),
            tenant_limits: Limits::default(),
            owner_limits: Limits::default(),
            announcements_per_minute: 1_000,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            random,
            pause: |time| Box::pin(tokio::time::sleep(time)),
        };
        let renderer = Arc::new(Copies { refusal: self.refusal, addition: self.addition });
        let ports = FilesPorts {
            quarantine: self.quarantine.clone(),
            renderer,
            manifests: Arc::new(NoManifests),
            scanner: None,
            notices: Arc::new(Noted::default()),
        };
        let files = Files::new(ports, files);
        match &self.signer {
            Some(signer) => files.signing_with(Arc::clone(signer)),
            None => files,
        }
    }

    pub(super) fn sound(&self) -> Process {
        self.process(&FaultPlan::none())
    }

    /// Announces an upload and lets its bytes arrive, without anybody saying so.
    pub(super) async fn arrived(&self, collection: &str, bytes: &'static [u8], more: &Value) -> UploadId {
        let mut body = json!({"collection": collection, "type": "image/png", "size": bytes.len()});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let (status, answer) = self.sound().send(Method::POST, "/v1/uploads", &body).await;
        assert_eq!(status, 201, "{answer}");
        let id = answer["id"].as_str().unwrap().parse().unwrap();
        let row = self.upload(&id).await;
        assert!(matches!(Plan::of(row.size), Plan::Put(_)));
        assert!(self.quarantine.receive(&row, None, Bytes::from_static(bytes)));
        id
    }

    pub(super) async fn upload(&self, id: &UploadId) -> UploadRow {
        self.index.get(&RowKey::Upload(*id)).await.unwrap().and_then(Row::upload).unwrap()
    }

    pub(super) async fn quota(&self) -> (u64, u64, u64, u64) {
        let key = RowKey::Quota(Default::default(), None);
        let row = self.index.get(&key).await.unwrap().and_then(Row::quota);
        let QuotaRow { used, reserved, files, uploads, .. } =
            row.unwrap_or_else(|| QuotaRow::empty(Default::default(), None));
        (used, reserved, files, uploads)
    }

    pub(super) async fn rows(&self) -> Vec<Row> {
        self.index.list(&Listing::All, None, 1_000).await.unwrap().unwrap().items
    }

    pub(super) async fn files(&self) -> Vec<FileRow> {
        self.rows().await.into_iter().filter_map(Row::file).collect()
    }

    pub(super) async fn keys(&self, prefix: &str) -> Vec<String> {
        let page = self.objects.list(prefix, None, 1_000).await.unwrap();
        page.items.into_iter().map(|listed| listed.key).collect()
    }

    /// Asserts that each object of files has a row, and that each live row has its objects.
    pub(super) async fn assert_sound(&self, when: &str) {
        for prefix in [MediaKey::MEDIA, MediaKey::FILES] {
            for key in self.keys(prefix).await {
                let row = key.parse::<ObjectKey>().unwrap().row();
                assert!(self.index.get(&row).await.unwrap().is_some(), "{when}: {key} has no row");
            }
        }
        for row in self.files().await.into_iter().filter(|row| row.state == State::Live) {
            let record = ObjectKey::Media(MediaKey::File(row.id));
            assert!(self.objects.head(&record).await.unwrap().is_some(), "{when}: {record}");
            let blob = self.index.get(&RowKey::Blob(row.blob())).await.unwrap().and_then(Row::blob).unwrap();
            assert_eq!(blob.state, State::Live, "{when}");
            let originals = [MediaKey::Original(row.blob())];
            let renditions = blob.renditions.iter().map(|name| MediaKey::Rendition(row.blob(), name.clone()));
            for key in originals.into_iter().chain(renditions) {
                let key = ObjectKey::Media(key);
                assert!(self.objects.head(&key).await.unwrap().is_some(), "{when}: {key}");
            }
        }
    }

    /// A ground with one file, and the path of the file.
    pub(super) async fn with_file() -> (Self, String) {
        let ground = Self::new();
        let id = ground.arrived("item-photo", PICTURE, &of_item()).await;
        ground.sound().finalise(&id, Others::Possible).await.unwrap();
        let path = format!("/v1/files/{}", ground.files().await[0].id);
        (ground, path)
    }

    /// Asserts soundness while a finaliser may have been cut off: only the record of the file may have no row yet.
    pub(super) async fn assert_sound_but_for_uncommitted(&self, when: &str) {
        for key in self.keys(MediaKey::MEDIA).await {
            let row = key.parse::<ObjectKey>().unwrap().row();
            assert!(self.index.get(&row).await.unwrap().is_some(), "{when}: {key} has no row");
        }
        for row in self.files().await {
            let record = ObjectKey::Media(MediaKey::File(row.id));
            assert!(self.objects.head(&record).await.unwrap().is_some(), "{when}: {record}");
        }
    }
}

impl Process {
    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let handler = WithFiles::new(&self.files, &Plain);
        let answer = self.service.handle_by(&handler, &parts, ready(Ok(body.to_string().into()))).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    pub(super) async fn finalise(&self, id: &UploadId, others: Others) -> Result<(), String> {
        self.files.finalise(&self.service, id, others).await.map_err(|error| error.to_string())
    }

    pub(super) async fn sweep(&self) -> credlink_files::sweeper::Swept {
        self.files.sweep(&self.service, Others::Possible).await.unwrap()
    }
}

pub(super) fn of_item() -> Value {
    json!({"entity": {"type": "item", "id": "1"}, "focal": FocalPoint::CENTRE})
}
