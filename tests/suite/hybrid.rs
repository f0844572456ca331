//! Serving beside a legacy source: a proof that is not migrated yet is answered with the record that its migration
//! creates, and is imported. With the cloud storage off, only the source is read and written.
//!
//! A [`Ground`] is the service of a folder beside a folder or a bucket of legacy records, in this process. `served` uses the
//! binary, and `rows` looks at the rows.

mod rows;
mod served;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use credlink_auth::gate::Gate;
use credlink_aws::{http_client, plain_config};
use credlink_core::legacy::LegacyRecord;
use credlink_core::tenant::Tenant;
use credlink_core::testing::manifest_store;
use credlink_core::time::Timestamp;
use credlink_deployment::configuration::Variables;
use credlink_deployment::legacy::{LegacySettings, LegacySource};
use credlink_deployment::local::{Local, open};
use credlink_hybrid::Hybrid;
use credlink_hybrid::records::Report;
use credlink_service::fsck::fsck;
use credlink_service::{Service, ServiceSettings};
use data_encoding::BASE64;
use http::header::{ETAG, IF_MATCH, LOCATION, RETRY_AFTER};
use http::{Method, Request, Response, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::engines::proxy::{Fault, Proxy};
use crate::engines::r2;
use crate::http::ask::{ask, get, json as request, media, proof, proof_path, with};

const ID: &str = "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

/// The legacy record of a file, with a legacy ID.
fn legacy(name: &str, id: &str) -> String {
    let hash = media(name).digest().to_string();
    format!(
        r#"{{"proofId":"{id}","imageHash":"{hash}","manifest":{{ "of" : "{name}" }},"signature":"c2ln","timestamp":1600000000000,"metadata":{{"a":[1.50]}}}}"#
    )
}

/// The bytes that the migration of a record stores.
fn migrated(text: &str) -> Bytes {
    let draft = LegacyRecord::parse(text.as_bytes()).unwrap().draft(Tenant::default());
    draft.record(1, Timestamp::from_milliseconds(0)).to_bytes()
}

struct Ground {
    data: TempDir,
    records: TempDir,
    service: Arc<Service<Local>>,
    source: Hybrid<LegacySource>,
}

fn settings(place: &str, more: &[(&str, &str)]) -> LegacySettings {
    let find = |name: &str| match name {
        "CREDLINK_LEGACY_SOURCE" => Some(place.to_owned()),
        _ => more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    };
    LegacySettings::read(&Variables::new(find)).unwrap().unwrap()
}

fn service(data: &Path) -> Arc<Service<Local>> {
    let settings =
        ServiceSettings { public_url: "http://127.0.0.1".to_owned(), ..ServiceSettings::default() };
    Arc::new(open(data, Gate::of(None, None), settings).unwrap())
}

impl Ground {
    /// A ground beside a folder that holds these records, given by the paths of their files.
    fn over(records: &[(&str, String)]) -> Self {
        Self::with(records, &[], true)
    }

    fn with(records: &[(&str, String)], more: &[(&str, &str)], has_catalogue: bool) -> Self {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, text) in records {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self::opened(data, folder, more, has_catalogue)
    }

    fn opened(data: TempDir, records: TempDir, more: &[(&str, &str)], has_catalogue: bool) -> Self {
        let place = format!("dir:{}", records.path().display());
        let source = settings(&place, more).open(&plain_config(http_client()), has_catalogue).unwrap();
        let service = service(data.path());
        Self { data, records, service, source: Hybrid::new(source) }
    }

    /// The same folders in another process with other variables.
    fn again(self, more: &[(&str, &str)]) -> Self {
        let Self { data, records, service, source } = self;
        drop((service, source));
        Self::opened(data, records, more, true)
    }

    async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        send(&self.source, &self.service, request).await
    }

    async fn walk(&self) {
        self.source.legacy().walk().await.unwrap();
    }

    async fn import(&self) -> Report {
        self.source.legacy().import_requested(&self.service).await
    }

    async fn assert_whole(&self) {
        let mut findings = Vec::new();
        fsck(&self.service, |finding| findings.push(finding)).await.unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
}

async fn send(
    source: &Hybrid<LegacySource>,
    service: &Service<Local>,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    service.handle_by(source, &parts, async { Ok(body) }).await
}

const OFF: &[(&str, &str)] = &[("CREDLINK_CLOUD_STORAGE", "off")];
const ONE: Report = Report { imported: 1, failed: 0 };

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn by_hash(name: &str) -> String {
    format!("/v1/proofs?media_hash={}", media(name))
}

/// Only the tenant whose proofs the records become can bind their IDs, whether or not they were read before.
#[tokio::test]
async fn an_id_of_the_legacy_source_is_its_tenants() {
    let records = [("leg-1.json", legacy("a", "leg-1"))];
    let ground = Ground::with(&records, &[("CREDLINK_LEGACY_TENANT", "acme")], true);
    ground.walk().await;
    let body = |name: &str| json!({"media_hash": media(name).to_string(), "manifest": {"of": name}});
    assert_eq!(ground.send(request(Method::POST, "/v1/proofs", &body("b"))).await.status(), 201);
    let bind = async |id: &str| {
        let bound = json!({"proof": proof("b").to_string()});
        ground.send(request(Method::PUT, &format!("/v1/aliases/{id}"), &bound)).await
    };
    let refused = bind("leg-1").await;
    assert_eq!(
        (refused.status().as_u16(), &self::body(&refused)["detail"]),
        (409, &json!("the legacy id `leg-1` is another tenant's"))
    );
    let mut taken = body("c");
    taken["origin"] =
        json!({"created": "2020-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z", "legacy_id": "leg-1"});
    let refused = ground.send(request(Method::POST, "/v1/proofs", &taken)).await;
    assert_eq!(refused.status(), 409, "{:?}", refused.body());
    assert_eq!(ground.send(get(&proof_path("c"))).await.status(), 404, "nothing is stored of it");
    assert_eq!(bind("free-1").await.status(), 201);
}

/// A record is found by each of its names, and the answer does not change when it is migrated.
#[tokio::test]
async fn a_miss_is_answered_with_the_record_of_its_migration() {
    let text = legacy("a", "p-1");
    let ground = Ground::over(&[("2019/deep/one.json", text.clone()), ("broken.json", "{".to_owned())]);
    for target in [proof_path("a"), by_hash("a"), "/v1/proofs/p-1".to_owned(), proof_path("b")] {
        let unknown = ground.send(get(&target)).await;
        assert_eq!(unknown.status(), 503, "{target}: not all was looked through");
        assert!(unknown.headers().contains_key(RETRY_AFTER));
    }
    ground.walk().await;
    assert_eq!(ground.send(get(&proof_path("b"))).await.status(), 404);
    assert_eq!(ground.send(get("/v1/proofs/p-2")).await.status(), 404);
    let read = async |when: &str| {
        let found = ground.send(get(&proof_path("a"))).await;
        assert_eq!((found.status().as_u16(), found.body()), (200, &migrated(&text)), "{when}");
        let tag = found.headers()[ETAG].clone();
        let head = ground.send(ask(Method::HEAD, &by_hash("a"))).await;
        assert_eq!((head.status().as_u16(), &head.headers()[ETAG]), (200, &tag), "{when}");
        let led = ground.send(get("/v1/proofs/p-1")).await;
        assert_eq!(
            (led.status().as_u16(), led.headers()[LOCATION].to_str().unwrap()),
            (308, &*proof("a").to_string())
        );
        found.headers().clone()
    };
    let before = read("before").await;
    assert_eq!(ground.import().await, ONE);
    let after = read("after").await;
    let same = |name: http::HeaderName| assert_eq!(before.get(&name), after.get(&name), "{name}");
    [ETAG, http::header::LAST_MODIFIED, http::header::CACHE_CONTROL].into_iter().for_each(same);
    assert_eq!(ground.import().await, Report::default(), "what is there is not taken over again");
    // The legacy store is no longer needed.
    std::fs::remove_dir_all(ground.records.path().join("2019")).unwrap();
    read("alone").await;
    ground.assert_whole().await;
}

/// A mere check that the proof exists starts its migration, too.
#[tokio::test]
async fn head_begins_a_migration() {
    let ground = Ground::over(&[("p-1.json", legacy("a", "p-1"))]);
    assert_eq!(ground.send(ask(Method::HEAD, "/proofs/p-1")).await.status(), 308);
    assert_eq!(ground.import().await, ONE);
    assert_eq!(ground.send(ask(Method::HEAD, &proof_path("a"))).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_readers_migrate_a_proof_once() {
    let text = legacy("a", "p-1");
    let ground = Ground::over(&[("p-1", text.clone())]);
    ground.walk().await;
    let readers: Vec<_> = (0..64)
        .map(|number| {
            let (source, service) = (ground.source.clone(), Arc::clone(&ground.service));
            let target = if number % 2 == 0 { proof_path("a") } else { by_hash("a") };
            tokio::spawn(async move { send(&source, &service, get(&target)).await })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap().body(), &migrated(&text));
    }
    assert_eq!(ground.import().await, ONE);
    let counted = ground.service.ports().events.snapshot();
    assert_eq!((counted.stored, counted.deduplicated), (1, 0));
    ground.assert_whole().await;
}

/// Guarantee 8: a proof that was deleted here is not looked up in the source.
#[tokio::test]
async fn a_marker_wins() {
    let ground = Ground::over(&[("p-1.json", legacy("a", "p-1")), ("p-2.json", legacy("b", "p-2"))]);
    ground.walk().await;
    assert_eq!(ground.send(get(&proof_path("a"))).await.status(), 200);
    assert_eq!(ground.import().await, ONE);
    assert_eq!(ground.send(ask(Method::DELETE, &proof_path("a"))).await.status(), 204);
    // This proof was never migrated, but its deletion leaves a tombstone all the same.
    assert_eq!(ground.send(ask(Method::DELETE, &proof_path("b"))).await.status(), 204);
    for (name, id) in [("a", "p-1"), ("b", "p-2")] {
        for target in [proof_path(name), by_hash(name)] {
            assert_eq!(ground.send(get(&target)).await.status(), 410, "{target}");
        }
        assert_eq!(ground.send(get(&format!("/v1/proofs/{id}"))).await.status(), 308);
    }
    assert_eq!(ground.import().await, Report::default());
    let ground = ground.again(&[]);
    ground.walk().await;
    assert_eq!(ground.send(get(&proof_path("b"))).await.status(), 410);
    assert_eq!(ground.import().await, Report::default());
    ground.assert_whole().await;
}

/// A change to a proof imports it first, and a proof that has another manifest here stays as it is.
#[tokio::test]
async fn what_is_not_migrated_can_be_replaced() {
    let ground = Ground::over(&[("p-1.json", legacy("a", "p-1")), ("p-2.json", legacy("b", "p-2"))]);
    ground.walk().await;
    let tag = ground.send(get(&proof_path("a"))).await.headers()[ETAG].clone();
    let put = request(Method::PUT, &proof_path("a"), &json!({"manifest": {"n": 2}}));
    let put = ground.send(with(put, IF_MATCH, tag.as_bytes())).await;
    assert_eq!((put.status().as_u16(), &body(&put)["revision"]), (200, &json!(2)));
    let store = json!({"media_hash": media("b").to_string(), "manifest": {"other": true}});
    assert_eq!(ground.send(request(Method::POST, "/v1/proofs", &store)).await.status(), 201);
    for name in ["a", "b"] {
        let found = ground.send(get(&proof_path(name))).await;
        assert_ne!(body(&found)["manifest"]["json"], json!({"of": name}));
    }
    ground.import().await;
    ground.assert_whole().await;
}

/// An expired record is gone, and is not migrated.
#[tokio::test]
async fn what_has_expired_is_gone() {
    let text = legacy("a", "p-1").replace(r#""metadata""#, r#""expiresAt":1600000001000,"metadata""#);
    let ground = Ground::over(&[("p-1.json", text)]);
    ground.walk().await;
    assert_eq!(ground.send(get(&proof_path("a"))).await.status(), 410);
    assert_eq!(ground.import().await, Report::default());
}

/// Guarantee 7: a source that does not answer is a failure, whatever it would have answered.
#[tokio::test]
async fn a_legacy_source_out_of_reach_is_no_absence() {
    let ground = Ground::over(&[("p-1.json", legacy("a", "p-1"))]);
    ground.walk().await;
    let moved = ground.records.path().with_extension("moved");
    std::fs::rename(ground.records.path(), &moved).unwrap();
    for target in
        [proof_path("a"), proof_path("b"), by_hash("b"), "/v1/proofs/p-1".into(), "/proofs/p-9".into()]
    {
        assert_eq!(ground.send(get(&target)).await.status(), 503, "{target}");
    }
    let stored = json!({"media_hash": media("c").to_string(), "manifest": {}});
    assert_eq!(ground.send(request(Method::POST, "/v1/proofs", &stored)).await.status(), 201);
    assert_eq!(ground.send(get(&proof_path("c"))).await.status(), 200, "what is here needs nobody");
    std::fs::rename(&moved, ground.records.path()).unwrap();
    assert_eq!(ground.send(get(&proof_path("a"))).await.status(), 200);
    // An unreadable record under this very name is not an absence.
    std::fs::write(ground.records.path().join("p-3.json"), "{").unwrap();
    assert!(ground.send(get("/v1/proofs/p-3")).await.status().is_server_error());
}

/// A function does not list the source: for a legacy ID it answers with the record itself.
#[tokio::test]
async fn without_a_catalogue_records_are_found_by_their_names() {
    let (named, own) = (legacy("a", "p-1"), legacy("b", &proof("b").to_string()));
    let own_path = format!("{}.json", proof("b"));
    let ground = Ground::with(&[("p-1.json", named.clone()), (&own_path, own.clone())], &[], false);
    let found = ground.send(get("/v1/proofs/p-1")).await;
    assert_eq!((found.status().as_u16(), found.body()), (200, &migrated(&named)));
    let unchanged = http::header::IF_NONE_MATCH;
    let asked = with(get("/v1/proofs/p-1"), unchanged, found.headers()[ETAG].as_bytes());
    assert_eq!(ground.send(asked).await.status(), 304);
    assert_eq!(ground.send(get(&proof_path("b"))).await.body(), &migrated(&own));
    assert_eq!(ground.send(get(&proof_path("a"))).await.status(), 404);
    assert_eq!(ground.import().await, Report { imported: 2, failed: 0 });
    assert_eq!(ground.send(get("/v1/proofs/p-1")).await.status(), 308);
    assert_eq!(ground.send(get(&proof_path("a"))).await.body(), &migrated(&named));
}

/// Reads and new proofs go only to the legacy store, and a later migration turns its records into exactly what was
/// answered.
#[tokio::test]
async fn the_cloud_storage_can_be_switched_off_and_on() {
    let old = legacy("old", "p-1");
    let ground = Ground::over(&[("p-1.json", old.clone()), ("p-2.json", legacy("gone", "p-2"))]);
    ground.walk().await;
    let here = json!({"media_hash": media("here").to_string(), "manifest": {}});
    assert_eq!(ground.send(request(Method::POST, "/v1/proofs", &here)).await.status(), 201);
    assert_eq!(ground.send(ask(Method::DELETE, &proof_path("gone"))).await.status(), 204);

    let ground = ground.again(OFF);
    ground.walk().await;
    assert_eq!(ground.send(get(&proof_path("old"))).await.body(), &migrated(&old));
    assert_eq!(ground.send(get("/proofs/p-1")).await.status(), 308);
    assert_eq!(
        ground.send(get(&proof_path("here"))).await.status(),
        404,
        "the legacy store does not have it"
    );
    assert_eq!(ground.send(get(&proof_path("gone"))).await.status(), 410, "what was deleted stays deleted");
    assert_eq!(ground.send(get("/proofs/p-2")).await.status(), 308);
    let gone = json!({"media_hash": media("gone").to_string(), "manifest": {"new": 1}});
    let gone = ground.send(request(Method::POST, "/v1/proofs", &gone)).await;
    assert_eq!(gone.status(), 503, "a later migration would leave it out");
    let c2pa = BASE64.encode(&manifest_store(ID, media("c2pa").digest()));
    let mut answers = Vec::new();
    for (name, stored) in [
        ("json", format!(r#"{{"media_hash":"{}","manifest":{{ "a" : 1.0 }},"tags":{{"album":"x"}},"media_type":"image/png","signature":"c2ln"}}"#, media("json"))),
        ("spaces", json!({"media_hash": media("spaces").to_string(), "manifest_base64": BASE64.encode(b" {\"a\":1}\n"), "manifest_type": "application/json", "expires_in": 60}).to_string()),
        ("c2pa", json!({"media_hash": media("c2pa").to_string(), "manifest_base64": c2pa}).to_string()),
    ] {
        let post = || crate::http::ask::text(Method::POST, "/v1/proofs", &stored);
        let first = ground.send(post()).await;
        assert_eq!(first.status(), 201, "{name}: {:?}", first.body());
        let again = ground.send(post()).await;
        assert_eq!((again.status().as_u16(), &body(&again)["identical"]), (200, &json!(true)), "{name}");
        let read = ground.send(get(&proof_path(name))).await;
        assert_eq!((read.status().as_u16(), &read.headers()[ETAG]), (200, &first.headers()[ETAG]), "{name}");
        assert_eq!(body(&read)["manifest"]["sha256"], body(&first)["manifest"]["sha256"]);
        let file = std::fs::read_to_string(ground.records.path().join(format!("{}.json", proof(name)))).unwrap();
        assert_eq!(read.body(), &migrated(&file), "{name}");
        answers.push((name, read.body().clone()));
    }
    let other = json!({"media_hash": media("json").to_string(), "manifest": {"other": 1}});
    let other = ground.send(request(Method::POST, "/v1/proofs", &other)).await;
    assert_eq!((other.status().as_u16(), &body(&other)["identical"]), (200, &json!(false)));
    let private = json!({"media_hash": media("x").to_string(), "manifest": {}, "visibility": "private"});
    let path = proof_path("old");
    for refused in [
        request(Method::POST, "/v1/proofs", &private),
        with(request(Method::PUT, &path, &json!({"manifest": {}})), IF_MATCH, "*"),
        ask(Method::DELETE, &path),
        request(Method::POST, "/v1/proofs/batch-delete", &json!({"ids": [proof("old").to_string()]})),
        get("/v1/proofs"),
        get(&format!("{path}/1")),
        get(&format!("/v1/manifests/{ID}")),
        get(&format!("{path}?form=stored")),
    ] {
        let place = format!("{} {}", refused.method(), refused.uri());
        let refused = ground.send(refused).await;
        assert_eq!(refused.status(), 503, "{place}");
        assert!(body(&refused)["detail"].as_str().unwrap().contains("CREDLINK_CLOUD_STORAGE"), "{place}");
        assert!(refused.headers().contains_key(RETRY_AFTER), "{place}");
    }
    assert_eq!(ground.send(get("/v1/health")).await.status(), 200);
    assert_eq!(ground.import().await, Report::default(), "nothing is migrated meanwhile");

    let ground = ground.again(&[]);
    ground.walk().await;
    for (name, answer) in &answers {
        assert_eq!(ground.send(get(&proof_path(name))).await.body(), answer, "{name}");
    }
    assert_eq!(ground.import().await, Report { imported: 3, failed: 0 });
    for (name, answer) in &answers {
        assert_eq!(ground.send(get(&proof_path(name))).await.body(), answer, "{name}");
    }
    assert_eq!(ground.send(get(&proof_path("here"))).await.status(), 200);
    ground.assert_whole().await;
}

/// The same beside a bucket, which becomes unreachable.
#[tokio::test]
async fn a_bucket_is_a_legacy_source() {
    let bucket = r2::bucket();
    let endpoint: Uri = r2::endpoint().parse().unwrap();
    let proxy = Proxy::to(endpoint.authority().unwrap().as_str().parse().unwrap());
    let through = format!("{}{}", proxy.url(), endpoint.path().trim_end_matches('/'));
    let variables = |switch: &'static str| {
        [
            ("R2_ENDPOINT", through.clone()),
            ("R2_BUCKET", "another".to_owned()),
            ("R2_ACCESS_KEY_ID", r2::ACCESS_KEY.to_owned()),
            ("R2_SECRET_ACCESS_KEY", r2::SECRET.to_owned()),
            ("STORAGE_TIMEOUT", "3000".to_owned()),
            ("STORAGE_MAX_RETRIES", "0".to_owned()),
            ("CREDLINK_CLOUD_STORAGE", switch.to_owned()),
        ]
    };
    let opened = |switch, has_catalogue| {
        let variables = variables(switch);
        let more: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings(&format!("r2://{bucket}/old"), &more)
            .open(&plain_config(http_client()), has_catalogue)
            .unwrap()
    };
    let data = tempfile::tempdir().unwrap();
    let off = Hybrid::new(opened("off", false));
    let alone = service(data.path());
    let stored = json!({"media_hash": media("a").to_string(), "manifest": {"n": 1}});
    let first = send(&off, &alone, request(Method::POST, "/v1/proofs", &stored)).await;
    assert_eq!(first.status(), 201, "{:?}", first.body());
    let read = send(&off, &alone, get(&proof_path("a"))).await;
    assert_eq!(read.headers()[ETAG], first.headers()[ETAG]);
    drop((alone, off));

    let source = Hybrid::new(opened("on", true));
    let service = service(data.path());
    source.legacy().walk().await.unwrap();
    assert_eq!(send(&source, &service, get(&by_hash("a"))).await.body(), read.body());
    proxy.set(Fault::Refuse);
    for name in ["a", "b"] {
        assert_eq!(send(&source, &service, get(&proof_path(name))).await.status(), 503, "{name}");
    }
    assert_eq!(source.legacy().import_requested(&service).await, Report { imported: 0, failed: 1 });
    proxy.set(Fault::Pass);
    assert_eq!(
        send(&source, &service, get(&proof_path("a"))).await.body(),
        read.body(),
        "and it begins again"
    );
    assert_eq!(source.legacy().import_requested(&service).await, ONE);
    assert_eq!(send(&source, &service, get(&proof_path("a"))).await.body(), read.body());
}
